"""Every sentence of the unsubscribe pages, in Japanese and English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.detail import UnsubscribeReason


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of one language. ``{sender}`` stands for the sender's name."""

    #: name of the other language, in that language, for the switch
    other_language: str
    confirm_title: str
    confirm_lead: str
    confirm_lead_named: str
    confirm_note: str
    scope_legend: str
    scope_list: str
    scope_all: str
    reason_legend: str
    optional: str
    reasons: Mapping[UnsubscribeReason, str]
    unsubscribe_button: str
    done_title: str
    done_list: str
    done_all: str
    done_delay: str
    done_report: str
    undo_lead: str
    resubscribe_button: str
    back_title: str
    back_lead: str
    back_link: str
    failed: str
    missing_title: str
    missing_lead: str


_JA = Wording(
    other_language="English",
    confirm_title="メール配信を停止しますか?",
    confirm_lead="このメールが届いた宛先への配信を停止します。",
    confirm_lead_named="「{sender}」から、このメールが届いた宛先への配信を停止します。",
    confirm_note="ボタンを押すまで、配信の設定は変わりません。",
    scope_legend="停止する範囲",
    scope_list="このメールの配信リストだけ",
    scope_all="この送信者からのすべてのメール",
    reason_legend="停止の理由",
    optional="任意",
    # The four as EngageLab words them (E45).
    reasons={
        UnsubscribeReason.NONE: "回答しない",
        UnsubscribeReason.UNWANTED: "このようなメールを受け取りたくない。",
        UnsubscribeReason.NOT_SUBSCRIBED: "これは自分が購読したものではない。",
        UnsubscribeReason.SPAM: "これはスパムである。",
        UnsubscribeReason.FRAUD: "これは詐欺メールであり、報告したい。",
    },
    unsubscribe_button="配信を停止する",
    done_title="配信を停止しました",
    done_list="今後、この配信リストからのメールはお送りしません。",
    done_all="今後、この送信者からのメールはお送りしません。",
    done_delay="すでに送信の準備に入っているメールは、行き違いで届くことがあります。",
    done_report="ご報告いただいた内容を送信者に記録しました。",
    undo_lead="間違えて停止した場合は、ここで元に戻せます。",
    resubscribe_button="配信を再開する",
    back_title="配信を再開しました",
    back_lead="引き続き、この宛先へメールをお送りします。",
    back_link="配信停止の画面に戻る",
    failed="ただいま手続きを完了できませんでした。少し待ってから、もう一度お試しください。",
    missing_title="ページが見つかりません",
    missing_lead="リンクが途中で切れている可能性があります。メールのリンクをもう一度開いてください。",
)

_EN = Wording(
    other_language="日本語",
    confirm_title="Stop these emails?",
    confirm_lead="We will stop mailing the address that received this email.",
    confirm_lead_named="“{sender}” will stop mailing the address that received this email.",
    confirm_note="Nothing changes until you press the button.",
    scope_legend="What to stop",
    scope_list="Only the list this email came from",
    scope_all="All email from this sender",
    reason_legend="Why",
    optional="optional",
    reasons={
        UnsubscribeReason.NONE: "I’d rather not say",
        UnsubscribeReason.UNWANTED: "I don’t want emails like this.",
        UnsubscribeReason.NOT_SUBSCRIBED: "I didn’t subscribe to this.",
        UnsubscribeReason.SPAM: "This is spam.",
        UnsubscribeReason.FRAUD: "This is fraudulent and I want to report it.",
    },
    unsubscribe_button="Unsubscribe",
    done_title="You are unsubscribed",
    done_list="You will get no more email from this list.",
    done_all="You will get no more email from this sender.",
    done_delay="An email that is already on its way may still arrive.",
    done_report="Your report has been recorded for the sender.",
    undo_lead="If this was a mistake, you can undo it here.",
    resubscribe_button="Subscribe again",
    back_title="You are subscribed again",
    back_lead="You will keep getting email at this address.",
    back_link="Back to the unsubscribe page",
    failed="We could not complete this just now. Please wait a moment and try again.",
    missing_title="Page not found",
    missing_lead="The link may have been cut off. Please open the link in the email again.",
)

WORDINGS: Mapping[str, Wording] = {"ja": _JA, "en": _EN}
