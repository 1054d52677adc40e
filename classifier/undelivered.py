"""Whether words say, in any of some thirty languages, that a mail was not delivered.

A phrase of ``phrases`` is one system's wording. Here a sentence is taken apart instead: it must speak of a mail, of
delivering, and of failing, in whatever words and order; so wordings nobody has seen are understood too. One such
sentence is a weak sign: people write them as well, and so do parcel services.
"""

from __future__ import annotations

import re
from functools import lru_cache

from classifier.phrase_search import Phrases

_MAX_TEXT = 8_192
_MAX_SENTENCES = 40
_MAX_SENTENCE = 500
# A line end inside a sentence is the writer's wrapping. It begins with a class of characters, which ``re`` skips to.
_SENTENCE_END = re.compile(
    r"[.!?;。！？；\n](?:(?<=[.!?;])(?=\s)|(?<=[。！？；])|(?<=\n)(?:[ \t]*\n|(?=[ \t]*[-*<•・■])))"
)

_PARAGRAPH = re.compile(r"\n[ \t]*\n")
# A sentence goes on behind an empty line: "Delivery to", the address on a line of its own, "has failed". What stands
# above the empty line is looked at where one was found.
_IN_MIDST = re.compile(r"\n[ \t]*\n[ \t]*(?=[a-zà-ÿ]|\S{1,128}@\S{1,255}[ \t]*\n[ \t]*\n[ \t]*[a-zà-ÿ])")
_ENDS_SENTENCE = frozenset(".!?:;")
# What may come to pass has not yet: "new messages will be rejected".
_MAY_BE = re.compile(
    r"\b(?:will|would|may|might|can|could|to) be (?:rejected|refused|returned|blocked|bounced|discarded)"
)

