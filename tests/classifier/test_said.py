"""The answer that a notification quotes, found behind the words that announce it."""

from __future__ import annotations

import pytest

from classifier.classify import Classifier
from classifier.said import server_words, without_category

ANNOUNCED = [
    "The response from the remote server was:\n550 5.7.1 no spam",
    "The response was:\n\n550 5.7.1 no spam",
    "  Diagnostic code: smtp;550 5.7.1 no spam\n  Remote system: dns;mx.example.net",
    "Server at mx.example.net (192.0.2.7) returned '550 5.7.1 no spam'",
    "Remote server response:\n  550 5.7.1 no spam",
    "The reason for the problem:\n550 5.7.1 no spam",
    "            <ex.example.net #5.7.1 smtp;550 5.7.1 no spam>",
    "Die Antwort des Remote-Servers lautete:\n\n550 5.7.1 no spam",
    "La réponse du serveur distant :\n\n550 5.7.1 no spam",
    "La respuesta del servidor remoto fue:\n\n550 5.7.1 no spam",
    "Ответ удалённого сервера:\n550 5.7.1 no spam",
    "リモート サーバーからの応答:\n550 5.7.1 no spam",
]
SILENT = ["Your message could not be delivered.", "In response to your question we say nothing", "The answer was:"]


@pytest.mark.parametrize("text", ANNOUNCED)
def test_an_announced_answer_is_found_whatever_stands_around_it(text: str, classifier: Classifier) -> None:
    found = server_words(f"Address not found: it does not exist.\n\n{text}\n\nThis mailbox is full of mail.\n")
    assert "550 5.7.1 no spam" in found
    assert "full" not in found
    assert "dns" not in found
    mail = (
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.org\nSubject: Undeliverable\n"
        "Content-Type: text/plain; charset=utf-8\n\n"
        f"Your message was not delivered to c@d.example, because the address was not found.\n\n{text}\n"
    )
    (recipient,) = classifier.read(mail.encode()).recipients
    assert recipient.verdict is not None
    assert recipient.verdict.reason == "rejected", recipient


@pytest.mark.parametrize("text", SILENT)
def test_without_an_answer_there_is_none(text: str) -> None:
    assert server_words(text) == ""


def test_a_category_before_the_answer_goes() -> None:
    assert without_category("5.1.0 - Unknown address error 550-'5.7.1 no'") == "550-'5.7.1 no'"
    assert without_category("5.1.0 - something else") == "5.1.0 - something else"
