"""How well do the rules do on a source they have learned nothing from? An honest estimate of generalisation.

Run ``python -m tests.classifier.leave_one_out``. For each source of the corpus, every alternative of every
pattern, and every whole rule, that matches some text of that source and no text of any other (near-duplicates of
the source's messages set aside) is taken out; what is left judges the source. What the readers of forms learned
cannot be taken out, so recognition and addresses are as ever: look at class and permanence.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import re2

import config
from classifier.classify import Classifier
from classifier.matcher import Matcher
from classifier.rule import Evidence, Rule
from classifier.rulefile import RuleSet, load_rules
from tests.classifier.test_corpus import CORPUS
from yamabiko.commands.classify import as_record


def split_alternatives(pattern: str) -> list[str]:
    """Return the alternatives of the outermost ``|`` of a pattern."""
    parts, depth, start, place, in_class = [], 0, 0, 0, False
    while place < len(pattern):
        char = pattern[place]
        if char == "\\":
            place += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "|" and not depth:
            parts.append(pattern[start:place])
            start = place + 1
        place += 1
    return [*parts, pattern[start:]]


class Gathering(Classifier):
    """Notes every evidence that rules are asked about."""

    def __init__(self, rules: RuleSet) -> None:
        super().__init__(rules)
        self.seen: list[Evidence] = []
        ask = self.judge.strongest

        def strongest(evidence: Evidence) -> Rule | None:
            self.seen.append(evidence)
            return ask(evidence)

        self.judge.strongest = strongest  # type: ignore[method-assign]


def gather(rules: RuleSet, labels: list[dict[str, Any]]) -> dict[str, list[Evidence]]:
    """Return the evidence of each message, by its id."""
    classifier = Gathering(rules)
    found: dict[str, list[Evidence]] = {}
    for label in labels:
        classifier.seen = []
        classifier.read((CORPUS / label["file"]).read_bytes())
        found[label["id"]] = classifier.seen
    return found


class Reach:
    """Which messages each alternative of each rule matches."""

    def __init__(self, rules: Iterable[Rule], evidence: dict[str, list[Evidence]]) -> None:
        options = re2.Options()
        options.case_sensitive = False
        options.log_errors = False
        self.alternatives: dict[str, list[tuple[str, frozenset[str]]]] = {}
        texts = {name: [(e, e.text.encode("utf-8", "replace")) for e in found] for name, found in evidence.items()}
        for rule in rules:
            rows = []
            for part in split_alternatives(rule.pattern) if rule.pattern else [""]:
                compiled = re2.compile(part.encode(), options)
                names = (
                    name
                    for name, found in texts.items()
                    if any(rule.applies(e) and (not part or compiled.search(raw)) for e, raw in found)
                )
                rows.append((part, frozenset(names)))
            self.alternatives[rule.id] = rows

    def without(self, rule: Rule, held_out: set[str], others: set[str]) -> Rule | None:
        """Return the rule without what only the held-out messages taught; None when nothing is left."""
        rows = self.alternatives[rule.id]
        kept = [part for part, names in rows if not (names & held_out and not names & others)]
        if not kept:
            return None
        return rule if len(kept) == len(rows) else replace(rule, pattern="|".join(kept))


def main() -> None:
    """Print a line a held-out part and the sum. ``--folds N`` holds out N random parts instead of sources."""
    sys.path.insert(0, str(CORPUS))
    import score  # type: ignore[import-not-found]

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folds", type=int, default=0, help="random parts, near-duplicates together")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    labels = [json.loads(line) for line in (CORPUS / "labels.jsonl").read_text("utf-8").splitlines()]
    rules = load_rules(Path(config.__file__).parent / "rules")
    reach = Reach(rules.rules, gather(rules, labels))
    parts = _folds(labels, options.folds, options.seed) if options.folds else _sources(labels)
    records: list[dict[str, Any]] = []
    for name, mine in parts.items():
        groups = {label.get("group") for label in mine}
        held_out = {label["id"] for label in mine}
        others = {label["id"] for label in labels if label["id"] not in held_out and label.get("group") not in groups}
        left = tuple(kept for rule in rules.rules if (kept := reach.without(rule, held_out, others)) is not None)
        classifier = Classifier(RuleSet(rules.version, left, Matcher(left), rules.words))
        found = [as_record(m["id"], classifier.read((CORPUS / m["file"]).read_bytes())) for m in mine]
        records += found
        _print(name, len(mine), score.score(found, mine)[0])
    _print("all, each part left out", len(labels), score.score(records, labels)[0])


def _sources(labels: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    order = [name for name, _ in Counter(label["source"] for label in labels).most_common()]
    return {name: [label for label in labels if label["source"] == name] for name in order}


def _folds(labels: list[dict[str, Any]], count: int, seed: int) -> dict[str, list[dict[str, Any]]]:
    groups = sorted({str(label.get("group", label["id"])) for label in labels})
    random.Random(seed).shuffle(groups)
    place = {group: index % count for index, group in enumerate(groups)}
    parts: dict[str, list[dict[str, Any]]] = {f"fold {index} (seed {seed})": [] for index in range(count)}
    for label in labels:
        parts[f"fold {place[str(label.get('group', label['id']))]} (seed {seed})"].append(label)
    return parts


def _print(name: str, count: int, result: dict[str, Any]) -> None:
    classes, hard = result["classes"], result["permanence"]
    print(
        f"{name:24} {count:4} messages, class strict {classes['accuracy_strict']:.3f} lenient "
        f"{classes['accuracy_lenient']:.3f} (n={classes['n']}), macro-F1 {classes['macro_f1_strict_support5']:.3f}, "
        f"hard/soft {hard['accuracy_lenient']:.3f}, kind {result['kind_accuracy']:.3f}"
    )


if __name__ == "__main__":
    main()
