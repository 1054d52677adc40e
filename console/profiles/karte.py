"""KARTE Message: targets, deliveries, hard and soft bounces, users beside events, codes (K06-K15, K22-K25, K28-K31)."""

from __future__ import annotations

from console.profiles import exclusions as ex
from console.profiles.failures import PAIRS, PARTS, Pair, sum_of
from console.profiles.figure import (
    Agreement,
    Definition,
    Exclusion,
    Profile,
    SectionDefinition,
    Unit,
    Words,
)
from console.profiles.formula import add
from model.cause import SPECS, Cause, Channel

_USER, _EVENT, _RATIO = Unit.USER, Unit.EVENT, Unit.RATIO
_SOFT_BOUNCES = Exclusion(Words("ソフトバウンス", "soft bounces"), "karte.soft_bounces")

_PROJECT = (
    Definition(
        "targets",
        Words("対象ユーザー数", "Targets"),
        _USER,
        "native.targeted",
        Words("配信の対象にしたユーザーの数", "users the campaign is meant for"),
        (ex.NOT_MAILED, ex.TESTS),
        (
            Agreement(
                "karte.delivered + karte.hard_bounces + karte.soft_bounces + native.in_flight + native.cancelled",
                "I3",
                Words(
                    "配信数とバウンス数の合計との差は、ソフトバウンス数と配信中・中止",
                    "what deliveries and bounces leave over is soft bounces, in flight or cancelled",
                ),
            ),
            Agreement("sansan.targeted", "", Words("Sansanの「宛先」", "what Sansan calls 宛先")),
        ),
    ),
    Definition(
        "deliveries",
        Words("配信数", "Deliveries"),
        _EVENT,
        "native.event.reached",
        Words("期間内に届いた配信の回数", "mails that arrived within the window"),
        (ex.BOUNCED, ex.TESTS),
    ),
    Definition(
        "hard_bounces",
        Words("バウンス数", "Bounces"),
        _USER,
        "native.hard",
        Words("ハードバウンス数。ソフトバウンスは含まない", "hard bounces; the soft ones are not among them"),
        (_SOFT_BOUNCES, ex.NOT_MAILED, ex.AUTO_REPLIES, ex.TESTS),
        (
            Agreement(
                "sansan.undelivered - karte.soft_bounces",
                "I3",
                Words("Sansanの「不達」からソフトを引いたもの", "Sansan's 不達 without the soft ones"),
            ),
            Agreement("karte.codes.hard", "I3", Words("エラーコードごとのハードの合計", "the hard ones of all codes")),
        ),
    ),
    Definition(
        "soft_bounces",
        Words("ソフトバウンス数", "Soft bounces"),
        _USER,
        "native.soft",
        Words(
            "ハード以外の不達。対象から配信とバウンスを引いた差",
            "every other failure: what targets, deliveries and bounces leave",
        ),
        (ex.NOT_MAILED, ex.RETRIED, ex.TESTS),
        (
            Agreement(
                "sansan.undelivered - karte.hard_bounces",
                "I3",
                Words("Sansanの「不達」からハードを引いたもの", "Sansan's 不達 without the hard ones"),
            ),
            Agreement(
                "engagelab.soft_bounce + engagelab.attempted_invalid - karte.hard_bounces",
                "I5",
                Words(
                    "EngageLabの「ソフトバウンス」(受け取り後の返送) とは別の軸",
                    "EngageLab's soft bounce (sent back later) is another axis (X1)",
                ),
            ),
            Agreement("karte.codes.soft", "I3", Words("エラーコードごとのソフトの合計", "the soft ones of all codes")),
        ),
    ),
    Definition(
        "fail_count",
        Words("fail_count", "fail_count"),
        _USER,
        "native.failed_first",
        Words(
            "この配信で初めて配信できなかったユーザー。以前にバウンスして除外されたユーザーは数えない",
            "users who failed here for the first time; those kept out for an earlier bounce are not counted",
        ),
        (ex.FAILED_BEFORE, ex.NOT_MAILED, ex.TESTS),
        (
            Agreement(
                "sansan.undelivered - native.failed_again",
                "I3",
                Words(
                    "Sansanの「不達」から、以前にも不達だった宛先を引いたもの",
                    "Sansan's 不達, less those that had failed before",
                ),
            ),
        ),
    ),
    Definition(
        "unsubs",
        Words("購読停止数", "Unsubscribed"),
        _USER,
        "native.unsubs",
        Words(
            "この配信から購読を停止したユーザー。あとで再開しても減らない",
            "users who unsubscribed through this campaign; coming back takes nobody off",
        ),
        (ex.TESTS,),
        (Agreement("bales.unsubs", "", Words("BALES CLOUD Mailの「配信停止数」", "what BALES calls 配信停止数")),),
    ),
    Definition(
        "resubs",
        Words("購読再開数", "Resubscribed"),
        _USER,
        "native.resubs",
        Words("この配信から購読を再開したユーザー", "users who came back through this campaign"),
        (ex.TESTS,),
    ),
)

