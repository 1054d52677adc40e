"""model.rewrite and model.rewrite_text: only link values change, and they lead where a browser would go."""

from __future__ import annotations

import base64
import gc
import html as entities
import random
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from model.keyring import Key, KeyRing, KeyStatus
from model.markup import Part, decode_value, scan_html
from model.mint import Hosts, Mint, TargetError, open_click
from model.rewrite import NOTRACK, rewrite_html
from model.rewrite_text import rewrite_text
from model.rewritten import Link, RewriteError, WarningKind
from model.target import Left, absolute, origin_of, resolve
from model.token import TokenFlag

KEYS = KeyRing({1: Key(1, b"k" * 32, KeyStatus.CURRENT)}, b"p" * 32)
ORIGIN = "https://t.example.jp"
MAIL = Mint(KEYS, Hosts("bounce.example.jp", ORIGIN)).mail(
    tenant=1, broadcast_id="spring", address="taro@example.jp", day=20_000
)
BARE = {"add_pixel": False, "unsubscribe": False}


def opened(url: str):
    """Open a click URL of ours."""
    assert url.startswith(ORIGIN + "/c/"), url
    return open_click(*url.removeprefix(ORIGIN + "/c/").split("/"), KEYS)


def targets(html: str) -> list[str]:
    """Every target of a click URL in ``html``, in order of appearance."""
    pieces = html.split(ORIGIN + "/c/")[1:]
    found = []
    for piece in pieces:
        path = piece
        for stop in " \t\n\"'<>":
            path = path.partition(stop)[0]
        found.append(opened(ORIGIN + "/c/" + path).target)
    return found


# Where a link leads

TRACKED = [
    ('<a href="https://x.jp/">', "https://x.jp/"),
    ("<a href='https://x.jp/'>", "https://x.jp/"),
    ("<a href=https://x.jp/>", "https://x.jp/"),
    ("<A HREF=HTTPS://X.JP/A>", "https://X.JP/A"),
    ("<a\nclass=x\thref\n=\n'https://x.jp/'\n>", "https://x.jp/"),
    ("<a/href=https://x.jp/>", "https://x.jp/"),
    ('<a class="x"href="https://x.jp/">', "https://x.jp/"),
    ('<a href="https://x.jp/1" href="https://x.jp/2">', "https://x.jp/1"),
    ('<a title="a > b" href="https://x.jp/">', "https://x.jp/"),
    ("<a title='<a href=\"https://no.jp\">' href=https://x.jp/>", "https://x.jp/"),
    ('<a href="  https://x.jp/ \n">', "https://x.jp/"),
    ('<a href="https://x.\njp/a\tb">', "https://x.jp/ab"),
    ('<a href="https://x.jp/?a=1&amp;b=2">', "https://x.jp/?a=1&b=2"),
    ('<a href="https://x.jp/?a=1&b=2">', "https://x.jp/?a=1&b=2"),
    ('<a href="https://x.jp/?a=1&copy=2&reg">', "https://x.jp/?a=1&copy=2®"),
    ('<a href="https://x.jp/?a=1&copy;=2">', "https://x.jp/?a=1©=2"),
    ('<a href="https&colon;//x.jp/&#x41;&#66;&sol;">', "https://x.jp/AB/"),
    ('<a href="https://x.jp/&notit;&amp;&lt;">', "https://x.jp/&notit;&%3C"),
    ('<a href="https://x.jp/&#128;&#0;">', "https://x.jp/€\ufffd"),
    ('<a href="https://x.jp/&#99999999999999999999;">', "https://x.jp/\ufffd"),
    ('<a href="https://x.jp/a b">', "https://x.jp/a%20b"),
    ("<a href='https://x.jp/?q=\"`<>'>", "https://x.jp/?q=%22%60%3C%3E"),
    ('<a href="https:\\\\x.jp\\a?b\\c">', "https://x.jp/a?b%5Cc"),
    ('<a href="https:x.jp/a">', "https://x.jp/a"),
    ('<a href="https:/x.jp/a">', "https://x.jp/a"),
    ('<a href="https:////x.jp/a">', "https://x.jp/a"),
    ('<a href="https://日本語.jp/道?駅=東京#出口">', "https://日本語.jp/道?駅=東京#出口"),
    ('<a href="https://x.jp/%E6%97%A5?%zz=%2F">', "https://x.jp/%E6%97%A5?%zz=%2F"),
    ('<a href="https://x.jp#top">', "https://x.jp#top"),
    ('<a href="http://[2001:db8::1]:8080/">', "http://[2001:db8::1]:8080/"),
    ('<area shape=rect href="https://x.jp/map">', "https://x.jp/map"),
    ("<svg><a xlink:href='https://x.jp/svg'><text>x</text></a></svg>", "https://x.jp/svg"),
    ("<svg><a href='https://x.jp/1' xlink:href='https://x.jp/2'></a></svg>", "https://x.jp/1"),
    ('<!--[if mso]><a href="https://x.jp/mso">x</a><![endif]-->', "https://x.jp/mso"),
    (
        '<!--[if mso]><v:roundrect xmlns:v="urn:schemas-microsoft-com:vml" href="https://x.jp/vml"'
        ' arcsize="10%"><w:anchorlock/></v:roundrect><![endif]-->',
        "https://x.jp/vml",
    ),
    ('<![if !mso]><a href="https://x.jp/">x</a><![endif]>', "https://x.jp/"),
    ('<!--[if !mso]><!--><a href="https://x.jp/">x</a><!--<![endif]-->', "https://x.jp/"),
    ('<noscript><a href="https://x.jp/">x</a></noscript>', "https://x.jp/"),
    ('<!--><a href="https://x.jp/">', "https://x.jp/"),
    ('<!-- a --!><a href="https://x.jp/">', "https://x.jp/"),
    ('<!doctype html><?xml x><a href="https://x.jp/">', "https://x.jp/"),
    ('</><a href="https://x.jp/">', "https://x.jp/"),
    ('1 < 2 <3 <a href="https://x.jp/">', "https://x.jp/"),
    ('<script>"<a href=x>"</script><a href="https://x.jp/">', "https://x.jp/"),
    ('<a <b href="https://x.jp/">', "https://x.jp/"),
    ("<a =x href=https://x.jp/>", "https://x.jp/"),
]


