"""Custom blocks: addresses, domains and companies a tenant chose not to mail, one by one or as CSV (E36-E38, S32)."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime

from console.audit import audited
from console.block_csv import CsvLine, check_value, ended_at, read_lines, read_text
from console.broadcasts import read_cursor, write_cursor
from console.identity import Scope
from console.kept import kept
from console.problem import ProblemError, bad_request, not_found, too_large
from console.route import Answer, Call, Reply, Route, missing
from console.schema import time_of, us_of
from console.schema_suppressions import (
    BlockIn,
    BlockKind,
    BlockOut,
    BlockPage,
    BlockPath,
    BlocksQuery,
    DuplicateLine,
    ExpiredLine,
    ImportOut,
    ImportQuery,
    MalformedLine,
    ReasonQuery,
)
from model.address import Address
from model.detail import DocumentSet
from model.errors import AddressError
from model.fact import Fact
from model.keyring import KeyRing
from store.documents import Document
from store.gate import BLOCK_KIND, block_name
from store.reader import PAGE_SIZE
from store.roster import fold_text

CSV = "text/csv"
#: Lines shown of those left out, and of those taken.
_SHOWN, _SAMPLE = 1_000, 20
_BATCH = 2_000
#: Documents looked through for one page.
_MAX_LOOKED = 5_000
_PREFIXES = {BlockKind.ADDRESS: "recipient:", BlockKind.DOMAIN: "domain:", BlockKind.COMPANY: "company:"}


async def add_block(call: Call) -> Reply:
    """Block one address, domain or company; of two words on one the later holds."""
    try:
        name, fact = _fact(call, call.body)
    except AddressError as error:
        raise bad_request(f"Not to be blocked: {error}.") from None
    is_new = call.services.reader.document(call.identity.tenant, BLOCK_KIND, name) is None
    await call.services.writer.submit([fact, audited(call, "block.add", f"block:{name}")])
    return Reply(201 if is_new else 200, shown(_find(call, name)))


async def list_blocks(call: Call) -> Reply:
    """Return a page of custom blocks."""
    query: BlocksQuery = call.query
    services, tenant = call.services, call.identity.tenant
    rows: list[BlockOut] = []
    after, looked = read_cursor(query.after), 0
    while True:
        page = services.reader.documents(tenant, BLOCK_KIND, after=after, limit=PAGE_SIZE - len(rows))
        rows += [shown(row) for row in page.rows if _fits(call, row, query)]
        looked += len(page.rows)
        after = page.after
        if after is None or len(rows) >= PAGE_SIZE or looked >= _MAX_LOOKED:
            return Reply(200, BlockPage(rows, write_cursor(after)))


def _fits(call: Call, document: Document, query: BlocksQuery) -> bool:
    if query.kind is not None and not document.name.startswith(_PREFIXES[query.kind]):
        return False
    block = shown(document)
    now = time_of(call.services.now_us())
    return not (
        (query.q and fold_text(query.q) not in fold_text(block.value))
        or (query.domain and block.domain != query.domain.lower())
        or (query.from_ and block.created_at < query.from_)
        or (query.to and block.created_at >= query.to)
        or (not query.expired and block.expires_at and now and block.expires_at <= now)
    )


async def delete_block(call: Call) -> Reply:
    """Take a custom block away."""
    path: BlockPath = call.path
    _find(call, path.block)
    fact = kept(call, BLOCK_KIND, path.block, None)
    note = json.dumps({"reason": call.query.reason})
    await call.services.writer.submit([fact, audited(call, "block.delete", f"block:{path.block}", note)])
    return Reply(204)


async def import_blocks(call: Call) -> Reply:
    """Take a CSV file of blocks, or with ``dry_run`` only say what it would do. Good lines are taken, bad ones told."""
    query: ImportQuery = call.query
    try:
        text = read_text(await _read(call))
    except ValueError:
        raise bad_request("The file is neither UTF-8, Shift_JIS nor UTF-16 with a mark.") from None
    taking = _Taking(call)
    for place, line in enumerate(read_lines(text, call.services.zone)):
        taking.take(line)
        if place % _BATCH == 0:
            await asyncio.sleep(0)  # others are served between
    if not query.dry_run:
        facts = [_fact(call, block)[1] for _, block in taking.changed]
        for start in range(0, len(facts), _BATCH):
            await call.services.writer.submit(facts[start : start + _BATCH])
        note = json.dumps({"added": taking.added, "changed": len(taking.changed) - taking.added})
        await call.services.writer.submit([audited(call, "block.import", "", note)])
    return Reply(200, taking.report(dry_run=query.dry_run))


class _Taking:
    """What the lines of one file come to."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._seen: dict[str, int] = {}
        self._malformed: list[MalformedLine] = []
        self._duplicates: list[DuplicateLine] = []
        self._expired: list[ExpiredLine] = []
        self._now_us = call.services.now_us()
        self._lines = self._known = 0
        self.added = 0
        #: to be written: (name, block)
        self.changed: list[tuple[str, BlockIn]] = []

    def take(self, line: CsvLine) -> None:
        """Take in one line."""
        self._lines += 1
        if line.block is None:
            self._malformed.append(MalformedLine(line.number, line.problem))
            return
        services, tenant = self._call.services, self._call.identity.tenant
        name = _name(services.keys(), tenant, line.block, check_value(line.block))
        first = self._seen.setdefault(name, line.number)
        if first != line.number:
            self._duplicates.append(DuplicateLine(line.number, first))
            return
        ended = ended_at(line.block, self._now_us)
        if ended is not None:
            self._expired.append(ExpiredLine(line.number, ended))
        known = services.reader.document(tenant, BLOCK_KIND, name)
        if known is None:
            self.added += 1
        elif _says_the_same(known, line.block):
            self._known += 1
            return
        self.changed.append((name, line.block))

    def report(self, *, dry_run: bool) -> ImportOut:
        """Return the answer."""
        return ImportOut(
            dry_run, self._lines, self.added, len(self.changed) - self.added, self._known, len(self._malformed),
            len(self._duplicates), self._malformed[:_SHOWN], self._duplicates[:_SHOWN], len(self._expired),
            self._expired[:_SHOWN], [block for _, block in self.changed[:_SAMPLE]],
        )  # fmt: skip


