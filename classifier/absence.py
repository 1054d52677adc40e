"""Reads what an automatic reply says of its author: back when, gone for good, a new address, who stands in (N17).

Japanese and English. All of it is a suggestion with the sentence it rests on; it never suppresses anybody. Pure:
the day the reply was written is an argument.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from unicodedata import normalize

from classifier.addresses import ADDRESS
from classifier.dates import NamedDay, find_days
from classifier.notice import sentences_of
from model.reading import Absence

_DAY = timedelta(days=1)
#: A date further off is no return.
_FARTHEST = timedelta(days=3 * 366)
_MAX_SENTENCES = 60
_MAX_KEPT, _MAX_SHOWN = 5, 300

# -- words

_AWAY = re.compile(
    r"\bout\b|\baway\b|\bon (?:\w+ ){0,2}(?:leave|vacation|holidays?)\b|\b(?:leave|vacation|holidays?)\b|absen|"
    r"unavailable|not (?:be )?(?:available|in\b|at\b|reading|checking)|won't be|travel|closed|\bafk\b|\booo\b|\boff\b|"
    r"(?:no|limited|without|restricted) access|unable to|"
    r"休暇|休業|休み|休職|不在|出張|外出|留守|育休|産休|産前|休診|休館|休校|連絡が取れ|連絡がとれ|席を外",
    re.IGNORECASE,
)
# A date in such a sentence is about something else.
_OTHER_JA = re.compile(
    r"営業時間|受付時間|申し?込|応募|キャンペーン|期限|締め?切|提出|返送|有効|セール|展示|開催|発売|在籍し"
)
_RETURN_EN = re.compile(
    r"\b(?:back|return(?:s|ing)?(?! (?:the |your |this |it\b|all |completed )(?!office))|return date|reopen(?:s|ing)?|"
    r"re-open(?:s|ing)?|resum(?:e|es|ing)|(?:available|reachable|online|in the office|at work) again|"
    r"re(?:spond|ply)|answer|get back to you)\b(?P<gap>[^.;]{0,45})\Z",
    re.IGNORECASE,
)
_PAST_EN = re.compile(r"\b(?:was|were|came|got|had been) back\b", re.IGNORECASE)
_AFTER_EN = re.compile(r"\bafter\s*(?:\w+,? )?\Z", re.IGNORECASE)
_UNTIL_EN = re.compile(
    r"\b(?P<word>until|till|'til|til|up to|up until|through|thru)\s+(?P<and>and including |\(?including\)? )?"
    r"(?:at least |about |approximately |the )?\Z",
    re.IGNORECASE,
)
# "available until Friday" says when the absence begins.
_PRESENT = re.compile(
    r"(?<!un)(?<!not )(?<!not be )\b(?:available|reachable|open|valid|accessible|in the office)\s+(?:\w+\s+){0,2}\Z",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    r"\s*(?:\([^)]{0,12}\))?\s*(?P<word>-|–|—|~|〜|から|より|to|through|thru|till|until|and)\s*(?:the )?\Z",
    re.IGNORECASE,
)
_INCLUSIVE = re.compile(r"\s*\(?inclusive", re.IGNORECASE)
_UNTIL_JA = re.compile(r"(?: ?\(.{1,4}\))? ?(?:まで|迄)(?!に)")
_RETURN_AFTER_JA = re.compile(
    r"(?:の|、)? ?(?:午前|午後)?(?:\d{1,2}時)?(?:から|より|に|には|以降|は|付で|付けで|、|,|\))[^。]{0,30}?"
    r"(?:出社|復帰|出勤|復職|再開|通常|営業(?:いた|し|を)|戻|返信|返答|返事|回答|連絡|折り返|対応)"
)
# What follows: it was done already, or is just what will not happen then.
_NOT_THEN_JA = re.compile(
    r"(?:り|し|いたし|致し|させていただき)?ました|[^。]{0,6}(?:遅|でき(?:ま|か|な)|難し|かね|いたしかね)"
)
_RETURN_BEFORE_JA = re.compile(
    r"(?:復帰|出社|出勤|戻り|再開|返信|返答|返事|ご連絡|対応)[^。]{0,10}?(?:は|:|が|\])\s?\Z"
)
_NOT_YET_JA = re.compile(r"休暇|休業|休み|不在|出張|外出|まで|から\d")
_FOR_DAYS_JA = re.compile(r"(?:から|より)の?(\d{1,2})日間")
_ONE_DAY_JA = re.compile(
    r"(?:は|も|、)?(?:終日|一日|全日|1日)?、?[^。でにからよ]{0,10}?(?:不在|休暇|休み|休業|外出|出張)(?!でした"
    r"|して(?:おりま|いま)した)"
)

_LEFT = re.compile(
    r"\b(?:no|not any) longer (?:with|works?|working|employed|an? (?:employee|member)|at|part of|here)\b"
    r"|\b(?:has|have|had|'ve|'s) (?:now |recently )?left (?:(?:the|our|this) (?:company|organi[sz]ation|firm|business|"
    r"university|institute|team|department|school|group)(?!['’]s)|(?-i:[A-Z])[\w&]+)"
    r"|\b(?:(?-i:[A-Z][a-z]+)|he|she|who) left (?-i:[A-Z])[\w&. ]{1,40}\b(?:on|in|as of)\b"
    r"|\b(?:accepted a (?:new )?position|changed jobs)\b"
    r"|\bleft our company\b|\bmy last (?:working )?day (?:at|with|was|is|of)\b"
    r"|\blast (?:working )?day (?:at|with) .{1,40} (?:was|is)\b"
    r"|\b(?:i|he|she|has|have)(?: have| has)? (?:now )?retired\b|\bmoved on (?:from|to)\b"
    r"|退職(?:いた|致|しま|して|した|済|とな|の運び)|(?:異動|転籍|転職|転勤|離職)(?:とな|いた|致|しま|して|した)"
    r"|在籍して(?:おりません|いません|おらず)|(?:付|末日?)(?:け)?(?:で|にて|をもち|をもって)[^。]{0,12}(?:退職"
    r"|退社|異動)"
    r"|退社(?:いた|致|しま|して|した)",
    re.IGNORECASE,
)
# One of these stands in every match.
_LEFT_WORDS = ("longer", "left ", "accepted a ", "changed jobs", "last ", "retired", "moved on ",
               "退職", "異動", "転籍", "転職", "転勤", "離職", "在籍", "退社")  # fmt: skip
# Gone home for the day.
_GONE_HOME = re.compile(r"(?:本日|今日|既に|定時|すでに)[^。]{0,12}退社")
_NEW_ADDRESS = re.compile(
    r"\bnew (?:e-?mail )?address\b|\b(?:address|e-?mail) (?:has |is )?(?:been )?chang(?:ed|ing)|\bchanged (?:my"
    r"|our) (?:e-?mail )?address"
    r"|\bupdate your (?:records|address book|contacts?)|\b(?:private|personal) (?:e-?mail )?address"
    r"|\bfrom now on\b|\bfind me\b"
    r"|\breach(?:ed)? (?:me )?(?:now |from now on )?(?:at|on|under|via)\b"
    r"|新(?:しい)?(?:e-?)?(?:メール)?アドレス|新(?:しい)?メール|アドレス[^。]{0,12}変(?:更|わ)|今後は|^新 ?:",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"\b(?:account|mailbox|inbox|address)\b[^.]{0,30}\b(?:clos(?:ed|ing)|deactivated|deleted|retired"
    r"|no longer (?:used|in use"
    r"|monitored|active))",
    re.IGNORECASE,
)
_INSTEAD = re.compile(r"\binstead\b", re.IGNORECASE)
_PLACE = re.compile(r"office address|postal address|street|住所|移転|社屋", re.IGNORECASE)
_URGENT = re.compile(r"urgent|emergenc|immediate|お急ぎ|緊急|至急|代理|代わり|後任", re.IGNORECASE)
_CONTACT = re.compile(
    r"contact|\be-?mail (?=\S+@)|urgent|emergenc|immediate|assist|colleague|instead|\bdirect\b|write (?:to|an)"
    r"|e-?mail (?:to|me|us"
    r"|him|her|my)|"
    r"\bmail\b.{0,20}\bto\b|reach|get in touch|replace|successor|taken? over|cover|forward|behalf|\bhelp\b|\bsend\b|"
    r"\bsupport\b|question|turn to|refer|代理|代わり|後任|担当|連絡|問い?合わ?せ|まで|宛|お急ぎ|緊急|引き?継",
    re.IGNORECASE,
)
_NOT_CONTACT = re.compile(
    r"(?:(?:your|this|the) (?:e-?mail|message|mail)(?: sent)? (?:to|for|from|has been sent to)|addressed to"
    r"|was sent (?:to|"
    r"from)|sent (?:to|from)|received (?:from|by|at)|unsubscribe[^.]{0,40}|changed from|旧[^:]{0,10}:|差出人"
    r"|送信元)\s*:?\s*[<\"'(\[]*\Z",
    re.IGNORECASE,
)
_REDIRECT = re.compile(r"\b(?:re)?(?:direct|send|forward|address)\b[^.]{0,20}\Z", re.IGNORECASE)
_SUBJECT_ANSWER = re.compile(
    r"^\s*(?:auto(?:matic)?[- ]?(?:reply|response)|automatische antwort|自動(?:返信|応答)) ?[:：]", re.IGNORECASE
)
_SUBJECT_ORIGINAL = re.compile(r"\b(?:re|aw|fwd?) ?[:：]|[(\[]?was[:：]", re.IGNORECASE)


def read_absence(text: str, sent: date | None, *, subject: str = "", author: str = "") -> Absence | None:
    """Return what the automatic reply ``text`` suggests; None when nothing.

    Arguments: ``sent`` is the reply's Date, without which no day is read; ``author`` is its sender's address,
    which is neither new nor somebody else's.
    """
    written = [*_own_subject(subject), *sentences_of(text)][:_MAX_SENTENCES]
    pairs = [(normalize("NFKC", sentence), sentence) for sentence in written]
    kept: list[str] = []
    back_on = None
    if sent is not None:
        back_on, sentence = _find_return(pairs, sent)
        kept += [sentence] if back_on else []
    left = _find_left(pairs)
    kept += [left] if left else []
    new, contacts = _find_addresses(pairs, author.lower(), kept, has_left=left is not None)
    if not kept:
        return None
    shown = tuple(dict.fromkeys(sentence[:_MAX_SHOWN] for sentence in kept))
    return Absence(back_on, left is not None, tuple(new[:_MAX_KEPT]), tuple(contacts[:_MAX_KEPT]), shown)


def _own_subject(subject: str) -> list[str]:
    """Return what of ``subject`` the responder wrote: after "Automatic reply:" stands ours."""
    if _SUBJECT_ANSWER.match(subject):
        return []
    own = _SUBJECT_ORIGINAL.split(subject, 1)[0].strip()
    return [own] if own and _AWAY.search(own) else []


def _find_left(pairs: list[tuple[str, str]]) -> str | None:
    """Return the sentence that says its author is gone for good."""
    for plain, sentence in pairs:
        lowered = plain.lower()
        if any(word in lowered for word in _LEFT_WORDS) and _LEFT.search(plain) and not _GONE_HOME.search(plain):
            return sentence
    return None


# -- return


def _find_return(pairs: list[tuple[str, str]], sent: date) -> tuple[date | None, str]:
    """Return the first day back and its sentence: one that speaks of the return, else of the absence's end."""
    ends: list[tuple[date, str]] = []
    before = ""
    for plain, sentence in pairs:
        days = find_days(plain, sent)
        if days and _OTHER_JA.search(plain):
            days = []
        above, before = before, plain
        if not days:
            continue
        is_away = bool(_AWAY.search(plain)) or (len(plain) <= 80 and bool(_AWAY.search(above)))
        spans = _ranges(plain, days)
        for at in range(len(days)):
            if at in spans:
                continue
            day = _return_day(plain, days, at)
            if day is not None and sent < day <= sent + _FARTHEST:
                return day, sentence
        for at in range(len(days)) if is_away else ():
            end = _end_of_absence(plain, days, at, spans)
            if end is not None and sent < end <= sent + _FARTHEST:
                ends.append((end, sentence))
    return ends[0] if ends else (None, "")


