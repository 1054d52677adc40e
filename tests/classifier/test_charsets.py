"""Charsets: an allow-list, never a codec that is no charset (S20)."""

from __future__ import annotations

import codecs
from encodings.aliases import aliases
from unittest import mock

import pytest

from classifier import charsets
from classifier.charsets import decode, decode_words

FORBIDDEN = ("punycode", "idna", "zlib", "zlib_codec", "bz2", "hex", "rot13", "rot_13", "unicode_escape",
             "raw_unicode_escape", "undefined", "mbcs", "utf-7", "uu", "quopri", "base64")  # fmt: skip


def test_every_codec_of_the_list_exists() -> None:
    for codec in set(charsets._CODECS.values()):
        assert codecs.lookup(codec).name
    assert not {"punycode", "idna", "utf-7", "unicode_escape"} & set(charsets._CODECS.values())


@pytest.mark.parametrize("name", FORBIDDEN)
def test_forbidden_codecs_are_never_run(name: str) -> None:
    with mock.patch.object(codecs, "lookup", side_effect=AssertionError(name)):
        assert decode(b"\xff\\x41 a-b", name).endswith("a-b")


def test_any_name_decodes_without_an_exception() -> None:
    names = [*aliases, *aliases.values(), "", "x" * 500, "utf-8\0", "'; drop", "=?utf-8?", *FORBIDDEN]
    assert len(names) >= 300
    for name in names:
        for data in (b"", b"abc", b"\xff\xfe\x00", b"\x1b$B\x1b$B\x7f", bytes(range(256))):
            assert isinstance(decode(data, name), str)


@pytest.mark.parametrize(
    ("codec", "charset"),
    [("iso2022_jp", "ISO-2022-JP"), ("cp932", "Shift_JIS"), ("euc_jp", "EUC-JP"), ("utf-8", "utf-8"), ("utf-8", None),
     ("iso2022_jp", None), ("euc_jp", None), ("cp932", None)],
)  # fmt: skip
def test_japanese(codec: str, charset: str | None) -> None:
    text = "宛先のメールアドレスが見つかりません。"
    assert decode(text.encode(codec), charset) == text


@pytest.mark.parametrize("label", [None, "us-ascii", "unknown-8bit", "iso-8859-1"])
@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("euc_jp", "宛先のメールアドレスが見つかりません。"),
        ("cp932", "宛先のメールアドレスが見つかりません。"),
        ("gb18030", "很抱歉您的邮件被退回，收件人邮件地址不存在"),
        ("cp950", "您的郵件無法送達，收件人的信箱不存在"),
        ("cp949", "보내신 메일이 전송되지 못했습니다. 받는 사람의 메일 용량이 초과되었습니다."),
        ("utf-8", "Unzustellbar: Der Empfänger ist unbekannt. 配信不能"),
    ],
)
def test_octets_tell_where_the_label_cannot(codec: str, text: str, label: str | None) -> None:
    assert decode(text.encode(codec), label) == text


@pytest.mark.parametrize(
    "text", ["Der Empfänger müßte dafür ÄÖÜ können", "Ça a échoué: boîte pleine", "Señor, ¿dónde está?"]
)
def test_western_text_stays_what_it_is(text: str) -> None:
    assert decode(text.encode("cp1252"), "iso-8859-1") == text
    assert decode(text.encode("cp1252"), None) == text


def test_encoded_words() -> None:
    assert decode_words("=?utf-8?Q?caf=C3=A9?= =?ISO-2022-JP?B?GyRCRy0bKEI=?= x") == "café猫 x"
    assert decode_words("=?utf-8?B?broken") == "=?utf-8?B?broken"
    assert decode_words("=?utf-8?X?abc?=") == "=?utf-8?X?abc?="