def _says_the_same(known: Document, block: BlockIn) -> bool:
    said = json.loads(known.body)
    return bool(said["expires_at_us"] == us_of(block.expires_at) and said["note"] == block.note)


async def _read(call: Call) -> bytes:
    limits, content = call.services.limits, call.request.content
    if (call.request.content_length or 0) > limits.csv_bytes:
        raise too_large(limits.csv_bytes)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_s):
            async for part in content.iter_any():
                size += len(part)
                if size > limits.csv_bytes:
                    raise too_large(limits.csv_bytes)
                parts.append(part)
    except TimeoutError:
        raise ProblemError(408, "timeout", f"The file did not come within {limits.body_s:.0f} s.") from None
    return b"".join(parts)


def _name(keys: KeyRing, tenant: int, block: BlockIn, value: str) -> str:
    if block.kind is BlockKind.ADDRESS:
        number = keys.recipient_number(tenant, Address.parse(value).folded)
        return block_name("recipient", f"{number:016x}")
    return block_name(block.kind.value, value)


def block_document(block: BlockIn, keys: KeyRing, tenant: int, actor: str) -> DocumentSet:
    """Return the document that sets a block. Raises AddressError when it names nothing."""
    value = check_value(block)
    body = {"kind": block.kind.value, "value": value, "expires_at_us": us_of(block.expires_at), "note": block.note}
    name = _name(keys, tenant, block, value)
    return DocumentSet(BLOCK_KIND, name, json.dumps(body, ensure_ascii=False).encode(), actor)


def _fact(call: Call, block: BlockIn) -> tuple[str, Fact]:
    """Return name and fact of a block. Raises AddressError when it names nothing."""
    services, identity = call.services, call.identity
    detail = block_document(block, services.keys(), identity.tenant, identity.name)
    return detail.name, kept(call, detail.kind, detail.name, detail.body)


def _find(call: Call, name: str) -> Document:
    found = call.services.reader.document(call.identity.tenant, BLOCK_KIND, name)
    if found is None:
        raise not_found("There is no such block.")
    return found


def shown(document: Document) -> BlockOut:
    """Return a block as the API shows it (E38)."""
    said = json.loads(document.body)
    value = str(said["value"])
    domain = {"address": value.rpartition("@")[2], "domain": value.removeprefix("*.")}.get(said["kind"])
    return BlockOut(
        document.name, said["kind"], value, domain, document.actor, time_of(document.at_us) or datetime.min,
        time_of(said["expires_at_us"]), said["note"],
    )  # fmt: skip


_NOT_FOUND = missing("block")
ROUTES = (
    Route(
        "POST", "/v1/blocks", Scope.SUPPRESSIONS_WRITE, "addBlock",
        "Block an address, a domain, all below a domain, or a company by its exact name.", add_block,
        (Answer(200, "Changed; durable.", BlockOut), Answer(201, "Blocked; durable.", BlockOut)), body_type=BlockIn,
    ),
    Route(
        "GET", "/v1/blocks", Scope.SUPPRESSIONS_READ, "listBlocks", "Custom blocks, fifty a page.", list_blocks,
        (Answer(200, "A page.", BlockPage),), query_type=BlocksQuery,
    ),
    Route(
        "DELETE", "/v1/blocks/{block}", Scope.SUPPRESSIONS_WRITE, "deleteBlock", "Take a custom block away.",
        delete_block, (Answer(204, "Gone; durable."), _NOT_FOUND), path_type=BlockPath, query_type=ReasonQuery,
    ),
    Route(
        "POST", "/v1/blocks/import", Scope.SUPPRESSIONS_WRITE, "importBlocks",
        "Upload custom blocks as CSV; with dry_run only say what would be added and which lines are wrong.",
        import_blocks, (Answer(200, "Taken; durable. Or what would be.", ImportOut),),
        query_type=ImportQuery, body_type=str, body_media_type=CSV,
    ),
)  # fmt: skip