def _ranges(plain: str, days: list[NamedDay]) -> dict[int, str]:
    """Return the days that begin or end a span, by place, with the word between the two."""
    spans: dict[int, str] = {}
    for at, (first, second) in enumerate(zip(days, days[1:], strict=False)):
        match = _BETWEEN.fullmatch(plain, first.end, second.start)
        # Japanese "from the 10th" needs its "until".
        if match and second.day >= first.day:
            spans[at] = spans[at + 1] = match.group("word").lower()
    return spans


def _return_day(plain: str, days: list[NamedDay], at: int) -> date | None:
    """Return the day when it is named as that of the return."""
    named = days[at]
    before = plain[days[at - 1].end if at else 0 : named.start]
    after = plain[named.end : days[at + 1].start if at + 1 < len(days) else len(plain)]
    if _RETURN_BEFORE_JA.search(before):
        return named.day
    match = _RETURN_AFTER_JA.match(after)
    # "from the 10th on a journey, answers take longer" is no return.
    if match and not _NOT_YET_JA.search(match.group()) and not _NOT_THEN_JA.match(after, match.end()):
        return named.day
    found = _RETURN_EN.search(before)
    if found is None or _PAST_EN.search(before):
        return None
    return named.day + _DAY if _AFTER_EN.search(before) else named.day


