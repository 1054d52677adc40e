"""Random deliveries, the report that the store's own counting makes of them, and the crosswalk written down again."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from console.profiles.context import Context
from model.cause import Cause, Channel, Permanence
from model.detail import ExcludedKind
from store.counters import contribution, link_contribution
from store.outcome import Evidence, Outcome, State
from store.reader import Broadcast
from store.report import Report, build_report

HOUR = 3_600_000_000
T0 = 1_775_001_600_000_000

#: Mission 3.1, transcribed by hand from its table and from nothing in this repository:
#: cause, Sansan, EngageLab out of band, EngageLab otherwise, SES. A dash: no word there.
CROSSWALK = {
    line.split()[0]: tuple(line.split()[1:])
    for line in """
user_unknown UU ne ne Permanent:General
mailbox_disabled UU ne ne Permanent:General
mailbox_moved UU ne ne Permanent:General
address_reassigned UU sr sr Permanent:General
address_syntax FE ot af Permanent:General
host_unknown HU su sv Permanent:General
domain_no_mail HU su sv Permanent:General
mailbox_full DF ot ot Transient:MailboxFull
mailbox_full_abandoned DF ne ne Transient:MailboxFull
recipient_rate_limited TO ot ot Transient:General
recipient_filtered RJ sr sr Permanent:General
recipient_restricted RJ sr sr Permanent:General
mailbox_config_error UC ot ot Transient:General
message_too_large RJ ot ot Transient:MessageTooLarge
content_rejected RJ ot ot Transient:ContentRejected
attachment_rejected RJ ot ot Transient:AttachmentRejected
virus_detected RJ ot ot Transient:ContentRejected
spam_content RJ sp sp Transient:ContentRejected
charset_unsupported SC ot ot Transient:ContentRejected
rfc_noncompliant RJ sr sr Transient:ContentRejected
ip_blocklisted RJ ip sp Transient:General
reputation_block RJ ip sp Transient:General
auth_failed RJ sr sr Transient:General
ptr_missing RJ ip sr Transient:General
sender_rejected RJ sr sr Transient:General
relay_denied RE ot ot Permanent:General
rate_limited TO ip ot Transient:General
greylisted TO ot ot Transient:General
tls_required SC ot sv Transient:General
policy_rejected RJ sr sr Permanent:General
server_not_accepting SC su sv Transient:General
system_full DF su sv Transient:General
remote_config_error SC su ot Transient:General
routing_loop RE su sv Transient:General
dns_temp_failure TO su sv Transient:General
connection_failed TO su sv Transient:General
delivery_expired TO su sv Transient:General
protocol_error SC ot ot Transient:General
suppressed_list - - bl -
suppressed_unsubscribed - - un Permanent:UnsubscribedRecipient
suppressed_upstream UU - bl Permanent:Suppressed
submit_failed OT - ot FAILED
render_failed OT - ot RENDERING_FAILURE
no_reason OT ot ot Undetermined:Undetermined
unparsable UP ot ot Undetermined:Undetermined
""".strip().splitlines()
}
SANSAN = {
    "UU": "user_unknown", "HU": "host_unknown", "RJ": "rejected", "DF": "disk_full", "TO": "timeout",
    "RE": "relay_error", "SC": "server_config", "UC": "user_config", "OT": "other", "FE": "address_syntax",
    "UP": "unparsable", "-": "other",
}  # fmt: skip
SOFT = {
    "su": "service_unreachable", "ip": "ip_domain_rejected", "ne": "address_not_exist", "sp": "spam_rejected",
    "sr": "sender_recipient_rejected", "ot": "other", "-": "other",
}  # fmt: skip
INVALID = {
    "bl": "blacklist", "un": "unsubscribed", "sv": "server_unreachable", "af": "address_format",
    "ne": "address_not_exist", "sp": "spam", "sr": "sender_recipient_rejected", "ot": "other",
}  # fmt: skip


@dataclass
class World:
    """Deliveries of one broadcast, one by one."""

    outcomes: list[Outcome]
    #: places of undelivered ones whose recipients had failed before
    failed_before: set[int]
    cv: int | None = None
    broadcast: Broadcast | None = None
    last_attempt_us: int = 0
    now_us: int = T0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def report(self) -> Report:
        """What the store's counting makes of them."""
        counts: Counter[str] = Counter()
        for place, outcome in enumerate(self.outcomes):
            counts.update(contribution(outcome))
            if outcome.state is State.UNDELIVERED and place not in self.failed_before:
                counts["failed_first"] += 1
        if self.cv is not None:
            counts["cv"] = self.cv
        return build_report(counts, self.broadcast, last_attempt_us=self.last_attempt_us, now_us=self.now_us)

    @property
    def context(self) -> Context:
        """What goes with it."""
        links: Counter[int] = Counter()
        for outcome in self.outcomes:
            for link, counts in link_contribution(outcome).items():
                links[link] += counts.get("users", 0)
        status = self.broadcast.status if self.broadcast else None
        unacknowledged = sum(o.state is State.UNDELIVERED for o in self.outcomes[::2])
        return Context(
            now_us=self.now_us, status=status, link_clickers=sum(links.values()), test_listed=3,
            unacknowledged=unacknowledged,
        )  # fmt: skip


