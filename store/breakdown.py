"""A broadcast's counts broken down: by receiving domain, and by what the failures said (N25, K20)."""

from __future__ import annotations

from dataclasses import dataclass

from model.cause import BY_NUMBER, SPECS, Cause
from store import keys
from store.counters import Counts
from store.environment import Environment
from store.sealed import unpack_value

#: Messages shown of each cause (K20).
TOP_MESSAGES = 3


@dataclass(frozen=True, slots=True)
class DomainRow:
    """Counts of one receiving domain, named as store.counters names them."""

    domain: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One of the most frequent messages of a cause, with what makes each different replaced."""

    cause: Cause
    text: str
    count: int


def _frequency(row: MessageRow) -> tuple[int, str, str]:
    return -row.count, row.cause, row.text


class Breakdown:
    """Breaks the counts of one store down."""

    def __init__(self, env: Environment) -> None:
        """``env`` may be shared with a writer."""
        self._env = env

    def domains(self, tenant: int, number: int) -> list[DomainRow]:
        """Return all receiving domains of a broadcast, those most mailed first."""
        found = [
            DomainRow(scope.decode("ascii", "replace"), row)
            for scope, row in self._rows(tenant, number, keys.SCOPE_DOMAIN)
        ]
        return sorted(found, key=lambda row: (-row.counts.get("targeted", 0), row.domain))

    def messages(self, tenant: int, number: int, *, by_code: bool = False) -> list[MessageRow]:
        """Return for each cause its at most three most frequent messages, the most frequent first.

        With ``by_code`` three for each code of the fourth seed, which may stand for several causes (K20).
        """
        groups: dict[str, list[MessageRow]] = {}
        for scope, row in self._rows(tenant, number, keys.SCOPE_MESSAGE):
            cause = BY_NUMBER[scope[0]].cause if scope[0] in BY_NUMBER else Cause.NO_REASON
            group = (SPECS[cause].ses if by_code else None) or cause
            groups.setdefault(group, []).append(MessageRow(cause, str(row.get("text", "")), row.get("count", 0)))
        found: list[MessageRow] = []
        for rows in groups.values():
            found += sorted(rows, key=_frequency)[:TOP_MESSAGES]
        return sorted(found, key=_frequency)

    def agents(self, tenant: int, number: int) -> list[tuple[str, int, int]]:
        """Return (family, opens, clicks) of all events, machines' included, the most frequent first (K36)."""
        found = [
            (scope.decode(), row.get("opens_raw", 0), row.get("clicks_raw", 0))
            for scope, row in self._rows(tenant, number, keys.SCOPE_AGENT)
        ]
        return sorted(found, key=lambda row: (-row[1] - row[2], row[0]))

    def _rows(self, tenant: int, number: int, scope: bytes) -> list[tuple[bytes, dict[str, int]]]:
        prefix = keys.broadcast_key(tenant, number) + scope
        found: list[tuple[bytes, dict[str, int]]] = []
        with self._env.read() as txn, txn.cursor(db=self._env.db(keys.COUNTERS)) as cursor:
            is_there = cursor.set_range(prefix)
            while is_there and cursor.key().startswith(prefix):
                found.append((cursor.key()[len(prefix) :], unpack_value(cursor.key(), cursor.value())))
                is_there = cursor.next()
        return found
