"""Which mailbox provider a domain belongs to, as far as its name tells: a view over receiving domains (N25, P06).

Companies' own domains that a provider hosts cannot be told by name; they stay themselves.
"""

from __future__ import annotations

from functools import lru_cache

_PROVIDERS: dict[str, tuple[str, ...]] = {
    "Google": ("gmail.com", "googlemail.com"),
    "Microsoft": (
        "outlook.com", "outlook.jp", "hotmail.com", "hotmail.co.jp", "hotmail.co.uk", "hotmail.fr", "live.com",
        "live.jp", "msn.com",
    ),
    "Yahoo! JAPAN": ("yahoo.co.jp", "ymail.ne.jp"),
    "Yahoo": ("yahoo.com", "ymail.com", "rocketmail.com", "aol.com", "yahoo.co.uk", "yahoo.fr", "yahoo.de"),
    "Apple": ("icloud.com", "me.com", "mac.com"),
    "NTT docomo": ("docomo.ne.jp",),
    "au (KDDI)": ("ezweb.ne.jp", "au.com", "uqmobile.jp"),
    "SoftBank": (
        "softbank.ne.jp", "i.softbank.jp", "vodafone.ne.jp", "disney.ne.jp", "ymobile.ne.jp", "ymobile1.ne.jp",
        "willcom.com", "emnet.ne.jp",
    ),
    "Rakuten Mobile": ("rakumail.jp",),
    "Tencent": ("qq.com", "vip.qq.com", "foxmail.com", "exmail.qq.com"),
    "NetEase": ("163.com", "126.com", "yeah.net"),
    "Yandex": ("yandex.ru", "yandex.com", "ya.ru"),
    "Mail.ru": ("mail.ru", "inbox.ru", "list.ru", "bk.ru"),
    "GMX": ("gmx.de", "gmx.net", "gmx.com", "web.de"),
    "Orange": ("orange.fr", "wanadoo.fr"),
    "OCN": ("ocn.ne.jp",),
    "BIGLOBE": ("biglobe.ne.jp",),
    "@nifty": ("nifty.com", "nifty.ne.jp"),
    "So-net": ("so-net.ne.jp",),
}  # fmt: skip
_BY_DOMAIN = {domain: name for name, domains in _PROVIDERS.items() for domain in domains}


@lru_cache(maxsize=8_192)
def provider_of(domain: str) -> str | None:
    """Return the provider of a receiving domain (A-labels, lower case), or of one above it; None if not known."""
    while domain:
        if domain in _BY_DOMAIN:
            return _BY_DOMAIN[domain]
        domain = domain.partition(".")[2]
    return None
