"""What tells a mail that came back from one that speaks of such: languages, disguises, people who pass one on."""

from __future__ import annotations

import re
from email.header import Header
from functools import cache
from pathlib import Path

import pytest

from classifier.classify import Classifier
from classifier.message import Message, parse_message
from classifier.parties import Parties
from classifier.phrases import AUTOMATIC
from classifier.quoted import cut_original
from classifier.traces import HEAD
from classifier.undelivered import is_about_goods, names_nobody, says_failed_of, says_undelivered
from model.reading import Kind

HERE = Path(__file__).parent
CASES = [*sorted((HERE / "cases").glob("*.eml")), *sorted((HERE / "blind").glob("*.eml"))]
RETURNED = (Kind.BOUNCE, Kind.DELAY_WARNING)

NOT_DELIVERED = [
    "We could not deliver your e-mail.",
    "Ihre Nachricht ist leider nicht angekommen.",
    "Impossible de remettre le message.",
    "El correo no pudo llegar a su destino.",
    "A mensagem enviada falhou na entrega.",
    "Il messaggio non è arrivato.",
    "Het bericht is niet verzonden.",
    "Meddelandet nådde inte fram.",
    "Beskeden blev ikke leveret.",
    "Viestiä ei voitu lähettää.",
    "Wiadomość nie została wysłana.",
    "Zprávu nelze odeslat.",
    "Az üzenetet nem lehetett elküldeni.",
    "Mesaj gönderilemedi.",
    "Mesajul nu a fost trimis.",
    "Сообщение не отправлено.",
    "Повідомлення не доставлено.",
    "Съобщението не беше изпратено.",
    "Το μήνυμα δεν στάλθηκε και η παράδοση απέτυχε.",
    "ההודעה לא נשלחה.",
    "فشل إرسال الرسالة.",
    "ส่งอีเมลไม่สำเร็จ",
    "Không gửi được thư.",
    "Surel tidak terkirim.",
    "メールを送れませんでした。",
    "邮件未能发送成功",
    "郵件傳送失敗",
    "메일을 보내지 못했습니다. 메일 발송 실패",
]
OF_OTHER_THINGS = [
    "The parcel arrived on Monday.",
    "Your mail has arrived, thank you.",
    "Das Paket konnte nicht zugestellt werden.",
    "お荷物をお届けできませんでした。",
    "The meeting did not take place.",
    "Payment failed: the account is closed.",
]


@pytest.mark.parametrize("sentence", NOT_DELIVERED)
def test_a_sentence_of_failed_mail_is_understood(sentence: str) -> None:
    assert says_undelivered(f"Hello.\n\n{sentence}\n")


@pytest.mark.parametrize("sentence", OF_OTHER_THINGS)
def test_a_sentence_of_other_things_is_not(sentence: str) -> None:
    assert not says_undelivered(sentence)


def test_the_words_must_stand_in_one_sentence() -> None:
    assert not says_undelivered("We got your mail. The parcel did not come. We deliver on Monday.")


def test_goods_and_missing_people_are_told() -> None:
    assert is_about_goods("Ihr Paket ist da")
    assert not is_about_goods("Ihre Mail ist da")
    assert names_nobody("omdat het adres helaas niet bestaat")
    assert not names_nobody("Das Postfach besteht seit 1998.")
    assert says_failed_of("Hello.\n\nc@d.example: refused by the host.", "c@d.example")
    assert not says_failed_of("Refused by the host.\n\nAsk c@d.example for help.", "c@d.example")


@cache
def _in_words(classifier: Classifier) -> list[tuple[str, Message, str]]:
    """Return name, mail and text of every case that is a failure or a delay told in words alone; read once."""
    found: list[tuple[str, Message, str]] = []
    for path in CASES:
        raw = path.read_bytes()
        reading = classifier.read(raw)
        if reading.kind in RETURNED and reading.form in ("plain", "sendmail"):
            message = parse_message(raw)
            texts = [part.text for part in message.find("text/plain", "text/html") if part.text.strip()]
            found += [(path.stem, message, texts[0])] if texts else []
    return found