def _end_of_absence(plain: str, days: list[NamedDay], at: int, spans: dict[int, str]) -> date | None:
    """Return the day after the last day of absence, when ``days[at]`` tells it."""
    named = days[at]
    before, after = plain[: named.start], plain[named.end :]
    is_second = at in spans and at > 0 and at - 1 in spans
    if is_second:
        is_return = spans[at] in ("until", "till") and not _INCLUSIVE.match(after)
        return named.day if is_return else named.day + _DAY
    if at in spans:
        return None
    until = _UNTIL_EN.search(before)
    if until:
        if _PRESENT.search(before[: until.start()]):
            return None
        is_last = until.group("and") or until.group("word").lower() in ("through", "thru") or _INCLUSIVE.match(after)
        return named.day + _DAY if is_last else named.day
    if _UNTIL_JA.match(after):
        return named.day + _DAY
    count = _FOR_DAYS_JA.match(after)
    if count:
        return named.day + int(count.group(1)) * _DAY
    return named.day + _DAY if _ONE_DAY_JA.match(after) else None


# -- addresses


def _find_addresses(
    pairs: list[tuple[str, str]], author: str, kept: list[str], *, has_left: bool
) -> tuple[list[str], list[str]]:
    """Return new addresses and substitutes; the sentences that say so are added to ``kept``."""
    new: list[str] = []
    contacts: list[str] = []
    announced = ""
    for plain, sentence in pairs:
        addresses = _addresses_of(plain, author)
        # "My new address:" and the address on a line of its own.
        context = f"{announced} {plain}" if announced else plain
        if addresses:
            is_new = _is_new(context, has_left=has_left)
            # Where an address ends, "write to … instead" names the one that takes its place.
            if not is_new and not has_left and _INSTEAD.search(plain):
                is_new = any(_CLOSING.search(said) for said, _ in pairs)
            if is_new or _CONTACT.search(context):
                (new if is_new else contacts).extend(addresses)
                kept.append(f"{announced} {sentence}".strip())
        announced = sentence if not addresses and plain.rstrip().endswith(":") else ""
    new = list(dict.fromkeys(new))
    return new, [address for address in dict.fromkeys(contacts) if address not in new]


def _addresses_of(plain: str, author: str) -> list[str]:
    found: list[str] = []
    if "@" not in plain:
        return found
    for match in ADDRESS.finditer(plain):
        address = match.group(1).rstrip(".-_")
        own = _NOT_CONTACT.search(plain[: match.start()])
        if address.lower() != author and (own is None or _REDIRECT.search(plain[: own.start()])):
            found.append(address)
    return found


def _is_new(plain: str, *, has_left: bool) -> bool:
    """Whether the address in ``plain`` is the author's own new one, not somebody's who stands in."""
    if not _NEW_ADDRESS.search(plain) or _PLACE.search(plain) or _URGENT.search(plain):
        return False
    # Of somebody who left, "henceforth write to" names the successor.
    return not (has_left and "今後は" in plain)
