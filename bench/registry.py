"""Which comparisons there are, by the name one gives on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench import classify, disk, growth, smtp, web
from bench.comparison import Comparison, Options


@dataclass(frozen=True, slots=True)
class Entry:
    """What a name runs, and one line about it."""

    run: Callable[[Options], list[Comparison]]
    about: str


ENTRIES: Mapping[str, Entry] = {
    "pixel": Entry(web.compare_pixel, "pixel_vs_nginx: pixels answered after fsync, against empty_gif"),
    "click": Entry(web.compare_click, "click_vs_nginx: verified redirects, against return 302"),
    "smtp": Entry(smtp.compare_smtp, "smtp_vs_sink, smtp_vs_aiosmtpd: reports classified and committed before 250"),
    "classify": Entry(
        classify.compare_classify, "classify_vs_flufl: real mails read in one process, against flufl.bounce"
    ),
}
