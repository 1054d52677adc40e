"""Unknown replies: reduced to what stays the same, grouped, and turned into rules that the linter takes."""

from __future__ import annotations

import random
import time
import tomllib
from pathlib import Path

import pytest

from classifier.check import Severity, check_rules
from classifier.classify import Classifier
from classifier.clusters import Reply, cluster_replies
from classifier.proposal import CONFIDENCE, Proposal, guess_cause, propose_rule
from classifier.rulefile import RuleSet, load_rules
from classifier.template import example_of, template_of
from model.cause import Cause
from tests.classifier.conftest import PACK

GATE = (
    "554 5.7.1 <{user}@example.jp>: moon gate shut by warden [{ip}] ticket {ticket} at {time}, see https://x.jp/{user}"
)


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("550 5.1.1 <taro@example.jp>: nobody here", "nobody here"),
        ("550-5.1.1 two\n550 5.1.1 lines", "two lines"),
        ("451 try mx1.example.co.jp [192.0.2.7] again", "try <host> [<ip>] again"),
        ("550 blocked 2001:db8::25:1 by us", "blocked <ip> by us"),
        ("421 queue id 4XyZ12abCD99 of 2024-01-02T03:04:05Z", "queue id <id> of <time>"),
        ("550 at Tue, 5 Mar 2024 10:11:12 +0900 (JST)", "at <time> (jst)"),
        ("552 size 12345678 over 1000", "size <n> over <n>"),
        ("550 d41d8cd98f00b204e9800998ecf8427e refused", "<id> refused"),
        ("550 see http://example.com/why?id=12 now", "see <url> now"),
        ("host mx.example.jp[192.0.2.1] said: 550 moon shut (in reply to RCPT TO command)", "moon shut"),
        ("550 宛先 taro@example.jp は月の門で拒まれました", "宛先 <addr> は月の門で拒まれました"),
    ],
)
def test_template(text: str, template: str) -> None:
    assert template_of(text) == template


def test_an_example_names_nobody() -> None:
    text = "550 5.7.1 <taro.yamada@tokyo.example.jp> gate 3 shut at 203.0.113.9 (Qx7Yz81Kk2)"
    assert example_of(text) == "550 5.7.1 user@example.com gate 3 shut at 192.0.2.1 (0a1b2c3d4e)"


def replies_of(count: int) -> list[Reply]:
    rng = random.Random(7)
    return [
        Reply(
            GATE.format(user=f"u{n}", ip=f"192.0.2.{n % 250}", ticket=f"T{rng.randrange(10**9):09d}x",
                        time=f"2025-01-02 03:04:{n % 60:02d}"),
            "5.7.1", 554, "mx.example.jp",
        )
        for n in range(count)
    ]  # fmt: skip


def test_equal_and_similar_wordings_are_one_cluster() -> None:
    others = [Reply("450 the lake is frozen over today"), Reply("450 the lake is frozen over now")]
    clusters = cluster_replies([*others, *replies_of(40), Reply("550"), Reply("<a@example.jp>")])
    assert [cluster.count for cluster in clusters] == [40, 2]
    gate, lake = clusters
    assert gate.templates == []
    assert gate.template == "moon gate shut by warden [<ip>] ticket <id> at <time>, see <url>"
    assert (gate.statuses, gate.reply_codes, gate.hosts) == ({"5.7.1": 40}, {554: 40}, {"mx.example.jp": 40})
    assert len(lake.templates) == 1
    assert len(lake.examples) == 2


def test_different_replies_stay_apart() -> None:
    texts = ["550 user unknown", "550 mailbox full", "451 local problem in processing", "554 spam found by filter"]
    assert [cluster.count for cluster in cluster_replies(map(Reply, texts))] == [1, 1, 1, 1]


