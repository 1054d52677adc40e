"""Errors that outside input can raise; each package keeps its own errors beside what raises them."""


class RemoteError(ValueError):
    """Something that came from outside (a mail, a URL, a request) is not acceptable.

    The text is written by us, never built from the input, so it is safe to show.
    """


class AddressError(RemoteError):
    """A string is not an addr-spec (RFC 5321 4.1.2, RFC 6531 3.3)."""


class TokenError(RemoteError):
    """A token is malformed, of the wrong type, signed by an unknown or revoked key, or altered."""
