"""What mail systems write, as lists of RE2 phrases, one a line: how to tell a bounce, a delay, a reply, a copy.

Rules (``config/rules``) say why a mail failed; these only say what sort of mail it is and where its parts begin.
"""

from __future__ import annotations

from classifier.phrase_search import Phrases

#: Senders that are machines: the From of a mail system.
DAEMON = Phrases(
    r"mailer[-_ ]?daemon",
    r"post[-_ ]?master",
    r"mail[-_. ]?delivery",
    r"delivery[-_ ]?(?:sub)?system",
    r"mail (?:system|administrator|gateway)",
    r"system administrator",
    r"mdaemon|(?:^|[^\w-])daemon@|bounces?[\w.+=-]*@|bounced? mail|interscan|antivirus_for_smtp|mmsc|scanmail",
    r"mimesweeper|norton antivirus|\bnavmse",
    r"mail[- ]?deliver",
    r"\bndr@",
    r"mail-?server",
    r"smtp[- ]?gateway",
    r"no-?reply@\S*dion\.ne\.jp",
)
#: The machines among them that nobody writes as: a postmaster may be a person.
MAILER_DAEMON = Phrases(r"mailer[-_ ]?daemon|mail[-_. ]?delivery[-_ ]?(?:sub)?system|auto-?mailer")
#: Subjects of notes to a postmaster: about sessions a server refused, and what became of many mails.
TO_POSTMASTER = Phrases(
    r"smtp server: (?:errors|protocol error)|smtp session (?:log|transcript)|logwatch|log summar|statistics",
    r"^cron <|(?:uncaught|unrecogni[sz]ed|unparseable) bounce|bounce action notification",
    r"\b\d[\d,.]* (?:hard[- ]|soft[- ])?(?:bounces|bounced|undelivered|failures)\b",
    r"^message \S+ frozen|\b(?:(?:bounce|complaint) rate|(?:bounce|delivery|complaint) (?:statistics|summary))",
    r"(?:daily|weekly|monthly|hourly|campaign) [^\n]{0,30}(?:report|summary|digest)"
    r"|(?:quarantine|spam|junk) (?:summary|digest|report)"
    r"|(?:list|report|summary|overview) of (?:all |the )?(?:undeliver|bounc|invalid|failed)|日次|週次|月次",
    r"隔離[^\n]{0,8}一覧|多発|監視|アラート",
)
#: Subjects of mail that came back.
BOUNCE_SUBJECT = Phrases(
    r"undeliver|non[- ]?delivery|not delivered",
    r"(?:delivery|mail|message|sending)[ -](?:status )?(?:notification|failure|failed|error|problem|report|delayed)",
    r"(?:delivery|mail|message|sending)[ -](?:status )?warning",
    r"deliver(?:y|ing) (?:to|of|for) \S+ (?:has |was )?(?:been )?(?:fail|not |delayed|rejected|refused|impossible)",
    r"delivery (?:has )?(?:failed|failure|status|report|problem|error|warning|delay)",
    r"failure (?:notice|delivery)|fail(?:ed|ure) (?:mail|notice|delivery)",
    r"returned (?:mail|to sender|message|post)|return(?:ed|ing)? (?:message )?to sender",
    r"could ?n[o']t (?:be delivered|send)|cannot be delivered",
    r"(?:virus|content)\b[^\n]{0,40} (?:in|from) (?:an? |the )?(?:message|e?-?mail) (?:you sent|(?:from|sent by) you)",
    r"\b(?:virus|malware|worm|trojan)\S{0,3} (?:found |detected |was found )?in (?:your|an?) (?:e-?mail|mail|message)",
    r"to sender, [^\n]{0,40}(?:found|detected)",
    r"bounce|loop alert|unknown user|user unknown|automatically rejected",
    r"message (?:delayed|status)|delayed mail|mail (?:failure|system error)|error sending|was an error",
    r"unzustellbar|nicht zugestellt|zustellung",
    r"non remis|[ée]chec|non distribu",
    r"no se (?:pudo|puede) entregar|no entregad",
    r"n[ãa]o entreg|mancat[ao] (?:recapito|consegna)|non recapit",
    r"niet bezorgd|onbestelbaar|niet afgeleverd|ej levererat|kunde inte leverera|ikke leveret",
    r"kan ?(?:ikke|inte) lever|teslim edilem|nedoru[čc]iteln|ei voitu toimittaa|nu a putut fi livrat",
    r"не доставлен|недоставлен|не удалось|niedostarczon|nedoru[čc]|k[ée]zbes[íi]thetetlen",
    r"(?:配信|配達|送信|配送|送達)(?:エラー|不能|でき|失敗|されません)|不達|(?:メール|送信|配信).{0,6}エラー",
    r"エラーメール|戻り(?:メール|ました)",
    r"(?:配信|配送|送信)(?:の)?遅延|お届けでき|未達|vertraagd|uitgesteld|opó[źz]nion|retard[ée]|retrasad|ritardat",
    r"atrasad|задерж",
    r"届(?:け|き)ません|non[- ]remi|non[- ](?:delivered|deliverable|récept)|unable to (?:deliver|send)",
    r"transmission (?:failure|failed|error)",
    r"(?:전송|발송|배달|전달|수신)[^\n]{0,6}(?:실패|못|불가|오류)",
    r"(?:投递|發送|发送|投遞|寄送|传送|傳送)(?:失败|失敗|错误)",
    r"недоруч|не доставлен|не отправлен|неможлив|αδυναμία|αποτυχία|תקלה במסירה|למסירה|לא נמסר|تعذر|فشل|ไม่สามารถ",
    r"không thể|thất bại",
    r"退信|退回|拒收|未送达|传输失败|傳輸失敗|投递失败|無法傳遞|반송|배달 ?(?:실패|되지)",
)
#: Subjects that repeat the original's behind a word for failing: "Undeliverable: Spring news".
REPEATED_SUBJECT = Phrases(
    r"(?:undeliver\w*|undelivered mail|rejected|failed|failure|delayed|delivery failure|delivery has failed) ?[:：]",
    r"(?:unzustellbar|non remis|no se puede entregar|n[ãa]o entregue|non recapitabile|onbestelbaar|re|fwd?) ?[:：]",
    r"(?:olevererbart|kan ikke leveres|недоставл\w*|не доставлено|niedostarczone|nedoručitelné) ?[:：]",
    r"(?:配信不能|未送达|未傳遞|배달 못함) ?[:：]",
    prefix="^",
)
#: Subjects of mail that a person answers or passes on.
PASSED_ON = Phrases(
    r"^\s*(?:\[[^\]\n]{0,40}\][ \t]*)?(?:re|fwd?|aw|wg|tr|rv|enc|ynt|sv|vs|vl|vb|antw|odp|pd"
    r"|ответ|转发|回复|回覆|轉寄|답장|전달|返信|転送)"
    r"(?:\[\d+\])? ?[:：]"
)
#: Those among them that no system writes when it answers.
FORWARDED = Phrases(r"^\s*(?:fwd?|wg|tr|rv|enc|vb|vl|pd|转发|轉寄|전달|転送)(?:\[\d+\])? ?[:：]")
#: How people begin and end a letter, and no program does.
LETTER = Phrases(
    r"(?:hi|hello|hallo|hey|dear|bonjour|hola|estimad[oa]s?|ciao|gentile|buongiorno|ol[áa]|prezad[oa]s?|beste|hej|cześć)"
    r"(?: [^\n,.!]{1,30})?[ \t]*[,!]?[ \t]*$",
    r"guten (?:tag|morgen)|liebe[rs]? |sehr geehrte|witam|здравствуйте|привет|добрый день|お世話になって",
    r"こんにちは|안녕하세요|[您你]好[，,]?$|(?:(?:best|kind|warm) )?(?:regards|wishes|thanks|thank you|cheers)\b",
    r"(?:gruß|grüße|cordialement|saludos)",
    r"(?:saluti|abraços|groeten|mit (?:freundlichen|besten) gr|viele gr|с уважением|よろしくお願い|敬具)",
    r"[^\n]{0,200}(?:\bdo you know (?:why|what|if)|\bany idea (?:why|what))",
    prefix=r"^[ \t]*",
)
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
    r"送信できません|配信できません|配信でき|送信でき|届けでき|お届け|見つかりません|宛先不明|配送でき|失敗しました",
    r"エラー",
    r"届きませんでした|(?:配信|送信|配送|お届け)(?:する)?ことができ|(?:配信|配送)が(?:遅れ|遅延)",
    r"使われて(?:い|お)(?:ない|りません)",
    r"zugestellt werden|konnte nicht|n'a pas pu|pas pu [eê]tre",
    r"no se (?:ha )?pudo|no pudo|impossibile|non [eè] stato possibile|n[ãa]o (?:p[oô]de|foi)|niet worden",
    r"не (?:может|могло|удалось|было)|nie (?:mo[żz]na|zosta[łl])|kunde inte|kunne ikke",
    r"mislykkedes|teslim edilem|nezda[řr]ilo|sikertelen|gick inte att",
    r"无法(?:投递|送达|发送)|退信|退回|未能|無法",
)
#: What only a program says of itself and of its session, and nobody who writes a mail.
AUTOMATIC = Phrases(
    r"automatically (?:generated|created|sent)|(?:created|generated|sent) automatically",
    r"automat(?:ed|ic) (?:message|mail|e-?mail|notification|response|notice)|delivery status notification",
    r"transcript of session|addresses had (?:permanent|delivery|transient)",
    r"this is the (?:\S+ ){1,3}(?:program|server|system)"
    r"|mail system at host|did not reach the following recipient|mts-id of the original",
    r"(?:do not|don't|please do not) (?:re)?(?:ply|spond) to this",
    r"automatisch (?:erzeugt|erstellt|generiert|versandt|gegenereerd|verzonden)|automatiquement|mensaje autom[áa]tico"
    r"|generado autom[áa]ticamente|mensagem autom[áa]tica|automaticamente|automatycznie|автоматически|automatick[yé]",
    r"自動(?:送信|配信|で送信|的に)|自动(?:发送|发出|生成)|系统自动|系統自動|자동(?:으로)? ?(?:발송|생성)",
)
#: The mail of the one who writes: a mail system has none.
WRITERS_MAIL = Phrases(
    r"\bmy (?:e-?mails?|mails?|messages?|letter)\b|\bmeine (?:e-?mail|mail|nachricht)|\bmon (?:message|mail|e-?mail)",
    r"\bI (?:get|got|am getting|keep getting|received)\b|\bmy (?:e-?mail )?(?:address|account|mailbox)\b",
    r"\bmi (?:mensaje|correo)|\bil mio messaggio|\bmijn (?:bericht|mail)",
    r"мо[её] (?:письмо|сообщение)|私のメール|我的邮件",
)
#: What somebody says above a mail that came back, which no mail system says of itself.
OWN_WORDS = Phrases(
    r"(?:came|comes|come|coming|sent|returned|bounced) (?:right )?back to (?:me|us)\b",
    r"\b(?:for|to|from|tell|help|let|sent|gave) me\b",
    r"\b(?:I|we) (?:get|got|keep|sent|tried|try|wrote|received|have|don't|do not|can't|cannot|think|need|found|see)\b",
    r"\bmy (?:e-?mails?|mails?|messages?|account|address|customer|colleague)|\bsee (?:below|attached)\b|\bfyi\b",
    r"any ideas?\b|what (?:does|is|should|can)\b|please (?:help|advise|look|check|fix|have a look|let (?:me|us))",
    r"can you\b|could you\b",
    r"\b(?:ich|wir) (?:habe|bekomme|kriege|kann|verstehe)|können sie|bitte (?:um|prüf|helf)|j'ai |je (?:reçois|ne )",
    r"pouvez-vous",
    r"(?:he|me ha[ns]?) (?:recibid|llegad|devuelt)|pued(?:e|es|en) |ho ricevut|mi (?:torna|è tornat)|recebi ",
    r"kreeg (?:ik|dit)|ik krijg",
    r"戻って(?:き|来)(?:まし|てしま|ます)|届いていますか|ご確認(?:を|くだ|いただ)|教えて(?:くだ|いただ)|どうすれば|この(?:ような)?メールが(?:届|来)",
    r"我(?:发|寄|收到|给)|请(?:问|帮|看)|怎么|제가|저는|확인 부탁|у меня|мне (?:при|верн)|подскажите|помогите",
    r"пришл[ао] ",
)
#: The mailbox of the one who reads, in a warning or in a lure.
OWN_MAILBOX = Phrases(
    r"\byour (?:own )?(?:e-?mail )?(?:mailbox|inbox|account|incoming|quota|storage)",
    r"ihr (?:eigenes )?(?:postfach|konto)|votre (?:bo[îi]te|compte)|\bsu (?:buz[óo]n|cuenta)|\bsua (?:caixa|conta)",
    r"la (?:sua|tua) casella|uw (?:mailbox|account)|ваш\S* (?:ящик|почтов|аккаунт)",
    r"(?:お客様|あなた)の(?:メールボックス|アカウント)|[您你]的(?:邮箱|郵箱|账户|帳戶)|귀하의 (?:메일함|계정)",
)
#: Mail that was on its way to the one who reads.
MAIL_TO_READER = Phrases(
    r"(?:e-?mail|mail|message)s? (?:that (?:was|were) )?(?:sent|addressed|destined|coming) to you\b",
    r"(?:e-?mail|mail|message)s? to your (?:e-?mail )?address|reach you (?:by e-?mail|at your e-?mail)",
    r"(?:e-?mails|mails|messages) (?:to|for) you\b",
    r"not (?:been )?delivered to you\b|in (?:mail|messages?) to you\b",
)
#: Names for the mail of the one who reads the notification.
SENDERS_MAIL = Phrases(
    r"(?:your|following|this|attached|enclosed|below|above) (?:e-?)?(?:mail|message)",
    r"(?:mail|message) (?:that |which )?(?:you (?:sent|wrote|addressed|tried)|below|from you)",
    r"you (?:sent|were sending)",
    r"\bihre? (?:e-?mail|mail|nachricht)|votre (?:message|e-?mail|mail|courriel|courrier)",
    r"\b[st]u (?:mensaje|correo|e-?mail)",
    r"\b(?:suo|tuo|vostro|il) messaggio|\bsua (?:mensagem|e-?mail)|\b(?:uw|je) (?:bericht|e-?mail|mail)",
    r"ditt (?:meddelande|e-?brev)|\bdin (?:meddelelse|besked|melding|e-?mail)|meldingen din|viesti(?:si|äsi)",
    r"(?:message|e-?mail|courriel) que vous (?:avez|venez)",
    r"(?:mensaje|correo) (?:que (?:usted )?(?:ha )?envi|enviado por)",
    r"mensagem que (?:voc[êe] |nos )?envi|messaggio (?:che (?:ha|hai) |da (?:lei|te) )|bericht dat (?:u|je)\b",
    r"von ihnen (?:[^\W\d]{2,20} )?(?:versandt|gesandt|gesendet|verschickt|abgeschickt|versendet)",
    r"(?:twoj|tw[óo]j|pańsk|państwa)\S* (?:wiadomo|e-?mail|poczt)|va[šs][eiu] ?(?:zpr[áa]v|spr[áa]v|e-?mail|poruk)",
    r"(?:level|[üu]zenet)[eé]t?\b|(?:ileti|mesaj|e-?posta)\S*n[ıi]z|mesajul (?:dvs|dumneavoastr|t[ăa]u)|pesan anda",
    r"(?:ваш|твоё|твое)\S* (?:письм|сообщени|лист|повідомлен|имейл)|μήνυμά σας|הודעתך|رسالتك|ของคุณ|của bạn",
    r"(?:お客様|お客さま|あなた|貴方|貴殿)(?:が|の|から|より)[^。\n]{0,16}(?:メール|送信)|送信(?:された|した|いただいた)メール",
    r"お送り(?:いただ|頂)",
    r"(?:上記|下記|次|以下)の(?:メール|メッセージ|宛先|あて先|受信者|アドレス|送信先)",
    r"[您你](?:的|发|發|寄|所)[^。\n]{0,12}(?:邮件|郵件|信)",
    r"[您你](?:发往|寄往|发给|寄给|發往|寄給)|보내신|귀하의|고객님[^.\n]{0,10}메일",
)
#: Subjects of reports that a mail arrived or was passed on.
DELIVERED = Phrases(
    r"\((?:success|relay(?:ed)?|delivered)\)|^return receipt|successfully (?:delivered|sent)",
    r"delivery (?:receipt|confirmation)",
    r"^(?:relayed|delivered|expanded|zugestellt|weitergeleitet|übermittelt|remis|distribué|transmis|entregado|entregue|retransmitid[oa]"
    r"|recapitato|inoltrato|consegnato|afgeleverd|bezorgd|doorgestuurd|levererat|leveret|dostarczon[oey]|doručeno",
    r"доставлено) ?[:：]",
    r"^(?:配信済み|配信完了|中継済み|送達|已送达|已送達|已转发|已轉送|배달됨|전달됨)",
    r"(?:erfolgreich (?:zugestellt|übermittelt))|(?:message|mail) (?:has been|was) delivered",
    r"(?:nachricht|mail) wurde zugestellt|message a été (?:remis|distribué|livré)",
    r"(?:mensaje|correo) (?:ha sido|fue) entregado",
    r"messaggio è stato (?:consegnato|recapitato)|mensagem foi entregue|bericht is (?:afgeleverd|bezorgd)",
    r"(?:メール|メッセージ)(?:が|を|は)(?:配信|送信|お届け)(?:され|し)ました|邮件已(?:成功)?送达",
    r"(?:сообщение|письмо) доставлено|^(?:your )?(?:message|mail) delivered\b|(?:配信|配送|送信)完了",
)
#: Sentences that say so.
DELIVERED_SENTENCE = Phrases(
    r"(?:was|were|has been|have been|is) (?:successfully )?(?:delivered|relayed|forwarded|placed in|expanded)\b",
    r"success(?:ful|fully) (?:deliver|relay)|delivery confirmation|delivered successfully|delivery (?:is )?complete",
    r"(?:wurde|ist)[^\n]{0,120} (?:erfolgreich )?(?:zugestellt|übermittelt|weitergeleitet)",
    r"zustellung[^.\n]{0,80} abgeschlossen",
    r"a (?:bien )?été (?:remis|distribué|livré|transmis)|(?:ha sido|fue) entregad|(?:foi|sido) entregue|entregado con",
    r"(?:è stat[oa]|stato) (?:consegnat|recapitat|inoltrat)|is (?:afgeleverd|bezorgd)|(?:har|blev) levere",
    r"har levererats",
    r"został[ao]? dostarczon|(?:было?|успешно) доставлен|(?:配信|配送|送信|お届け)(?:され|し|いたし)ました",
    r"(?:配信|送信|配送)(?:が|は)?(?:完了|成功)|正常に(?:配信|配送|送信)|(?:已|成功)(?:送达|送達|投递)|(?:전달|배달)되었",
)
#: Sentences that say the mail is still being tried.
DELAYED = Phrases(
    r"(?:delivery|message|mail)[^\n]{0,80}(?:has been |is |was )delayed|delivery[^.\n]{0,20}delayed",
    r"will (?:continue|keep|be re-?tr)[^.\n]{0,40}(?:try|attempt|deliver|retri)|will (?:automatically )?retry",
    r"this is (?:just )?a warning|warning message only|not yet been delivered|will be re-?tried|still being retried",
    r"attempts will (?:be )?continue|delivery will continue",
    r"(?:don't|do(?: not)?) need to (?:resend|take any action)|no action is required on your part",
    r"(?:配信|配送|送信)が遅れ|引き続き(?:配信|配送|送信|再送)|再送を(?:続け|行い|試みて|試みます|繰り返)|遅延|再試行します",
    r"wird (?:weiterhin|erneut) versucht|verz[öo]gert|retard[ée]|se ha retrasado|vertraagd|blijft proberen",
    r"opó[źz]nion|ritardat|continuer[àa] a|atrasad|continuará|задерж|延迟|延遲|지연",
)
#: Rarer ones, kept apart so that the common ones stay a small automaton.
DELAYED_TOO = Phrases(
    r"\bnot (?:been )?delivered yet|\btrying for (?:another |up to )?\d+ (?:more|days|hours)",
    r"\bnext (?:try|attempt|retry)\b|\b(?:is|are|kept|put|been|was) on hold\b(?: at| since| for| until)",
    r"attempts (?:to deliver [^.\n]{0,40})?(?:will continue|are still)|delivery will continue|could not yet be",
    r"(?:still|keeps?) (?:trying|waiting|retrying)|temporarily delayed|has not (?:yet )?been delivered yet",
    r"will be tried (?:again|for)|will (?:stay|remain|be kept) (?:in|on) the queue",
    r"delivery to [^\s]{3,80} (?:is )?delayed|(?:go|carry) on trying",
    r"(?:has|have|could|was|were)(?: not|n't) (?:\S{1,20} ){1,4}yet\b",
    r"will (?:re)?try (?:again|for)|we (?:will )?retry|retry(?:ing)? every|longer than (?:expected|usual)",
)
#: "Not yet", and "we go on trying", in the words of others.
DELAYED_ABROAD = Phrases(
    r"noch nicht zugestellt|versucht (?:noch|weiter|es weiter)|weitere(?:n|r)? (?:zustell)?versuch",
    r"pas encore (?:pu |été )|réessa(?:iera|yer|ierons)|nouvelles? tentatives?|continuera (?:à|d)",
    r"seguir[áa](?:n)? intent",
    r"(?:aún|todavía) no |(?:se )?seguirá intent|ainda não|continuará a? ?tent|tentar(?:á)? novamente",
    r"volver[áa]n? a intent|lo intentar|effectuera d'autres tentatives|riprover|riprova |probeert het",
    r"nog \d+ (?:uur|dagen)",
    r"non [eè] (?:stato )?ancora",
    r"nog niet (?:bezorgd|afgeleverd)|opnieuw (?:te )?prober|ännu inte|endnu ikke|ennå ikke|ännu kunnat|ei ole vielä",
    r"fors[øö]ge(?:r|t)? (?:igen|fortsat)|försöker (?:igen|fortsätt)",
    r"jeszcze nie|nie został\S* jeszcze|ponawia|kolejn\S+ prób",
    r"zatím (?:ne|se)|dosud ne",
    r"még nem|újra (?:meg)?próbál|henüz|yeniden dene|tekrar dene|(?:пока|ещё|еще|поки|ще) не ",
    r"попыт\S+ [^.\n]{0,40}продолж",
    r"продолж\S+ [^.\n]{0,30}попыт|повторн\S+ попыт|будет повтор|спроб\S+ [^.\n]{0,40}(?:продовж|тривати)",
    r"まだ(?:配信|配送|送信|お届け)|引き続き試み|再送(?:信)?(?:の必要はありません|されます|を試み(?:ます|て))",
    r"再度(?:配信|配送|送信)を",
    r"まだ(?:完了し|届い|届け)[^。]{0,8}ません|(?:配信|配送|送信|配達)を試行します",
    r"継続して(?:配信|配送|送信|再送)|尚未(?:投递|送达|送達|傳遞|发送)|继续(?:尝试|投递|重试)|繼續(?:嘗試|投遞)",
    r"稍后重试|自动重试|försena|forsinke|viiväst|opožděn|zpožděn|oneskoren|k[ée]sik|késleltet|gecik|întârzi|καθυστερ",
    r"забав[ия]|закъсн|затрим|odgođen|zakasnjel|ล่าช้า|trì hoãn|bị chậm|تأخ|تأجيل|עיכוב|מתעכב|in ritardo|retrasad",
    r"fortsätter (?:att )?försök|fortsetter (?:å )?(?:prøve|forsøk)|fortsætter (?:med )?(?:at )?forsøg",
    r"jatkaa yrit|edelleen yrit",
    r"아직 (?:전송|배달|전달)|계속(?:해서)? (?:시도|전송)|재시도|재전송을",
)
#: That attempts go on, that the mail waits, or that it need not be sent again, in whatever order a language has it.
DELAYED_ABROAD_TOO = Phrases(
    r"tentativ[io] [^.\n]{0,40}(?:proseguir|continuer|ripres|ripetut)|(?:altri|nuovi|ulteriori) tentativi",
    r"(?:è|resta|rimane|rimarrà|attualmente) in coda|non è necessario (?:inviar|rispedir|reinviar)",
    r"tentatives? (?:auront|se poursuiv|continu|seront|suiv)",
    r"(?:reste|restera|demeure|maintenu) (?:dans|en) (?:la )?file",
    r"(?:inutile|pas (?:nécessaire|besoin)) de (?:le |la )?(?:renvoyer|réexpédier|réémettre)|remise différée",
    r"intentos? [^.\n]{0,30}continuar|(?:nuevos|más|otros) intentos|reintent",
    r"(?:sigue|permanece|continúa|está) en (?:la )?cola",
    r"no (?:es necesario|hace falta|necesita) (?:re)?env|seguiremos intentando|continuaremos intentando",
    r"tentativas? [^.\n]{0,30}(?:continuar|prossegu)|(?:novas|outras|mais) tentativas|continuar(?:á|emos) (?:a )?tent",
    r"não é (?:necessário|preciso) (?:re)?envi|(?:permanece|está|continua) (?:na|em) fila",
    r"zustellversuche? [^.\n]{0,40}(?:fortgesetzt|folgen|wiederholt)|wird [^.\n]{0,40}weiter(?:hin)? versucht",
    r"(?:nicht|kein\S*) [^.\n]{0,30}(?:erneut|nochmals?) [^.\n]{0,12}(?:senden|schicken)|bisher nicht zugestellt",
    r"bislang nicht (?:zugestellt|übermittelt)|bleibt [^.\n]{0,30}(?:warteschlange|queue)",
    r"(?:nieuwe|verdere|meer) pogingen|blijven? (?:het )?[^.\n]{0,30}prober|(?:staat|blijft) [^.\n]{0,20}wachtrij",
    r"hoeft [^.\n]{0,30}niet opnieuw|probeert [^.\n]{0,30}opnieuw",
    r"(?:fler|nya|ytterligare) (?:leverans)?försök|behöver inte (?:skicka|göra)",
    r"(?:nye|flere) (?:leverings)?fors[øö][gk]",
    r"(?:behøver|trenger|skal) (?:du )?ikke (?:å )?(?:sende|gøre|gjøre)|yrit(?:tää|etään) (?:uudelleen|edelleen|vielä)",
    r"ei tarvitse (?:lähettää|tehdä)",
    r"pr[óo]b[ya]? [^.\n]{0,40}(?:kontynuowan|ponawian|powtarzan)|nie (?:musisz|trzeba) ",
    r"(?:další|nový) pokus|pokus\S* [^.\n]{0,30}(?:pokračovat|opakov)|(?:dále|nadále|opět) (?:zkouše|pokouše|snaž)",
    r"(?:není|nie je) (?:nutné|třeba|potreba|potrebné)|(?:további|újabb) kísérlet|nem (?:kell|szükséges) újra",
    r"denemeye devam|denemeler [^.\n]{0,30}(?:sürecek|devam)|gönder\S* gerek(?: yok|mez|miyor)",
    r"\d+ saattir|va (?:continua|încerca|reîncerca)|noi încercări|nu (?:este|e) (?:nevoie|necesar) să",
    r"попыт\S+ [^.\n]{0,60}(?:продолж|повтор|возобнов)|(?:будет|будут) (?:пытаться|повторять|предпринят)",
    r"не (?:нужно|требуется|надо) (?:отправлять|пересылать|повторять)|продовж\S+ [^.\n]{0,30}спроб|повторн\S+ спроб",
    r"θα (?:συνεχ|ξαναπροσπαθ|επαναλ|γίνουν νέες)|δεν (?:χρειάζεται|απαιτείται) να|ще (?:продължи|опита)|нови опити",
    r"再(?:配送|配信|送信|送)(?:を(?:試み(?:ます|て)|続け(?:ます|て)|行(?:い|ない)ます)|されます|いたします|し続け)|配送を続け|(?:配送|配信|送信)が完了して(?:い|おり)ません",
    r"再度(?:お)?送(?:り|信)(?:いただく|して(?:いただく)?|する)?必要は(?:あり|ござい)ません|(?:キュー|待ち行列)に(?:保管|保存|残)",
    r"[将會会](?:继续|繼續|自动|自動|再次)[^。\n]{0,8}(?:尝试|嘗試|重试|重試|投递|投遞|发送|發送)|(?:无需|不需要|無需|不必)(?:重新|再次)",
    r"(?:다시|자동으로|계속) [^.\n]{0,12}(?:재시도|시도|발송|전송)(?:합니다|됩니다|할)",
    r"다시 보내(?:실|지|야 할) ?(?:필요|않)",
)
#: Subjects of such warnings.
DELAYED_SUBJECT = Phrases(
    r"delay|warning|still being retried|deferred|not yet|遅延|verzögert",
    r"vertraagd|retard|retras|ritard|atras|задерж|opó[źz]n|延迟|지연|遅れ|警告|延遲|försen|forsink|viivästy|zpožd",
    r"késle|gecik",
    r"could not send message for (?:the )?past|still trying",
    r"in attesa|différ[ée]e|\bgecik|задержива|지연되",
    r"waiting|demorad|adverten|warnung|avertissement|advertencia|avviso|waarschuwing|предупрежд|затрим",
)
#: Sentences that say it is not.
GIVEN_UP = Phrases(
    r"permanent|given up|giving up|returned to sender|has been removed|could not be delivered for|no further",
    r"keine? weitere|(?:werden|wird) nicht (?:weiter|erneut) ",
    r"aucune (?:autre|nouvelle)|ne (?:sera|seront) (?:plus|pas) ",
    r"non (?:verr|sar)\S+ [^.\n]{0,40}tentativ|nessun (?:altro|ulteriore)|ne[sn]sun[ao]? (?:altr|ulterior)",
    r"no (?:se (?:har|realizar)|habr)[áa]n? (?:más|otros|nuevos)",
    r"não (?:ser|haver)\S+ [^.\n]{0,30}tentativ|nenhuma (?:outra|nova)",
    r"geen (?:verdere|nieuwe)|(?:inga|ingen|ikke|ei) (?:fler|nya|ytterligare|flere|nye|enää|uusia)|yritystä ei",
    r"nie będ[^.\n]{0,30}(?:prób|ponawia|podejm)",
    r"żadn\S+ (?:dalsz|kolejn|nowych)|nebud(?:e|ou) [^.\n]{0,30}(?:poku|zkouš)",
    r"nem (?:próbál|kísérel|történik)|başka (?:bir )?deneme|denenmeyecek|nu vor (?:mai )?fi|nu se va mai",
    r"больше не (?:буд|пред|пыт)|попыт\S+ [^.\n]{0,30}не буд|більше не|δεν θα γίν|няма да (?:бъд|се)",
    r"不再(?:尝试|嘗試|重试|重試|投递|投遞)|再(?:送|配送|配信|送信)(?:は|を)?(?:行い|行われ|され|いたし)ません|더 이상",
    r"was aborted|expired|(?:配送|配信|送信|お届け)(?:することが)?できませんでした|断念|中止しました",
)
#: Sentences that say that the mail is still being tried, whatever is said of giving up later on.
STILL_TRIED = Phrases(
    r"this is (?:just |only )?a warning (?:message )?only|warning message only|do not need to re-?send",
    r"will (?:automatically )?(?:retry|try again|keep trying) for [^.\n]{0,24}(?:more|until)",
    r"will be re-?tried (?:until|for)|will be tried for [^.\n]{0,20} more|only a temporary failure|still in the queue",
    r"(?:you'll|you will) be notified if (?:the )?delivery fails|(?:kept|stays) in the queue for up to",
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