def check_with(rules: str, directory: Path) -> RuleSet:
    """Save ``rules`` beside the rules that ship, and demand that the linter has nothing against it."""
    for path in PACK.glob("*.toml"):
        (directory / path.name).write_bytes(path.read_bytes())
    (directory / "70-proposed.toml").write_text(rules, encoding="utf-8")
    loaded = load_rules(directory)
    findings = [finding for finding in check_rules(loaded) if finding.severity is not Severity.NOTE]
    assert [(finding.rule.id, finding.problem) for finding in findings] == []
    return loaded


def test_a_proposal_passes_the_linter_and_decides_its_cluster(pack: RuleSet, tmp_path: Path) -> None:
    (cluster,) = cluster_replies(replies_of(5))
    proposal = propose_rule(cluster, pack)
    assert proposal is not None
    assert proposal.pattern == "moon gate shut by warden"
    assert (proposal.cause, proposal.covered, proposal.host) == (Cause.POLICY_REJECTED, 1.0, "mx.example.jp")
    text = proposal.as_toml()
    assert "example.jp>" not in text
    assert "u1@" not in text
    (entry,) = tomllib.loads(text)["rule"]
    assert (entry["id"], entry["confidence"]) == ("unknown-moon-gate-shut-warden-ticket", CONFIDENCE)
    classifier = Classifier(check_with(text, tmp_path))
    verdict = classifier.diagnose(replies_of(1)[0].text)
    assert (verdict.rule, verdict.confidence) == (proposal.id, CONFIDENCE)


AWKWARD = [
    "550 (a+b)*[c] {d}^$ \\x |y? wombat's nest is closed",
    "550 wombat 'single' and \"double\" quotes everywhere",
    "450 4.9.9 月の門は満月の夜まで閉ざされております",
    "571 the wombat \\d+ would rather not, it says",
    "550 5.7.1 " + "very long wombat poem " * 30,
    "554 wombat\tmusing\x07with\x00controls in it",
]


def test_proposals_of_awkward_texts_stand_together(pack: RuleSet, tmp_path: Path) -> None:
    proposals: list[Proposal] = []
    for cluster in cluster_replies(map(Reply, AWKWARD)):
        proposal = propose_rule(cluster, pack, proposals)
        assert proposal is not None, cluster.template
        proposals.append(proposal)
    assert len({proposal.id for proposal in proposals}) == len(AWKWARD)
    check_with("".join(proposal.as_toml() for proposal in proposals), tmp_path)


def test_words_of_another_rule_are_not_proposed_again(pack: RuleSet) -> None:
    for text in ("450 temporary failure", "550 rejected", "550 5.1.1 user unknown"):
        (cluster,) = cluster_replies([Reply(text)])
        assert propose_rule(cluster, pack) is None, text
    (cluster,) = cluster_replies(replies_of(2))
    first = propose_rule(cluster, pack)
    assert first is not None
    assert propose_rule(cluster, pack, [first]) is None


@pytest.mark.parametrize(
    ("text", "status", "reply", "cause", "source"),
    [
        ("the wombat left", "5.1.1", 550, Cause.USER_UNKNOWN, "status 5.1.1"),
        ("the wombat found you on a blacklist", "5.7.1", 550, Cause.IP_BLOCKLISTED, "its words"),
        ("the wombat holds a grudge: policy", "", 550, Cause.POLICY_REJECTED, "its words"),
        ("the wombat sleeps", "", 0, Cause.NO_REASON, "nothing"),
    ],
)
def test_guessed_cause(text: str, status: str, reply: int, cause: Cause, source: str, pack: RuleSet) -> None:
    (cluster,) = cluster_replies([Reply(text, status, reply)])
    assert guess_cause(cluster, pack) == (cause, source)


def test_many_different_replies_take_bounded_time() -> None:
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghij", k=5)) for _ in range(300)]
    replies = [Reply(" ".join(rng.choices(words, k=12))) for _ in range(4_000)]
    began = time.process_time()
    clusters = cluster_replies(replies)
    spent = time.process_time() - began
    print(f"{len(clusters)} clusters in {spent:.1f} s")
    assert sum(cluster.count for cluster in clusters) == 4_000
    assert spent < 10
