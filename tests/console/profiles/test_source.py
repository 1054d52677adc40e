"""What a report is made of is of one moment, though it is read in several steps."""

from __future__ import annotations

from console.profiles.evaluation import Evaluation
from console.report_source import ReportSource
from store.environment import Environment
from store.people import People
from store.reader import Reader
from store.windows import Windows
from store.writer import write_now
from tests.store.world import HOUR, T0_US, clicked, failed, planned


class Overtaken(Reader):
    """A reader during whose reading of the links somebody else writes, so many times."""

    def __init__(self, env: Environment, times: int, written: int = 0) -> None:
        super().__init__(env)
        self.env = env
        self.left = times
        self.written = written

    def links(self, tenant: int, number: int) -> list[tuple[int, str, dict[str, int]]]:
        if self.left:
            self.left -= 1
            # One more who clicked bounces: that takes people off the links and off the counts.
            self.written += 1
            write_now(self.env, [failed(self.written, at=T0_US + HOUR)])
        return super().links(tenant, number)


def test_numbers_and_links_are_of_one_moment(env: Environment) -> None:
    facts = [fact for i in range(1, 20) for fact in (planned(i), clicked(i))]
    write_now(env, facts)
    for times, written, clickers in ((0, 0, 19), (2, 0, 17), (50, 2, None)):
        reader = Overtaken(env, times, written)
        source = ReportSource(reader, Windows(env), People(env), 1)
        report, context = source.report_and_context(1, None, now_us=T0_US + HOUR, has_errors=True)
        assert context.link_clickers == clickers
        assert Evaluation(report, context).broken() == []
        if clickers is not None:
            assert report.clicked_users == clickers
            assert report.undelivered == context.unacknowledged


def test_read_apart_they_would_not_agree(env: Environment) -> None:
    """Negative control: the same reading without looking again breaks I10."""
    write_now(env, [fact for i in range(1, 20) for fact in (planned(i), clicked(i))])
    reader = Overtaken(env, 1)
    counts = reader.counts(1, 1)
    links = sum(link["users"] for _, _, link in reader.links(1, 1))
    assert links < counts["clicked_users"]
