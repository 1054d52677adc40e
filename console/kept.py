"""What the API keeps of a tenant, as documents (store.documents)."""

from __future__ import annotations

from console.route import Call
from model.detail import DocumentSet
from model.fact import DeliveryKey, Fact, FactType


def kept(call: Call, kind: str, name: str, body: bytes | None) -> Fact:
    """Return the fact that the caller sets a document, or with no ``body`` deletes it."""
    services, identity = call.services, call.identity
    detail = DocumentSet(kind, name, body, identity.name)
    return Fact(FactType.DOCUMENT_SET, DeliveryKey(identity.tenant, 0, 0), services.stamp(), detail, services.node)
