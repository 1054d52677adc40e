"""Mutates mails for a fuzzer: by octets, by lines, by what mail parsers trip over. Pure; randomness is an argument."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

#: Words that lead parsers into branches which random octets hardly reach.
TOKENS: tuple[bytes, ...] = (
    b"\n\n", b"\r\n", b"\r", b"\x00", b"\xff\xfe", b"\x1b$B", b"\x1b(B", b"=?utf-8?B?44GC?=", b"=?x?Q?=ZZ?=", b"=\n",
    b"--b\n", b"--b--\n", b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n',
    b"Content-Type: message/delivery-status\n\n", b"Content-Type: message/rfc822\n\n", b"Content-Type: text/html\n\n",
    b"Content-Type: message/feedback-report\n\n", b"Content-Transfer-Encoding: base64\n",
    b"Content-Transfer-Encoding: quoted-printable\n", b"charset=iso-2022-jp", b"charset=shift_jis", b"charset=utf-16",
    b"Auto-Submitted: auto-replied\n", b"X-Failed-Recipients: a@b.example, c@d.example\n", b"Action: failed\n",
    b"Action: delayed\n", b"Status: 5.1.1\n", b"Status: 4.0.0 (x)\n", b"Diagnostic-Code: smtp; 550 5.1.1 unknown\n",
    b"Final-Recipient: rfc822; a@b.example\n", b"Original-Recipient: utf-8; \\x{3042}@b.example\n",
    b"550-5.1.1 a\n550 b",
    b"<a@b.example>:\n", b"----- Original message -----\n", b"----- Transcript of session follows -----\n",
    b">>> RCPT To:<a@b.example>\n<<< 550 no\n", "宛先不明".encode(), "4月10日(木)まで".encode(), b"back on 31/12",
    b"until Monday, 29 February 2023", "退職いたしました。新しいアドレスはx@y.example".encode(), b"<html><script>",
    b"&#x110000;",
    b"<!--", b"]" * 40, b"(" * 200, b"@" * 40, b"a." * 200, b" " * 2_000, b"9" * 400, b'{"notificationType":"Bounce"}',
)  # fmt: skip
_MAX_SIZE = 64 * 1024

_Step = Callable[[bytearray, Random, Sequence[bytes]], None]


def _flip(mail: bytearray, random: Random, _: Sequence[bytes]) -> None:
    for _round in range(random.randint(1, 8)):
        if mail:
            mail[random.randrange(len(mail))] = random.randrange(256)


def _cut(mail: bytearray, random: Random, _: Sequence[bytes]) -> None:
    at = random.randint(0, len(mail))
    del mail[at : at + random.choice((1, 3, 20, 200, 5_000))]


def _insert_token(mail: bytearray, random: Random, _: Sequence[bytes]) -> None:
    at = random.randint(0, len(mail))
    if random.random() < 0.6:
        at = mail.rfind(b"\n", 0, at) + 1
    mail[at:at] = random.choice(TOKENS)


def _repeat(mail: bytearray, random: Random, _: Sequence[bytes]) -> None:
    at = random.randint(0, len(mail))
    piece = mail[at : at + random.choice((1, 10, 100, 1_000))]
    mail[at:at] = piece * random.choice((1, 2, 30))


def _move_lines(mail: bytearray, random: Random, _: Sequence[bytes]) -> None:
    lines = mail.split(b"\n")
    for _round in range(random.randint(1, 4)):
        line = lines.pop(random.randrange(len(lines)))
        lines.insert(random.randint(0, len(lines)), line)
    mail[:] = b"\n".join(lines)


def _splice(mail: bytearray, random: Random, pool: Sequence[bytes]) -> None:
    other = random.choice(pool)
    start = other.rfind(b"\n", 0, random.randint(0, len(other))) + 1
    end = random.randint(start, len(other))
    at = mail.rfind(b"\n", 0, random.randint(0, len(mail))) + 1
    mail[at : at + random.choice((0, 0, 50, 1_000))] = other[start:end]


def _enclose(mail: bytearray, random: Random, pool: Sequence[bytes]) -> None:
    mail[:] = (
        b'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: message/rfc822\n\n'
        + random.choice(pool)
        + b"\n--b\n"
        + mail
        + b"\n--b--\n"
    )


_STEPS: tuple[_Step, ...] = (
    _flip,
    _cut,
    _insert_token,
    _insert_token,
    _repeat,
    _move_lines,
    _splice,
    _splice,
    _enclose,
)


def mutate(pool: Sequence[bytes], random: Random) -> bytes:
    """Return a mail of ``pool``, changed in one to six ways; at most 64 KiB."""
    mail = bytearray(random.choice(pool))
    for _ in range(random.randint(1, 6)):
        random.choice(_STEPS)(mail, random, pool)
    return bytes(mail[:_MAX_SIZE])