def _mail(sender: str, path: str, subject: str, body: str, extra: str = "") -> bytes:
    head = (
        f"Return-Path: {path}\nFrom: {sender}\nTo: b+tok3n@bounce.example.com\n{extra}"
        f"Subject: {Header(' '.join(subject.split()), 'utf-8').encode()}\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    )
    return (head + body).encode()


def test_who_passes_a_bounce_on_sent_none(classifier: Classifier) -> None:
    cases = _in_words(classifier)
    assert len(cases) > 300
    wrong: list[str] = []
    for name, message, text in cases:
        subject = message.headers.get("subject")
        quoted = "\n".join(f"> {line}" for line in text.split("\n"))
        mails = [
            _mail("Kuro <kuro@example.org>", "<kuro@example.org>", f"Fwd: {subject}", f"See below.\n\n{text}"),
            _mail("Kuro <kuro@example.org>", "<kuro@example.org>", "a customer", f"Hi,\n\nI got this:\n\n{text}"),
            _mail("Kuro <kuro@example.org>", "<kuro@example.org>", subject, text),
            _mail("kuro@example.org", "<kuro@example.org>", subject, text),
            _mail("Kuro <kuro@example.org>", "<kuro@example.org>", f"Re: {subject}", f"Why?\n\n{quoted}",
                  "In-Reply-To: <x@example.org>\n"),
        ]  # fmt: skip
        wrong += [name for mail in mails if classifier.read(mail).kind in RETURNED]
    # RFC 3464 fields count whoever sends them; a form of words never does.
    assert wrong == []


#: What people write above a bounce that came back to them; the last two only carry it.
ABOVE = [
    ("Kuro Neko <kuro@example.org>", "a customer", "This came back, what now?"),
    ("Kuro Neko <kuro@example.org>", "Zustellung", "Schon wieder."),
    ("黒猫 太郎 <kuro@example.org>", "メール", "こう出ます。"),
    ("Kuro <kuro@example.org>", "a customer", "I sent it twice."),
    ("Kuro <kuro@example.org>", "a customer", "Hi,\n\nsee the error."),
    ("Kuro <kuro@example.org>", "Fwd: Undelivered mail", ""),
    ("Kuro <kuro@example.org>", "SV: Undelivered mail", ""),
]


@pytest.mark.parametrize(("sender", "subject", "words"), ABOVE)
def test_who_passes_a_bounce_on_is_a_person_on_the_null_path_too(
    sender: str, subject: str, words: str, classifier: Classifier
) -> None:
    cases = [case for case in _in_words(classifier) if not AUTOMATIC.are_in(case[2][:HEAD])]
    assert len(cases) > 200
    encoded = Header(sender.partition(" <")[0], "utf-8").encode() + f" <{sender.partition(' <')[2]}"
    wrong = [
        name
        for name, _, text in cases
        if classifier.read(_mail(encoded, "<>", subject, f"{words}\n\n{text}")).kind in RETURNED
    ]
    assert wrong == []


def test_a_mailer_daemon_is_believed_whatever_the_subject(classifier: Classifier) -> None:
    cases = _in_words(classifier)
    missed = [
        name
        for name, _, text in cases
        if classifier.read(_mail("MAILER-DAEMON@isp.example", "<>", "Spring news", text)).kind not in RETURNED
    ]
    assert len(missed) <= len(cases) // 50, missed


def test_a_machine_nobody_knows_is_believed_mostly(classifier: Classifier) -> None:
    cases = _in_words(classifier)
    missed = [
        name
        for name, _, text in cases
        if classifier.read(_mail("Example <service@isp.example>", "<>", "About your message", text)).kind
        not in RETURNED
    ]
    assert len(missed) <= len(cases) // 8, missed


def test_an_office_without_an_envelope_is_believed_when_it_says_enough(classifier: Classifier) -> None:
    """Mails kept without Return-Path: an office's text may be a bounce, its letter about one is none."""
    cases = _in_words(classifier)
    missed: list[str] = []
    wrong: list[str] = []
    for name, _, text in cases:
        letter = f"Dear customer,\n\nplease look at this.\n\n{text}\n\nKind regards,\nKuro\n"
        for sender, words, found in (
            ("Example Service <service@isp.example>", text, missed),
            ("Example Service <service@isp.example>", letter, wrong),
            ("Kuro <kuro@isp.example>", f"Please look at this.\n\n{text}", wrong),
        ):
            mail = _mail(sender, "", "About your message", words).replace(b"Return-Path: \n", b"")
            is_returned = classifier.read(mail).kind in RETURNED
            found += [name] if is_returned is (found is wrong) else []
    assert wrong == []
    # Short texts stay too little without an envelope, lest notices about accounts and servers count.
    assert len(missed) <= len(cases) * 3 // 4, (len(missed), len(cases))


def test_what_is_no_bounce_is_none_without_its_envelope(classifier: Classifier) -> None:
    """Mails of a folder have lost their Return-Path: a few may be misjudged, hardly any."""
    wrong: list[str] = []
    seen = 0
    for case in CASES:
        raw = case.read_bytes()
        if classifier.read(raw).kind is not Kind.NOT_BOUNCE:
            continue
        stripped = re.sub(rb"(?i)\A((?:[^\n]+\n)*?)return-path:[^\n]*\n", rb"\1", raw, count=1)
        seen += stripped != raw
        wrong += [case.stem] if classifier.read(stripped).kind in RETURNED else []
    assert seen > 200
    assert len(wrong) <= seen // 50, wrong


#: What warnings say beside the address, and what those say that have given up, in the same words turned round.
STILL_TRIED = [
    "Il Suo messaggio è in coda: i tentativi proseguiranno per 4 giorni.",
    "Votre message reste en file d'attente et d'autres tentatives auront lieu.",
    "Su mensaje no se ha entregado todavía. Habrá nuevos intentos durante 3 días.",
    "A sua mensagem não foi entregue. Novas tentativas serão feitas até amanhã.",
    "Ihre Nachricht wurde bislang nicht zugestellt. Weitere Zustellversuche folgen.",
    "Uw bericht is niet bezorgd. Nieuwe pogingen volgen gedurende 2 dagen.",
    "Ditt meddelande har inte levererats. Nya försök görs under 5 dagar.",
    "Din meddelelse er ikke leveret. Nye forsøg gøres i 3 dage.",
    "Viestiäsi ei voitu toimittaa. Palvelin yrittää uudelleen kahden päivän ajan.",
    "Twoja wiadomość nie została jeszcze doręczona, kolejne próby będą podejmowane.",
    "Vaše zpráva nebyla doručena. Další pokus proběhne za hodinu.",
    "Üzenetét nem sikerült kézbesíteni. További kísérletek következnek.",
    "İletiniz teslim edilemedi. Sunucu 5 gün boyunca denemeye devam edecektir.",
    "Mesajul dvs. nu a putut fi livrat. Serverul va încerca din nou.",
    "Ваше сообщение не доставлено. Попытки доставки будут продолжены.",
    "Το μήνυμά σας δεν παραδόθηκε. Οι προσπάθειες θα συνεχιστούν.",
    "メールの配送が完了していません。自動的に再配送されます。",
    "您的邮件未能送达，系统将继续尝试投递。",
    "보내신 메일이 전달되지 못했습니다. 서버가 다시 시도합니다.",
]
GIVEN_UP = [
    "Il Suo messaggio non è stato consegnato. Non verranno effettuati altri tentativi.",
    "Votre message n'a pas été remis. Aucune autre tentative ne sera faite.",
    "Su mensaje no se ha entregado. No se harán más intentos.",
    "A sua mensagem não foi entregue. Não serão feitas novas tentativas.",
    "Ihre Nachricht wurde nicht zugestellt. Es folgen keine weiteren Zustellversuche.",
    "Uw bericht is niet bezorgd. Er volgen geen nieuwe pogingen.",
    "Ditt meddelande har inte levererats. Inga fler försök görs.",
    "Twoja wiadomość nie została doręczona. Nie będą podejmowane kolejne próby.",
    "Ваше сообщение не доставлено. Больше не будет повторных попыток.",
    "メールを配送できませんでした。再配送は行いません。",
    "您的邮件未能送达，系统将不再尝试投递。",
]


@pytest.mark.parametrize("text", [*STILL_TRIED, *GIVEN_UP])
def test_a_warning_is_told_from_a_failure_abroad(text: str, classifier: Classifier) -> None:
    reading = classifier.read(_mail("MAILER-DAEMON@isp.example", "<>", "Mail System", f"{text}\n\n<a@dest.example>\n"))
    assert reading.kind is (Kind.DELAY_WARNING if text in STILL_TRIED else Kind.BOUNCE)
    assert [recipient.address for recipient in reading.recipients] == ["a@dest.example"]


LOG = "Nov 12 09:00:01 mx postfix/smtp[77]: 4F: to=<a@dest.example>, relay=none, status=bounced (550 user unknown)"
#: Notices under a mail system's name or on the null path, as (sender, path, subject, text), that are about no mail.
LOOKALIKES = [
    ("root@mx.example", "<>", "what happened", f"Your message log:\n{LOG}\n"),
    ("Postmaster <postmaster@isp.example>", "<>", "Delivery delay", "Mail to some domains is delayed since 8:00."),
    (
        "Postmaster <postmaster@isp.example>",
        "",
        "New servers",
        "Until 9:00 some mail could not be delivered at once.",
    ),
    ("Mail System <postmaster@b.example>", "<x@shop.example>", "Undelivered mail", "Mails of c@d.example failed."),
    ("MAILER-DAEMON <win@shop.example>", "<win@shop.example>", "Returned mail", "You won! http://shop.example"),
    ("Mail System <mail@b.example>", "<>", "Undelivered mail", "3 mails sent to b+x@b.example were not delivered."),
    ("Desk <desk@isp.example>", "<>", "[isp #5512] Undelivered mail", "Mail to a@dest.example failed, we look at it."),
    ("News <news@isp.example>", "<>", "Is your mail undelivered?", "550 user unknown: write to help@isp.example."),
    ("Yuki <do-not-reply@card.example>", "<>", "bounce handling", "552 mailbox full, 550 user unknown: both soft."),
]


@pytest.mark.parametrize(("sender", "path", "subject", "text"), LOOKALIKES, ids=[row[2] for row in LOOKALIKES])
def test_what_only_looks_like_a_bounce_is_none(
    sender: str, path: str, subject: str, text: str, classifier: Classifier
) -> None:
    def kind_of(body: str) -> Kind:
        mail = _mail(sender, path, subject, body).replace(b"b+tok3n@bounce.example.com", b"b+x@b.example")
        return classifier.read(mail).kind

    assert kind_of(text) not in RETURNED
    # The same sender is believed when the mail itself, or an answer to it, stands in the notice.
    if path == "<>" and "#" not in subject and "?" not in subject:
        assert kind_of("Your message was not delivered.\n\n<a@dest.example>: 550 5.1.1 user unknown\n") is Kind.BOUNCE


def test_a_sieve_script_that_rejects_gives_a_mail_back(classifier: Classifier) -> None:
    text = "Your message to <fay@box.example> was automatically rejected:\nI take no newsletters.\n"
    mails = [
        _mail("Fay <fay@box.example>", "<>", "Rejected: Spring news", text, f"Auto-Submitted: auto-replied{comment}\n")
        for comment in (" (rejected)", " (vacation)")
    ]
    assert [classifier.read(mail).kind for mail in mails] == [Kind.BOUNCE, Kind.AUTO_REPLY]


def test_parties_are_not_failed_recipients() -> None:
    headers = parse_message(b"From: a@b.example\nTo: c@d.example\n\n").headers
    original = b"From: News <news@e.example>\nReply-To: reply@e.example\nTo: c2@d.example\nCc: other@e.example\n"
    wanted = {"a@b.example", "c@d.example", "news@e.example", "reply@e.example"}
    pool = [*wanted, "c2@d.example", "other@e.example", "ews@e.example"]
    # Each is asked of an object that has read nothing yet, and of one that has read all.
    assert {address for address in pool if address in Parties(headers, original)} == wanted
    parties = Parties(headers, original)
    assert {address for _ in range(3) for address in pool if address in parties} == wanted


def test_the_report_may_stand_below_the_promise_of_an_original() -> None:
    text = "Returned.\nThe original message is attached\n\n<c@d.example>: 550 5.1.1 unknown\n\nReceived: from a\n"
    notice, original = cut_original(text)
    assert "550" in notice
    assert original.startswith("Received:")
    drawn = "Undelivered.\n--- original message follows\n<c@d.example>: 550 quoted\n\nReceived: from a\nTo: x\n"
    assert "550" not in cut_original(drawn)[0]
