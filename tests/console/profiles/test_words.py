"""Each profile speaks the words of its own system, taken letter for letter from its own manual."""

from __future__ import annotations

import pytest

from console.profiles.build import build_profile
from console.profiles.context import Context
from console.profiles.evaluation import PROFILES, definitions_of
from console.profiles.figure import UNITS, WHY_NONE, Unit, WhyNone
from console.profiles.sansan_classes import CLASSES
from model.cause import SansanClass
from store.report import build_report

WORDS = {
    "sansan": {
        "targeted": "宛先", "reached": "到達", "opened": "開封",
        "link_clicked": "リンククリック", "undelivered": "不達",
        "unopened": "未開封", "not_clicked": "未クリック", "class.user_unknown": "ユーザー不明",
        "class.host_unknown": "ホスト不明", "class.rejected": "受信拒否", "class.disk_full": "ディスク容量不足",
        "class.timeout": "時間切れ", "class.relay_error": "中継エラー", "class.server_config": "サーバー設定エラー",
        "class.user_config": "ユーザー設定エラー", "class.other": "その他", "class.auto_reply": "自動応答",
        "class.address_syntax": "メールアドレスの形式エラー", "class.unparsable": "解析不能",
    },
    "relation": {
        "done": "配信済み", "success": "配信成功", "error": "配信エラー", "in_flight": "配信中",
        "reserved": "予約済み",
        "progress": "配信状況",
    },
    "engagelab": {
        "requested": "リクエスト中", "delivered": "配信済み", "soft_bounce": "ソフトバウンス",
        "invalid": "無効なメール",
        "soft.service_unreachable": "サービス到達不可", "soft.ip_domain_rejected": "IPまたはドメイン拒否",
        "soft.address_not_exist": "メールアドレスが存在しない", "soft.spam_rejected": "スパム拒否",
        "soft.sender_recipient_rejected": "送信者/受信者拒否", "soft.other": "その他",
        "invalid.blacklist": "EngageLabブラックリスト", "invalid.unsubscribed": "購読解除",
        "invalid.server_unreachable": "サーバー到達不可", "invalid.address_format": "アドレス形式エラー",
        "invalid.address_not_exist": "アドレスが存在しない", "invalid.spam": "スパム",
        "invalid.sender_recipient_rejected": "送信者/受信者拒否", "invalid.other": "その他",
    },
    "karte": {
        "targets": "対象ユーザー数", "deliveries": "配信数", "hard_bounces": "バウンス数",
        "soft_bounces": "ソフトバウンス数", "fail_count": "fail_count", "unsubs": "購読停止数", "resubs": "購読再開数",
        "delivered": "配信ユーザー数", "opened_users": "開封ユーザー数", "clicked_users": "クリックユーザー数",
        "opens": "開封数", "clicks": "クリック数", "open_rate": "開封率", "click_rate": "クリック率",
        "bounce_rate": "バウンスレート",
        **{f"code.{code}": code for code in (
            "Transient:General", "Transient:MailboxFull", "Transient:ContentRejected", "Transient:MessageTooLarge",
            "Permanent:General", "Permanent:Suppressed", "INVALID_PARAMETER", "unknown", "RENDERING_FAILURE", "FAILED",
        )},
    },
    "bales": {
        "sent": "送信数", "reached": "到達数", "opens": "開封数", "clicks": "クリック数", "unsubs": "配信停止数",
    },
}  # fmt: skip


@pytest.mark.row("S06", "S18", "R10", "R11", "R12", "R13", "E02", "E05", "K22", "B01")
@pytest.mark.parametrize("profile", WORDS)
def test_a_profile_uses_its_own_words(profile: str) -> None:
    found = {figure.id: figure.label.ja for figure in definitions_of(profile).values()}
    assert {name: found[name] for name in WORDS[profile]} == WORDS[profile]


def test_sansan_shows_its_seven_numbers_and_twelve_classes_in_its_own_order() -> None:
    numbers, classes = PROFILES["sansan"].sections[:2]
    assert [figure.id for figure in numbers.figures] == list(WORDS["sansan"])[:7]
    assert [figure.id for figure in classes.figures] == list(WORDS["sansan"])[7:]
    assert set(CLASSES) == set(SansanClass)


@pytest.mark.row("S19", "S20", "S22", "S23", "S24", "S25", "S26", "S30", "S31")
def test_each_class_says_what_to_do() -> None:
    hints = {name.value: set() for name in SansanClass}
    for name, figure in definitions_of("sansan").items():
        if name.startswith("class."):
            hints[name.removeprefix("class.")] = {hint.id for hint in figure.hints}
    resend = {name for name, ids in hints.items() if "resend_hint" in ids}
    check = {name for name, ids in hints.items() if "address_check_hint" in ids}
    suppressed = {name for name, ids in hints.items() if "auto_suppress" in ids}
    assert resend == {"disk_full", "timeout", "relay_error", "server_config", "user_config"}
    assert check == {"user_unknown", "host_unknown", "server_config", "user_config"}
    assert suppressed == {"user_unknown", "host_unknown", "rejected", "unparsable"}
    assert hints["auto_reply"] == {"not_in_undelivered"}


@pytest.mark.row("X6")
def test_every_figure_has_the_unit_its_system_counts_in() -> None:
    units = {
        profile: {figure.unit for figure in definitions_of(profile).values()} - {Unit.RATIO, Unit.EVENT}
        for profile in PROFILES
    }
    assert units["sansan"] == {Unit.CONTACT}
    assert units["relation"] == units["engagelab"] - {Unit.USER} == {Unit.MAIL}
    assert Unit.USER in units["karte"]
    assert set(UNITS) == set(Unit) and set(WHY_NONE) == set(WhyNone)


@pytest.mark.row("X2")
def test_one_word_for_three_things_has_three_identifiers() -> None:
    """配信済み is done in Re:lation, delivered in EngageLab, and a broadcast's status in Sansan."""
    found = {
        (profile, figure.id)
        for profile in PROFILES
        for figure in definitions_of(profile).values()
        if figure.label.ja == "配信済み"
    }
    assert found == {("relation", "done"), ("engagelab", "delivered")}


@pytest.mark.row("K15")
def test_codes_of_other_channels_are_shown_and_added_to_nothing() -> None:
    report = build_report({}, None, last_attempt_us=0, now_us=0)
    codes = {"messaging/invalid-payload": 3, "messaging/internal-error": 1}
    built = build_profile("karte", report, Context(codes=codes))
    assert {figure.definition.label.ja: figure.value for figure in built.sections[-1].figures} == codes
    assert built.figure("codes").value == 0
    assert [section.definition.id for section in build_profile("karte", report).sections][-1] == "codes"
    assert all(s.definition.id != "other" for s in build_profile("sansan", report, Context(codes=codes)).sections)


def test_no_figure_is_defined_twice() -> None:
    for name, profile in PROFILES.items():
        ids = [figure.id for section in profile.sections for figure in section.figures]
        assert len(ids) == len(set(ids)) == len(definitions_of(name)), name
        assert "all" not in ids, "that asks for every figure"


def test_no_word_is_missing_in_either_language() -> None:
    for profile in PROFILES.values():
        texts = [profile.label, *profile.notices]
        for section in profile.sections:
            texts += [section.label, *([section.note] if section.note else [])]
            for figure in section.figures:
                texts += [figure.label, figure.meaning, *(hint.words for hint in figure.hints)]
                texts += [exclusion.words for exclusion in figure.excludes]
                texts += [agreement.words for agreement in figure.agrees]
        assert all(words.ja.strip() and words.en.strip() for words in texts), profile.name
