"""Invariant: any octets get an answer, the same each time and at either line end, that can be shown; nothing raises.

In full: ``read`` never falls back to ``unreadable``; a bounce has a failed recipient with a verdict, a delay has
none; every verdict names a rule of the set; texts keep their limits; the answer is JSON; what ``diagnose`` and
``explain`` say of the same words agrees; CPU time stays bounded. Coverage-guided where atheris is installed
(``pip install 'yamabiko[fuzz]'``), else guided by new kinds of answers.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
import tomllib
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

from fuzz.mutate import TOKENS, mutate

ROOT = Path(__file__).parents[1]
SEEDS = ROOT / "tests" / "classifier"
#: CPU seconds one mail of at most 64 KiB may take, with room for instrumentation and a busy machine.
BUDGET_S = 1.0
_MAX_SHOWN = 1_000
_POOL = 5_000


class FindingError(Exception):
    """The invariant does not hold. Its text is the signature by which findings are told apart."""


def demand(claim: bool, problem: str) -> None:
    """Raise FindingError with ``problem`` unless ``claim``."""
    if not claim:
        raise FindingError(problem)


class Target:
    """The classify path, and what must hold of it; imported here, so that a caller may instrument it."""

    def __init__(self) -> None:
        """Load the rules that ship."""
        import msgspec

        from classifier.classify import Classifier
        from classifier.rulefile import load_rules
        from yamabiko.commands.classify import as_record

        self.classifier = Classifier(load_rules(ROOT / "config" / "rules"))
        self.known = {rule.id for rule in self.classifier.rules.rules}
        self._encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
        self._as_record = as_record

    def check(self, raw: bytes) -> tuple[object, ...]:
        """Return the kind of answer to ``raw``. Raises FindingError, or whatever the classifier raised."""
        from model.reading import Action, Kind

        began = time.process_time()
        reading = self.classifier.read(raw, explain=True)
        spent = time.process_time() - began
        demand(reading.form != "unreadable", f"unreadable: {reading.steps[-1] if reading.steps else ''}")
        demand(self.classifier.read(raw, explain=True) == reading, "a second reading differs")
        bare = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        demand(self.classifier.read(bare.replace(b"\n", b"\r\n"), explain=True) == reading, "CRLF reads differently")
        failed = [recipient for recipient in reading.recipients if recipient.action is Action.FAILED]
        if reading.kind is Kind.BOUNCE:
            demand(any(recipient.verdict for recipient in failed), "a bounce without a verdict")
        if reading.kind is Kind.DELAY_WARNING:
            demand(not failed, "a delay with a failure")
        for recipient in reading.recipients:
            demand(len(recipient.diagnostic) <= _MAX_SHOWN, "a diagnostic over its limit")
            if recipient.verdict is not None:
                self._check_rule(recipient.verdict.rule)
            self._check_reply(recipient.diagnostic)
        self._encode(self._as_record("fuzz", reading, explain=True))
        demand(spent < BUDGET_S or self._is_quick(raw), f"slow: {reading.form}")
        return (reading.kind, reading.form, len(reading.recipients) > 1, *(
            (recipient.action, recipient.verdict and recipient.verdict.rule) for recipient in reading.recipients[:2]
        ))  # fmt: skip

    def _is_quick(self, raw: bytes) -> bool:
        """Whether a second try keeps the budget: one slow reading may be the machine's fault."""
        began = time.process_time()
        self.classifier.read(raw)
        return time.process_time() - began < BUDGET_S

    def _check_rule(self, rule: str) -> None:
        demand(rule in self.known or rule.startswith("built-in:"), f"an unknown rule decided: {rule}")

    def _check_reply(self, text: str) -> None:
        verdict = self.classifier.diagnose(text)
        self._check_rule(verdict.rule)
        demand(self.classifier.diagnose(text) == verdict, "a second diagnosis differs")