#: A mail, in the words of mail systems.
MAIL = Phrases(
    r"\be?-?mails?\b|\bmessages?\b|\bpostings?\b|\bnachricht|courriel|courrier|mensaje|correo|mensagem|messaggi|\bposta\b",
    r"bericht|meddela|meddelelse|besked|melding|\bbrev|viesti|s[äa]hk[öo]posti|wiadomo|poczt|zpr[áa]v|spr[áa]v",
    r"e-?posta",
    r"level|[üu]zenet|ileti|mesaj|poruk|spor[oó][cč]il|pesan|surel|laišk|žinut|vēstul|kirj?a|sõnum|e-?pasts",
    r"پیام|письм|сообщени|\bлист|повідомлен|съобщен|порук|имейл|почт|пошт|μήνυμα|μηνύματ|μηνυμα|הודע|דואר|رسال|بريد",
    r"ईमेल|संदेश",
    r"ข้อความ|อีเมล|จดหมาย|thư|tin nhắn|メール|メッセージ|投稿|邮件|郵件|信件|来信|메일|메시지|편지|전자우편",
    r"missatg|mensaxe|correu|\btölvup[óo]st|p[óo]sti|mesazh|məktub|порак|хабарлама|წერილ|ფოსტ|նամակ|پیغام|ইমেইল|বার্তা",
)
#: To deliver, send or reach.
_DELIVER = Phrases(
    r"del[ie]v[ei]r|\bsend\b|\bsent\b|transmi|\breach|zugestell|zustell|[üu]bermittel|gesendet|versend|\bremis|remettre",
    r"remise",
    r"distribu|diffus|\bposted\b|livr|envoy|\bentreg|enviad|enviar|recapit|consegn|inviat|inoltr|bezorg|afgelever|verzonden|verstuur",
    r"levere|sendt|skicka|nå fram|nådde|nåede|toimit|lähet|dostarcz|doręcz|wysł|doru[čc]|odesl|odosl|k[ée]zbes",
    r"elk[üu]ld",
    r"teslim|gönder|iletil|isporu|poslan|dostav|trimis|\bkirim|terkirim|prista|pārsūt|nosūt|saadet|toimeta",
    r"достав|отправ|надісл|доставк|изпрат|παραδ|παράδ|αποστ|αποστολ|στείλ|למסור|נמסר",
    r"למסירה|נשלח",
    r"تسليم|إرسال|ส่ง|gửi|chuyển|वितर|भेज|配信|配送|送信|配達|送達|配布|届|送れ|送る|投递|送达|发送|寄达|傳送|傳遞",
    r"寄送|寄達|遞送|投遞",
    r"전송|배달|발송|전달|수신|تحویل",
    # To arrive, or to be taken in.
    r"arriv|angekommen|aangekomen|\blleg[aóo]|arrivat|chegou|chegar|\bnått\b|ankom|saapu|dotar[łl]|dorazil|[ée]rkez",
    r"ulaş",
    r"дошл|дойд|доход|дійшл|дійд|到達|到着|도착|وصل|accept|angenommen|ac(?:c)?ep?tad|accettat|aceit|geaccepteer|hyväks",
    r"przyj[ęm]",
    r"p[řr]ijat|elfogad|kabul|принят|прийнят|受け付け|受理|接受",
    r"erreich|atteint|joindre|alcanz|raggiun|bereik|osiągn|достиг|受信",
    r"lliura|arribat|afhen|berast|dorëzo|çatdır|испорач|жеткіз|მივიდ|მიწოდ|გაგზავნ|առաք|ترسیل",
)
#: That it failed.
_FAILED = Phrases(
    r"\bnot\b|n't\b|\bunable|abort|\bdeferred|postpone|malformed|incorrect|\bgiven? up|invalid|problem|trouble|\berror",
    r"longer than",
    r"\bfail|cannot|unsuccess|impossible|\bnicht\b|\bkein|fehlgeschlagen|gescheitert|fehler\b",
    r"\bn'(?:a|ont|est|ai)\b|\bpas\b|échec|échou|erreur|\bno (?:se|pudo|ha|fue|es)\b|imposible|fall[óo]|\bn[ãa]o\b",
    r"falh",
    r"\bnon\b|impossibil|fallit|mancat|\bniet\b|mislukt|\binte\b|\bikke\b|misl[yu]k|\bei (?:voi|ole|pyst)|epäonnist",
    r"\bnie\b|niepow|\bneb|\bnel|\bnezda|\bnepoda|\bnem\b|sikertelen|edilem|iletilem|gönderilem|başarısız",
    r"\bnu (?:a|s-a|au)\b",
    r"e[șş]u?at|\bnije\b|\bni bilo\b|gagal|tidak|nepavyko|neizdev|ebaõnn",
    r"(?:^|\s)не\s|невозмож|неудач|неудал|ошибк|помилк|δεν|αδυναμ|αποτυχ|αδύνατ|(?:^|\s)לא\s|נכשל|تعذر|فشل",
    r"(?:^|\s)لم\s|يتعذر",
    r"نشد|ندار|نمی|delay|verz[öo]ger|retard|demora|atras|ritard|vertraa|förse|forsin|viiväst|op[óo][źz]n|zpo[žz]d",
    r"k[ée]sle|gecik",
    r"задерж|затрим|закъсн|καθυστ|עיכוב|تأخ|ล่าช้า|chậm|遅延|遅れ|延迟|延遲|지연",
    r"ไม่|ล้มเหลว|không|thất bại|नहीं|विफल",
    r"ません|できな|でき無|失敗|不能|エラー|不達|未|无法|無法|未能|失败|错误|錯誤|못|실패|되지|없|오류|불가",
    r"中止|断念|打ち切|no s'ha|\bekki\b|\bnuk\b|olmadı|(?:^|\s)ვერ\s|չհաջող|ব্যর্থ",
)
#: One word for not delivering, where it speaks of mail.
_TURNED_AWAY = Phrases(
    r"(?:could not|cannot|can't|couldn't) be forwarded|(?:unable|failed) to forward",
    r"undeliver|non-?deliver",
    r"\breject|\brefused?\b|\bbounced\b|returned (?:to|because|since|as|due)\b|\bblocked\b|\bbanned\b|\bdiscarded\b",
    r"\bdropped (?:after|because|by)\b|\bno bounce details\b",
    r"action (?:taken )?(?:on|with|for) this (?:e-?mail|mail|message) ?[=:] ?(?:delet|block|reject|quarantin|drop)",
    r"\b(?:mail|message|e-?mail)s? [^.\n]{0,60}\bon hold\b",
    r"\bstopped\b|\bquarantined\b|\b(?:deleted|returned|sent back|discarded) (?:un(?:read|opened)|without being read)",
    r"\b(?:considered|identified|classified|detected|recogni[sz]ed|flagged) (?:as |to be )?(?:an? )?"
    r"(?:unsolicited|spam|bulk|junk|virus|infected|malware|unwanted)",
    r"unzustell|abgelehnt|zur[üu]ckgewiesen|abgewiesen",
    r"\bretourn[ée]|zur[üu]ck(?:gesandt|geschickt|geleitet)|\brestituit[oa]|teruggestuurd|\breturner[ae]t",
    r"rejet|refus|\brenvoy|rechazad|devuelt|rifiutat|respint|recusad|rejeitad|devolvid|geweigerd|onbestelbaar|avvisa",
    r"afvist",
    r"odrzuc|zwr[óo]c|odm[íi]tnut|nedoru[čc]|k[ée]zbes[íi]thetetlen|elutas[íi]t|reddedil|respins|odbijen|ditolak|\bweigert\b",
    r"недостав|отклон|отвергнут|відхил|недоруч|απορρίφ|נדחת|رفض|ปฏิเสธ|từ chối|bị trả",
    r"拒否|拒收|遮断|ブロックさ|破棄|隔離|返送|戻って|退信|退回",
    # 配信停止 alone is also what whoever leaves a newsletter is told.
    r"(?:ポリシー|ルール|規則|制限|ウイルス|フィルタ)[^。\n]{0,40}(?:停止|削除|中止)",
    r"拒绝|拒絕|반송|거부",
    r"blockier|bloquead|bloqu[ée]|bloccat|geblokkeerd|blockera|blokere|blokker|zablok|blokov|заблок|engellen|차단|封锁|封鎖",
)
#: Somebody's address or mailbox that is unknown, closed or full.
_NOBODY_THERE = Phrases(
    r"(?:does|do|did|is|are|was)(?: not|n't) (?:exist|known|found|listed|valid|a valid|available)|\bunknown|no such",
    r"no longer exists?\b|there is no(?:body| one| \S{1,128}@)",
    r"not (?:found|listed|known|registered|recogni[sz]ed)\b",
    r"invalid (?:[\w-]+ ){0,3}(?:user(?:id)?|recipient|mailbox|address|account)\b",
    r"(?:account|mailbox|user|address) (?:is|has been|was) (?:disabled|inactive|closed|suspended|deactivated)",
    r"doesn't have|unbekannt|inconnu|n'existe|introuvable|desconocid|no existe|sconosciut|non esiste|desconhecid",
    r"inexistente",
    r"onbekend|bestaat niet|okänd|finns inte|ukendt|findes ikke|ukjent|finnes ikke|tuntematon|nieznany|nie istnieje",
    r"neexist",
    r"nezn[áa]m|ismeretlen|nem l[ée]tezik|bulunamad|mevcut değil|nu exist|ne postoji|tidak ditemukan|tidak ada",
    r"не существ|не найден|неизвест|не знайден|не існу|невідом|άγνωστ|δεν υπάρχει|אינו קיים|לא קיים|לא נמצא",
    r"غير موجود|غير معروف",
    r"ไม่พบ|không tồn tại|không tìm thấy|存在しま|存在しな|不明|見つか|ありません|不存在|查无|查無|존재하지|없는",
    r"찾을 수 없",
    r"(?:mailbox|quota|storage|inbox|space)[^.\n]{0,60}(?:full|exceed|over|limit)|\bover quota|überfüllt|\bvoll\b",
    r"\bpleine?\b",
    r"\bllen[oa]\b|\bpien[ao]\b|\bchei[oa]\b|\bvol\b|\bfuld\b|täynnä|przepełnion|\bpln[áa]\b|megtelt|\bdolu\b",
    r"переполнен|заполнен|πλήρ|ממתל|ממולא|ممتل|เต็ม|đầy|いっぱい|一杯|満杯|容量|已满|已滿|가득|초과",
)
#: A warning to the owner of a mailbox.
_ALMOST = Phrases(
    r"(?:almost|nearly|close to|approaching|\d\d(?:[.,]\d+)? ?%)[^.\n]{0,40}"
    r"(?:full|quota|limit|capacity|storage|used|space)",
    r"fast voll|presque plein|casi llen|quase chei|quasi pien|bijna vol|почти (?:пол|запол)",
    r"もうすぐ|まもなく|即将|即將",
)
#: To exist or be known, of which _FAILED says the opposite.
_EXIST = Phrases(
    r"\bexist|\bfound\b|\bknown\b|\bvalid|in use|gefunden|bekannt|gibt es|trouv|connu|encontr|conocid|trovat",
    r"conosciut|conhecid",
    r"besta|gevonden|\bfinns\b|findes|finnes|hitta|löyty|istniej|znalez|nalezen|l[ée]tez|találhat|bulun|mevcut",
    r"g[ăa]sit",
    r"post(?:oj|oji)|prona[đd]|najd|ditemukan|terdaftar|egzist|rasta|eksist|atrast|leitud|существ|найден|съществ",
    r"намерен|існу|знайд",
    r"υπάρχ|βρέθ|קיים|נמצא|موجود|وجود|พบ|tồn tại|tìm thấy|存在|見つか|登録|找到|존재|찾을",
)
#: Goods, calls and money: what else is delivered, returned or fails.
_GOODS = Phrases(
    r"\bparcels?\b|\bpackages?\b|\bshipments?\b|\borders?\b|courier|\bcarrier|\bfax\b|\bsms\b|payment|cheque|invoice",
    r"refund",
    r"postal address|\bpaket\b|sendung|lieferung|bestellung|zahlung|\bcolis\b|commande|livraison|paquete|env[íi]o\b",
    r"pedido",
    r"pacote|encomenda|\bpacco\b|spedizione|pakket|zending|bestelling|paczk|przesy[łl]k|z[áa]silk|csomag|kargo",
    r"посылк|заказ",
    r"荷物|小包|宅配|ゆうパック|郵便物|ご注文|包裹|快递|快件|订单|택배|소포|주문|paket(?:et|en)\b|pakke\b|παραγγελ",
    r"δέμα",
)


