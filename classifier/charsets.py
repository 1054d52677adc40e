"""Turns bytes of a mail into text, by an allow-list of charsets (S20); never fails, never runs a Python-only codec."""

from __future__ import annotations

import binascii
import codecs
import re

# Labels of real mail, lower case, to codec names. Anything else is read by one of these, as its octets tell, so that
# punycode, idna, zlib, rot13 or unicode_escape never run on bytes a stranger chose.
_CODECS = {
    "us-ascii": "ascii",
    "ascii": "ascii",
    "ansi_x3.4-1968": "ascii",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-2022-jp-1": "iso2022_jp_ext",
    "iso-2022-jp-2": "iso2022_jp_2",
    "iso-2022-jp-ms": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "ms_kanji": "cp932",
    "windows-31j": "cp932",
    "cp932": "cp932",
    "euc-jp": "euc_jp",
    "x-euc-jp": "euc_jp",
    "eucjp": "euc_jp",
    "gb2312": "gb18030",
    # What Python's own library calls it.
    "eucgb2312_cn": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "cp950",
    "big5-hkscs": "big5hkscs",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "iso-2022-kr": "iso2022_kr",
    "koi8-r": "koi8_r",
    "koi8-u": "koi8_u",
    "macintosh": "mac_roman",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "ibm850": "cp850",
    "cp850": "cp850",
}
_CODECS.update({f"iso-8859-{part}": f"iso8859_{part}" for part in range(1, 17) if part != 12})
_CODECS.update({f"iso8859-{part}": f"iso8859_{part}" for part in range(1, 17) if part != 12})
_CODECS.update({f"windows-{page}": f"cp{page}" for page in range(1250, 1259)})
_CODECS.update({f"cp{page}": f"cp{page}" for page in range(1250, 1259)})
# Senders that say iso-8859-1 mean windows-1252 wherever the two differ (WHATWG Encoding 4.2).
_CODECS["iso-8859-1"] = _CODECS["latin1"] = "cp1252"
# Each codec is a module: a millisecond that no mail should wait for.
for _name in set(_CODECS.values()):
    codecs.lookup(_name)

# RFC 2047 2: encoded-word = "=?" charset "?" encoding "?" encoded-text "?="; RFC 2231 5 adds a language.
_WORD = re.compile(r"=\?([\w.:-]{1,40})(?:\*[\w-]{0,20})?\?([BbQq])\?([^?\s]{0,2000})\?=(?:[ \t\n]+(?==\?))?")
_MAX_WORDS = 200
# Two at least: one may be a Windows path.
_OCTAL = re.compile(r"(?:\\[23][0-7]{2}){2,}")
_ABOVE_ASCII = bytes(range(0x80, 0x100))
_JIS_ESCAPES = (b"\x1b$B", b"\x1b$@", b"\x1b$(")
_JAPANESE = frozenset({"euc_jp", "cp932"})
#: Characters that hardly any Chinese notice lacks.
_COMMON = {"gb18030": "的您邮件信无", "cp950": "的您郵件信無"}
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


def decode(data: bytes, charset: str | None = None) -> str:
    """Decode ``data``; an unknown or wrong ``charset`` costs characters, never an exception.

    Arguments: ``charset`` as the mail names it. Escape sequences tell ISO-2022-JP (RFC 1468), then UTF-8 is tried
    whatever the name; with none, an unknown one or one that cannot be, the octets themselves tell.
    """
    if data.isascii() and b"\x1b" not in data and not (charset and _CODECS.get(charset.lower()) in _SEVEN_BIT):
        return data.decode("ascii")
    codec = _CODECS.get(charset.strip("\"' ").lower()) if charset else None
    if b"\x1b" in data and any(escape in data for escape in _JIS_ESCAPES) and codec not in _SEVEN_BIT:
        codec = "iso2022_jp_ext"
    if codec not in _SEVEN_BIT and codec != "utf-8":
        # Text in another charset is hardly ever UTF-8 by chance, whatever its label says.
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            is_labelled = codec is not None and codec != "ascii"
            if not is_labelled or (codec == "cp1252" and _has_few_letters_of_ascii(data)):
                codec = _guess_codec(data)
    try:
        assert codec is not None
        text = data.decode(codec, "replace")
        # Japanese gateways label Shift_JIS and EUC-JP as UTF-8: hardly a character can then be read.
        if codec == "utf-8" and text.count("\ufffd") * 10 > len(text):
            guessed = _guess_codec(data)
            return text if guessed == "cp1252" else data.decode(guessed, "replace")
        return text
    except (UnicodeError, ValueError):
        return data.decode("ascii", "replace")


