"""Which comparisons there are, by the name one gives on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench import classify, disk, growth, recovery, reports, smtp, web
from bench.comparison import Comparison, Options


@dataclass(frozen=True, slots=True)
class Entry:
    """What a name runs, and one line about it."""

    run: Callable[[Options], list[Comparison]]
    about: str


def _pixel(options: Options) -> list[Comparison]:
    return [*web.compare_pixel(options), *disk.measure_disk(options)]


#: In the order of ``all``: ``recovery`` uses the store that ``growth`` made.
ENTRIES: Mapping[str, Entry] = {
    "pixel": Entry(_pixel, "pixels answered after fsync, against empty_gif and SQLite; latency, memory, disk"),
    "click": Entry(web.compare_click, "verified redirects, against return 302"),
    "smtp": Entry(smtp.compare_smtp, "reports classified and committed, against smtp-sink, aiosmtpd and Postfix"),
    "classify": Entry(classify.compare_classify, "real mails read in one process, against flufl.bounce"),
    "reports": Entry(reports.measure_reports, "listing 1,000,000 recipients, reading reports and lists, a CSV of all"),
    "growth": Entry(growth.measure_growth, "opens stored at 50,000,000 facts, against 1,000,000"),
    "recovery": Entry(recovery.measure_recovery, "from kill -9 under load to the next pixel"),
}
