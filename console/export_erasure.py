"""Files of exports that go with a person who is forgotten: made before, they have the person still (N14, D14)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from console.export_tasks import EXPORT_KIND, Task
from console.schema_exports import ExportType, Removed
from model.detail import Audited, DocumentSet
from model.fact import DeliveryKey, Fact, FactType
from store.environment import Environment
from store.reader import Reader
from store.writer import write_now

#: A file that is whole, or one that a killed process had begun: tenant and id. What marks an export under way is empty.
_FILE = re.compile(r"\.?([0-9a-f]{4})-([0-9a-f]{16})\.(?!part$)[\w.]+")
#: All other types may name people, if only in the address of a link.
_NOBODY_IN_IT = frozenset({ExportType.REPORT})


def remove_exports(env: Environment, directory: Path, tenants: Iterable[int], *, now_us: int, actor: str) -> int:
    """Remove the tenants' files that may have people in them; returns how many. No server may be running.

    Their rows stay and say why the file is gone, and so does the audit. A file whose row is lost goes too.
    Arguments: ``now_us`` is microseconds since 1970-01-01 UTC. Raises OSError, StoreError; it may then be done again.
    """
    reader, owners = Reader(env), frozenset(tenants)
    facts: list[Fact] = []
    removed = 0
    for path in sorted(directory.glob("*")):
        name = _FILE.fullmatch(path.name)
        if name is None or int(name[1], 16) not in owners:
            continue
        tenant = int(name[1], 16)
        document = reader.document(tenant, EXPORT_KIND, name[2])
        task = None if document is None else msgspec.json.decode(document.body, type=Task)
        if task is not None and task.request.type in _NOBODY_IN_IT:
            continue
        path.unlink()
        removed += 1
        if task is not None and task.is_kept(now_us):
            facts += _told(tenant, task, now_us, actor)
    write_now(env, facts)
    return removed


def _told(tenant: int, task: Task, now_us: int, actor: str) -> list[Fact]:
    key = DeliveryKey(tenant, 0, 0)
    task = msgspec.structs.replace(task, expires_us=now_us - 1, removed=Removed.ERASURE)
    document = DocumentSet(EXPORT_KIND, task.id, msgspec.json.encode(task), actor)
    return [
        Fact(FactType.DOCUMENT_SET, key, now_us, document),
        Fact(FactType.AUDITED, key, now_us, Audited(actor, "export.erase", f"export:{task.id}")),
    ]
