"""Floods of failures as the gate asks about them: looked up once each, with what somebody said of them (S26)."""

from __future__ import annotations

import json

from store import keys
from store.counters import Counts
from store.documents import Document, read_document
from store.environment import Environment
from store.incidents import WINDOW_US, is_flooded, latest_domain_rows
from store.transaction import Transaction

#: Kind of the documents that say what somebody decided about an incident; named by its id.
INCIDENT_KIND = "incident"


class Floods:
    """Answers inside one transaction, for any tenant."""

    def __init__(self, env: Environment, txn: Transaction) -> None:
        """``txn`` may be any transaction of ``env``."""
        self._env = env
        self._txn = txn
        self._known: dict[tuple[int, str, int], bool] = {}
        #: by tenant: (domain, from, until) of incidents whose failures are true
        self._confirmed: dict[int, list[tuple[str, int, int]]] = {}

    def is_held(self, tenant: int, domain: str, at_us: int) -> bool:
        """Whether a failure of that time came in a flood of which nobody has said that it is true."""
        place = (tenant, domain, at_us // WINDOW_US)
        if place not in self._known:
            self._known[place] = is_flooded(self._env, self._txn, tenant, domain, at_us)
        return self._known[place] and not self._is_confirmed(tenant, domain, at_us)

    def latest_rows(self, tenant: int, domain: str) -> list[Counts]:
        """Return the counts of a domain in each of the latest broadcasts that mailed it."""
        return latest_domain_rows(self._env, self._txn, tenant, domain)

    def _is_confirmed(self, tenant: int, domain: str, at_us: int) -> bool:
        if tenant not in self._confirmed:
            self._confirmed[tenant] = []
            for document in self._documents(tenant):
                said = json.loads(document.body)
                if said.get("state") == "confirmed":
                    self._confirmed[tenant].append((said["domain"], said["first_us"], said["until_us"]))
        return any(where == domain and a <= at_us < b for where, a, b in self._confirmed[tenant])

    def _documents(self, tenant: int) -> list[Document]:
        prefix = keys.document_key(tenant, INCIDENT_KIND)
        found: list[Document] = []
        with self._txn.cursor(db=self._env.db(keys.DOCUMENTS)) as cursor:
            is_there = cursor.set_range(prefix)
            while is_there and cursor.key().startswith(prefix):
                document = read_document(cursor.key(), cursor.value())
                if document is not None:
                    found.append(document)
                is_there = cursor.next()
        return found