#: What programs do for those who run them, and tell them when it failed.
_WORK = Phrases(
    r"\bback-?ups?\b|\bpipeline\b|\bpush\b|\bcommit\b|\bbuild\b|\bpull request|\bmerge request|\bdeploy|\bcron\b",
    r"\bjobs?\b|\bsync\b|\bimport\b|バックアップ|ジョブ|ビルド",
    r"\bwiki\b|\bpage (?:was )?(?:updated|edited|changed|created)|\bforwarding (?:was|is|has been|rule)\b",
)


#: What else could not be delivered or sent, named right before the words that say so.
_THING = Phrases(
    r"(?:invitation|invite|order|parcel|package|shipment|payment|fax|sms)s?(?: \S{1,20}){0,2}"
    r" (?:could|can|was|were|has|have)",
    r"(?:bestellung|sendung|lieferung|einladung|zahlung|paket)(?:en)?(?: \S{1,20}){0,2} (?:konnte|kann|wurde|ist)",
    r"(?:commande|colis|livraison|invitation|paiement)s?(?: \S{1,20}){0,2} (?:n'a|ne|a)\b",
    r"(?:pedido|paquete|env[íi]o|pago|encomenda|pacote|invitaci[óo]n)(?: \S{1,20}){0,2} (?:no|n[ãa]o)\b",
    r"(?:ordine|pacco|spedizione|pagamento)(?: \S{1,20}){0,2} non\b",
    r"(?:bestelling|pakket|zending)(?: \S{1,20}){0,2} k[ao]n\b",
    r"(?:ご注文|荷物|お支払い|招待|FAX)[^。]{0,12}(?:でき|失敗|届)|(?:订单|包裹|快递|訂單)[^。]{0,8}(?:未|失败|無法|无法)",
)


