"""Sansan's bulk mail: seven numbers in contacts, and twelve classes of 不達 (S06-S30, S38)."""

from __future__ import annotations

from console.profiles import exclusions as ex
from console.profiles.figure import (
    Agreement,
    Definition,
    Profile,
    SectionDefinition,
    Unit,
    Words,
)
from console.profiles.formula import add
from console.profiles.sansan_classes import CLASSES, class_figure
from model.cause import SansanClass

_CONTACT = Unit.CONTACT

_SEVEN = (
    Definition(
        "targeted",
        Words("宛先", "Targeted"),
        _CONTACT,
        "native.targeted",
        Words("配信する予定の名刺の数", "contacts the mailing is meant for"),
        (ex.NOT_MAILED, ex.TESTS),
        (
            Agreement(
                "sansan.listed - sansan.excluded",
                "I1",
                Words("タグの件数との差は配信前の除外", "what the tags list, less those excluded"),
            ),
            Agreement(
                "sansan.reached + sansan.undelivered + native.in_flight + native.cancelled",
                "I2",
                Words("到達・不達・配信中・中止の合計", "each is in exactly one state"),
            ),
            Agreement(
                "relation.total + native.cancelled",
                "I7",
                Words("Re:lationの合計に中止を足したもの", "Re:lation's total and those cancelled"),
            ),
            Agreement(
                "engagelab.total - engagelab.not_sent + native.cancelled",
                "I5",
                Words("EngageLabは送らなかったものも無効に数える", "EngageLab counts what was not sent as invalid"),
            ),
        ),
    ),
    Definition(
        "reached",
        Words("到達", "Reached"),
        _CONTACT,
        "native.reached",
        Words(
            "メールが届いた数。エラーメールが届くまではここに数え、一時エラーで再送中のものは数えない",
            "mails that arrived; counted until an error mail comes, and not while retried after a temporary error",
        ),
        (ex.BOUNCED, ex.RETRIED, ex.TESTS),
        (
            Agreement("relation.success", "", Words("Re:lationの「配信成功」", "what Re:lation calls 配信成功")),
            Agreement("engagelab.delivered", "", Words("EngageLabの「配信済み」", "what EngageLab calls 配信済み")),
            Agreement("karte.delivered", "", Words("KARTEの「配信ユーザー数」", "what KARTE calls 配信ユーザー数")),
            Agreement("bales.reached", "", Words("BALES CLOUD Mailの「到達数」", "what BALES calls 到達数")),
            Agreement(
                "sansan.opened + sansan.unopened + native.reached_text",
                "I6",
                Words("開封・未開封・テキストメールの合計", "opened, unopened and text mail together"),
            ),
        ),
    ),
    Definition(
        "opened",
        Words("開封", "Opened"),
        _CONTACT,
        "native.opened_users",
        Words(
            "到達したメールのうち開封された数。クリックだけがあったものも開封とみなす",
            "of those reached, opened; a click without the pixel counts as opened",
        ),
        ex.OPENS,
        (
            Agreement(
                "sansan.link_clicked + sansan.not_clicked",
                "I6",
                Words("リンククリックと未クリックの合計", "each clicked or did not"),
            ),
            Agreement("karte.opened_users", "", Words("KARTEの「開封ユーザー数」", "what KARTE calls 開封ユーザー数")),
            Agreement(
                "bales.opens + native.opened_inferred",
                "I8",
                Words("BALES CLOUD Mailの「開封数」は回数", "BALES counts events: one person may open often"),
                "<=",
            ),
        ),
    ),
    Definition(
        "link_clicked",
        Words("リンククリック", "Clicked"),
        _CONTACT,
        "native.clicked_of_opened",
        Words(
            "開封したメールのうち、いずれかのURLをクリックした人の数。回数ではない",
            "of those opened, people who clicked any link: people, not clicks",
        ),
        (*ex.CLICKS, ex.TEXT_MAIL),
        (
            Agreement(
                "karte.clicked_users",
                "I8",
                Words(
                    "KARTEの「クリックユーザー数」は開封を問わず、テキストメールも数える",
                    "KARTE counts clicks without regard to opens, those of text mail too (X4)",
                ),
                "<=",
            ),
            Agreement(
                "bales.clicks", "I8", Words("BALES CLOUD Mailの「クリック数」は回数", "BALES counts events"), "<="
            ),
        ),
    ),
    Definition(
        "undelivered",
        Words("不達", "Undelivered"),
        _CONTACT,
        "native.undelivered",
        Words("配信に失敗した数", "mails that failed"),
        (ex.NOT_MAILED, ex.RETRIED, ex.AUTO_REPLIES, ex.TESTS),
        (
            Agreement(
                add(*(f"sansan.class.{name.value}" for name in SansanClass if name is not SansanClass.AUTO_REPLY)),
                "I4",
                Words("自動応答を除く11分類の合計", "the sum of the classes without automatic replies (X9)"),
            ),
            Agreement("relation.error", "", Words("Re:lationの「配信エラー」", "what Re:lation calls 配信エラー")),
            Agreement(
                "karte.hard_bounces + karte.soft_bounces",
                "I3",
                Words("KARTEのハードとソフトの合計", "KARTE's hard and soft together"),
            ),
            Agreement(
                "engagelab.soft_bounce + engagelab.invalid - engagelab.not_sent",
                "I5",
                Words("EngageLabの無効から、送らなかったものを除く", "EngageLab's, without what was not sent (X3)"),
            ),
        ),
    ),
    Definition(
        "unopened",
        Words("未開封", "Unopened"),
        _CONTACT,
        "native.unopened",
        Words(
            "到達したHTMLメールのうち未開封の数。テキストメールはハイフンで示す",
            "HTML mails that reached and were not opened; a hyphen for text mail",
        ),
        (ex.TEXT_MAIL, ex.TESTS),
        (
            Agreement(
                "native.reached_html - sansan.opened",
                "I6",
                Words("到達したHTMLメールから開封を引いたもの", "HTML mails that reached, less those opened"),
            ),
        ),
    ),
    Definition(
        "not_clicked",
        Words("未クリック", "Not clicked"),
        _CONTACT,
        "native.not_clicked",
        Words("開封したメールのうち、どのURLもクリックしていない人の数", "of those opened, people who clicked no link"),
        (ex.TEXT_MAIL, ex.TESTS),
        (
            Agreement(
                "sansan.opened - sansan.link_clicked",
                "I6",
                Words("開封からリンククリックを引いたもの", "those opened, less those who clicked"),
            ),
        ),
    ),
)

