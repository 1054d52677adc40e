"""EngageLab 配信応答: four statuses, six soft classes, eight invalid ones (E02-E19, E34-E40).

Its soft bounce is what came back after a provider had taken the mail; KARTE's is another thing (X1). What a list
stopped before sending counts as invalid here (X3).
"""

from __future__ import annotations

from console.profiles import exclusions as ex
from console.profiles.failures import pairs_where, sum_of
from console.profiles.figure import (
    Agreement,
    Definition,
    Exclusion,
    Hint,
    Profile,
    SectionDefinition,
    Unit,
    Words,
)
from console.profiles.formula import add
from model.cause import CauseSpec, Channel
from store.status_log import STOPPED
from store.suppression import DENIALS, SuppressionKind

_MAIL = Unit.MAIL
#: Kinds of exclusion that this profile counts as invalid, and the class of each (E12, E13, E15).
EXCLUDED_AS = {kind.name.lower(): word for kind, word in STOPPED.items()}
_OTHER_KINDS = Exclusion(
    Words("役割アドレス、重複、準備未完了などの除外", "role addresses, duplicates, those not ready"),
    add(*(f"native.excluded.{kind}" for kind in ("role", "duplicate", "not_ready", "collision"))),
)
_NOT_EXCLUDED = (ex.CANCELLED, _OTHER_KINDS, ex.TESTS)

SOFT = {
    "service_unreachable": Words("サービス到達不可", "Service unreachable"),
    "ip_domain_rejected": Words("IPまたはドメイン拒否", "IP or domain rejected"),
    "address_not_exist": Words("メールアドレスが存在しない", "Address does not exist"),
    "spam_rejected": Words("スパム拒否", "Rejected as spam"),
    "sender_recipient_rejected": Words("送信者/受信者拒否", "Sender or recipient rejected"),
    "other": Words("その他", "Other"),
}
INVALID = {
    "blacklist": Words("EngageLabブラックリスト", "EngageLab blacklist"),
    "unsubscribed": Words("購読解除", "Unsubscribed"),
    "server_unreachable": Words("サーバー到達不可", "Server unreachable"),
    "address_format": Words("アドレス形式エラー", "Malformed address"),
    "address_not_exist": Words("アドレスが存在しない", "Address does not exist"),
    "spam": Words("スパム", "Spam"),
    "sender_recipient_rejected": Words("送信者/受信者拒否", "Sender or recipient rejected"),
    "other": Words("その他", "Other"),
}


def soft_class(spec: CauseSpec) -> str:
    """Return the class of a cause that came back after it was taken; その他 where the crosswalk has no word."""
    return spec.engagelab_soft or "other"


_STATUS = (
    Definition(
        "requested",
        Words("リクエスト中", "Requested"),
        _MAIL,
        "native.in_flight",
        Words("受け付けて、送信または再試行を待っているメール", "taken, and waiting to be sent or tried again"),
        _NOT_EXCLUDED,
        (
            Agreement(
                "relation.in_flight + relation.reserved",
                "I7",
                Words("Re:lationの「配信中」と「予約済み」", "Re:lation's 配信中 and 予約済み together"),
            ),
        ),
    ),
    Definition(
        "delivered",
        Words("配信済み", "Delivered"),
        _MAIL,
        "native.reached",
        Words(
            "メールプロバイダーが受け取り、その後エラーも返っていないメール",
            "a mailbox provider took it and sent no error since",
        ),
        (ex.BOUNCED, ex.RETRIED, *_NOT_EXCLUDED),
        (
            Agreement(
                "relation.done - relation.error",
                "I7",
                Words("Re:lationの「配信済み」はエラーを含む", "Re:lation's 配信済み has the errors in it too (X2)"),
            ),
            Agreement("sansan.reached", "", Words("Sansanの「到達」", "what Sansan calls 到達")),
        ),
    ),
    Definition(
        "soft_bounce",
        Words("ソフトバウンス", "Soft bounce"),
        _MAIL,
        "native.channels.out_of_band",
        Words(
            "いったん受け取られたあとに返ってきたメール。原因が恒久的かどうかは問わない",
            "taken first and sent back later, whether for good or for the moment",
        ),
        (ex.AUTO_REPLIES, *_NOT_EXCLUDED),
        (
            Agreement(
                add(*(f"engagelab.soft.{name}" for name in SOFT)),
                "I5",
                Words("6つのサブカテゴリの合計", "the sum of the six classes"),
            ),
            Agreement(
                "karte.hard_bounces + karte.soft_bounces - engagelab.attempted_invalid",
                "I5",
                Words(
                    "KARTEのソフトバウンス (一時的な原因) とは別の軸",
                    "KARTE's soft (what may pass) is another axis (X1)",
                ),
            ),
        ),
    ),
    Definition(
        "invalid",
        Words("無効なメール", "Invalid"),
        _MAIL,
        "attempted_invalid + not_sent",
        Words("送信できなかったメール。リストで止めたものも含む", "could not be sent, or was stopped by a list"),
        _NOT_EXCLUDED,
        (
            Agreement(
                add(*(f"engagelab.invalid.{name}" for name in INVALID)),
                "I5",
                Words("8つのサブカテゴリの合計", "the sum of the eight classes"),
            ),
            Agreement(
                "sansan.undelivered - engagelab.soft_bounce + engagelab.not_sent",
                "I5",
                Words("Sansanは、送らなかったものを不達に数えない", "Sansan counts as 不達 only what was sent (X3)"),
            ),
        ),
    ),
    Definition(
        "attempted_invalid",
        Words("うち送信して失敗", "of which tried and failed"),
        _MAIL,
        "native.channels.pre_send + native.channels.in_session",
        Words("送信を試みて、受け取られなかったメール", "tried, and not taken by any server"),
        _NOT_EXCLUDED,
        is_detail=True,
    ),
    Definition(
        "not_sent",
        Words("うち送信せず", "of which not sent"),
        _MAIL,
        add(*(f"native.excluded.{kind}" for kind in EXCLUDED_AS)),
        Words("リスト、購読解除、形式エラーのため送らなかったメール", "not sent: on a list, unsubscribed or malformed"),
        (_OTHER_KINDS, ex.TESTS),
        is_detail=True,
    ),
    Definition(
        "total",
        Words("合計", "Total"),
        _MAIL,
        "requested + delivered + soft_bounce + invalid",
        Words("4つのステータスの合計", "the four statuses together"),
        _NOT_EXCLUDED,
        (
            Agreement(
                "native.targeted - native.cancelled + engagelab.not_sent",
                "I5",
                Words(
                    "宛先から中止を引き、送らなかったものを足したもの",
                    "those targeted, less cancelled, and those not sent",
                ),
            ),
        ),
    ),
    Definition(
        "billed",
        Words("課金対象", "Billed"),
        _MAIL,
        "native.billed",
        Words(
            "相手サーバーに渡したメール。リストで止めたメールは課金しない",
            "handed to a receiving server; what a list stopped is not billed",
        ),
        (
            Exclusion(Words("送信しなかった無効なメール", "invalid mails that were not sent"), "engagelab.not_sent"),
            *_NOT_EXCLUDED,
        ),
        (
            Agreement(
                "relation.billed - native.channels.pre_send",
                "I7",
                Words("Re:lationは送信前の失敗も数える", "Re:lation counts failures before sending too (X8)"),
            ),
        ),
    ),
)

