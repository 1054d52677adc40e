"""What follows for a recipient from all its deliveries together: suppression, and where it failed first.

Folded anew, from all its records, whenever something came that can change it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from model.detail import Report
from model.fact import DeliveryKey
from store import keys
from store.counters import Counts
from store.environment import Environment
from store.errors import StoreCorruptError
from store.log import read_fact
from store.record import Record
from store.records import Records, RecordsWriter
from store.sealed import pack_value
from store.standing import fold_recipient
from store.suppression import Suppression
from store.transaction import Transaction, keys_from, put_over

#: Returns the record of a delivery by its key, as far as it is at hand.
Loaded = Callable[[bytes], Record | None]


class RecipientFold:
    """The recipients one transaction touches. ``finish`` folds them, after the deliveries were written."""

    def __init__(self, env: Environment, txn: Transaction, records: RecordsWriter) -> None:
        """``txn`` is an open write transaction, ``records`` what is written in it."""
        self._env = env
        self._txn = txn
        self._records = records
        #: (tenant, recipient) -> whether it may become suppressed by this, not only cease to be
        self._touched: dict[tuple[int, int], bool] = {}
        #: deliveries of those who may only cease to be
        self._alive: set[bytes] = set()

    def touch(self, tenant: int, recipient: int, *, can_suppress: bool) -> None:
        """Note that a recipient must be folded anew, if only because it may be suppressed already."""
        self._touched[tenant, recipient] = can_suppress or self._touched.get((tenant, recipient), False)

    def touch_alive(self, place: bytes) -> None:
        """Note a sign of life of the recipient of the delivery with key ``place``."""
        self._alive.add(place)

    def touch_all_alive(self, places: Iterable[bytes]) -> None:
        """Note a sign of life of the recipient of each of these deliveries."""
        self._alive.update(places)

    def finish(self, counts: dict[bytes, Counts], loaded: Loaded) -> None:
        """Write what changed; adds to ``counts``, by key, what the counts of broadcasts change by it.

        ``loaded`` gives records this transaction has read already, so that they are not read twice.
        """
        self._find_alive()
        if not self._touched:
            return
        with self._txn.cursor(db=self._env.db(keys.SUPPRESSED)) as suppressed:
            for (tenant, recipient), can_suppress in sorted(self._touched.items()):
                known = keys_from(suppressed, keys.recipient_prefix(tenant, recipient))
                if not can_suppress and not known:
                    continue
                standing = fold_recipient(evidence_of(self._records, tenant, recipient, loaded))
                self._write_entries(tenant, recipient, known, standing.entries)
                self._write_first_failed(tenant, recipient, standing.first_failed, counts)

    def _find_alive(self) -> None:
        """Take of those that live the few that are suppressed."""
        db = self._env.db(keys.SUPPRESSED)
        if not self._alive or not self._txn.stat(db)["entries"]:
            return
        with self._txn.cursor(db=db) as cursor:
            for prefix in {place[:2] + place[8:] for place in self._alive}:
                if cursor.set_range(prefix) and cursor.key().startswith(prefix):
                    tenant, recipient = int.from_bytes(prefix[:2], "big"), int.from_bytes(prefix[2:], "big")
                    self._touched.setdefault((tenant, recipient), False)

    def _write_entries(self, tenant: int, recipient: int, known: list[bytes], entries: list[Suppression]) -> None:
        db = self._env.db(keys.SUPPRESSED)
        for key in known:
            raw = self._txn.get(key, db=db)
            if raw is not None:
                self._forget_beside(tenant, recipient, Suppression.unpack(key, raw))
            self._txn.delete(key, db=db)
        for entry in entries:
            key = keys.suppressed_key(tenant, recipient, entry.kind, entry.broadcast)
            put_over(self._txn, db, key, entry.pack(key))
            self._write_beside(tenant, recipient, entry)

    def _write_beside(self, tenant: int, recipient: int, entry: Suppression) -> None:
        """Write what an entry says by domain, and by the mark of its address."""
        if entry.host_at_us and entry.domain:
            key = keys.dead_host_prefix(tenant, entry.domain) + recipient.to_bytes(8, "big")
            put_over(self._txn, self._env.db(keys.DEAD_HOSTS), key, entry.host_at_us.to_bytes(8, "big"))
        if entry.shared:
            key = keys.global_bounce_key(self._mark_of(entry), tenant, recipient)
            # A last word only where it is true, so that what was written before reads the same.
            tencent = (True,) if entry.is_at_tencent else ()
            value = pack_value(key, (entry.at_us, entry.shared, entry.domain, *tencent))
            put_over(self._txn, self._env.db(keys.GLOBAL_BOUNCES), key, value)

    def _forget_beside(self, tenant: int, recipient: int, entry: Suppression) -> None:
        if entry.host_at_us and entry.domain:
            key = keys.dead_host_prefix(tenant, entry.domain) + recipient.to_bytes(8, "big")
            self._txn.delete(key, db=self._env.db(keys.DEAD_HOSTS))
        if entry.shared:
            key = keys.global_bounce_key(self._mark_of(entry), tenant, recipient)
            self._txn.delete(key, db=self._env.db(keys.GLOBAL_BOUNCES))

    def _mark_of(self, entry: Suppression) -> bytes:
        detail = read_fact(self._env, self._txn, entry.shared_seq).detail
        mark = detail.global_mark if isinstance(detail, Report) else None
        if mark is None:
            raise StoreCorruptError("a failure that is shared has no mark")
        return mark

    def _write_first_failed(
        self, tenant: int, recipient: int, first: tuple[int, int] | None, counts: dict[bytes, Counts]
    ) -> None:
        """Write where a recipient failed first, in the broadcast's counts and in the cell of when that was done."""
        db, key = self._env.db(keys.FIRST_FAILED), keys.recipient_prefix(tenant, recipient)
        known = self._txn.get(key, db=db)
        now = None if first is None else first[0].to_bytes(6, "big") + first[1].to_bytes(4, "big")
        if known == now:
            return
        for place, by in ((known, -1), (now, 1)):
            if place is None or not any(place[:6]):
                continue
            scopes = [keys.SCOPE_ALL]
            if len(place) > 6:  # written before: no cell counts it, see `yamabiko store rebuild`
                scopes.append(keys.cell_scope(int.from_bytes(place[6:], "big"), 0))
            for scope in scopes:
                change = counts.setdefault(keys.tenant_key(tenant) + place[:6] + scope, {})
                change["failed_first"] = change.get("failed_first", 0) + by
        if now is None:
            self._txn.delete(key, db=db)
        else:
            put_over(self._txn, db, key, now)


def evidence_of(
    records: Records, tenant: int, recipient: int, loaded: Loaded = lambda _place: None
) -> list[tuple[DeliveryKey, Record]]:
    """Return all of a recipient's records, with that of what is said of it wherever mailed.

    ``loaded`` gives records that need not be read.
    """
    found: list[tuple[DeliveryKey, Record]] = []
    for number in (0, *records.mailed(tenant, recipient)):
        key = DeliveryKey(tenant, number, recipient)
        place = key.pack()
        record = loaded(place)
        if record is None:
            raw = records.get(place)
            if raw is None:
                continue
            record = Record.unpack(place, raw)
        found.append((key, record))
    return found