_CAMPAIGN = (
    Definition(
        "delivered",
        Words("配信ユーザー数", "Users delivered to"),
        _USER,
        "native.reached",
        Words("期間内に配信し、届いたユーザー", "users the mail reached, of deliveries in the window"),
        (ex.BOUNCED, ex.RETRIED, ex.TESTS),
        (Agreement("sansan.reached", "", Words("Sansanの「到達」", "what Sansan calls 到達")),),
    ),
    Definition(
        "opened_users",
        Words("開封ユーザー数", "Users who opened"),
        _USER,
        "native.opened_users",
        Words("期間内の配信を、期間内に開封したユーザー", "users who opened, of deliveries in the window"),
        ex.OPENS,
        (Agreement("sansan.opened", "", Words("Sansanの「開封」", "what Sansan calls 開封")),),
    ),
    Definition(
        "clicked_users",
        Words("クリックユーザー数", "Users who clicked"),
        _USER,
        "native.clicked_users",
        Words(
            "期間内の配信を、期間内にクリックしたユーザー。画像の読み込みは問わない",
            "users who clicked, of deliveries in the window, pixel or not",
        ),
        ex.CLICKS,
        (
            Agreement(
                "sansan.link_clicked",
                "I8",
                Words(
                    "Sansanの「リンククリック」は開封したメールに限る", "Sansan counts clicks of opened mail only (X4)"
                ),
                ">=",
            ),
            Agreement(
                "bales.clicks",
                "I8",
                Words("「クリック数」は回数で、ユーザー数より多い", "clicks are events, no fewer than the users"),
                "<=",
            ),
        ),
    ),
    Definition(
        "opens",
        Words("開封数", "Opens"),
        _EVENT,
        "native.event.opens",
        Words(
            "期間内に起きた開封の回数。いつ配信したかは問わない",
            "opens within the window, whenever it was delivered",
        ),
        ex.OPENS,
    ),
    Definition(
        "clicks",
        Words("クリック数", "Clicks"),
        _EVENT,
        "native.event.clicks",
        Words(
            "期間内に起きたクリックの回数。いつ配信したかは問わない",
            "clicks within the window, whenever it was delivered",
        ),
        ex.CLICKS,
    ),
    Definition(
        "open_rate",
        Words("開封率", "Open rate"),
        _RATIO,
        "opened_users / native.reached_html",
        Words("届いたHTMLメールに対する開封ユーザー", "of HTML mails that reached"),
        (ex.TEXT_MAIL,),
    ),
    Definition(
        "click_rate",
        Words("クリック率", "Click rate"),
        _RATIO,
        "clicked_users / delivered",
        Words("配信ユーザーに対するクリックユーザー", "of users delivered to"),
    ),
    Definition(
        "bounce_rate",
        Words("バウンスレート", "Bounce rate"),
        _RATIO,
        "hard_bounces / targets",
        Words("対象ユーザーに対するハードバウンス", "hard bounces, of the targets"),
        (_SOFT_BOUNCES, ex.AUTO_REPLIES),
    ),
    Definition(
        "cv",
        Words("CV数", "Conversions"),
        _EVENT,
        "native.cv",
        Words(
            "送信者が報告したCV。報告がないか、user_idが紐づかない場合はハイフン",
            "conversions the sender reported; a hyphen where none was, or no user links them",
        ),
    ),
)

