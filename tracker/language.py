"""Choose between Japanese and English for a reader (RFC 9110 12.5.4). Pure."""

from __future__ import annotations

LANGUAGES = ("ja", "en")
DEFAULT = "ja"
_MAX_RANGES = 20


def choose_language(asked: str, accept_language: str) -> str:
    """Return ``ja`` or ``en``.

    Arguments: ``asked`` is what the reader chose by the switch and wins if it is one of ours;
    ``accept_language`` the header's value. Whoever accepts neither gets Japanese.
    """
    if asked in LANGUAGES:
        return asked
    best, best_weight = DEFAULT, 0.0
    for part in accept_language.split(",")[:_MAX_RANGES]:
        name, _, parameters = part.partition(";")
        language = name.strip().lower().partition("-")[0]
        weight = _weight(parameters)
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0