def says_undelivered(text: str) -> bool:
    """Whether a sentence of ``text`` says that a mail was not delivered, or was turned away."""
    return any(_says(sentence) for sentence in _sentences(text))


def subject_says_undelivered(subject: str) -> bool:
    """The same of a subject, which is one sentence whatever its punctuation."""
    return _says(subject[:_MAX_SENTENCE])


def says_something_undelivered(text: str) -> bool:
    """Whether a sentence of ``text`` says that something was not delivered: a mail, if it is about mail at all."""
    return any(_says_failed(sentence) for sentence in _sentences(text))


def says_undelivered_to(text: str, address: str) -> bool:
    """Whether a sentence of ``text`` says that a mail was not delivered to ``address``."""
    return any(address in sentence and _says(sentence) for sentence in _sentences(text))


def says_turned_away_for(text: str, address: str) -> bool:
    """Whether a sentence of ``text`` that names ``address`` says that a mail was turned away."""
    return any(
        address in sentence and MAIL.are_in_short(sentence) and _TURNED_AWAY.are_in_short(sentence)
        for sentence in _sentences(text)
    )


def says_failed_of(text: str, address: str) -> bool:
    """Whether a sentence of ``text`` that names ``address`` says of something that it failed."""
    return any(
        address in sentence
        and (_FAILED.are_in(sentence) or _TURNED_AWAY.are_in(sentence) or _NOBODY_THERE.are_in(sentence))
        for sentence in _sentences(text)
    )