@pytest.mark.parametrize(("html", "target"), TRACKED, ids=range(len(TRACKED)))
def test_a_link_leads_where_a_browser_would_go(html: str, target: str) -> None:
    result = rewrite_html(html, MAIL, **BARE)
    assert targets(result.html) == [target]
    assert [link.target for link in result.links] == [target]


UNTOUCHED = [
    "<a>", "<a href>", "<a href=>", '<a href="">', '<a href="#top">', '<a href=" #top ">',
    '<a href="mailto:taro@example.jp?subject=x">', '<a href="tel:+81312345678">', '<a href="sms:+8190">',
    '<a href="cid:logo@x">', '<a href="data:text/html,x">', '<a href="line://ti/p/x">',
    '<a href="{{url}}">', '<a href="https://x.jp/{{id}}">', '<a href="https://x.jp/?a=*|EMAIL|*">',
    '<a href="%%link%%">', '<a href="{% url %}">', '<a href="[[link]]">', '<a href="${link}">',
    '<a href="/relative">', '<a href="//x.jp/">', '<a href="page.html">',
    '<a href="https://user:pw@x.jp/">', '<a href="https:///">', '<a href="https://x.jp:99999/">',
    '<a href="http://[::1">', f'<a href="https://x.jp/{"a" * 5_000}">', f'<a href="https://x.jp/{"あ" * 2_000}">',
    '<a href="javascript:alert(1)">', '<a href="java\nscript:alert(1)">', '<a href="VBScript:x">',
    f'<a href="{MAIL.unsubscribe_url}">', f'<a href="{ORIGIN}/anything">', '<a href="HTTPS://T.EXAMPLE.JP:443/u/x">',
    '<!-- <a href="https://x.jp/"> -->', '<!-- <a href="https://x.jp/">',
    '<script><a href="https://x.jp/"></script>', "<style><a href='https://x.jp/'></style>",
    '<textarea><a href="https://x.jp/"></textarea>', '<title><a href="https://x.jp/"></title>',
    '<TITLE></title2><a href="https://x.jp/"></TITLE>', '<xmp><a href="https://x.jp/"></xmp>',
    '<iframe><a href="https://x.jp/"></iframe>', '<plaintext></plaintext><a href="https://x.jp/">',
    '<a href="https://x.jp/', '<a href=https://x.jp/', '<a href="https://x.jp/"', "<a href='https://x.jp/\">",
    '<a xlink:href="https://x.jp/">', '<link href="https://x.jp/">', '<img src="https://x.jp/a.png">',
    '<form action="https://x.jp/">', '<abbr href="https://x.jp/">', '<v:roundrect href="https://x.jp/">',
    '</a href="https://x.jp/">', '<a data-href="https://x.jp/">', "&lt;a href='https://x.jp/'&gt;",
    '<!--[if mso]><a href="https://x.jp/">', '<a href="http://\ud800.jp/">',
]  # fmt: skip