_SOFT_MEANING = Words("受け取られたあと、この理由で返ってきたメール", "taken first, then sent back for this reason")
_INVALID_MEANING = Words("この理由で送信できなかったメール", "not sent, or refused, for this reason")


def _soft(name: str) -> Definition:
    pairs = pairs_where(lambda channel, spec: channel is Channel.OUT_OF_BAND and soft_class(spec) == name)
    return Definition(f"soft.{name}", SOFT[name], _MAIL, sum_of(pairs), _SOFT_MEANING, _NOT_EXCLUDED)


def _invalid(name: str) -> Definition:
    pairs = pairs_where(lambda channel, spec: channel is not Channel.OUT_OF_BAND and spec.engagelab_invalid == name)
    stopped = [f"native.excluded.{kind}" for kind, place in EXCLUDED_AS.items() if place == name]
    hints = tuple(
        Hint("deny_string", Words(words, words))
        for words in dict.fromkeys(DENIALS[kind] for kind in SuppressionKind if EXCLUDED_AS.get(_kind(kind)) == name)
    )
    return Definition(
        f"invalid.{name}",
        INVALID[name],
        _MAIL,
        add(*stopped, *_parts(sum_of(pairs))),
        _INVALID_MEANING,
        _NOT_EXCLUDED,
        hints=hints,
    )


def _kind(kind: SuppressionKind) -> str:
    return "bounce" if kind is SuppressionKind.SOFT else kind.name.lower()


def _parts(formula: str) -> list[str]:
    return [] if formula == "0" else formula.split(" + ")


_RESPONSES = (
    Definition(
        "opens",
        Words("開封", "Opens"),
        Unit.EVENT,
        "native.opens",
        Words("開封の回数", "how often it was opened"),
        ex.OPENS,
    ),
    Definition(
        "clicks",
        Words("クリック", "Clicks"),
        Unit.EVENT,
        "native.clicks",
        Words("クリックの回数", "how often links were clicked"),
        ex.CLICKS,
    ),
    Definition(
        "spam_reports",
        Words("スパムレポート", "Spam reports"),
        Unit.USER,
        "native.complaints",
        Words(
            "スパムと報告した受信者。180日間、送信しない", "recipients who reported it as spam; not mailed for 180 days"
        ),
        (ex.NOT_SPAM, ex.FORM_COMPLAINTS, ex.TESTS),
    ),
    Definition(
        "unsubscribed",
        Words("購読解除", "Unsubscribed"),
        Unit.USER,
        "native.unsubs",
        Words(
            "この配信から購読解除した受信者。あとで再開しても減らない",
            "recipients who unsubscribed through this mailing; coming back takes nobody off",
        ),
        (ex.TESTS,),
        (Agreement("bales.unsubs", "", Words("BALES CLOUD Mailの「配信停止数」", "what BALES calls 配信停止数")),),
    ),
)

ENGAGELAB = Profile(
    "engagelab",
    Words("EngageLab 配信応答", "EngageLab delivery responses"),
    (
        SectionDefinition("status", Words("メールステータス", "Mail status"), _STATUS),
        SectionDefinition("soft", Words("ソフトバウンスの理由", "Soft bounces by reason"), tuple(map(_soft, SOFT))),
        SectionDefinition("invalid", Words("無効なメールの理由", "Invalid by reason"), tuple(map(_invalid, INVALID))),
        SectionDefinition("responses", Words("受信者の反応", "Responses"), _RESPONSES),
    ),
)
