"""BALES CLOUD Mail: five numbers (B01)."""

from __future__ import annotations

from console.profiles import exclusions as ex
from console.profiles.figure import Agreement, Definition, Exclusion, Profile, SectionDefinition, Unit, Words

_UNSUBSCRIBED = Exclusion(
    Words("配信停止されたリード", "leads that had unsubscribed before"), "native.excluded.unsubscribe"
)
_ROLES = Exclusion(Words("infoなどの役割アドレス", "role addresses such as info"), "native.excluded.role")

_FIVE = (
    Definition(
        "sent",
        Words("送信数", "Sent"),
        Unit.MAIL,
        "native.done",
        Words("送信し終えたメールの数。届かなかったものも含む", "mails that are done, those that failed included"),
        (_UNSUBSCRIBED, _ROLES, ex.NOT_MAILED, ex.ON_ITS_WAY, ex.TESTS),
        (
            Agreement("relation.done", "", Words("Re:lationの「配信済み」", "what Re:lation calls 配信済み")),
            Agreement(
                "sansan.reached + sansan.undelivered",
                "I2",
                Words("Sansanの「到達」と「不達」の合計", "what Sansan calls 到達 and 不達 together"),
            ),
        ),
    ),
    Definition(
        "reached",
        Words("到達数", "Reached"),
        Unit.MAIL,
        "native.reached",
        Words("届いたメールの数", "mails that arrived"),
        (ex.BOUNCED, ex.RETRIED, ex.TESTS),
        (
            Agreement("sansan.reached", "", Words("Sansanの「到達」", "what Sansan calls 到達")),
            Agreement(
                "bales.sent - native.undelivered", "I2", Words("送信数から不達を引いたもの", "sent, less those failed")
            ),
        ),
    ),
    Definition(
        "opens",
        Words("開封数", "Opens"),
        Unit.EVENT,
        "native.opens",
        Words("開封の回数", "how often it was opened"),
        ex.OPENS,
        (
            Agreement(
                "native.opens_raw - native.opens_machine",
                "I8",
                Words(
                    "全件から機械を引いたもの。不達のメールの開封は入らない",
                    "all fetches less those of machines; opens of mails that failed do not count",
                ),
                "<=",
            ),
            Agreement(
                "sansan.opened - native.opened_inferred",
                "I8",
                Words(
                    "Sansanの「開封」は人数で、クリックだけの人も含む",
                    "Sansan counts people, and those who only clicked as well",
                ),
                ">=",
            ),
        ),
    ),
    Definition(
        "clicks",
        Words("クリック数", "Clicks"),
        Unit.EVENT,
        "native.clicks",
        Words("URLがクリックされた回数", "how often links were clicked"),
        ex.CLICKS,
        (
            Agreement(
                "karte.clicked_users",
                "I8",
                Words("KARTEの「クリックユーザー数」は人数", "KARTE's クリックユーザー数 are people"),
                ">=",
            ),
        ),
    ),
    Definition(
        "unsubs",
        Words("配信停止数", "Unsubscribed"),
        Unit.USER,
        "native.unsubs",
        Words(
            "この配信から配信停止した人の数。あとで再開しても減らない",
            "people who unsubscribed through this mailing; coming back takes nobody off",
        ),
        (ex.TESTS,),
        (Agreement("karte.unsubs", "", Words("KARTEの「購読停止数」", "what KARTE calls 購読停止数")),),
    ),
)

BALES = Profile(
    "bales",
    Words("BALES CLOUD Mail", "BALES CLOUD Mail"),
    (SectionDefinition("numbers", Words("配信結果", "Results"), _FIVE),),
)
