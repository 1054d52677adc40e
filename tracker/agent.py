"""Who made a request: the first verdict, from the request alone (mission 4.8). Pure.

Later evidence (all links within ten seconds, the time since acceptance) is weighed where facts are folded, so a
verdict here can be overturned and nothing is ever dropped for it. In doubt the answer is PERSON or UNSURE: a
person taken for a machine is the worse mistake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from model.detail import Agent

#: Headers the verdict looks at, beside User-Agent.
PURPOSE_HEADERS = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
MAX_USER_AGENT = 256

# Image proxies that fetch when a person opens the mail.
_PROXIES = re.compile(r"googleimageproxy|ggpht\.com|yahoomailproxy|image[ -]?proxy", re.IGNORECASE)
# Tools and libraries, recognised at the start of a product name: "curl/8.1", not "Mycurly/1".
_TOOLS = re.compile(
    r"(?:^|[\s(;,])(?:"
    r"curl|wget|libwww-perl|lwp::|lwp-|python-requests|python-urllib|python-httpx|python/|aiohttp|httpx|urllib|scrapy"
    r"|go-http-client|java/|apache-httpclient|apache-httpasyncclient|jakarta|node-fetch|axios|undici|got[ /(]|ruby$"
    r"|ruby/|faraday|httpclient/|php/|guzzlehttp|winhttp|powershell|windowspowershell|restsharp|postmanruntime"
    r"|insomnia|httpie|libcurl|okhttp|dart/|reqwest|hyper/|rest-client|typhoeus|zgrab|masscan|nmap|nikto|sqlmap|nuclei"
    r"|headlesschrome|phantomjs|puppeteer|playwright|selenium|electron-fetch|perl/|lua-resty|w3c_validator"
    r"|k6/|vegeta|wrk|hey/|siege|apachebench"
    r")",
    re.IGNORECASE,
)
# Names that say so. "bot" ends a word and the phone maker Cubot is none.
_BOTS = re.compile(
    r"(?<!cu)bot(?=$|[^a-z])|crawler|crawling|spider(?=$|[^a-z])|slurp|scanner|scanning|urlscan|virustotal"
    r"|(?:link|url)[ -]?check|linkprotect|urldefense|safelinks|safebrowsing|preview(?=$|[^a-z])"
    r"|externalhit|facebookcatalog|slack-img|whatsapp/|skypeuri|bitlybot|embedly|validator|monitoring|uptime|pingdom"
    r"|existence discovery|protocol discovery"
    r"|barracuda|proofpoint|mimecast|ironport|trendmicro|trend micro|sophos|fortiguard|forcepoint|zscaler|checkpoint"
    r"|symantec|messagelabs|mcafee|kaspersky|bitdefender|fireeye|avanan|cloudmark|spamassassin|rspamd|clamav|amavis"
    r"|sendgrid|mailgun|litmus|archive\.org|ia_archiver|nutch|heritrix|ahrefs|semrush|netcraft|censys|shodan"
    r"|internetmeasurement|paloalto|expanse|dataprovider|google-safety|googleother|google-read-aloud|feedfetcher"
    r"|feedburner|mediapartners|lighthouse|pagespeed|bingpreview|msnbot",
    re.IGNORECASE,
)
# Numbers that tell versions of one program apart; no name above or below has a digit in such a place.
_VERSIONS = re.compile(r"(?<=[/. _])[0-9]+")
# What browsers, mail programs and the phones of old call themselves.
_PEOPLE = re.compile(
    r"mozilla/\d|opera/\d|microsoft office|outlook|thunderbird|applemail|becky|lotus-?notes|evolution|kmail"
    r"|spark/|airmail|newton|edison|bluemail|k-9|fairemail|yahoo ?mail|gmail|docomo/|kddi-|softbank/|vodafone/"
    r"|j-phone/|willcom|up\.browser|blackberry|nokia|dalvik/|uc ?browser|lynx/|w3m/|elinks",
    re.IGNORECASE,
)


def judge_agent(method: str, headers: Mapping[str, str], *, is_honeypot: bool = False) -> tuple[Agent, tuple[str, ...]]:
    """Return who made a request, and why we think so.

    Arguments: ``method`` in upper case; ``headers`` looked up by the names used here (User-Agent and
    PURPOSE_HEADERS), case-insensitively if the mapping is; ``is_honeypot`` when the token is of a link no
    person sees. Reasons are short fixed words, strongest first; PERSON has none.
    """
    if is_honeypot:
        return Agent.HONEYPOT, ("honeypot",)
    reasons = []
    if method != "GET":
        reasons.append("method")
    if any(_speaks_of_prefetch(headers.get(name, "")) for name in PURPOSE_HEADERS):
        reasons.append("purpose")
    agent, reason = judge_user_agent(headers.get("User-Agent", ""))
    # A proxy or a browser that asks with HEAD, or ahead of time, is not showing the mail to anybody.
    if reasons:
        return Agent.MACHINE, (*reasons, reason) if agent is Agent.MACHINE else tuple(reasons)
    return agent, (reason,) if reason else ()


@lru_cache(maxsize=4_096)
def judge_user_agent(user_agent: str) -> tuple[Agent, str]:
    """Return what a User-Agent alone says, and the reason (empty for PERSON)."""
    text = user_agent.strip()[: 2 * MAX_USER_AGENT]
    if not text:
        return Agent.MACHINE, "no-user-agent"
    # Apple's mail privacy protection calls itself exactly this, and so does nothing a person holds.
    if text == "Mozilla/5.0":
        return Agent.PREFETCH, "mail-privacy"
    return _judge_names(_VERSIONS.sub("0", text))


@lru_cache(maxsize=4_096)
def _judge_names(text: str) -> tuple[Agent, str]:
    """Judge a User-Agent whose version numbers are all 0: there are far fewer of those."""
    if _PROXIES.search(text):
        return Agent.PROXY, "image-proxy"
    if _BOTS.search(text):
        return Agent.MACHINE, "bot"
    if _TOOLS.search(text):
        return Agent.MACHINE, "tool"
    if _PEOPLE.search(text):
        return Agent.PERSON, ""
    return Agent.UNSURE, "unknown-user-agent"


@lru_cache(maxsize=4_096)
def clean_user_agent(user_agent: str) -> str | None:
    """Return at most 256 printable characters of a User-Agent, the others replaced by spaces; None if none is left."""
    text = user_agent[:MAX_USER_AGENT]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    text = text.strip()
    return text or None


def _speaks_of_prefetch(value: str) -> bool:
    if not value:
        return False
    lowered = value.lower()
    return "prefetch" in lowered or "prerender" in lowered or "preview" in lowered