#: class: label, meaning, hints beside being suppressed

_KINDS = {
    "bounce": Words("不達 (フィルター管理)", "On the bounce list"),
    "complaint": Words("スパムレポート", "On the complaint list"),
    "block": Words("ブラックリスト", "On the block list"),
    "unsubscribe": Words("配信拒否", "Unsubscribed"),
    "role": Words("役割アドレス", "Role address"),
    "syntax": Words("メールアドレスの形式エラー", "Malformed address"),
    "duplicate": Words("重複", "Listed more than once"),
    "not_ready": Words("準備未完了", "Not ready"),
    "collision": Words("受信者番号の衝突", "Recipient number already taken"),
}
_DIFFERENCE = (
    Definition(
        "listed",
        Words("タグの件数", "Listed"),
        _CONTACT,
        "native.listed",
        Words("宛先に指定した名刺の数", "contacts chosen for the mailing"),
        (ex.TESTS,),
        (
            Agreement(
                "sansan.targeted + sansan.excluded",
                "I1",
                Words("宛先と配信前の除外の合計", "those targeted and those excluded"),
            ),
        ),
    ),
    Definition(
        "excluded",
        Words("配信前の除外", "Excluded"),
        _CONTACT,
        add(*(f"excluded.{kind}" for kind in _KINDS)),
        Words("宛先に指定したが配信しなかった数", "chosen, but not mailed"),
        (ex.TESTS,),
        (Agreement("native.excluded", "I1", Words("除外の理由ごとの合計", "the sum over the reasons")),),
    ),
    *(
        Definition(
            f"excluded.{kind}",
            label,
            _CONTACT,
            f"native.excluded.{kind}",
            Words("この理由で配信しなかった数", "not mailed for this reason"),
            is_detail=True,
        )
        for kind, label in _KINDS.items()
    ),
)
_MACHINES = (
    Definition(
        "opens_machine",
        Words("機械による開封", "Opens by machines"),
        Unit.EVENT,
        "native.opens_machine",
        Words("先読みや検査による開封の回数。開封には数えない", "by prefetches and scanners; not counted as opened"),
    ),
    Definition(
        "clicks_machine",
        Words("機械によるクリック", "Clicks by machines"),
        Unit.EVENT,
        "native.clicks_machine",
        Words(
            "先読みや検査によるクリックの回数。リンククリックには数えない",
            "by prefetches and scanners; not counted as clicked",
        ),
    ),
    Definition(
        "assumed",
        Words("知らせのない到達", "Reached without news"),
        _CONTACT,
        "native.evidence.assumed",
        Words("到達のうち、エラーも受領の知らせもないもの", "of those reached, without any news at all"),
        (),
        (Agreement("sansan.reached", "I2", Words("到達の一部", "part of those reached"), "<="),),
    ),
)

SANSAN = Profile(
    "sansan",
    Words("Sansan メール配信", "Sansan bulk mail"),
    (
        SectionDefinition("numbers", Words("配信数", "The seven numbers"), _SEVEN),
        SectionDefinition(
            "classes",
            Words("不達の配信ステータス", "Classes of 不達"),
            tuple(class_figure(name) for name in CLASSES),
            Words(
                "自動応答は一覧にだけ表示し、不達の数にも率にも入れません",
                "Automatic replies are shown here only; they are part of neither 不達 nor any rate.",
            ),
        ),
        SectionDefinition("difference", Words("宛先に指定したタグ件数との差異", "Listed and targeted"), _DIFFERENCE),
        SectionDefinition(
            "reference",
            Words("参考", "For reference"),
            _MACHINES,
            Words(
                "開封とリンククリックは受信側のメーラーや検査の影響を受けます。人と機械を分けて数えています",
                "Mail programs and scanners affect opens and clicks; people and machines are counted apart.",
            ),
        ),
    ),
    (
        Words(
            "配信の成否は配信後3日程度たってから確認してください。それまでに届いたエラーメールで到達は不達に変わります",
            "Judge success three days after sending: error mails that come until then turn 到達 into 不達.",
        ),
    ),
    settled_after_h=72,
)