@pytest.mark.parametrize("html", UNTOUCHED, ids=range(len(UNTOUCHED)))
def test_what_is_no_link_to_track_stays_as_it_is(html: str) -> None:
    result = rewrite_html(html, MAIL, **BARE)
    assert result.html == html
    assert result.links == ()


def test_a_base_counts_for_every_relative_link() -> None:
    html = (
        '<a href="b?c#d">1</a><base href="https://x.jp/dir/page"><base href="https://no.jp/"><a href="/r">2</a>'
        '<a href="//y.jp/z">3</a><a href="?q">4</a><a href="#f">5</a><a href="http:rel">6</a><a href="https:rel">7</a>'
    )
    assert [link.target for link in rewrite_html(html, MAIL, **BARE).links] == [
        "https://x.jp/dir/b?c#d", "https://x.jp/r", "https://y.jp/z", "https://x.jp/dir/page?q",
        "http://rel", "https://x.jp/dir/rel",
    ]  # fmt: skip


@pytest.mark.parametrize("base", ['<base href="/x">', "<base>", '<base href="ftp://x.jp/">', '<base href="https://">'])
def test_a_base_that_is_none_leaves_relative_links_alone(base: str) -> None:
    html = base + '<a href="b">'
    assert rewrite_html(html, MAIL, **BARE).html == html


# The author's choices


def test_opting_out_by_attribute_takes_the_attribute_out() -> None:
    html = (
        '<a href="https://x.jp/" data-yamabiko-track="off" class=c>x</a><a data-yamabiko-track=on href=https://y.jp/>'
    )
    result = rewrite_html(html, MAIL, **BARE)
    assert result.html.startswith('<a href="https://x.jp/" class=c>x</a><a href=https://t.example.jp/c/')
    assert targets(result.html) == ["https://y.jp/"]


def test_the_attribute_leaves_its_neighbours_apart() -> None:
    html = "<a class='x'data-yamabiko-track='off'href='https://x.jp/'>"
    assert rewrite_html(html, MAIL, **BARE).html == "<a class='x' href='https://x.jp/'>"


@pytest.mark.parametrize("scheme", ["https", "HTTPS", "http"])
def test_opting_out_within_the_url(scheme: str) -> None:
    html = f'<a href="{scheme}{NOTRACK}://x.jp/?a+notrack">'
    assert rewrite_html(html, MAIL, **BARE).html == f'<a href="{scheme}://x.jp/?a+notrack">'


def test_links_may_be_left_alone_altogether() -> None:
    html = '<a href="https://x.jp/">'
    assert rewrite_html(html, MAIL, track_links=False, **BARE).html == html


def test_placeholders_become_unsubscribe_links() -> None:
    html = (
        "<title>{{Unsubscribe}}</title><!-- {{Unsubscribe}} -->"
        "<p>{{Unsubscribe:配信停止は&amp;こちら}} {{ unsubscribe }} {{Unsubscribe:停止}}</p>"
        '<a href="{{Unsubscribe}}">x</a><!--[if mso]>{{Unsubscribe}}<![endif]-->{{Unsubscribed}}'
    )
    url = MAIL.unsubscribe_url
    result = rewrite_html(html, MAIL, add_pixel=False)
    assert result.html == (
        f'<title>{{{{Unsubscribe}}}}</title><!-- {{{{Unsubscribe}}}} --><p><a href="{url}">配信停止は&amp;こちら</a> '
        f'<a href="{url}">購読解除</a> <a href="{url}">停止</a></p>'
        f'<a href="{url}">x</a><!--[if mso]><a href="{url}">購読解除'
        "</a><![endif]-->{{Unsubscribed}}"
    )
    assert result.warnings == () and result.links == ()
    assert rewrite_html(html, MAIL, **BARE).html == html