_SEVEN_BIT = frozenset({"iso2022_jp_ext", "iso2022_jp_2", "iso2022_kr", "hz", "utf-16", "utf-16-le", "utf-16-be"})


def _has_few_letters_of_ascii(data: bytes) -> bool:
    """Whether more octets are above ASCII than in any language of Western Europe."""
    sample = data[:4_096]
    return len(sample.translate(None, _ABOVE_ASCII)) * 10 < len(sample) * 7


def _guess_codec(data: bytes) -> str:
    """Name the codec of 8-bit bytes that no label tells: the first that fits them without a fault and makes words.

    Kana tell Japanese, syllables Korean, the commonest characters Chinese; octets may be valid in all of them.
    """
    sample = data[:4_096]
    texts: dict[str, str] = {}
    for codec in ("euc_jp", "cp932", "cp949", "gb18030", "cp950"):
        try:
            text = texts[codec] = sample.decode(codec)
        except UnicodeDecodeError:
            continue
        if codec in _JAPANESE and any("\u3041" <= character <= "\u30fa" for character in text):
            return codec
        if codec == "cp949":
            above = [character for character in text if character > "\u02ff"]
            if sum("\uac00" <= character <= "\ud7a3" for character in above) * 10 > len(above) * 9:
                return codec
    common = {codec: sum(map(texts[codec].count, _COMMON[codec])) for codec in _COMMON if codec in texts}
    if any(common.values()):
        return max(common, key=lambda codec: common[codec])
    # Half-width katakana is what Latin-1 accents look like in Shift_JIS: no proof of Japanese.
    for codec in ("euc_jp", "cp932", "gb18030"):
        if any("\u4e00" <= character <= "\u9fff" for character in texts.get(codec, "")):
            return codec
    return "cp1252"


def decode_words(value: str) -> str:
    """Decode the RFC 2047 encoded-words of a header value, at most 200 of them; the rest stays as it is."""
    if "=?" not in value:
        return value
    return _WORD.sub(_decode_word, value, count=_MAX_WORDS)


def _decode_word(match: re.Match[str]) -> str:
    charset, encoding, text = match.groups()
    raw = text.encode("ascii", "ignore")
    if encoding in "Bb":
        return decode(decode_base64(raw), charset)
    return decode(binascii.a2b_qp(raw, header=True), charset)


def decode_octal(text: str) -> str:
    """Undo Exim's way to write octets above 126, a backslash and three digits, where they are text in a charset."""
    if "\\2" not in text and "\\3" not in text:
        return text
    return _OCTAL.sub(_decode_octal, text)


def _decode_octal(match: re.Match[str]) -> str:
    data = bytes(int(octet, 8) for octet in match.group()[1:].split("\\"))
    decoded = decode(data)
    return match.group() if "\ufffd" in decoded else decoded


def decode_base64(data: bytes) -> bytes:
    """Decode base64, dropping what is no base64 (RFC 2045 6.8) and a broken end."""
    clean = data.translate(None, _NOT_BASE64)
    # One left-over character holds 6 bits and so no octet.
    if len(clean) % 4 == 1:
        clean = clean[:-1]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def decode_transfer(data: bytes, encoding: str) -> bytes:
    """Undo a Content-Transfer-Encoding (RFC 2045 6); an unknown one changes nothing."""
    if encoding == "base64":
        # A footer that a gateway appended in clear text would decode to noise: keep to the first gap's end.
        return decode_base64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    return data
