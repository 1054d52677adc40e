"""Every table that can be exported: its columns, in order, with Japanese and English headings.

Columns may be added at the end, never moved, renamed or removed: files of different ages are read together.
"""

from __future__ import annotations

from collections.abc import Mapping

from console.labels import LABELS
from console.schema_exports import ExportType
from yamabiko.exporter.column import Column, Kind, Table, count, flag, text, time, word

#: State of a recipient as Re:lation's file says it (R10-R13).
STATUS_WORDS: Mapping[str, tuple[str, str]] = {
    "success": ("配信成功", "Delivered"),
    "error": ("配信エラー", "Error"),
    "in_flight": ("配信中", "In flight"),
    "cancelled": ("中止", "Cancelled"),
    "excluded": ("除外", "Excluded"),
}
#: Status of a mail in EngageLab's words (E02-E05).
MAIL_WORDS: Mapping[str, tuple[str, str]] = {
    "requested": ("リクエスト中", "Requested"),
    "delivered": ("配信済み", "Delivered"),
    "soft_bounce": ("ソフトバウンス", "Soft bounce"),
    "invalid": ("無効なメール", "Invalid"),
    "cancelled": ("中止", "Cancelled"),
    "excluded": ("除外", "Excluded"),
}
_PERSON = (
    text("last_name", "姓", "Last name"),
    text("first_name", "名", "First name"),
    text("address", "宛先", "Address"),
    text("company", "会社名", "Company"),
)
_BROADCAST = (
    word("broadcast", "配信番号", "Broadcast number"),
    text("broadcast_id", "配信ID", "Broadcast id"),
)
_DELIVERY = (
    *_BROADCAST,
    word("recipient", "受信者番号", "Recipient number"),
)
_VISITOR = (
    word("agent", "アクセス元の判定", "Agent"),
    text("ip", "IP", "IP"),
    text("user_agent", "ユーザーエージェント", "User agent"),
)

#: Exactly the eight columns of Re:lation's file (R18).
_PEOPLE = Table((
    word("status", "状況", "Status", STATUS_WORDS),
    time("error_acked_at", "エラー確認日時", "Error acknowledged at"),
    *_PERSON,
    text("detail", "詳細メッセージ", "Detail message"),
    time("fetched_at", "取得日時", "Fetched at"),
))  # fmt: skip

_DELIVERIES = Table((
    *_DELIVERY,
    text("address", "宛先", "Address"),
    text("domain", "ドメイン", "Domain"),
    text("last_name", "姓", "Last name"),
    text("first_name", "名", "First name"),
    text("company", "会社名", "Company"),
    text("contact_ref", "連絡先番号", "Contact reference"),
    Column("tags", Kind.TEXTS, "タグ", "Tags"),
    text("mail_type", "メールタイプ", "Mail type"),
    text("api_user", "API_USER", "API user"),
    text("request_ip", "リクエストIP", "Request IP"),
    text("recipient_source", "宛先の取得元", "Source of the recipient"),
    text("schedule_task_id", "スケジュールタスクID", "Schedule task id"),
    text("user_ref", "ユーザーID", "User reference"),
    text("list_ref", "リスト", "List reference"),
    time("listed_at", "リスト日時", "Listed at"),
    time("done_at", "配信日時", "Done at"),
    time("fetched_at", "取得日時", "Fetched at"),
    word("state", "状態", "State"),
    word("evidence", "到達の根拠", "Evidence of reaching"),
    word("excluded", "除外理由", "Excluded because of"),
    word("channel", "不達の経路", "Channel of the failure"),
    word("cause", "不達の原因", "Cause of the failure"),
    word("permanence", "恒久/一時", "Permanence"),
    flag("hard", "ハードバウンス", "Hard bounce"),
    word("reason", "不達の理由", "Reason"),
    word("sansan", "配信ステータス", "Delivery status"),
    time("failed_at", "不達日時", "Failed at"),
    time("error_acked_at", "エラー確認日時", "Error acknowledged at"),
    text("status_code", "拡張ステータスコード", "Status code"),
    count("reply_code", "応答コード", "Reply code"),
    text("detail", "詳細メッセージ", "Detail message"),
    word("rule", "ルール", "Rule"),
    flag("html", "HTML", "HTML"),
    count("opens", "開封数", "Opens"),
    count("opens_machine", "開封数 (機械)", "Opens by machines"),
    count("clicks", "クリック数", "Clicks"),
    count("clicks_machine", "クリック数 (機械)", "Clicks by machines"),
    flag("complained", "スパムレポート", "Complained"),
    flag("complained_form", "スパムレポート (配信停止ページ)", "Complained on the unsubscribe page"),
    flag("unsubscribed", "配信停止", "Unsubscribed"),
    flag("resubscribed", "購読再開", "Resubscribed"),
    flag("auto_replied", "自動応答", "Automatic reply"),
    count("conversions", "CV数", "Conversions"),
))  # fmt: skip

#: The eight fields that EngageLab shows (E01), under its names.
_MAIL_STATUS = Table((
    word("status", "ステータス", "Status", MAIL_WORDS),
    text("api_user", "API_USER", "API user"),
    text("recipient", "受信者", "Recipient"),
    time("requested_at", "リクエスト時間", "Requested at"),
    time("sent_at", "送信時間", "Sent at"),
    text("request_ip", "リクエストIP", "Request IP"),
    text("send_ip", "送信IP", "Sending IP"),
    text("send_log", "送信ログ", "Send log"),
))  # fmt: skip

