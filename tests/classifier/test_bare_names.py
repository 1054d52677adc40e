"""Recipients that a notification lists without a domain."""

from __future__ import annotations

import pytest

from classifier.bare_names import find_bare_names

LISTS = [
    ('Your mail cannot be delivered to the following address(es):\n\n dieter "(0), full"\n', ["dieter"]),
    ("   ----- The following addresses had permanent fatal errors -----\njsmith\n\n   ----- Transcript\n", ["jsmith"]),
    ("Not delivered to the following recipients:\n\n  anna:  disk full\n  bert:  unknown\n", ["anna", "bert"]),
    ("The following address(es) failed:\n\n  kit\n    host mx.example said no\n  lee\n", ["kit", "lee"]),
    ("   ----- Transcript of session follows -----\n550 jsmith... User unknown\n", ["jsmith"]),
]
NO_LISTS = [
    "The following addresses had errors:\n\nThe mailbox is full.\n",
    "Your message could not be delivered for the following reason:\n\nunknown\n",
    "These recipients failed:\n\n\n\n\n\nregards\n",
    "550 error... rejected\n",
    "",
]


@pytest.mark.parametrize(("text", "names"), LISTS)
def test_names_below_an_announcement(text: str, names: list[str]) -> None:
    assert find_bare_names(text) == names


@pytest.mark.parametrize("text", NO_LISTS)
def test_other_words_are_no_names(text: str) -> None:
    assert find_bare_names(text) == []


def test_a_long_list_ends() -> None:
    assert len(find_bare_names("These recipients failed:\n" + "".join(f"n{at}\n" for at in range(5_000)))) == 20
