"""What mail systems write, as lists of RE2 phrases, one a line: how to tell a bounce, a delay, a reply, a copy.

Rules (``config/rules``) say why a mail failed; these only say what sort of mail it is and where its parts begin.
"""

from __future__ import annotations

from functools import lru_cache

import re2

#: Subjects and senders repeat; so many of so many characters at most are remembered for each list of phrases.
_MAX_REMEMBERED, _MAX_SHORT = 1_024, 200


class Phrases:
    """Alternatives searched at once, in linear time, ignoring case."""

    __slots__ = ("_hints", "_remembered", "_set")

    def __init__(self, *alternatives: str, prefix: str = "", hints: tuple[str, ...] = ()) -> None:
        """Compile ``alternatives``; each must follow ``prefix``. ``^`` and ``$`` stand for the ends of a line.

        Arguments: ``hints``, in lower case, of which every ASCII text with a phrase has one; none if unknown. They
        spare most texts an automaton, which would build states for every text it has not seen.
        """
        self._hints = hints
        options = re2.Options()
        options.case_sensitive = False
        options.log_errors = False
        pattern = f"(?m){prefix}(?:{'|'.join(alternatives)})"
        # A Set answers only whether, in a third of the time of a search.
        self._set = re2.Set.SearchSet(options)
        self._set.Add(pattern)
        self._set.Compile()
        self._remembered = lru_cache(maxsize=_MAX_REMEMBERED)(self.are_in)

    def are_in(self, text: str) -> bool:
        """Whether one of the phrases occurs in ``text``."""
        if self._hints and text.isascii():
            lowered = text.lower()
            if not any([hint in lowered for hint in self._hints]):
                return False
        return self._set.Match(text.encode("utf-8", "replace")) is not None

    def are_in_short(self, text: str) -> bool:
        """The same, remembered: for subjects and senders."""
        return self._remembered(text) if len(text) <= _MAX_SHORT else self.are_in(text)


