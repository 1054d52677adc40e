"""Commit a group: what several callers submitted, folded and made durable in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from model.fact import Fact, Hit
from store.environment import Environment
from store.errors import FactRefusedError, MapFullError, StoreError
from store.fold import Fold, Receipt
from store.listed import ListedTogether

#: What one caller submits: facts that are stored together or not at all.
Facts = Sequence[Fact | Hit | ListedTogether]
#: For one who shares no interpreter with an event loop.
_ALONE = nullcontext()
#: Facts that make a step.
_STEP = 512
#: Times the map is doubled for one group.
_GROWTHS = 3


def commit_group(
    env: Environment,
    group: Sequence[Facts],
    *,
    moved: Callable[[], None] = lambda: None,
    taken_in: Callable[[], None] = lambda: None,
    folding: AbstractContextManager[object] = _ALONE,
) -> list[Receipt]:
    """Store what each caller submitted; returns, once all of it is durable, a receipt for each.

    Arguments: ``moved`` is called whenever a step is done, ``taken_in`` when all facts are taken in and only
    writing is left to do; ``folding`` is entered while facts are folded, which is all Python. Raises FactRefusedError
    when a fact cannot be stored, StoreError and its kin otherwise; nothing is kept.
    """
    for growth in range(_GROWTHS + 1):
        try:
            with env.write() as txn:
                fold = Fold(env, txn)
                receipts: list[Receipt] = []
                with folding:
                    for facts in group:
                        receipts.append(fold.apply(_noting(facts, moved)))
                        moved()
                taken_in()
                fold.write_log()
                with folding:
                    fold.write_state()
            fold.committed()
            moved()
            return receipts
        except MapFullError:
            if growth == _GROWTHS:
                raise
            env.grow(0)
        except StoreError:
            raise
        except Exception as error:
            raise FactRefusedError(f"{type(error).__name__} while storing a fact") from error
    raise AssertionError("unreachable")


def _noting(facts: Facts, moved: Callable[[], None]) -> Iterator[Fact | Hit | ListedTogether]:
    """Yield the facts, and call ``moved`` now and then: thousands of one caller take seconds on a busy machine."""
    for number, fact in enumerate(facts, 1):
        yield fact
        if number % _STEP == 0:
            moved()