@pytest.mark.row("B09", "B03")
@pytest.mark.row("B09")
def test_a_mail_without_unsubscribe_link_is_warned_of_or_refused() -> None:
    assert [w.kind for w in rewrite_html("<p>x</p>", MAIL).warnings] == [WarningKind.NO_UNSUBSCRIBE]
    with pytest.raises(RewriteError):
        rewrite_html("<p>x</p>", MAIL, require_unsubscribe=True)
    rewrite_html(f'<a href="{MAIL.unsubscribe_url}">', MAIL, require_unsubscribe=True)
    assert not rewrite_html("<p>x</p>", MAIL, unsubscribe=False).warnings


def test_warnings_name_kind_and_place() -> None:
    html = '<a href="javascript:x"><a href="{{x}}"><a href="rel"><a href="https://u@x.jp"><!-- open'
    warnings = rewrite_html(html, MAIL, unsubscribe=False).warnings
    assert [w.kind for w in warnings] == [
        WarningKind.SCRIPT, WarningKind.MERGE_FIELD, WarningKind.RELATIVE, WarningKind.UNSAFE, WarningKind.UNFINISHED,
    ]  # fmt: skip
    assert [html[w.offset :].startswith(w.excerpt) for w in warnings] == [True] * 5


# Pixel and trap

PIXEL_PLACES = [
    ("<html><body>x</body></html>", "<html><body>x", "</body></html>"),
    ("<HTML><BODY>x</BODY>\n</HTML>\n", "<HTML><BODY>x", "</BODY>\n</HTML>\n"),
    ("<html>x</html>", "<html>x", "</html>"),
    ("x", "x", ""),
    ("", "", ""),
    (
        "<body>a</body><!-- </body> --><script></body></script>",
        "<body>a",
        "</body><!-- </body> --><script></body></script>",
    ),
    ("<body>a</body>b</body>", "<body>a</body>b", "</body>"),
    ("x<!-- never closed", "x", "<!-- never closed"),
    ("x<a href='", "x", "<a href='"),
    ("<!--[if mso]></body><![endif]-->x", "<!--[if mso]></body><![endif]-->x", ""),
]


@pytest.mark.parametrize(("html", "before", "after"), PIXEL_PLACES, ids=range(len(PIXEL_PLACES)))
def test_the_pixel_stands_at_the_end_of_the_body(html: str, before: str, after: str) -> None:
    result = rewrite_html(html, MAIL, unsubscribe=False).html
    assert result.startswith(before + '<img src="' + MAIL.pixel_url + '" alt="" width="1" height="1"')
    assert result.endswith(">" + after) or not after and result.endswith(">")
    assert rewrite_html(result, MAIL, unsubscribe=False).html == result


def test_the_trap_is_hidden_and_far_from_the_unsubscribe_link() -> None:
    html = "<body>{{Unsubscribe}}" + "x" * 500 + '<a href="https://x.jp/">x</a></body>'
    result = rewrite_html(html, MAIL, honeypot="https://x.jp/trap")
    at = result.html.index('aria-hidden="true" tabindex="-1"')
    assert at > result.html.index("x" * 500)
    trap = next(target for target in targets(result.html) if target.endswith("trap"))
    url = next(
        piece for piece in result.html.split('"') if piece.startswith(ORIGIN + "/c/") and opened(piece).target == trap
    )
    assert opened(url).token.flags & TokenFlag.HONEYPOT and (opened(url).link, opened(url).links) == (2, 1)
    footer = rewrite_html("<body>" + "x" * 500 + "{{Unsubscribe}}</body>", MAIL, honeypot="https://x.jp/trap").html
    assert footer.startswith('<body><a href="')
    assert rewrite_html(result.html, MAIL, honeypot="https://x.jp/trap").html == result.html
    with pytest.raises(TargetError):
        rewrite_html("x", MAIL, honeypot="javascript:1")


# Numbers and words