#: Senders that are machines: the From of a mail system.
DAEMON = Phrases(
    r"mailer[-_ ]?daemon",
    r"post[-_ ]?master",
    r"mail[-_. ]?delivery",
    r"delivery[-_ ]?(?:sub)?system",
    r"mail (?:system|administrator|gateway)",
    r"system administrator",
    r"mdaemon|daemon@|bounce|interscan|antivirus_for_smtp|mmsc",
    r"mail[- ]?deliver",
    r"\bndr@",
    r"mail-?server",
    r"smtp[- ]?gateway",
    r"no-?reply@\S*dion\.ne\.jp",
)
#: Subjects of mail that came back.
BOUNCE_SUBJECT = Phrases(
    r"undeliver|non[- ]?delivery|not delivered",
    r"(?:delivery|mail|message|sending)[ -](?:status )?(?:notification|failure|failed|error|problem|report|delayed)",
    r"(?:delivery|mail|message|sending)[ -](?:status )?warning",
    r"delivery (?:has )?(?:failed|failure|status|report|problem|error|warning|delay)",
    r"failure (?:notice|delivery)|fail(?:ed|ure) (?:mail|notice|delivery)",
    r"returned (?:mail|to sender|message)|return(?:ed|ing)? (?:message )?to sender",
    r"could ?n[o']t (?:be delivered|send)|cannot be delivered",
    r"bounce|loop alert|unknown user|user unknown|automatically rejected",
    r"message (?:delayed|status)|delayed mail|mail (?:failure|system error)|error sending|was an error",
    r"unzustellbar|nicht zugestellt|zustellung",
    r"non remis|[ée]chec|non distribu",
    r"no se (?:pudo|puede) entregar|no entregad",
    r"n[ãa]o entreg|mancat[ao] (?:recapito|consegna)|non recapit",
    r"niet bezorgd|onbestelbaar|niet afgeleverd|ej levererat|kunde inte leverera|ikke leveret",
    r"kan ?(?:ikke|inte) lever|teslim edilem|nedoru[čc]iteln|ei voitu toimittaa|nu a putut fi livrat",
    r"не доставлен|недоставлен|не удалось|niedostarczon|nedoru[čc]|k[ée]zbes[íi]thetetlen",
    r"(?:配信|配達|送信|配送|送達)(?:エラー|不能|でき|失敗|されません)|不達|(?:メール|送信|配信).{0,6}エラー|エラーメール|戻り(?:メール|ました)",
    r"(?:配信|配送|送信)(?:の)?遅延|お届けでき|未達|vertraagd|uitgesteld|opó[źz]nion|retard[ée]|retrasad|ritardat|atrasad|задерж",
    r"届(?:け|き)ません",
    r"退信|退回|未送达|传输失败|傳輸失敗|投递失败|無法傳遞|반송|배달 ?(?:실패|되지)",
)
#: Subjects of mail that a person answers or passes on.
PASSED_ON = Phrases(r"^\s*(?:re|fwd?|aw|wg|tr|rv|enc|ynt|ответ|转发|回复|답장|전달)(?:\[\d+\])? ?[:：]")
#: Sentences that only a mail system writes.
BOUNCE_SENTENCE = Phrases(
    r"(?:could|can|was|were|has|have|had)(?: ?not|n't) (?:yet )?(?:be |been )?(?:yet )?"
    r"(?:sent|delivered|deliver\b|reach)",
    r"unable to deliver|wasn't able to deliver|did not reach|failed to deliver|failed to delivery",
    r"deliver[ey]+ (?:to \S+ )?(?:has |was |have )?(?:been )?"
    r"(?:failed|aborted|delayed|unsuccessful|not possible|failure)",
    r"delivery to the following",
    r"deliver(?:y|ing) (?:of )?your (?:message|mail)",
    r"(?:had|with|were) (?:delivery|permanent|fatal|transient) (?:problems|(?:delivery |fatal )?errors)",
    r"error (?:was )?(?:occurred )?(?:while )?(?:trying to )?deliver|permanent (?:fatal )?(?:delivery )?error",
    r"undeliverable|returned (?:to sender|mail|to you)|trouble delivering",
    r"(?:had|has) been (?:rejected|returned)|was (?:rejected|refused|returned)|automatically rejected",
    r"message (?:delivery )?(?:has )?failed|will (?:continue to|keep) (?:try|attempt)",
    r"user unknown|unknown user|no such user|mailbox (?:is )?(?:full|unavailable|not found)|over quota|host unknown",
    r"transcript of session|duplicated message-id|error (?:was )?detected while processing",
    r"送信できません|配信できません|配信でき|送信でき|届けでき|お届け|見つかりません|宛先不明|配送でき|失敗しました|エラー",
    r"届きませんでした|(?:配信|送信|配送|お届け)(?:する)?ことができ|(?:配信|配送)が(?:遅れ|遅延)|使われて(?:い|お)(?:ない|りません)",
    r"zugestellt werden|konnte nicht|n'a pas pu|pas pu [eê]tre",
    r"no se (?:ha )?pudo|no pudo|impossibile|non [eè] stato possibile|n[ãa]o (?:p[oô]de|foi)|niet worden",
    r"не (?:может|могло|удалось|было)|nie (?:mo[żz]na|zosta[łl])|kunde inte|kunne ikke",
    r"mislykkedes|teslim edilem|nezda[řr]ilo|sikertelen|gick inte att",
    r"无法(?:投递|送达|发送)|退信|退回|未能|無法",
)
#: Sentences that say the mail is still being tried.
DELAYED = Phrases(
    r"(?:delivery|message|mail)[^.\n]{0,40}(?:has been |is |was )delayed|delivery[^.\n]{0,20}delayed",
    r"will (?:continue|keep|be re-?tr)[^.\n]{0,40}(?:try|attempt|deliver|retri)|will (?:automatically )?retry",
    r"this is (?:just )?a warning|warning message only|not yet been delivered|will be re-?tried|still being retried",
    r"attempts will (?:be )?continue|delivery will continue",
    r"(?:don't|do(?: not)?) need to (?:resend|take any action)|no action is required on your part",
    r"(?:配信|配送|送信)が遅れ|引き続き(?:配信|配送|送信|再送)|再送を(?:続け|行い|試みて|試みます|繰り返)|遅延|再試行します",
    r"wird (?:weiterhin|erneut) versucht|verz[öo]gert|retard[ée]|se ha retrasado|vertraagd|blijft proberen",
    r"opó[źz]nion|ritardat|continuer[àa] a|atrasad|continuará|задерж|延迟|延遲|지연",
    hints=(
        "delayed",
        "will continue",
        "will keep",
        "will be re",
        "will automatically re",
        "will retry",
        "a warning",
        "warning message",
        "not yet been",
        "being retried",
        "attempts will",
        "need to",
        "no action is",
        "wird ",
        "retard",
        "retras",
        "vertraagd",
        "blijft",
        "ritard",
        "atras",
        "continuer",
        "rzogert",
    ),
)
#: Subjects of such warnings.
DELAYED_SUBJECT = Phrases(
    r"delay|warning|still being retried|deferred|not yet|遅延|verzögert",
    r"vertraagd|retard|retras|ritard|atras|задерж|opó[źz]n|延迟|지연",
)
#: Sentences that say it is not.
GIVEN_UP = Phrases(
    r"permanent|given up|giving up|returned to sender|has been removed|could not be delivered for|no further",
    r"was aborted|expired|(?:配送|配信|送信|お届け)(?:することが)?できませんでした|断念|中止しました",
)
#: Subjects of automatic replies.
AUTO_REPLY_SUBJECT = Phrases(
    r"\bauto(?:matic|mated|matische|matisch)?[ -]?(?:re(?:ply|sponse|spons\b|sponder)|answer|antwort)\b|\bautoreply\b",
    r"autorespon|\bout[ -]of[ -](?:the[ -])?office\b|\booo\b:",
    r"\bvacation (?:reply|response|notice|message|auto)|^(?:re: ?)?vacation\b",
    r"\baway (?:from|until)\b|\bon (?:vacation|holiday|leave)\b",
    r"abwesenheit|automatische antwort|au(?:ß|ss)er haus",
    r"\br[ée]ponse automatique|absence du bureau|\bmessage d'absence",
    r"respuesta autom[aá]tica|fuera de (?:la )?oficina",
    r"risposta automatica|fuori (?:sede|ufficio)|resposta autom[aá]tica|fora do escrit",
    r"automatisch antwoord|afwezig|automatiskt? svar|autosvar|fr[åa]nvaro",
    r"automaattinen vastaus|poissaolo|autoodpowied|odpowied[źz] automatyczna|automatick[áa] odpov",
    r"automatiku[sm] v[áa]lasz|автоответ|автоматический ответ|otomatik yan[ıi]t",
    r"automatiska atbilde|atv[aā]lin[āaâ]jums",
    r"自動(?:返信|応答|回答)|不在(?:の|通知|連絡|$)|休暇|外出中|自动(?:回复|答复)|自動回覆|자동 ?(?:회신|응답)|부재",
)
#: The person is gone or has another address.
HAS_LEFT = Phrases(
    r"no longer (?:with|works?|employed|an employee|at)\b|has left (?:the )?(?:company|organi[sz]ation|firm)",
    r"left our company|new (?:e-?mail )?address",
    r"退職|退社|異動|転職|新しい(?:メール)?アドレス",
    r"nicht mehr (?:für|bei|im unternehmen)|ne fait plus partie|ya no (?:trabaja|labora)|non lavora più",
    r"больше не работает|已离职",
)
#: A filter asks the sender to prove to be a person.
CHALLENGE = Phrases(
    r"(?:verify|confirm|prove|authenticate)\b[^.\n]{0,60}\byou are (?:a )?(?:human|person|real)",
    r"(?:verify|confirm|prove|authenticate) (?:your (?:e-?mail )?(?:address|message)|yourself)",
    r"challenge[- ]response|sender verification|boxbe|approved? sender|whitelist request",
    r"click (?:the link|here)[^.\n]{0,60}(?:deliver|release) your (?:message|mail)",
)
#: What stands at the start of a line above the copy of the original.
ORIGINAL_FOLLOWS = Phrases(
    r"original (?:message|mail|e-?mail)(?:(?: headers?| text)? (?:follows?|below|is attached|begins|starts)\b)",
    r"original (?:message|mail|e-?mail)(?: headers?:?| info|[ \t]*[-=*:]*)[ \t]*$|original mail as follows",
    r"(?:the )?(?:original |full )?message(?:'s)? headers?(?: follows?)?[ \t]*[-:=*.]*[ \t]*$",
    r"(?:below|here|following) (?:this line )?is (?:a|the) copy of",
    r"(?:below is|here is|the following is|this is|included is|attached is|following is) (?:a|the) (?:copy|first|header"
    r"|text|part|original|beginning|returned)\b[^\n]{0,60}(?:message|mail|header|part)",
    r"the (?:headers?|beginning|text|first \d+ \w+) of (?:the|your) (?:original |returned )?(?:message|mail)",
    r"the header of the original message",
    r"(?:unsent|returned|undelivered|your original|returned original) (?:message|mail)(?: text)?"
    r"(?: follows?| below| header| is below)?[ \t]*(?:[-=*:]+|$)",
    r"(?:your )?(?:original |returned |undelivered )?(?:message|mail|text) (?:follows|is attached below)\b",
    r"header of the message|message text follows|forwarded message",
    r"(?:start of|begin|beginning of) (?:the )?(?:returned|original|forwarded) (?:message|mail)",
    r"urspr(?:ü|ue)ngliche (?:nachricht|kopfzeilen)|message d'origine|mensaje original|messaggio originale",
    r"исходное (?:письмо|сообщение)",
    r"(?:元|オリジナル)の?(?:メール|メッセージ)",
    r"(?:以下|下記).{0,20}(?:元の|送信).{0,12}(?:メール|メッセージ).{0,10}(?:内容|写し|コピー|ヘッダ)",
    r"原始?(?:邮件|郵件|信件)(?:内容|內容|正文|原文|头|标头)?[ \t]*[:：]?[ \t]*[-=*]*[ \t]*$",
    prefix=r"^[ \t>*=_|#.~-]*",
)
