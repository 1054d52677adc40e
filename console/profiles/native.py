"""Yamabiko's own profile: everything that is counted, and what can be computed from it (mission 4.2, 4.3)."""

from __future__ import annotations

from console.profiles.counted import native_figure
from console.profiles.failures import CAUSES, GRAIN
from console.profiles.figure import Profile, SectionDefinition, Unit, Words
from console.profiles.native_deliveries import BY_CHANNEL, BY_REASON, DELIVERIES, EXCLUDED
from console.profiles.native_engagement import ENGAGEMENT, RATES

_MAIL, _EVENT = Unit.MAIL, Unit.EVENT

_UNLISTED = (
    native_figure(
        "test_listed",
        _MAIL,
        "テスト送信の行。どの数字にも入らない",
        "test sends listed; they count nowhere",
        label=Words("テスト送信", "Test sends"),
        is_detail=True,
    ),
    native_figure(
        "unacknowledged",
        _MAIL,
        "確認済みにしていない不達",
        "failures that nobody has acknowledged",
        label=Words("未確認の不達", "Not acknowledged"),
        is_detail=True,
    ),
    *(
        native_figure(
            f"event.{name}",
            _EVENT,
            "期間内に起きたものすべて (配信日を問わない)",
            "whatever happened in the window, whenever it was delivered",
            label=Words(ja, en),
            is_detail=True,
        )
        for name, ja, en in (
            ("reached", "期間内の配信", "Deliveries in the window"),
            ("opens", "期間内の開封", "Opens in the window"),
            ("clicks", "期間内のクリック", "Clicks in the window"),
        )
    ),
    *GRAIN,
)

NATIVE = Profile(
    "native",
    Words("Yamabiko", "Yamabiko"),
    (
        SectionDefinition("deliveries", Words("配信", "Deliveries"), DELIVERIES),
        SectionDefinition("excluded", Words("配信前の除外", "Excluded before sending"), EXCLUDED),
        SectionDefinition("engagement", Words("反応", "Engagement"), ENGAGEMENT),
        SectionDefinition("rates", Words("率", "Rates"), RATES),
        SectionDefinition("channels", Words("不達の経路", "Undelivered by channel"), BY_CHANNEL),
        SectionDefinition("reasons", Words("不達の理由", "Undelivered by reason"), BY_REASON),
        SectionDefinition("causes", Words("不達の原因", "Undelivered by cause"), CAUSES),
        SectionDefinition("grain", Words("不達の内訳", "Undelivered, in full"), _UNLISTED, is_listed=False),
    ),
)
