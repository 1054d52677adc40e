"""The mail server against smtp-sink and stock aiosmtpd, which do nothing, and against Postfix."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.comparison import Comparison, Contender, Options, Sample, compare, not_measured, take_turns
from bench.errors import BenchError, MissingProgramError
from bench.listing import list_recipients
from bench.load import build_load
from bench.mailings import write_mails
from bench.ours import Ours, running_ours
from bench.smtp_peers import PEERS, deliver

#: Mails prepared for each second of a run of ours: at first so many, then more than the last run took.
_FIRST_MAILS_PER_S = 2_000
_SPARE = 2.0
_UNIT = "mails/s"
#: Facts that no mail is: the broadcast that recipients are listed in, and what the console says of a flood of failures.
_BESIDE = ("broadcast_set", "document_set")


def compare_smtp(options: Options) -> list[Comparison]:
    """Compare taking reports: we classify and commit each before 250."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yamabiko-bench-smtp-")))
        folder.chmod(0o755)  # Postfix's processes are other users
        try:
            load = build_load("smtp_load", folder)
        except MissingProgramError as missing:
            return [not_measured(peer.row, _UNIT, missing) for peer in PEERS]
        ours = stack.enter_context(running_ours())
        run_ours = OurRun(load, ours, folder / "mails")
        contenders = [Contender("yamabiko", run_ours)]
        problems: dict[str, str] = {}
        for peer in PEERS:
            try:
                run = stack.enter_context(peer.start(load, folder / "mails", folder))
                contenders.append(Contender(peer.name, run))
            except MissingProgramError as missing:
                problems[peer.name] = f"no peer: {missing}; "
        samples = dict(zip((contender.name for contender in contenders), take_turns(contenders, options), strict=True))
        confirmed = run_ours.confirm()
        return [
            compare(
                peer.row,
                _UNIT,
                samples["yamabiko"],
                samples.get(peer.name, []),
                problems.get(peer.name, "") + confirmed,
            )
            for peer in PEERS
        ]


class OurRun:
    """Delivers reports never seen before to our server, and checks each time that the store has them."""

    def __init__(self, load: Path, ours: Ours, mails: Path, *, is_listing: bool = True) -> None:
        """``load`` is the compiled generator, ``mails`` the file that is written anew for each run.

        ``is_listing`` is to list the recipients before; otherwise they must be listed already.
        """
        self._is_listing = is_listing
        self._load, self._ours, self._mails = load, ours, mails
        self._clocks = ours.clocks("smtp")
        self._port = ours.server.address("smtp")[1]
        self._mails_per_s: float = _FIRST_MAILS_PER_S
        self._written = 0
        self._accepted = 0
        self._mean_octets = 0.0

    def __call__(self, seconds: float) -> Sample:
        """Run once."""
        count = int(seconds * self._mails_per_s)
        day = self._ours.today()
        self._mean_octets = write_mails(self._mails, self._ours.mint, day=day, first=self._written, count=count)
        if self._is_listing:
            list_recipients(self._ours, range(self._written, self._written + count))
        self._written += count
        before = self._ours.facts()
        sample = deliver(self._load, self._port, self._clocks, self._mails, seconds, wraps=False)
        self._ours.check_facts(before, sample.events)
        self._accepted += sample.events
        self._mails_per_s = max(self._mails_per_s, sample.rate * _SPARE)
        return sample

    def confirm(self) -> str:
        """Return in words what the store says of all runs. Raises BenchError when mails proved nothing to us."""
        found = self._ours.facts_by_type()
        listed = found.pop("planned", 0)
        # Mails tell of hosts that were not found: until a flood of failures is noticed, whoever is listed there is
        # excluded, and mailed all the same by this bench.
        excluded = found.pop("excluded", 0)
        for beside in _BESIDE:
            found.pop(beside, None)
        if sum(found.values()) != self._accepted or found.get("unmatched"):
            raise BenchError(f"{self._accepted} mails accepted, but the store has {found}")
        types = ", ".join(f"{count:,} {name}" for name, count in found.items())
        return (
            f"{self._accepted:,} mails of {self._mean_octets:,.0f} octets accepted, {listed:,} listed before, "
            f"{excluded:,} of them excluded, facts: {types}"
        )
