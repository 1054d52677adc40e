"""What program or device a User-Agent names, roughly: for counts of events, never for rates of people (K36).

One mail may be read on several devices, and image proxies stand for many, so nothing about people follows from it.
"""

from __future__ import annotations

from functools import lru_cache

#: The first that is found decides.
_SIGNS = (
    ("GoogleImageProxy", "Gmail (image proxy)"),
    ("YahooMailProxy", "Yahoo Mail (image proxy)"),
    ("Outlook", "Outlook"),
    ("Microsoft Office", "Outlook"),
    ("Thunderbird", "Thunderbird"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("DoCoMo/", "feature phone"),
    ("KDDI-", "feature phone"),
    ("SoftBank/", "feature phone"),
    ("Macintosh", "Mac"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@lru_cache(maxsize=8_192)
def family_of(user_agent: str | None) -> str:
    """Return the family of a User-Agent; ``unknown`` without one, ``other`` where none fits."""
    if not user_agent:
        return "unknown"
    if user_agent.strip() == "Mozilla/5.0":
        return "Apple Mail (privacy)"
    return next((family for sign, family in _SIGNS if sign in user_agent), "other")