#: Codes of the report with what they mean; any other code of the crosswalk follows them (K09-K19).
CODES = {
    "Transient:General": Words("ソフト: 一時的なバウンス", "soft: a passing failure"),
    "Transient:MailboxFull": Words("ソフト: メールボックスが満杯", "soft: the mailbox is full"),
    "Transient:ContentRejected": Words("ソフト: 内容を拒否された", "soft: the content was refused"),
    "Transient:MessageTooLarge": Words("ソフト: サイズが大きすぎる", "soft: too large"),
    "Permanent:General": Words("ハード: 恒久的なバウンス", "hard: a lasting failure"),
    "Permanent:Suppressed": Words("ハード: 配信事業者の除外リストに該当", "hard: on the provider's suppression list"),
    "Transient:AttachmentRejected": Words("ソフト: 添付ファイルを拒否された", "soft: the attachment was refused"),
    "Permanent:UnsubscribedRecipient": Words("購読解除済み", "unsubscribed at the provider"),
    "Undetermined:Undetermined": Words("理由が分からないバウンス", "a bounce whose reason is not known"),
    "INVALID_PARAMETER": Words("アドレスが正しい形をしていない", "the address is malformed"),
    "RENDERING_FAILURE": Words("差し込みの変数などでコンテンツを作れない", "the content could not be made"),
    "FAILED": Words("送信の要求が処理されなかった", "the request to send failed"),
    "unknown": Words("その他のエラー", "any other error"),
}


def code_of(channel: Channel, cause: Cause) -> str:
    """Return the code of a failure. Before any server was asked, two causes have codes of their own (K16, K19)."""
    if channel is Channel.PRE_SEND and cause is Cause.ADDRESS_SYNTAX:
        return "INVALID_PARAMETER"
    if channel is Channel.PRE_SEND and cause is Cause.RATE_LIMITED:
        return "FAILED"
    return SPECS[cause].ses or "unknown"


def _pairs() -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = {code: [] for code in CODES}
    for channel, cause in PAIRS:
        found[code_of(channel, cause)].append((channel, cause))
    return found


def _codes() -> tuple[Definition, ...]:
    made: list[Definition] = []
    for code, pairs in _pairs().items():
        label = Words(code, code)
        made.append(Definition(f"code.{code}", label, Unit.MAIL, sum_of(pairs), CODES[code], (ex.TESTS,)))
        for part, words in PARTS.items():
            name = Words(f"{code} ({words.ja})", f"{code} ({words.en})")
            meaning = Words(f"このコードのうち{words.ja}と数えるもの", f"of this code, those counted as {words.en}")
            made.append(
                Definition(f"code.{code}.{part}", name, Unit.MAIL, sum_of(pairs, part), meaning, is_detail=True)
            )
    for part, words in PARTS.items():
        total = add(*(f"code.{code}.{part}" for code in CODES))
        label = Words(f"{words.ja}の合計", f"All {words.en}")
        meaning = Words("すべてのコードの合計", "the sum over all codes")
        made.append(Definition(f"codes.{part}", label, Unit.MAIL, total, meaning, is_detail=True))
    codes = Words("エラーコードの合計", "All codes")
    made.append(
        Definition(
            "codes",
            codes,
            Unit.MAIL,
            add(*(f"code.{code}" for code in CODES)),
            Words("すべてのコード", "every code"),
            (ex.NOT_MAILED, ex.TESTS),
            (
                Agreement(
                    "karte.hard_bounces + karte.soft_bounces",
                    "I3",
                    Words("バウンス数とソフトバウンス数の合計", "hard and soft bounces together"),
                ),
            ),
        )
    )
    return tuple(made)


KARTE = Profile(
    "karte",
    Words("KARTE Message", "KARTE Message"),
    (
        SectionDefinition("project", Words("プロジェクトレポート", "Project report"), _PROJECT),
        SectionDefinition("campaign", Words("キャンペーンレポート", "Campaign report"), _CAMPAIGN),
        SectionDefinition(
            "codes",
            Words("エラーコード", "Error codes"),
            _codes(),
            Words(
                "コードは原因を、ハード・ソフトは「恒久的で宛先に原因があるか」を示すため、一つのコードに両方が現れることがあります",
                "A code tells the cause; hard means permanent and the recipient's fault. One code may hold both.",
            ),
        ),
    ),
    (
        Words(
            "ユーザー数は期間内の配信だけを、回数は期間内に起きたすべてを数えます。一致しないことがあります",
            "Users are counted of deliveries in the window, events whenever they happened in it: the two may differ.",
        ),
        Words("結果は配信後すぐに反映されます", "Results are visible at once."),
    ),
)