def random_world(rng: random.Random, size: int | None = None) -> World:
    """Return a broadcast of deliveries in every state there is, with every cause and channel."""
    size = rng.randint(0, 60) if size is None else size
    html_share = rng.choice([0.0, 0.5, 1.0])
    outcomes = [random_outcome(rng, is_html=rng.random() < html_share) for _ in range(size)]
    failed = [place for place, o in enumerate(outcomes) if o.state is State.UNDELIVERED]
    status = rng.choice([None, "draft", "scheduled", "sending", "sent"])
    mail_format = rng.choice([None, None, "html", "text", "multipart"])
    return World(
        outcomes,
        set(rng.sample(failed, rng.randint(0, len(failed)))),
        cv=rng.choice([None, 0, 7]),
        broadcast=rng.choice([None, Broadcast(1, 1, status=status, format=mail_format)]),
        last_attempt_us=rng.choice([0, T0 - HOUR // 2]),
    )


def random_outcome(rng: random.Random, *, is_html: bool) -> Outcome:
    """Return what may become of one delivery."""
    state = rng.choices(list(State), weights=[4, 2, 2, 8, 8, 1])[0]
    overlays = {
        name: rng.random() < 0.1
        for name in (
            "has_complaint", "has_form_complaint", "was_unsubscribed", "was_resubscribed", "has_auto_reply",
        )
    }  # fmt: skip
    rows = rng.choice([1, 1, 1, 2, 3])
    machines = {"opens_machine": rng.randint(0, 2), "clicks_machine": rng.randint(0, 2)}
    if state is State.EXCLUDED:
        kind = rng.choice(list(ExcludedKind))
        return Outcome(state, is_html, excluded=kind, rows=rows, **machines, **overlays)  # type: ignore[arg-type]
    if state is State.UNDELIVERED:
        return Outcome(
            state, is_html, channel=rng.choice(list(Channel)), cause=rng.choice(list(Cause)),
            permanence=rng.choice(list(Permanence)), rows=rows, opens=rng.choice([0, 0, 1]), **machines, **overlays,
        )  # type: ignore[arg-type]  # fmt: skip
    if state is not State.REACHED:
        return Outcome(state, is_html, rows=rows, **machines, **overlays)  # type: ignore[arg-type]
    opens = rng.choice([0, 0, 1, 3]) if is_html else 0
    links = tuple((link, rng.randint(0, 2), rng.randint(0, 1)) for link in range(1, rng.randint(1, 4)))
    clicks = sum(people for _, people, _ in links)
    machines["clicks_machine"] = sum(machine for _, _, machine in links)
    evidence = rng.choice([Evidence.ACCEPTED, Evidence.DSN_RELAYED, *([Evidence.ENGAGED] if opens + clicks else [])])
    return Outcome(
        state, is_html, evidence=evidence, rows=rows, opens=opens, clicks=clicks, links=links, **machines, **overlays,
    )  # type: ignore[arg-type]  # fmt: skip
