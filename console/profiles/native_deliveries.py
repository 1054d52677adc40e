"""Native figures of deliveries: listed, excluded, where each stands, why it failed (mission 4.1, 4.2)."""

from __future__ import annotations

from console.profiles import exclusions as ex
from console.profiles.counted import CHANNELS, KINDS, REASONS, native_figure
from console.profiles.failures import CAUSES
from console.profiles.figure import Agreement, Unit, Words
from console.profiles.formula import add

_MAIL, _USER = Unit.MAIL, Unit.USER

DELIVERIES = (
    native_figure(
        "listed",
        _MAIL,
        "送信者が宛先に挙げた行の数",
        "rows the sender listed",
        ex.TESTS,
        agrees=(
            Agreement(
                "native.targeted + native.excluded",
                "I1",
                Words("宛先と除外に分かれる", "each is either targeted or excluded"),
            ),
        ),
    ),
    native_figure(
        "excluded",
        _MAIL,
        "配信前に除外した行の合計",
        "rows that were not mailed, for whatever reason",
        ex.TESTS,
        formula=add(*(f"excluded.{kind}" for kind in KINDS)),
    ),
    native_figure(
        "targeted",
        _MAIL,
        "配信対象のメール (除外を除く)",
        "mails meant to be sent",
        ex.NOT_MAILED,
        ex.TESTS,
        agrees=(
            Agreement(
                "native.reached + native.undelivered + native.in_flight + native.cancelled",
                "I2",
                Words("どれか一つの状態にある", "each is in exactly one state"),
            ),
            Agreement("sansan.targeted", "", Words("Sansanの「宛先」", "what Sansan calls 宛先")),
            Agreement("karte.targets", "", Words("KARTEの「対象ユーザー数」", "what KARTE calls 対象ユーザー数")),
        ),
    ),
    native_figure(
        "reached",
        _MAIL,
        "到達した、または到達を否定する知らせがないメール。エラーメールが届くまでは到達に数える",
        "mails that reached their recipients, or of which nothing says otherwise until an error mail comes",
        ex.RETRIED,
        ex.BOUNCED,
        ex.TESTS,
        agrees=(
            Agreement(
                "native.evidence.accepted + native.evidence.dsn_relayed + native.evidence.engaged"
                " + native.evidence.assumed",
                "I2",
                Words("到達の根拠の合計", "the sum over why we say so"),
            ),
            Agreement("relation.success", "", Words("Re:lationの「配信成功」", "what Re:lation calls 配信成功")),
        ),
    ),
    *(
        native_figure(f"evidence.{name}", _MAIL, ja, en, is_detail=True)
        for name, ja, en in (
            (
                "accepted",
                "相手サーバーが受け取ったと送信システムが報告した",
                "the sending system reports that a server took it",
            ),
            ("dsn_relayed", "成功を伝える配信レポートが届いた", "a delivery report says that it arrived"),
            ("engaged", "人が開封またはクリックした", "a person opened or clicked"),
            ("assumed", "何の知らせもなく、到達とみなした", "nothing was heard, so it is taken for reached"),
        )
    ),
    native_figure(
        "reached_html",
        _MAIL,
        "到達したHTMLメール。開封はこの中でだけ分かる",
        "of those reached, mails with an HTML part: only their opens can be seen",
        agrees=(Agreement("native.reached", "I6", Words("到達の一部", "part of those reached"), "<="),),
        is_detail=True,
    ),
    native_figure(
        "reached_text",
        _MAIL,
        "到達したテキストメール",
        "of those reached, text mails",
        formula="reached - reached_html",
        label=Words("到達 (テキストメール)", "Reached, text mail"),
        is_detail=True,
    ),
    native_figure(
        "undelivered",
        _MAIL,
        "配信できなかったメール",
        "mails that failed",
        ex.NOT_MAILED,
        ex.RETRIED,
        ex.AUTO_REPLIES,
        ex.TESTS,
        agrees=(
            Agreement("native.hard + native.soft", "I3", Words("ハードとソフトに分かれる", "each is hard or soft")),
            Agreement(
                add(*(f"native.channels.{name}" for name in CHANNELS)),
                "I5",
                Words("経路ごとの合計", "the sum over the channels"),
            ),
            Agreement(
                add(*(f"native.reasons.{name}" for name in REASONS)),
                "I4",
                Words("理由ごとの合計", "the sum over the reasons"),
            ),
            Agreement(
                add(*(f"native.{cause.id}" for cause in CAUSES)),
                "I4",
                Words("原因ごとの合計", "the sum over the causes"),
            ),
            Agreement("relation.error", "", Words("Re:lationの「配信エラー」", "what Re:lation calls 配信エラー")),
        ),
    ),
    native_figure(
        "hard",
        _MAIL,
        "恒久的で、宛先またはそのドメインに原因がある不達 (配信事業者の除外リストを含む)",
        "permanent, and the recipient's or the domain's fault; a provider's own suppression list counts as well",
        agrees=(Agreement("karte.hard_bounces", "", Words("KARTEの「バウンス数」", "what KARTE calls バウンス数")),),
    ),
    native_figure(
        "soft",
        _MAIL,
        "ハード以外の不達のすべて",
        "every other failure",
        agrees=(
            Agreement(
                "karte.soft_bounces",
                "",
                Words(
                    "KARTEの「ソフトバウンス数」。EngageLabの「ソフトバウンス」とは別の軸",
                    "KARTE's soft bounces; EngageLab's soft bounce is another axis (X1)",
                ),
            ),
        ),
    ),
    native_figure(
        "in_flight",
        _MAIL,
        "まだ到達も不達も決まらないメール",
        "mails neither reached nor failed yet",
        ex.CANCELLED,
        agrees=(
            Agreement(
                "relation.in_flight + relation.reserved",
                "I7",
                Words("Re:lationは予約済みを分けて数える", "Re:lation counts those not started apart"),
            ),
        ),
    ),
    native_figure(
        "deferred",
        _MAIL,
        "一時エラーで再送中のメール",
        "mails being retried after a temporary error",
        is_detail=True,
        agrees=(Agreement("native.in_flight", "I2", Words("配信中の一部", "part of those in flight"), "<="),),
    ),
    native_figure(
        "reserved",
        _MAIL,
        "下書き・予約中の配信のメール",
        "mails of a broadcast that has not been started",
        is_detail=True,
        agrees=(Agreement("native.in_flight", "I2", Words("配信中の一部", "part of those in flight"), "<="),),
    ),
    native_figure(
        "cancelled", _MAIL, "途中で中止したメール", "mails that were stopped before they were tried to the end"
    ),
    native_figure(
        "failed_first",
        _USER,
        "この配信で初めて不達になった宛先",
        "recipients who failed here and never before",
        ex.FAILED_BEFORE,
        ex.NOT_MAILED,
        ex.TESTS,
        agrees=(Agreement("native.undelivered", "I3", Words("不達の一部", "part of those undelivered"), "<="),),
    ),
    native_figure(
        "failed_again",
        _USER,
        "以前にも不達になったことのある宛先の不達",
        "undelivered of recipients that had failed before",
        formula="undelivered - failed_first",
        label=Words("再度の不達", "Failed again"),
        is_detail=True,
    ),
    native_figure(
        "auto_replies",
        _MAIL,
        "自動応答が返ってきたメール。メールボックスは生きており、どの率にも入れない",
        "mails answered by an automatic reply: the mailbox lives; part of no rate",
    ),
    native_figure(
        "conflicts",
        _MAIL,
        "不達の知らせのあとに人が開封またはクリックしたメール。不達のまま数える",
        "mails that a person opened or clicked although they bounced; they stay undelivered",
    ),
    native_figure(
        "done",
        _MAIL,
        "到達と不達の合計",
        "reached and failed together",
        ex.ON_ITS_WAY,
        formula="reached + undelivered",
        label=Words("配信の完了", "Done"),
        agrees=(
            Agreement("relation.done", "", Words("Re:lationの「配信済み」", "what Re:lation calls 配信済み")),
            Agreement("bales.sent", "", Words("BALES CLOUD Mailの「送信数」", "what BALES calls 送信数")),
        ),
    ),
    native_figure(
        "billed",
        _MAIL,
        "相手サーバーに渡したメール。成功でもエラーでも数える",
        "mails handed to a receiving server, whether they reached or failed",
        ex.NOT_MAILED,
        ex.ON_ITS_WAY,
        ex.TESTS,
        formula="reached + channels.in_session + channels.out_of_band",
        label=Words("送信数 (従量)", "Handed over, as billed"),
        agrees=(
            Agreement(
                "relation.billed - native.channels.pre_send",
                "I7",
                Words("Re:lationは送信前の失敗も数える", "Re:lation counts failures before sending too"),
            ),
        ),
    ),
)

EXCLUDED = tuple(
    native_figure(f"excluded.{kind}", _MAIL, "配信前に除外した行", "rows not mailed for this reason", is_detail=True)
    for kind in KINDS
)
BY_CHANNEL = tuple(
    native_figure(
        f"channels.{name}", _MAIL, "この経路で分かった不達", "failures that became known this way", is_detail=True
    )
    for name in CHANNELS
)
BY_REASON = tuple(
    native_figure(
        f"reasons.{name}",
        _MAIL,
        "yamabiko classify の12分類",
        "one of the twelve classes of `yamabiko classify`",
        is_detail=True,
    )
    for name in REASONS
)
