"""``python -m bench.classify_ours FOLDER SEED``: our child of the classify comparison.

The first pass is what counts: rules are loaded, which runs them over their own examples, but no mail of the folder was
read before. Then come the figures for the note: a second pass with everything warm, the parse alone, the rules alone.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench.classify_passes import load_mails, report, spend
from classifier.classify import Classifier
from classifier.message import parse_message
from classifier.rule import Evidence, Rule
from classifier.rulefile import load_rules
from yamabiko.commands.classify import DEFAULT_RULES


def main(folder: Path, seed: int) -> None:
    """Measure and print."""
    rules = load_rules(DEFAULT_RULES)
    mails = load_mails(folder, seed)
    classifier = Classifier(rules)

    def more() -> dict[str, float]:
        # A classifier of its own has no verdicts remembered; the automata are warm.
        fresh = Classifier(rules)
        warm_s = sum(spend(fresh.read, mails))
        asked = _evidence_met(Classifier(rules), mails)
        started = time.process_time()
        for evidence in asked:
            rules.matcher.best(evidence)
        rules_s = time.process_time() - started
        return {
            "warm_per_s": len(mails) / warm_s,
            "parse_us": sum(spend(parse_message, mails)) / len(mails) * 1e6,
            "rules_us": rules_s / len(mails) * 1e6,
        }

    report(classifier.read, mails, more)


def _evidence_met(classifier: Classifier, mails: list[bytes]) -> list[Evidence]:
    """Return all evidence that rules are asked about when ``mails`` are read."""
    met: list[Evidence] = []
    ask = classifier.judge.strongest

    def remember(evidence: Evidence) -> Rule | None:
        met.append(evidence)
        return ask(evidence)

    classifier.judge.strongest = remember  # type: ignore[method-assign]
    for raw in mails:
        classifier.read(raw)
    return met


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
