"""Documents: the latest word holds, lists go on after a name, and a deleted one is gone."""

from __future__ import annotations

from console.outgoing.dispatcher import every
from tests.console.outgoing.world import World


async def test_put_get_list_delete(world: World) -> None:
    documents = world.documents
    for name in ("b", "a", "a.1", "a.2", "ab", "山"):
        await documents.put(1, "kind", name, name.encode())
    await documents.put(1, "kind2", "a", b"other")
    await documents.put(2, "kind", "a", b"another tenant's")
    assert documents.get(1, "kind", "a") == b"a"
    assert documents.get(1, "kind", "nothing") is None
    assert [name for name, _ in documents.list(1, "kind")] == ["a", "a.1", "a.2", "ab", "b", "山"]
    assert [name for name, _ in documents.list(1, "kind", after="a.1", limit=2)] == ["a.2", "ab"]
    assert [name for name, _ in documents.list(1, "kind", after="a.0")] == ["a.1", "a.2", "ab", "b", "山"]
    await documents.put(1, "kind", "a", b"newer", "who")
    await documents.put(1, "kind", "ab", None)
    assert documents.get(1, "kind", "a") == b"newer"
    assert documents.get(1, "kind", "ab") is None
    assert every(documents, 1, "kind", prefix="a.") == [("a.1", b"a.1"), ("a.2", b"a.2")]


async def test_all_of_many(world: World) -> None:
    for n in range(1_203):
        world.documents._stamp()
        await world.documents.put(1, "kind", f"{n:05}", b"{}")
    assert [name for name, _ in every(world.documents, 1, "kind")] == [f"{n:05}" for n in range(1_203)]
