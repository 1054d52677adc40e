"""What figures leave out, each said once: words, and the figure that says how much it is."""

from __future__ import annotations

from console.profiles.figure import Exclusion, Words

TESTS = Exclusion(Words("テスト送信", "test sends"), "native.test_listed")
NOT_MAILED = Exclusion(Words("配信前に除外した宛先", "recipients excluded before sending"), "native.excluded")
ON_ITS_WAY = Exclusion(Words("送信待ち・再送中のメール", "mails waiting or being retried"), "native.in_flight")
RETRIED = Exclusion(
    Words("一時エラーで再送中のメール", "mails being retried after a temporary error"), "native.deferred"
)
RESERVED = Exclusion(Words("予約済み (配信前) のメール", "mails of a broadcast not started"), "native.reserved")
CANCELLED = Exclusion(Words("配信を中止したメール", "mails cancelled"), "native.cancelled")
BOUNCED = Exclusion(Words("不達になったメール", "mails that failed"), "native.undelivered")
AUTO_REPLIES = Exclusion(Words("自動応答", "automatic replies"), "native.auto_replies")
TEXT_MAIL = Exclusion(
    Words("到達したテキストメール", "text mails that reached their recipients"), "native.reached_text"
)
MACHINE_OPENS = Exclusion(Words("機械による開封", "opens by machines"), "native.opens_machine")
MACHINE_CLICKS = Exclusion(
    Words("機械によるクリック (先読み、検査、おとりリンク)", "clicks by machines: prefetches, scanners, the trap link"),
    "native.clicks_machine",
)
AFTER_BOUNCING = Exclusion(
    Words("不達になったメールの開封・クリック", "opens and clicks of mails that failed"), "native.conflicts"
)
UNSUBSCRIBE_LINK = Exclusion(Words("配信停止リンクのクリック", "clicks on the unsubscribe link"))
NOT_SPAM = Exclusion(Words("「迷惑メールではない」との報告", "reports that a mail is not spam"))
FORM_COMPLAINTS = Exclusion(
    Words("配信停止ページで選ばれた理由「スパム」「詐欺」", "the reasons spam and fraud on the unsubscribe page"),
    "native.complaints_form",
)
FAILED_BEFORE = Exclusion(
    Words("以前にも不達になったことのある宛先", "recipients that had failed before"), "native.failed_again"
)

#: Of everything about people who got the mail.
OPENS = (TEXT_MAIL, MACHINE_OPENS, AFTER_BOUNCING, TESTS)
CLICKS = (MACHINE_CLICKS, UNSUBSCRIBE_LINK, AFTER_BOUNCING, TESTS)
