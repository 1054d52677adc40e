"""Native figures of what people did, and the rates (mission 4.2, 4.3)."""

from __future__ import annotations

from console.profiles import exclusions as ex
from console.profiles.counted import native_figure
from console.profiles.figure import Agreement, Definition, Exclusion, Unit, Words

_USER, _EVENT, _RATIO = Unit.USER, Unit.EVENT, Unit.RATIO

ENGAGEMENT = (
    native_figure(
        "opened_users",
        _USER,
        "開封した人。画像の読み込み、または人のクリックで分かる",
        "people who opened: the pixel was fetched, or a person clicked",
        *ex.OPENS,
        agrees=(
            Agreement(
                "native.opened_pixel + native.opened_inferred",
                "I8",
                Words("画像とクリックからの推定の合計", "by pixel and by inference together"),
            ),
            Agreement(
                "native.opens + native.opened_inferred",
                "I8",
                Words("一人は一度以上開封している", "each opened at least once"),
                "<=",
            ),
            Agreement(
                "native.reached_html",
                "I8",
                Words("到達したHTMLメールの一部", "part of the HTML mails that reached"),
                "<=",
            ),
            Agreement(
                "native.clicked_of_opened + native.not_clicked",
                "I6",
                Words("クリックした人としない人に分かれる", "each clicked or did not"),
            ),
        ),
    ),
    native_figure("opened_pixel", _USER, "画像の読み込みで分かった人", "seen by the pixel", is_detail=True),
    native_figure(
        "opened_inferred",
        _USER,
        "画像は読み込まれず、クリックで分かった人",
        "no pixel was fetched, but a person clicked",
        is_detail=True,
    ),
    native_figure(
        "unopened",
        _USER,
        "到達したHTMLメールのうち開封されていないもの",
        "HTML mails that reached and were not opened",
        ex.TEXT_MAIL,
        formula="reached_html - opened_users",
        agrees=(
            Agreement(
                "native.reached_html - native.opened_users",
                "I6",
                Words("開封と合わせて到達したHTMLメール", "with those opened, all HTML mails that reached"),
            ),
        ),
    ),
    native_figure(
        "clicked_users",
        _USER,
        "リンクをクリックした人。画像の読み込みは問わない",
        "people who clicked a link, whether or not the pixel was fetched",
        *ex.CLICKS,
        agrees=(
            Agreement(
                "native.clicks", "I8", Words("一人は一度以上クリックしている", "each clicked at least once"), "<="
            ),
            Agreement(
                "native.link_clickers",
                "I10",
                Words(
                    "リンクごとの人数の合計は、複数のリンクを押した人を重ねて数える",
                    "the sum over links counts who clicked several links several times",
                ),
                "<=",
            ),
        ),
    ),
    native_figure(
        "clicked_of_opened",
        _USER,
        "開封した人のうちクリックした人",
        "of those who opened, people who clicked",
        ex.TEXT_MAIL,
        agrees=(
            Agreement(
                "native.clicked_users",
                "I8",
                Words("クリックした人の一部 (テキストメールは入らない)", "part of all who clicked: no text mail"),
                "<=",
            ),
        ),
    ),
    native_figure(
        "not_clicked",
        _USER,
        "開封した人のうちクリックしていない人",
        "of those who opened, people who did not click",
        ex.TEXT_MAIL,
        formula="opened_users - clicked_of_opened",
    ),
    native_figure(
        "opens", _EVENT, "人による、または判定できない開封の回数", "opens by people, or that cannot be told", *ex.OPENS
    ),
    native_figure(
        "opens_machine", _EVENT, "先読みや検査による開封の回数", "opens by prefetches and scanners", is_detail=True
    ),
    native_figure(
        "opens_raw",
        _EVENT,
        "画像が読み込まれた回数のすべて",
        "every time the pixel was fetched",
        ex.TESTS,
        is_detail=True,
    ),
    native_figure(
        "clicks",
        _EVENT,
        "人による、または判定できないクリックの回数",
        "clicks by people, or that cannot be told",
        *ex.CLICKS,
    ),
    native_figure(
        "clicks_machine",
        _EVENT,
        "先読みや検査によるクリックの回数",
        "clicks by prefetches and scanners",
        is_detail=True,
    ),
    native_figure(
        "clicks_raw", _EVENT, "リンクが開かれた回数のすべて", "every time a link was followed", ex.TESTS, is_detail=True
    ),
    native_figure(
        "link_clickers",
        _USER,
        "リンクごとのクリックした人数の合計",
        "sum over the links of the people who clicked each",
        is_detail=True,
        label=Words("リンクごとの人数の合計", "Clickers, summed over links"),
    ),
    native_figure(
        "complaints",
        _USER,
        "受信サービスに迷惑メールと報告した人",
        "people who reported it as spam to their provider",
        ex.NOT_SPAM,
        ex.FORM_COMPLAINTS,
        ex.TESTS,
    ),
    native_figure(
        "complaints_form",
        _USER,
        "配信停止ページで「スパム」「詐欺」を選んだ人",
        "people who chose spam or fraud on the unsubscribe page",
        is_detail=True,
    ),
    native_figure(
        "unsubs",
        _USER,
        "この配信から配信停止した人。あとで再開しても減らない",
        "people who unsubscribed through this broadcast; coming back takes nobody off",
        ex.TESTS,
    ),
    native_figure("resubs", _USER, "この配信から購読を再開した人", "people who came back through this broadcast"),
    native_figure("cv", _EVENT, "送信者が報告したCVの件数", "conversions the sender reported"),
)


def _rate(name: str, formula: str, ja: str, en: str, *excludes: Exclusion) -> Definition:
    return native_figure(name, _RATIO, ja, en, *excludes, formula=formula)


RATES = (
    _rate("reach_rate", "reached / targeted", "宛先に対する到達", "of those targeted"),
    _rate("bounce_rate", "undelivered / targeted", "宛先に対する不達", "of those targeted", ex.AUTO_REPLIES),
    _rate("hard_bounce_rate", "hard / targeted", "宛先に対するハードバウンス", "of those targeted"),
    _rate("soft_bounce_rate", "soft / targeted", "宛先に対するソフトバウンス", "of those targeted"),
    _rate(
        "open_rate",
        "opened_users / reached_html",
        "到達したHTMLメールに対する開封",
        "of HTML mails that reached",
        ex.TEXT_MAIL,
    ),
    _rate("click_rate", "clicked_users / reached", "到達に対するクリックした人", "of those reached"),
    _rate("ctor", "clicked_of_opened / opened_users", "開封した人に対するクリックした人", "of those who opened"),
    _rate(
        "complaint_rate", "complaints / reached", "到達に対するスパムレポート", "of those reached", ex.FORM_COMPLAINTS
    ),
    _rate("unsub_rate", "unsubs / reached", "到達に対する配信停止", "of those reached"),
    _rate("machine_share", "opens_machine / opens_raw", "開封の全件に占める機械の割合", "of all fetches of the pixel"),
)