def test_links_are_numbered_in_order_and_outlooks_copies_share_numbers() -> None:
    html = (
        '<!--[if mso]><v:roundrect href="https://x.jp/2"></v:roundrect><a href="https://x.jp/only">o</a><![endif]-->'
        '<a href="https://x.jp/1">One &amp; <b>only</b></a><a href="https://x.jp/2"><img alt="Two"></a>'
        '<a href="https://x.jp/1">Again</a>'
    )
    result = rewrite_html(html, MAIL, **BARE)
    assert result.links == (
        Link(1, "https://x.jp/1", "One & only"), Link(2, "https://x.jp/2", "Two"), Link(3, "https://x.jp/1", "Again"),
        Link(4, "https://x.jp/only", "o"),
    )  # fmt: skip
    urls = [p for p in result.html.split('"') if p.startswith(ORIGIN)]
    assert [(opened(u).link, opened(u).links) for u in urls] == [(2, 4), (4, 4), (1, 4), (2, 4), (3, 4)]


def test_rewriting_twice_tracks_nothing_twice() -> None:
    html = "".join(html for html, _ in TRACKED[:30]) + "{{Unsubscribe}}</body>"
    once = rewrite_html(html, MAIL).html
    assert rewrite_html(once, MAIL).html == once


def test_other_origins_of_ours_are_left_alone() -> None:
    html = '<a href="https://old.example.jp/c/x">'
    assert rewrite_html(html, MAIL, own_origins=["https://old.example.jp"], **BARE).html == html


# Properties

# What may stand between links, whole enough that no piece swallows the next.
FILLER = st.sampled_from([
    "text ", "日本語", "&amp; &copy=1 ", "<p class='a>b'>", "</p>", "<br/>", "<!-- <a href='https://no.jp'> -->",
    "1 < 2 ",
    "<script>'<a href=https://no.jp>'</script>", "<img src=x alt='y'>", "<td width=1 height = 2>", "{{name}}", "\r\n\t",
    "<style>a>b{}</style>", "<!--[if mso]><table><![endif]-->", "<o:p></o:p>", "</a>", "\x00", "<a name=x>",
])  # fmt: skip
URL_TEXT = st.text(st.sampled_from("abcXYZ019-._~/?#[]@!$&'()*+,;=%:é日本 \"<>`\\{|}^©;amp;lt;copy"), max_size=40)


@st.composite
def links(draw: st.DrawFn) -> tuple[str, str]:
    """A tag with a link, and the URL a browser would resolve it to."""
    rest = draw(URL_TEXT).rstrip(" ")
    while any(mark in rest for mark in ("{{", "{%", "${", "[[", "*|", "%%")):
        rest = rest.replace("{", "").replace("[", "").replace("|", "").replace("%", "").replace("$", "")
    scheme, path = draw(st.sampled_from(["http", "https"])), "/p" + rest
    expected = f"{scheme}://x.jp" + _as_browsers_write(path)
    value = entities.escape(f"{scheme}://x.jp{path}", quote=True)
    if draw(st.booleans()):
        value = (
            "".join(f"&#{ord(char)};" if draw(st.integers(0, 5)) == 0 else char for char in value if char != "&")
            if "&" not in value
            else value
        )
    quote = draw(st.sampled_from(['"', "'"]))
    pad = draw(st.sampled_from(["", " ", "\n", "\t "]))
    name = draw(st.sampled_from(["a", "A", "area"]))
    attribute = draw(st.sampled_from(["href", "HREF", "Href"]))
    extra = draw(st.sampled_from(["", " class=b", " title='>'", "/", "\n"]))
    return f"<{name} {extra} {attribute}={quote}{pad}{value}{pad}{quote}{extra}>", expected


def _as_browsers_write(path: str) -> str:
    """The WHATWG rules, written a second time and differently: backslashes, then what may not stand in a URL."""
    cut = len(path)
    for mark in "?#":
        if mark in path:
            cut = min(cut, path.index(mark))
    path = "".join("/" if char == "\\" and at < cut else char for at, char in enumerate(path))
    return "".join(f"%{ord(char):02X}" if char in ' "<>`\\' else char for char in path)