_EVENTS = Table((
    count("seq", "番号", "Number"),
    word("id", "ID", "Id"),
    time("happened_at", "日時", "Happened at"),
    word("type", "種類", "Type"),
    *_DELIVERY,
    flag("test", "テスト", "Test"),
    flag("html", "HTML", "HTML"),
    count("node", "ノード", "Node"),
    text("address", "宛先", "Address"),
    word("channel", "経路", "Channel"),
    word("cause", "原因", "Cause"),
    word("permanence", "恒久/一時", "Permanence"),
    text("status_code", "拡張ステータスコード", "Status code"),
    count("reply_code", "応答コード", "Reply code"),
    text("diagnostic", "詳細メッセージ", "Diagnostic"),
    count("link", "リンク番号", "Link number"),
    text("url", "URL", "URL"),
    *_VISITOR,
    text("detail", "詳細 (JSON)", "Detail (JSON)"),
))  # fmt: skip

_CLICKS = Table((
    time("clicked_at", "クリック日時", "Clicked at"),
    *_DELIVERY,
    *_PERSON,
    text("contact_ref", "連絡先番号", "Contact reference"),
    count("link", "リンク番号", "Link number"),
    text("url", "クリックしたURL", "Clicked URL"),
    flag("machine", "機械", "By a machine"),
    *_VISITOR,
))  # fmt: skip

_SUPPRESSIONS = Table((
    word("recipient", "受信者番号", "Recipient number"),
    text("address", "アドレス", "Address"),
    text("domain", "受信ドメイン", "Receiving domain"),
    word("kind", "種類", "Kind"),
    text("detail", "理由", "Reason"),
    time("since", "発生日時", "Since"),
    time("expires_at", "有効期限", "Expires at"),
    flag("active", "有効", "Active"),
    word("cause", "不達の原因", "Cause"),
    count("failures", "不達回数", "Failures"),
    *_BROADCAST,
    text("company", "会社名", "Company"),
    text("api_user", "API_USER", "API user"),
    text("note", "メモ", "Note"),
))  # fmt: skip

_LINKS = Table((
    *_BROADCAST,
    text("broadcast_name", "配信名", "Broadcast name"),
    count("link", "リンク番号", "Link number"),
    text("url", "URL", "URL"),
    count("clicks", "クリック数", "Clicks"),
    count("clicks_machine", "クリック数 (機械)", "Clicks by machines"),
    count("clicked_users", "クリックユーザー数", "People who clicked"),
))  # fmt: skip

#: Numbers of a report that are one figure each, in the order shown.
REPORT_COUNTS = (
    "listed", "targeted", "reached", "undelivered", "hard", "soft", "in_flight", "deferred", "cancelled",
    "opened_users", "opened_pixel", "opened_inferred", "unopened", "clicked_users", "clicked_of_opened", "not_clicked",
    "opens", "opens_machine", "opens_raw", "clicks", "clicks_machine", "clicks_raw", "complaints", "complaints_form",
    "unsubs", "resubs", "auto_replies", "conflicts", "failed_first", "cv",
)  # fmt: skip
REPORT_RATES = (
    "reach_rate", "bounce_rate", "hard_bounce_rate", "soft_bounce_rate", "open_rate", "click_rate", "ctor",
    "complaint_rate", "unsub_rate", "machine_share",
)  # fmt: skip
#: Sansan's classes of what was not delivered (S19-S30).
REPORT_CLASSES = (
    "user_unknown", "host_unknown", "rejected", "disk_full", "timeout", "relay_error", "server_config", "user_config",
    "other", "address_syntax", "unparsable",
)  # fmt: skip
EVIDENCE = ("accepted", "dsn_relayed", "engaged", "assumed")
EXCLUDED = ("bounce", "complaint", "block", "unsubscribe", "role", "syntax", "duplicate", "not_ready", "collision")

#: A broadcast's settings (K26) and its numbers as they are now.
_REPORT = Table((
    *_BROADCAST,
    text("name", "配信名", "Name"),
    word("status", "状態", "Status"),
    text("subject", "件名", "Subject"),
    word("format", "形式", "Format"),
    text("stream", "ストリーム", "Stream"),
    text("sender", "差出人", "Sender"),
    text("schedule_task_id", "スケジュールタスクID", "Schedule task id"),
    time("scheduled_at", "予約日時", "Scheduled at"),
    time("updated_at", "更新日時", "Updated at"),
    *(Column(name, Kind.COUNT, *LABELS[name]) for name in REPORT_COUNTS),
    *(Column(f"reached_{name}", Kind.COUNT, *LABELS[f"evidence.{name}"]) for name in EVIDENCE),
    *(Column(f"excluded_{name}", Kind.COUNT, *LABELS[f"excluded.{name}"]) for name in EXCLUDED),
    *(Column(f"sansan_{name}", Kind.COUNT, *LABELS[f"sansan.{name}"]) for name in REPORT_CLASSES),
    *(Column(name, Kind.RATIO, *LABELS[name]) for name in REPORT_RATES),
    flag("is_assuming", *LABELS["is_assuming"]),
))  # fmt: skip

TABLES: Mapping[ExportType, Table] = {
    ExportType.REPORT: _REPORT,
    ExportType.RECIPIENTS: _PEOPLE,
    ExportType.UNACKED_ERRORS: _PEOPLE,
    ExportType.MAIL_STATUS: _MAIL_STATUS,
    ExportType.SUPPRESSIONS: _SUPPRESSIONS,
    ExportType.EVENTS: _EVENTS,
    ExportType.CLICKS: _CLICKS,
    ExportType.DELIVERIES: _DELIVERIES,
    ExportType.LINKS: _LINKS,
}
