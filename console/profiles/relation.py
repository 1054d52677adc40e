"""Re:lation 一斉配信+: a status bar, an expected end, errors to acknowledge (R02-R13, R26-R28)."""

from __future__ import annotations

from console.profiles import exclusions as ex
from console.profiles.figure import Agreement, Definition, Profile, SectionDefinition, Unit, Words

_MAIL = Unit.MAIL

_STATUS = (
    Definition(
        "done",
        Words("配信済み", "Done"),
        _MAIL,
        "success + error",
        Words("配信し終えた件数。配信エラーも含む", "mails that are done, errors included"),
        (ex.ON_ITS_WAY, ex.NOT_MAILED, ex.TESTS),
        (
            Agreement(
                "relation.success + relation.error",
                "I7",
                Words("配信成功と配信エラーの合計", "success and error together"),
            ),
            Agreement("bales.sent", "", Words("BALES CLOUD Mailの「送信数」", "what BALES calls 送信数")),
            Agreement(
                "engagelab.delivered + engagelab.soft_bounce + engagelab.attempted_invalid",
                "I5",
                Words(
                    "EngageLabの「配信済み」とは違い、エラーを含む",
                    "EngageLab's 配信済み is the part a provider took (X2)",
                ),
            ),
        ),
    ),
    Definition(
        "success",
        Words("配信成功", "Success"),
        _MAIL,
        "native.reached",
        Words(
            "配信済みで、エラーの応答が返っていない件数。応答しないサーバーの失敗は分からない",
            "done, and no error came back; the failure of a server that never answers cannot be seen",
        ),
        (ex.BOUNCED, ex.RETRIED, ex.TESTS),
        (
            Agreement("sansan.reached", "", Words("Sansanの「到達」", "what Sansan calls 到達")),
            Agreement(
                "relation.done - relation.error", "I7", Words("配信済みからエラーを引いたもの", "done without errors")
            ),
        ),
    ),
    Definition(
        "assumed",
        Words("うち応答なし", "of which without any answer"),
        _MAIL,
        "native.evidence.assumed",
        Words("配信成功のうち、受領の知らせもないもの", "of the successes, those that nothing speaks for either"),
        (),
        (Agreement("relation.success", "I7", Words("配信成功の一部", "part of the successes"), "<="),),
        is_detail=True,
    ),
    Definition(
        "error",
        Words("配信エラー", "Error"),
        _MAIL,
        "native.undelivered",
        Words(
            "エラーの応答が返ってきた件数。あとから届いた応答で配信成功から変わる",
            "an error came back; an answer that comes later turns a success into an error",
        ),
        (ex.NOT_MAILED, ex.RETRIED, ex.AUTO_REPLIES, ex.TESTS),
        (
            Agreement("sansan.undelivered", "", Words("Sansanの「不達」", "what Sansan calls 不達")),
            Agreement(
                "karte.hard_bounces + karte.soft_bounces",
                "I3",
                Words("KARTEのハードとソフトの合計", "KARTE's hard and soft together"),
            ),
        ),
    ),
    Definition(
        "unacknowledged",
        Words("未確認の配信エラー", "Errors not acknowledged"),
        _MAIL,
        "native.unacknowledged",
        Words("配信エラーのうち確認済みにしていない件数", "errors that nobody has acknowledged yet"),
        (),
        (Agreement("relation.error", "I7", Words("配信エラーの一部", "part of the errors"), "<="),),
        is_detail=True,
    ),
    Definition(
        "in_flight",
        Words("配信中", "Under way"),
        _MAIL,
        "native.in_flight - native.reserved",
        Words("配信を始めたが、成功ともエラーとも決まらない件数", "started, and neither success nor error yet"),
        (ex.RESERVED, ex.CANCELLED, ex.TESTS),
        (
            Agreement(
                "engagelab.requested - relation.reserved",
                "I5",
                Words(
                    "EngageLabの「リクエスト中」は予約済みも含む", "EngageLab's リクエスト中 includes those reserved"
                ),
            ),
        ),
    ),
    Definition(
        "reserved",
        Words("予約済み", "Reserved"),
        _MAIL,
        "native.reserved",
        Words("まだ配信を始めていない件数。送信数には数えない", "not started yet; not part of the month's count"),
        (ex.NOT_MAILED, ex.TESTS),
        is_detail=True,
    ),
    Definition(
        "total",
        Words("合計", "Total"),
        _MAIL,
        "done + in_flight + reserved",
        Words("状況バーの全体", "the whole of the status bar"),
        (ex.CANCELLED, ex.NOT_MAILED, ex.TESTS),
        (
            Agreement(
                "sansan.targeted - native.cancelled",
                "I7",
                Words("Sansanの「宛先」から中止を引いたもの", "Sansan's 宛先 without those cancelled"),
            ),
        ),
    ),
    Definition(
        "progress",
        Words("配信状況", "Progress"),
        Unit.RATIO,
        "done / total",
        Words("合計に対する配信済みの割合", "how much of the total is done"),
        (ex.CANCELLED,),
    ),
)

_USAGE = (
    Definition(
        "billed",
        Words("送信数のカウント対象", "Counted for the month"),
        _MAIL,
        "done",
        Words(
            "当月の一斉配信送信数に数える件数。配信エラーも数え、予約済みは数えない",
            "what the month's number of sends counts: errors too, those reserved not",
        ),
        (ex.RESERVED, ex.NOT_MAILED, ex.TESTS),
        (
            Agreement(
                "native.billed + native.channels.pre_send",
                "I7",
                Words(
                    "Yamabikoの従量は、サーバーに渡す前の失敗を数えない",
                    "Yamabiko's own usage leaves out failures before any server was asked (X8)",
                ),
            ),
            Agreement(
                "engagelab.billed + native.channels.pre_send",
                "I7",
                Words(
                    "EngageLabは相手サーバーに渡したメールだけを課金する",
                    "EngageLab bills only what was handed to a receiving server (X8)",
                ),
            ),
        ),
    ),
)

RELATION = Profile(
    "relation",
    Words("Re:lation 一斉配信+", "Re:lation bulk mail"),
    (
        SectionDefinition("status", Words("配信状況", "Status"), _STATUS),
        SectionDefinition("usage", Words("当月の一斉配信送信数", "The month's number of sends"), _USAGE),
    ),
    (
        Words(
            "宛先のサーバーがエラーを返さない場合は配信成功に数えます。応答の確認は最大24時間を目安とし、その後に届いた応答も反映します",
            "A server that sends no error counts as success. Most answers come within 24 hours; later ones count too.",
        ),
    ),
    settled_after_h=24,
)
