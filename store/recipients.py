"""What follows for a recipient from all its deliveries together: suppression, and where it failed first.

Folded anew, from all its records, whenever something came that can change it.
"""

from __future__ import annotations

from model.cause import BY_NUMBER, Cause
from model.fact import DeliveryKey
from store import keys
from store.counters import Counts
from store.environment import Environment
from store.record import Record
from store.suppression import Suppression, SuppressionKind, fold_recipient
from store.transaction import Transaction, put_over, scan_keys

_HOST_CAUSES = frozenset({Cause.HOST_UNKNOWN, Cause.DOMAIN_NO_MAIL})


class RecipientFold:
    """The recipients one transaction touches. ``finish`` folds them, after the deliveries were written."""

    def __init__(self, env: Environment, txn: Transaction) -> None:
        """``txn`` is an open write transaction."""
        self._env = env
        self._txn = txn
        #: (tenant, recipient) -> whether it may become suppressed by this, not only cease to be
        self._touched: dict[tuple[int, int], bool] = {}
        #: the same, by octets, for those who may only cease to be
        self._alive: set[bytes] = set()

    def touch(self, tenant: int, recipient: int, *, can_suppress: bool) -> None:
        """Note that a recipient must be folded anew, if only because it may be suppressed already."""
        self._touched[tenant, recipient] = can_suppress or self._touched.get((tenant, recipient), False)

    def touch_alive(self, place: bytes) -> None:
        """Note a sign of life of the recipient of the delivery with key ``place``."""
        self._alive.add(place[:2] + place[8:])

    def finish(self, counts: dict[bytes, Counts]) -> None:
        """Write what changed; adds to ``counts``, by key, what the counts of broadcasts change by it."""
        self._find_alive()
        for (tenant, recipient), can_suppress in sorted(self._touched.items()):
            known = scan_keys(self._txn, self._env.db(keys.SUPPRESSED), keys.recipient_prefix(tenant, recipient))
            if not can_suppress and not known:
                continue
            standing = fold_recipient(self._evidence(tenant, recipient))
            self._write_entries(tenant, recipient, known, standing.entries)
            self._write_first_failed(tenant, recipient, standing.first_failed, counts)

    def _find_alive(self) -> None:
        """Take of those that live the few that are suppressed."""
        db = self._env.db(keys.SUPPRESSED)
        if not self._alive or not self._txn.stat(db)["entries"]:
            return
        with self._txn.cursor(db=db) as cursor:
            for prefix in self._alive:
                if cursor.set_range(prefix) and cursor.key().startswith(prefix):
                    tenant, recipient = int.from_bytes(prefix[:2], "big"), int.from_bytes(prefix[2:], "big")
                    self._touched.setdefault((tenant, recipient), False)

    def _evidence(self, tenant: int, recipient: int) -> list[tuple[DeliveryKey, Record]]:
        """Return all of a recipient's records."""
        prefix = keys.recipient_prefix(tenant, recipient)
        numbers = [0]
        numbers += [int.from_bytes(k[10:], "big") for k in scan_keys(self._txn, self._env.db(keys.MAILED), prefix)]
        records: list[tuple[DeliveryKey, Record]] = []
        for number in numbers:
            key = DeliveryKey(tenant, number, recipient)
            raw = self._txn.get(key.pack(), db=self._env.db(keys.DELIVERIES))
            if raw is not None:
                records.append((key, Record.unpack(key.pack(), raw)))
        return records

    def _write_entries(self, tenant: int, recipient: int, known: list[bytes], entries: list[Suppression]) -> None:
        db, hosts = self._env.db(keys.SUPPRESSED), self._env.db(keys.DEAD_HOSTS)
        number = recipient.to_bytes(8, "big")
        for key in known:
            raw = self._txn.get(key, db=db)
            old = Suppression.unpack(key, raw) if raw else None
            if old is not None and _is_of_host(old):
                self._txn.delete(keys.dead_host_prefix(tenant, old.domain) + number, db=hosts)
            self._txn.delete(key, db=db)
        for entry in entries:
            key = keys.suppressed_key(tenant, recipient, entry.kind, entry.broadcast)
            put_over(self._txn, db, key, entry.pack(key))
            if _is_of_host(entry):
                at = entry.at_us.to_bytes(8, "big")
                put_over(self._txn, hosts, keys.dead_host_prefix(tenant, entry.domain) + number, at)

    def _write_first_failed(
        self, tenant: int, recipient: int, broadcast: int | None, counts: dict[bytes, Counts]
    ) -> None:
        db, key = self._env.db(keys.FIRST_FAILED), keys.recipient_prefix(tenant, recipient)
        known = self._txn.get(key, db=db)
        now = None if broadcast is None else broadcast.to_bytes(6, "big")
        if known == now:
            return
        for number, by in ((known, -1), (now, 1)):
            if number is not None and any(number):
                change = counts.setdefault(keys.tenant_key(tenant) + number + keys.SCOPE_ALL, {})
                change["failed_first"] = change.get("failed_first", 0) + by
        if now is None:
            self._txn.delete(key, db=db)
        else:
            put_over(self._txn, db, key, now)


def _is_of_host(entry: Suppression) -> bool:
    """Whether an entry says that the host, not the mailbox, is not there."""
    cause = BY_NUMBER.get(entry.cause)
    is_bounce = entry.kind is SuppressionKind.BOUNCE and bool(entry.domain)
    return is_bounce and cause is not None and cause.cause in _HOST_CAUSES
