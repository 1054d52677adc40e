"""What the numbers of a report are called, in Japanese and English (mission 1.1, 4.2)."""

from __future__ import annotations

from collections.abc import Mapping

#: name in store.report.Report: (Japanese, English)
LABELS: Mapping[str, tuple[str, str]] = {
    "listed": ("リスト件数", "Listed"),
    "excluded": ("除外", "Excluded"),
    "targeted": ("宛先", "Targeted"),
    "reached": ("到達", "Reached"),
    "evidence": ("到達の根拠", "Evidence of reaching"),
    "undelivered": ("不達", "Undelivered"),
    "hard": ("ハードバウンス", "Hard bounces"),
    "soft": ("ソフトバウンス", "Soft bounces"),
    "in_flight": ("配信中", "In flight"),
    "deferred": ("再送中", "Deferred"),
    "cancelled": ("中止", "Cancelled"),
    "opened_users": ("開封", "Opened"),
    "opened_pixel": ("開封 (画像)", "Opened, by pixel"),
    "opened_inferred": ("開封 (クリックから推定)", "Opened, inferred from clicks"),
    "unopened": ("未開封", "Unopened"),
    "clicked_users": ("クリックユーザー数", "People who clicked"),
    "clicked_of_opened": ("リンククリック", "Clicked, of opened"),
    "not_clicked": ("未クリック", "Not clicked"),
    "opens": ("開封数", "Opens"),
    "opens_machine": ("開封数 (機械)", "Opens by machines"),
    "opens_raw": ("開封数 (全件)", "Opens, all"),
    "clicks": ("クリック数", "Clicks"),
    "clicks_machine": ("クリック数 (機械)", "Clicks by machines"),
    "clicks_raw": ("クリック数 (全件)", "Clicks, all"),
    "complaints": ("スパムレポート", "Complaints"),
    "complaints_form": ("スパムレポート (購読解除ページ)", "Complaints on the unsubscribe page"),
    "unsubs": ("配信停止数", "Unsubscribed"),
    "resubs": ("購読再開数", "Resubscribed"),
    "auto_replies": ("自動応答", "Automatic replies"),
    "conflicts": ("不達後の開封", "Opened after bouncing"),
    "causes": ("不達の原因", "Undelivered by cause"),
    "channels": ("不達の経路", "Undelivered by channel"),
    "reasons": ("不達の理由", "Undelivered by reason"),
    "sansan": ("配信ステータス", "Delivery status"),
    "sansan.user_unknown": ("ユーザー不明", "User unknown"),
    "sansan.host_unknown": ("ホスト不明", "Host unknown"),
    "sansan.rejected": ("受信拒否", "Rejected"),
    "sansan.disk_full": ("ディスク容量不足", "Disk full"),
    "sansan.timeout": ("時間切れ", "Timed out"),
    "sansan.relay_error": ("中継エラー", "Relay error"),
    "sansan.server_config": ("サーバー設定エラー", "Server configuration error"),
    "sansan.user_config": ("ユーザー設定エラー", "User configuration error"),
    "sansan.other": ("その他", "Other"),
    "sansan.auto_reply": ("自動応答", "Automatic reply"),
    "sansan.address_syntax": ("メールアドレスの形式エラー", "Malformed address"),
    "sansan.unparsable": ("解析不能", "Cannot be analysed"),
    "rates": ("率", "Rates"),
    "is_assuming": ("未確認を到達とみなす", "No news counts as reached"),
    "reach_rate": ("到達率", "Reach rate"),
    "bounce_rate": ("不達率", "Bounce rate"),
    "hard_bounce_rate": ("ハードバウンス率", "Hard bounce rate"),
    "soft_bounce_rate": ("ソフトバウンス率", "Soft bounce rate"),
    "open_rate": ("開封率", "Open rate"),
    "click_rate": ("クリック率", "Click rate"),
    "ctor": ("開封者のクリック率", "Click-to-open rate"),
    "complaint_rate": ("スパムレポート率", "Complaint rate"),
    "unsub_rate": ("配信停止率", "Unsubscribe rate"),
    "machine_share": ("機械の割合", "Machine share"),
}

_COLUMNS = {"ja": 0, "en": 1}


def labels(language: str) -> dict[str, str]:
    """Return the label of every number in ``language``, ``ja`` or ``en``."""
    column = _COLUMNS[language]
    return {name: words[column] for name, words in LABELS.items()}
