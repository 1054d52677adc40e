"""Make what a sender puts into its mails: return path, pixel, links, unsubscribe headers.

The same on the server and offline: with the tenant's exported keys a sender needs no request to us.

>>> mint = Mint(keys, Hosts("bounce.example.jp", "https://t.example.jp"))  # doctest: +SKIP
>>> mail = mint.mail(tenant=1, broadcast_id="spring-sale", address="taro@example.jp", day=20_000)  # doctest: +SKIP
>>> mail.return_path, mail.pixel_url, mail.click_url("https://example.jp/", link=1, links=3)  # doctest: +SKIP
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import urlsplit

from model.address import Address
from model.errors import RemoteError, TokenError
from model.fact import DeliveryKey
from model.keyring import KeyRing
from model.token import Token, TokenFlag, TokenType, from_url, open_token, sign, to_mail, to_url

#: Local-part prefixes; ``-`` is accepted for ``+`` where gateways strip subaddresses.
RETURN_PATH_PREFIX = "b"
UNSUBSCRIBE_PREFIX = "unsubscribe"
FEEDBACK_PREFIX = "fbl"
TOKEN_HEADER = "X-Yamabiko-Token"  # noqa: S105 - the name of a header

#: octets
_MAX_TARGET = 4_096
_BAD_IN_TARGET = frozenset(map(chr, range(0x21))) | {"\\", "\x7f", "<", ">", '"', "`"}


class TargetError(RemoteError):
    """A link's target is not one we redirect to: http or https, a host, no user-info (T1)."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where mails come back to and where URLs point: a mail domain, and an http(s) origin without a slash."""

    return_path_domain: str
    tracking_origin: str


@dataclass(frozen=True, slots=True)
class MintedMail:
    """All that one mail to one recipient needs."""

    keys: KeyRing
    hosts: Hosts
    key: DeliveryKey
    day: int
    flags: TokenFlag

    def _token(self, token_type: TokenType, *, flags: TokenFlag = TokenFlag.NONE, bound: bytes = b"") -> bytes:
        return sign(Token(token_type, *self.key, self.day, self.flags | flags), self.keys, bound=bound)

    @property
    def return_path(self) -> str:
        """The address to give as MAIL FROM."""
        token = to_mail(self._token(TokenType.RETURN_PATH))
        return f"{RETURN_PATH_PREFIX}+{token}@{self.hosts.return_path_domain}"

    @property
    def pixel_url(self) -> str:
        """The image that reports an open; put it in the HTML part only."""
        return f"{self.hosts.tracking_origin}/o/{to_url(self._token(TokenType.OPEN))}.gif"

    @property
    def unsubscribe_url(self) -> str:
        """The page for people and the RFC 8058 endpoint in one."""
        return f"{self.hosts.tracking_origin}/u/{to_url(self._token(TokenType.UNSUBSCRIBE))}"

    @property
    def unsubscribe_address(self) -> str:
        """The address whose mail unsubscribes (RFC 2369 3.2)."""
        token = to_mail(self._token(TokenType.UNSUBSCRIBE))
        return f"{UNSUBSCRIBE_PREFIX}+{token}@{self.hosts.return_path_domain}"

    @property
    def message_token(self) -> str:
        """The token for headers and ENVID: finds the delivery when the return path was lost."""
        return to_mail(self._token(TokenType.MESSAGE))

    def headers(self) -> dict[str, str]:
        """Return the header fields to add to the mail (RFC 2369 3.2, RFC 8058 3.1)."""
        return {
            "List-Unsubscribe": f"<{self.unsubscribe_url}>, <mailto:{self.unsubscribe_address}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            TOKEN_HEADER: self.message_token,
        }

    def click_url(self, target: str, *, link: int, links: int, honeypot: bool = False) -> str:
        """Return the tracked URL of link number ``link`` of ``links``. Raises TargetError for a bad target."""
        check_target(target)
        place = f"{link}.{links}"
        flags = TokenFlag.HONEYPOT if honeypot else TokenFlag.NONE
        token = to_url(self._token(TokenType.CLICK, flags=flags, bound=bound_to(place, target)))
        encoded = base64.urlsafe_b64encode(target.encode()).decode("ascii").rstrip("=")
        return f"{self.hosts.tracking_origin}/c/{token}/{place}/{encoded}"


@dataclass(frozen=True, slots=True)
class Mint:
    """Makes MintedMails with one ring of keys for one set of hosts."""

    keys: KeyRing
    hosts: Hosts

    def mail(
        self,
        *,
        tenant: int,
        broadcast_id: str,
        address: str,
        day: int,
        is_test: bool = False,
        is_html: bool = True,
    ) -> MintedMail:
        """Return what the mail of broadcast ``broadcast_id`` to ``address`` needs.

        ``day`` is today as model.token.day_of counts. Raises AddressError when the address is malformed.
        """
        recipient = self.keys.recipient_number(tenant, Address.parse(address).folded)
        key = DeliveryKey(tenant, self.keys.broadcast_number(tenant, broadcast_id), recipient)
        flags = TokenFlag.NONE
        if is_test:
            flags |= TokenFlag.TEST
        if is_html:
            flags |= TokenFlag.HTML
        return MintedMail(self.keys, self.hosts, key, day, flags)

    def feedback_address(self, tenant: int) -> str:
        """Return the address to register at the mailbox providers' feedback loops."""
        token = to_mail(sign(Token(TokenType.FEEDBACK, tenant, 0, 0, 0), self.keys))
        return f"{FEEDBACK_PREFIX}+{token}@{self.hosts.return_path_domain}"


@dataclass(frozen=True, slots=True)
class Click:
    """An opened click URL."""

    token: Token
    link: int
    links: int
    target: str


def open_click(token_text: str, place: str, encoded_target: str, keys: KeyRing) -> Click:
    """Open the three path segments of a click URL.

    Raises TokenError when anything was altered, TargetError when the signed target is one we do not
    redirect to (checked again here, T1).
    """
    if len(encoded_target) > _MAX_TARGET * 4 // 3 + 1 or not encoded_target.isascii():
        raise TokenError("not a token")
    try:
        padding = "=" * (-len(encoded_target) % 4)
        raw = base64.b64decode(encoded_target + padding, altchars=b"-_", validate=True)
        if base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=") != encoded_target:
            raise TokenError("not a token")  # bits the MAC would not see
        target = raw.decode("utf-8")
    except ValueError:
        raise TokenError("not a token") from None
    token = open_token(from_url(token_text), TokenType.CLICK, keys, bound=bound_to(place, target))
    check_target(target)
    link, _, links = place.partition(".")
    return Click(token, int(link), int(links), target)


def check_target(target: str) -> None:
    """Raise TargetError unless ``target`` is an absolute http(s) URL with a host and nothing tricky (T1)."""
    if len(target.encode("utf-8", "surrogatepass")) > _MAX_TARGET or not _BAD_IN_TARGET.isdisjoint(target):
        raise TargetError("the link has a character or a length that is not allowed")
    try:
        parts = urlsplit(target)
        _ = parts.port
    except ValueError:
        raise TargetError("the link is not a URL") from None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise TargetError("only absolute http and https links are redirected to")
    if "@" in parts.netloc:
        raise TargetError("a link with user-info is not redirected to")


def bound_to(place: str, target: str) -> bytes:
    """Return what the MAC of a click's token covers beside the token."""
    return f"{place}/{target}".encode("utf-8", "surrogatepass")