@seed(20_261_123)
@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(FILLER.map(lambda text: (text, None)), links()), max_size=12))
def test_random_mail_leads_where_it_led_and_is_otherwise_the_same(pieces: list[tuple[str, str | None]]) -> None:
    source = "".join(text for text, _ in pieces)
    expected = [target for _, target in pieces if target is not None]
    result = rewrite_html(source, MAIL, **BARE)
    assert targets(result.html) == expected
    # Put the old values back: nothing else may have changed.
    restored, at = [], 0
    for text, target in pieces:
        if target is None:
            assert result.html.startswith(text, at)
            restored.append(text)
            at += len(text)
        else:
            start = result.html.index(ORIGIN, at)
            head = text[: start - at]
            assert result.html[at:start] == head
            quote = head[-1]
            at = result.html.index(quote, start)
            tail = text[text.index(quote, len(head)) :]
            assert result.html.startswith(tail, at)
            at += len(tail)
    assert at == len(result.html)
    assert rewrite_html(result.html, MAIL, **BARE).html == result.html


@seed(20_261_124)
@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from("<>/!-='\" \n[]ifmsoahrefscript&#;x{}Unsubscribe:?"), max_size=120))
def test_any_text_is_covered_by_tokens_and_survives(source: str) -> None:
    outer = [token for token in scan_html(source) if not token.is_conditional]
    assert "".join(source[token.start : token.end] for token in outer) == source
    assert all(token.end > token.start for token in outer)
    result = rewrite_html(source, MAIL, unsubscribe=False, add_pixel=False)
    assert result.links or result.html == source or NOTRACK in source


