"""What automatic replies say (RFC 3834): as ``phrases``, for responders instead of mail systems."""

from __future__ import annotations

from classifier.phrase_search import Phrases

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
    r"automatiska atbilde|atv[aā]lin[āaâ]jums|automatinis atsakymas|automaatvastus|sj[áa]lfvirkt svar",
    r"r[ăa]spuns automat|automatski odgovor|samodejni odgovor|автоматичн[аи]\S* відповідь|автоматичен отговор",
    r"resposta autom[àa]tica|balasan (?:otomatis|automatik)|trả lời tự động|ตอบกลับอัตโนมัติ",
    r"αυτόματη απάντηση|(?:תשובה|מענה) אוטומטי|رد تلقائي|پاسخ خودکار|स्वचालित (?:उत्तर|जवाब)|автоматски одговор",
    r"自動(?:返信|応答|回答|配信)|(?:^|[^ご御])不在(?:の|通知|連絡|$)|休暇|外出中",
    r"自动(?:回复|答复)|自動回覆|자동 ?(?:회신|응답)",
    r"부재",
)
#: Subjects that acknowledge a mail, or ask its sender for something: an automatic reply if a machine sent it.
ACKNOWLEDGED = Phrases(
    r"thank you for (?:contacting|your (?:e-?mail|message|inquiry|enquiry|request))|\bwe(?: have|'ve)? received your",
    r"(?:received|receipt of) your (?:e-?mail|message|inquiry|enquiry|request|ticket)",
    r"\bticket (?:created|received|opened)|\b(?:request|case|enquiry|inquiry) (?:#?\d+ )?(?:has been )?received\b",
    r"anfrage (?:ist )?(?:eingegangen|erhalten)|demande (?:bien )?(?:reçue|enregistrée)",
    r"solicitud recibida|richiesta ricevuta",
    r"eingangsbest[äa]tigung|empfangsbest[äa]tigung|accus[ée] de r[ée]ception|acuse de recibo|conferma di ricezione",
    r"ontvangstbevestiging|potwierdzenie (?:otrzymania|odbioru)|受け?付け(?:ました|いたしました|完了)",
    r"受付(?:完了|のお知らせ)",
    r"已收到您的|접수(?:되었|완료)|awaits moderator approval|held for moderat|awaiting moderation",
    r"confirm your (?:message|mail|e-?mail (?:to|message))\b|verification required|verify your (?:message|e-?mail)\b",
    r"sender (?:verification|challenge)",
    r"\b(?:my|our|new) (?:e-?mail )?address (?:has |is )?chang|\baddress change\b|\bi am away\b",
    r"\bam (?:currently )?(?:away|out)\b",
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
    r"challenge[- ]response|sender verification|boxbe|approved? sender|whitelist(?:ed)? (?:request|sender)",
    r"by a whitelist",
    r"verification (?:is )?required|complete the (?:verification|confirmation)",
    r"confirm (?:your )?(?:message|mail) (?:to|by)",
    r"click (?:the link|here)[^.\n]{0,60}(?:deliver|release) your (?:message|mail)",
)
#: Somebody is away, in the words of those who say so themselves.
AWAY = Phrases(
    r"\b(?:i am|i'm|i will be|we are) (?:currently |now )?(?:away|out|travel|on (?:leave|vacation|holiday|a business))",
    r"out of (?:the |my )?office|limited access to (?:my )?e-?mail",
    r"(?:will|shall) (?:not )?(?:be )?(?:back|return|read(?:ing)?) ",
    r"\bich bin\b(?:[^.\n]|\d\.){0,60}(?:nicht|abwesend|urlaub|unterwegs)|nicht im (?:büro|haus)",
    r"je suis[^.\n]{0,60}(?:absent|cong|déplacement)",
    r"(?:estoy|estaré)[^.\n]{0,60}(?:vacaciones|fuera|ausente|viaje)|sono[^.\n]{0,60}(?:ferie|assente|fuori)",
    r"(?:estou|estarei)[^.\n]{0,60}(?:férias|ausente|fora|viagem)|\bik ben\b[^.\n]{0,60}(?:afwezig|vakantie|niet)",
    r"jag är[^.\n]{0,60}(?:borta|semester|ledig)|jeg er(?:[^.\n]|\d\.){0,60}(?:ferie|ikke|bortreist)",
    r"olen[^.\n]{0,60}(?:lomalla|poissa)",
    r"jestem[^.\n]{0,60}(?:urlop|nieobecn)|przebywam na urlopie|jsem[^.\n]{0,60}dovolen|szabadságon|izinde|yıllık izin",
    r"(?:в отпуске|в командировке|отсутству|у відпустці)|休暇|出張|(?:^|[^ご御])不在",
    r"外出して|休みを(?:いただ|頂)|休假|出差",
    r"不在办公室|휴가|출장|부재",
    # Gone for good, in their own words.
    r"\bi (?:have left|no longer work|am no longer|do not work|don't work) |\bj'ai quitté",
    r"je ne (?:travaille|fais) plus|\bya no (?:trabajo|laboro)|non lavoro più|não trabalho mais",
    r"ik werk niet (?:meer|langer)|jag (?:arbetar inte|har slutat)|jeg (?:arbejder|jobber|arbeider) ikke l",
    r"już nie pracuję|nie pracuję już|я (?:больше|уже) не работаю|nem dolgozom|nu mai lucrez",
    r"(?:退職|退社|異動)(?:いた)?し(?:まし|てお)|我已(?:经)?离职|퇴사(?:하|했)|tôi đã nghỉ việc",
)