def names_nobody_of(text: str, address: str) -> bool:
    """Whether the paragraph of ``text`` that names ``address`` says so of somebody."""
    return any(
        address in paragraph and (_NOBODY_THERE.are_in(paragraph[:_MAX_SENTENCE]))
        for paragraph in _PARAGRAPH.split(text[:_MAX_TEXT], _MAX_SENTENCES)
    )


def names_nobody(text: str) -> bool:
    """Whether ``text`` says of somebody that there is no such mailbox, or that it is full: not that it soon will be."""
    if _ALMOST.are_in(text[:_MAX_TEXT]):
        return False
    return _NOBODY_THERE.are_in(text[:_MAX_TEXT]) or any(
        _EXIST.are_in(sentence) and _FAILED.are_in(sentence) for sentence in _sentences(text)
    )


def _says(sentence: str) -> bool:
    return MAIL.are_in_short(sentence) and _says_failed(sentence)


def _says_failed(sentence: str) -> bool:
    if _TURNED_AWAY.are_in_short(sentence):
        return " be " not in sentence or _TURNED_AWAY.are_in(_MAY_BE.sub("", sentence))
    return _DELIVER.are_in_short(sentence) and _FAILED.are_in_short(sentence)


def is_about_goods(text: str) -> bool:
    """Whether ``text`` speaks of parcels, payments or calls: their delivery fails too."""
    return _GOODS.are_in(text[:_MAX_TEXT])


def is_about_work(subject: str) -> bool:
    """Whether ``subject`` speaks of what a program does, builds, backups, jobs; jobs@example.com is none."""
    if "@" in subject:
        subject = " ".join([word for word in subject.split() if "@" not in word])
    return _WORK.are_in_short(subject)


def is_about_another_thing(subject: str) -> bool:
    """Whether ``subject`` says of goods, money, a fax or a date, and of no mail, that they could not be delivered."""
    return _THING.are_in_short(subject) and not MAIL.are_in_short(subject)


def is_about_mail(text: str) -> bool:
    """Whether ``text`` speaks of a mail at all."""
    return MAIL.are_in(text[:_MAX_TEXT])


@lru_cache(maxsize=8)
def _sentences(text: str) -> tuple[str, ...]:
    # One notice is asked about more than once.
    text = _IN_MIDST.sub(_without_gap, text[:_MAX_TEXT])
    pieces = _SENTENCE_END.split(text, _MAX_SENTENCES)[:_MAX_SENTENCES]
    return tuple([" ".join(piece[:_MAX_SENTENCE].split()) for piece in pieces if piece.strip()])


def _without_gap(gap: re.Match[str]) -> str:
    """Return a blank for an empty line amid a sentence; one behind the end of a sentence stays."""
    line_start = gap.string.rfind("\n", 0, gap.start()) + 1
    last = gap.string[line_start : gap.start()].rstrip(" \t")[-1:]
    return gap.group() if not last or last.isspace() or last in _ENDS_SENTENCE else " "