class _Reference(HTMLParser):
    """The standard library's parser, for what it gets right."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


@seed(20_261_125)
@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["<p>", "<a href='x>y'>", "t", "</p>", "<!-- <b> -->", "<br/>", "<td a=b c>", "& < "])))
def test_tags_are_those_the_standard_library_finds(pieces: list[str]) -> None:
    source = "".join(pieces) + " "
    reference = _Reference()
    reference.feed(source)
    reference.close()
    assert [token.name for token in scan_html(source) if token.part is Part.START_TAG] == reference.tags


def test_attribute_references_follow_the_attribute_rule() -> None:
    for text, value in {
        "&amp": "&", "&amp;": "&", "&ampx": "&ampx", "&amp=": "&amp=", "&lt;": "<", "&nosuch;": "&nosuch;", "&": "&",
        "&#": "&#", "&#x": "&#x", "&#65": "A", "&#x41;": "A", "&#X41": "A", "&#xD800;": "\ufffd",
        "&#x110000;": "\ufffd",
        "&#129;": "\x81", "&#150;": "–", "&notin;": "∉", "&not;in": "¬in", "&AMP;&amp;amp;": "&&amp;",
        "&CounterClockwiseContourIntegral;": "∳", "&" + "a" * 100: "&" + "a" * 100,
    }.items():  # fmt: skip
        assert decode_value(text) == value, text


HOSTILE = {
    "bare": "<" * 1_000_000,
    "tags": "<a " * 333_333,
    "attributes": "<a" + " x=1" * 250_000 + ">",
    "quotes": '<a href="' * 111_111,
    "comments": "<!--" * 250_000,
    "conditional": "<!--[if mso]>" * 77_000,
    "conditionals": "<!--[if mso]><a><![endif]-->" * 35_000,
    "scripts": "<script>" * 125_000,
    "ends": "<script>" + "</script" * 125_000,
    "ampersands": '<a href="' + "&" * 1_000_000 + '">',
    "references": '<a href="' + "&copy" * 200_000 + '">',
    "placeholders": "{{Unsubscribe:" * 71_000,
    "spaces": '<a href="http://x.jp/' + " " * 1_000_000 + '">',
    "slashes": '<a href="http:' + "/" * 1_000_000 + 'x">',
    "digits": '<a href="&#' + "9" * 1_000_000 + '">',
    "words": "<a href=http://x.jp>" + "x<b>" * 250_000,
    "brackets": "http://x.jp/" + ")" * 1_000_000,
    "schemes": "http://" * 140_000,
    "percents": '<a href="' + "%%" * 500_000 + '">',
    "offs": "<a " + "data-yamabiko-track " * 50_000 + ">",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_megabyte_takes_linear_time(name: str) -> None:
    source = HOSTILE[name]
    quarters, wholes = [], []
    for _ in range(3):  # a busy machine is slow, and unevenly so, but not quadratic three times
        quarters.append(_seconds_for(source[: len(source) // 4]))
        wholes.append(_seconds_for(source))
        print(f"{name}: {wholes[-1] * 1_000:.0f} ms")
        if min(wholes) < 1 or min(wholes) < min(quarters) * 8:
            return
    raise AssertionError((quarters, wholes))


def _seconds_for(source: str) -> float:
    gc.disable()  # what it takes follows what earlier tests left, not the source
    try:
        started = time.process_time()
        rewrite_html(source, MAIL)
        rewrite_text(source, MAIL)
        return time.process_time() - started
    finally:
        gc.enable()


# Where links lead, by themselves


def test_resolving_names_why_a_link_is_left() -> None:
    assert resolve("mailto:x", None, ()).left is Left.SCHEME
    assert resolve("x", None, ()).left is Left.RELATIVE
    assert resolve("https://a.jp/", None, {"https://a.jp"}).left is Left.OURS
    assert absolute("x", "https://a.jp") == "https://a.jp/x"
    assert origin_of("HTTPS://A.jp:443/x") == origin_of("https://a.JP./") == "https://a.jp"
    assert origin_of("http://[") == "" and origin_of("http://a:8080") == "http://a:8080"


# Text parts

TEXT = [
    ("見てhttps://x.jp/aです", ["https://x.jp/a"]),
    ("(see https://x.jp/a(b)).", ["https://x.jp/a(b)"]),
    ("<https://x.jp/>", ["https://x.jp/"]),
    ("https://x.jp/?a=1&b=2, HTTP://Y.jp!", ["https://x.jp/?a=1&b=2", "http://Y.jp"]),
    ("「https://x.jp/」。", ["https://x.jp/"]),
    ("https://x.jp/\r\nhttps://x.jp/\r\n", ["https://x.jp/", "https://x.jp/"]),
    ("ftp://x.jp xhttps://x.jp https:// https://u@x.jp https://x.jp/{{id}} mailto:a@x.jp", []),
    (f"{ORIGIN}/u/abc", []),
    ("https://x.jp/" + "a" * 5_000, []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TEXT, ids=range(len(TEXT)))
def test_urls_in_text(text: str, expected: list[str]) -> None:
    result = rewrite_text(text, MAIL, unsubscribe=False)
    urls = [ORIGIN + "/c/" + piece for piece in result.text.split(ORIGIN + "/c/")[1:]]
    opened_urls = []
    for url in urls:
        end = next(
            (at for at, char in enumerate(url) if not (char.isascii() and (char.isalnum() or char in "-_/:."))),
            len(url),
        )
        opened_urls.append(opened(url[:end].rstrip(".")).target)
    assert opened_urls == expected
    assert expected or result.text == text


def test_text_shares_the_numbers_of_the_html_part() -> None:
    known = (Link(1, "https://x.jp/1", ""), Link(2, "https://x.jp/2", ""))
    result = rewrite_text("https://x.jp/2 https://x.jp/3 {{Unsubscribe:停止}} {{Unsubscribe}}", MAIL, known=known)
    first, second, *rest = result.text.split(" ", 2)
    assert [(opened(u).link, opened(u).links) for u in (first, second)] == [(2, 3), (3, 3)]
    assert rest == [f"停止: {MAIL.unsubscribe_url} {MAIL.unsubscribe_url}"]
    assert result.links == (Link(3, "https://x.jp/3", ""),) and not result.warnings
    assert [w.kind for w in rewrite_text("x", MAIL).warnings] == [WarningKind.NO_UNSUBSCRIBE]


def test_random_targets_survive_minting() -> None:
    number = random.Random(7)  # seed 7
    for _ in range(500):
        path = "".join(
            chr(number.choice([number.randrange(0x21, 0x7F), number.randrange(0xA1, 0x3000)])) for _ in range(20)
        )
        resolved = resolve("https://x.jp/" + path, None, ())
        if resolved.url is not None:
            url = MAIL.click_url(resolved.url, link=1, links=1)
            assert opened(url).target == resolved.url
            assert base64.urlsafe_b64encode(resolved.url.encode()).decode().rstrip("=") in url
