"""Weighed words: what they decide where codes alone would, what they must not, and that they are current."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from classifier.classify import Classifier
from classifier.evidence import bare_evidence
from classifier.explain import SURE, can_suppress, explain
from classifier.judge import AGAINST_DEATH, AGAINST_RULE, BY_WORDS, Judge
from classifier.matcher import Matcher
from classifier.rule import PRIORITY_CERTAIN, PRIORITY_STATUS, PRIORITY_TEXT, PRIORITY_WEAK_TEXT, Rule
from classifier.rulefile import RuleError, RuleSet, load_rules
from classifier.words import LEAST_PROBABILITY, SCALE, WordWeights, tokens_of
from model.cause import Cause, Reason
from tests.classifier.learn_words import FILE, learn, read_texts, render

#: No reply of ours, and nothing that a rule knows: what they mean, and what codes alone would say.
UNSEEN = [
    ("450 your server's pace is above what our limits let through", Reason.REJECTED, Reason.OTHER),
    ("554 this machine hears only from hosts whose names resolve", Reason.REJECTED, Reason.UNPARSABLE),
    ("the connection attempt to the destination stayed without an answer", Reason.TIMEOUT, Reason.OTHER),
]


def weights_of(file: str) -> dict[str, list[int]]:
    rows = file.partition("words = '''\n")[2].splitlines()[1:-1]
    return {word: list(map(int, numbers)) for word, *numbers in map(str.split, rows)}


def test_the_file_is_what_our_replies_teach() -> None:
    learned, shipped = weights_of(render()), weights_of(FILE.read_text(encoding="utf-8"))
    assert learned.keys() == shipped.keys(), "run python -m tests.classifier.learn_words"
    # Another machine may round the last digit otherwise.
    for word, weights in learned.items():
        assert all(abs(one - other) <= 2 for one, other in zip(weights, shipped[word], strict=True)), word


def test_learning_does_not_depend_on_the_order_of_the_texts() -> None:
    texts = read_texts()[:200]
    assert learn(texts) == learn(texts[::-1])


@pytest.mark.parametrize(("text", "meant", "by_codes"), UNSEEN)
def test_words_decide_about_a_text_that_no_rule_knows(
    pack: RuleSet, text: str, meant: Reason, by_codes: Reason
) -> None:
    assert Classifier(replace(pack, words=None)).diagnose(text).reason is by_codes
    verdict = Classifier(pack).diagnose(text)
    assert (verdict.reason, verdict.rule) == (meant, BY_WORDS)


def test_of_the_causes_of_a_timeout_a_length_of_time_tells(pack: RuleSet) -> None:
    classifier = Classifier(pack)
    verdicts = [classifier.diagnose(f"{text}the other side is not reachable") for text in ("", "4 days long ")]
    assert [verdict.rule for verdict in verdicts] == [BY_WORDS, BY_WORDS]
    assert [verdict.cause for verdict in verdicts] == [Cause.CONNECTION_FAILED, Cause.DELIVERY_EXPIRED]


def test_a_guess_names_its_words(pack: RuleSet) -> None:
    text = bare_evidence(UNSEEN[0][0]).text
    assert pack.words is not None
    guess = pack.words.guess(text)
    assert guess is not None and guess.probability >= LEAST_PROBABILITY
    words = pack.words.words_for(guess.reason, text)
    assert words and set(words) <= tokens_of(text)


def test_a_guess_suppresses_nobody(pack: RuleSet) -> None:
    classifier = Classifier(pack)
    guessed = [verdict for text, _ in read_texts() if (verdict := classifier.diagnose(text)).rule == BY_WORDS]
    assert len(guessed) > 20
    assert all(verdict.confidence < SURE and not can_suppress(verdict) for verdict in guessed)
    assert not {Reason.OTHER, Reason.UNPARSABLE} & {verdict.reason for verdict in guessed}


def test_words_never_overrule_a_rule_that_is_certain(pack: RuleSet) -> None:
    with_words, without = Classifier(pack), Classifier(replace(pack, words=None))
    rules = {rule.id: rule for rule in pack.rules}
    for text, _ in read_texts():
        rule = rules.get(without.diagnose(text).rule)
        if rule is not None and rule.priority >= PRIORITY_CERTAIN:
            assert with_words.diagnose(text) == without.diagnose(text), text


def weight_of_two(probability: float) -> int:
    """Return what each of two words must weigh: they share the odds, and are weighed by one over the root of three."""
    return math.ceil(math.log(probability / (1 - probability)) * SCALE * math.sqrt(3) / 2)


@pytest.mark.parametrize(
    ("priority", "probability", "cause"),
    [
        (PRIORITY_CERTAIN - 1, AGAINST_RULE, Cause.USER_UNKNOWN),
        (PRIORITY_CERTAIN - 1, AGAINST_RULE - 0.05, Cause.SPAM_CONTENT),
        (PRIORITY_CERTAIN, 0.99, Cause.SPAM_CONTENT),
        (PRIORITY_WEAK_TEXT - 1, LEAST_PROBABILITY, Cause.USER_UNKNOWN),
    ],
)
def test_the_stronger_a_rule_the_more_probable_another_class(priority: int, probability: float, cause: Cause) -> None:
    rules = (Rule("wug", Cause.SPAM_CONTENT, pattern="flurbled wug", priority=priority),)
    weight = weight_of_two(probability)
    words = WordWeights(f"user_unknown rejected\nflurbl {weight} 0\nwug {weight} 0")
    assert Classifier(RuleSet("1", rules, Matcher(rules), words)).diagnose("flurbled wug").cause is cause


def test_a_status_that_decides_alone_does_not_speak_twice() -> None:
    rules = (Rule("bad-mailbox", Cause.USER_UNKNOWN, statuses=("x.1.1",), priority=PRIORITY_STATUS),)
    weight = weight_of_two(0.8)
    words = WordWeights(f"user_unknown rejected\n5.1.1 900 0\nflurbl 0 {weight}\nwug 0 {weight}")
    classifier = Classifier(RuleSet("1", rules, Matcher(rules), words))
    assert classifier.diagnose("550 5.1.1 flurbled wug").reason is Reason.REJECTED
    # In a language whose words are hardly known the code says more.
    assert classifier.diagnose("550 5.1.1 flurbled wug snarfs blick gorp").reason is Reason.USER_UNKNOWN


@pytest.mark.parametrize(
    ("priority", "probability", "other", "is_dead"),
    [
        (PRIORITY_TEXT, AGAINST_DEATH, "rejected", False),
        (PRIORITY_TEXT, AGAINST_DEATH - 0.02, "rejected", True),
        # The address is dead either way, and the rule tells how.
        (PRIORITY_TEXT, 0.99, "host_unknown", True),
        (PRIORITY_TEXT + 1, 0.99, "rejected", True),
    ],
)
def test_plain_words_that_call_an_address_dead_give_way(
    priority: int, probability: float, other: str, is_dead: bool
) -> None:
    rules = (Rule("wug", Cause.USER_UNKNOWN, pattern="flurbled wug", priority=priority),)
    weight = weight_of_two(probability)
    words = WordWeights(f"user_unknown {other}\nflurbl 0 {weight}\nwug 0 {weight}")
    verdict = Classifier(RuleSet("1", rules, Matcher(rules), words)).diagnose("flurbled wug")
    assert (verdict.is_dead, verdict.rule == BY_WORDS) == (is_dead, not is_dead)


def test_a_warning_that_speaks_of_time_says_no_more_than_a_code() -> None:
    rules = (Rule("protocol", Cause.PROTOCOL_ERROR, statuses=("x.5.0",), priority=PRIORITY_STATUS),)
    words = WordWeights("server_config_error timeout\nflurbl 0 900\nwug 0 900")
    judge = Judge(RuleSet("1", rules, Matcher(rules), words))
    evidence = bare_evidence("451 4.5.0 flurbled wug")
    assert judge.state(rules[0], evidence).reason is Reason.TIMEOUT
    assert judge.state(rules[0], evidence, is_warning=True).cause is Cause.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "around",
    [
        "host mx.example.com[192.0.2.1] said: {} (in reply to RCPT TO command)",
        "192.0.2.1 does not like recipient. Remote host said: {} Giving up on 192.0.2.1.",
        "SMTP error from remote mail server after RCPT TO:<x@x>: {}",
    ],
)
def test_what_is_written_around_a_reply_is_not_weighed(pack: RuleSet, around: str) -> None:
    assert pack.words is not None
    reply = UNSEEN[0][0]
    assert pack.words.guess(around.format(reply)) == pack.words.guess(reply)


def test_explain_names_the_words(pack: RuleSet) -> None:
    text = next(text for text, _ in read_texts() if Classifier(pack).diagnose(text).rule == BY_WORDS)
    found = explain(pack, bare_evidence(text))
    assert found.winner is None and found.verdict.rule == BY_WORDS
    assert "the words make it probable" in found.why


def test_tokens_are_stems_and_codes_without_names() -> None:
    found = tokens_of("550-5.1.1 recipients <x@x> of mx.example.com: see https://example.net 用户不存在")
    assert found == {"550", "5xx", "5.1.1", "x.1.1", "x.1", "recipi", "of", "see", "用户", "户不", "不存", "存在"}


@pytest.mark.parametrize("table", ["", "no class\nword 1 2", "rejected timeout\nword 1", "rejected timeout\nword a b"])
def test_a_wrong_table_is_refused(table: str) -> None:
    with pytest.raises(ValueError, match="line"):
        WordWeights(table)


def test_a_wrong_table_in_a_file_is_told_with_its_place(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("rules")
    (directory / "1.toml").write_text("source = 'own'\nwords = '''\nrejected timeout\nword 1\n'''\n", "utf-8")
    with pytest.raises(RuleError, match=r"1\.toml:2: the table of words is wrong: line 2"):
        load_rules(directory)


def test_rules_without_words_guess_nothing(pack: RuleSet) -> None:
    verdict = Classifier(replace(pack, words=None)).diagnose("the quick brown fox")
    assert (verdict.rule, verdict.cause) == ("built-in:no-words", Cause.NO_REASON)


def test_weights_are_added_as_whole_numbers() -> None:
    table = "\n".join(
        ["rejected mailbox_full", "= 7 -9", "alpha 120 -300", "beta -32767 32767", "gamma 5 5", "delta 250 10"]
    )
    weights = WordWeights(table)
    assert len(weights) == 4 and weights.guess("alpha") is None
    guess = weights.guess("gamma alpha delta delta")
    assert guess is not None
    assert weights.words_for(guess.reason, "gamma alpha delta delta") == ("delta", "alpha", "gamma")
    share = 1 / (100 * math.sqrt(4))
    one, other = (7 + 120 + 5 + 250) * share, (-9 - 300 + 5 + 10) * share
    assert guess.probability == pytest.approx(1 / (1 + math.exp(other - one)), abs=1e-12)
    assert guess.reason is Reason.REJECTED
    with pytest.raises(ValueError, match="line 2"):
        WordWeights("rejected mailbox_full\nalpha 40000 1")
