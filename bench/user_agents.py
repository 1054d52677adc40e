"""Who opens mails: User-Agents in about the shares a sender sees, several hundred different ones."""

from __future__ import annotations

import random
from collections.abc import Callable

_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_Make = Callable[[random.Random], str]


def _chrome(rng: random.Random) -> str:
    system = rng.choice(("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64"))
    version = rng.randint(109, 142)
    edge = f" Edg/{version}.0.0.0" if rng.random() < 0.3 else ""
    return f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36{edge}"


def _iphone(rng: random.Random) -> str:
    system = f"{rng.randint(15, 18)}_{rng.randint(0, 7)}"
    if rng.random() < 0.3:
        system += f"_{rng.randint(1, 3)}"
    return f"Mozilla/5.0 (iPhone; CPU iPhone OS {system} like Mac OS X) {_WEBKIT} Mobile/15E148"


def _android(rng: random.Random) -> str:
    model = rng.choice(("SO-51C", "SC-51D", "Pixel 7a", "Pixel 8", "A103SO", "SH-53C", "moto g53y 5G", "SOG06"))
    return (
        f"Mozilla/5.0 (Linux; Android {rng.randint(11, 15)}; {model}; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Version/4.0 Chrome/{rng.randint(118, 142)}.0.{rng.randint(5_000, 7_200)}.{rng.randint(20, 200)} Mobile "
        "Safari/537.36"
    )


def _outlook(rng: random.Random) -> str:
    return (
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; .NET4.0E; "
        f"ms-office; MSOffice {rng.choice((14, 16))})"
    )


def _mac_mail(rng: random.Random) -> str:
    minor = rng.choice(("15_7", "15_6", "14_6"))
    return f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_{minor}) {_WEBKIT}"


def _thunderbird(rng: random.Random) -> str:
    version = rng.choice((102, 115, 128, 140))
    product = f"Thunderbird/{version}.{rng.randint(0, 14)}.0"
    return f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{version}.0) Gecko/20100101 {product}"


def _always(text: str) -> _Make:
    return lambda _rng: text


_SHARES: tuple[tuple[float, _Make], ...] = (
    (0.30, _always("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)")),
    (0.22, _always("Mozilla/5.0")),  # Apple's mail privacy protection
    (0.06, _always("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html")),
    (0.14, _chrome),
    (0.12, _iphone),
    (0.08, _android),
    (0.04, _outlook),
    (0.02, _mac_mail),
    (0.02, _thunderbird),
)


def user_agents(rng: random.Random, count: int) -> list[str]:
    """Return ``count`` User-Agents, as they come one after another."""
    makers = rng.choices([make for _, make in _SHARES], [share for share, _ in _SHARES], k=count)
    return [make(rng) for make in makers]