class Record:
    """Counts executions and keeps the shortest mail of each finding in ``folder``."""

    def __init__(self, target: Target, folder: Path) -> None:
        """Findings go to ``folder``, which is made when there is one."""
        self.target, self.folder = target, folder
        self.executions = 0
        self.found: dict[str, bytes] = {}

    def run(self, raw: bytes) -> tuple[object, ...] | None:
        """Check ``raw``; None when that was a finding."""
        self.executions += 1
        try:
            return self.target.check(raw)
        except FindingError as finding:
            self._keep(str(finding), raw)
        except Exception as error:  # noqa: BLE001 - every exception is a finding, and the search goes on
            frame = traceback.extract_tb(error.__traceback__)[-1]
            self._keep(f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {error}"[:160], raw)
        return None

    def _keep(self, signature: str, raw: bytes) -> None:
        if signature in self.found and len(self.found[signature]) <= len(raw):
            return
        if signature not in self.found:
            print(f"finding: {signature}", flush=True)
        self.found[signature] = raw
        self.folder.mkdir(parents=True, exist_ok=True)
        name = blake2b(signature.encode("utf-8", "replace"), digest_size=6).hexdigest()
        (self.folder / f"{name}.eml").write_bytes(raw)

    def end(self, began: float) -> int:
        """Print the sum; returns the exit code."""
        print(f"{self.executions:,} executions in {time.monotonic() - began:.0f} s, {len(self.found)} findings")
        for signature in self.found:
            print(f"  {signature}")
        if self.found:
            print(f"the mails are in {self.folder}")
        return 1 if self.found else 0


def search(record: Record, seeds: list[bytes], seconds: float, seed: int) -> None:
    """Mutate ``seeds`` for a while; a mail that gets a new kind of answer joins them."""
    random = Random(seed)
    pool = list(seeds)
    seen = {record.run(raw) for raw in seeds}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        raw = mutate(pool, random)
        answer = record.run(raw)
        if answer is not None and answer not in seen and len(pool) < _POOL:
            seen.add(answer)
            pool.append(raw)
    print(f"{len(seen)} kinds of answers")


def search_with_coverage(atheris: Any, record: Record, seeds: list[bytes], seconds: float, seed: int) -> None:
    """Let libFuzzer search; it never returns, so the process ends here."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="yamabiko-fuzz-"))
    (folder / "corpus").mkdir()
    for number, raw in enumerate(seeds):
        (folder / "corpus" / str(number)).write_bytes(raw)
    words = "\n".join('"' + "".join(f"\\x{octet:02x}" for octet in token) + '"' for token in TOKENS)
    (folder / "dictionary").write_text(words, encoding="ascii")

    def run(raw: bytes) -> None:
        record.run(raw)
        if time.monotonic() - began > seconds:
            code = record.end(began)
            sys.stdout.flush()
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(code)

    def vary(raw: bytes, max_size: int, number: int) -> bytes:
        random = Random(number)
        if random.random() < 0.5:
            return bytes(atheris.Mutate(raw, max_size))
        return mutate([raw, random.choice(seeds)], random)[:max_size]

    options = [f"-seed={seed or 1}", "-max_len=65536", f"-dict={folder / 'dictionary'}", "-verbosity=0", "-timeout=60"]
    atheris.Setup([sys.argv[0], *options, str(folder / "corpus")], run, custom_mutator=vary)
    atheris.Fuzz()


def read_seeds() -> list[bytes]:
    """Return the mails of the tests, and the texts of automatic replies as mails."""
    mails = [path.read_bytes() for path in sorted(SEEDS.glob("cases/*.eml"))]
    for path in sorted(SEEDS.glob("absences*.toml")):
        for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]:
            head = f"From: a@b.example\nAuto-Submitted: auto-replied\nDate: {case['sent']:%d %b %Y} 09:00:00 +0900\n"
            mails.append(f"{head}Content-Type: text/plain; charset=utf-8\n\n{case['text']}".encode())
    return mails


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz.classify", description="Fuzz the classifier.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="do without atheris, even where it is installed")
    parser.add_argument("--findings", type=Path, default=ROOT / "fuzz" / "findings")
    parser.add_argument("mails", nargs="*", type=Path, help="check these mails only, and say what is wrong")
    return parser.parse_args()


def main() -> int:
    """Run the target."""
    options = _options()
    atheris: Any = None
    if not options.plain and not options.mails:
        try:
            import atheris  # type: ignore[import-not-found,no-redef]
        except ImportError:
            print("atheris is not installed: searching by kinds of answers instead of coverage", flush=True)
    with ExitStack() as stack:
        if atheris is not None:
            stack.enter_context(atheris.instrument_imports(include=["classifier", "model"]))
        target = Target()
    record = Record(target, options.findings)
    began = time.monotonic()
    if options.mails:
        for path in options.mails:
            print(f"{path}: {record.run(path.read_bytes())}")
        return record.end(began)
    seeds = read_seeds()
    if atheris is not None:
        search_with_coverage(atheris, record, seeds, options.seconds, options.seed)
    search(record, seeds, options.seconds, options.seed)
    return record.end(began)


if __name__ == "__main__":
    raise SystemExit(main())
