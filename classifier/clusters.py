"""Groups the replies that no rule decides by what they say, so that one rule can be written for many (N06). Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from classifier.template import template_of

__all__ = ["Cluster", "Reply", "cluster_replies", "spans_of", "template_of", "tokens_of"]

#: Templates that share this part of their words are one cluster.
SIMILARITY = 0.7
_MAX_EXAMPLES = 5
#: Templates beyond it join a cluster only when they are equal to one: comparing all would be quadratic.
_MAX_COMPARED = 2_000
_TOKEN = re.compile(r"<\w+>|[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff々]+|[^\W_]+(?:['_-][^\W_]+)*|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said, with what is known beside it."""

    text: str
    status: str = ""
    reply_code: int = 0
    #: the server that spoke, or the recipient's domain
    host: str = ""
    #: the rule that decided, weakly; "" or a built-in step when none did
    rule: str = ""


@dataclass(slots=True)
class Cluster:
    """Replies that say the same thing."""

    #: of the most frequent wording
    template: str
    count: int = 0
    #: other wordings
    templates: list[str] = field(default_factory=list)
    examples: list[Reply] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    reply_codes: Counter[int] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)

    def add(self, reply: Reply) -> None:
        """Count ``reply``; one of each wording is kept as an example."""
        self.count += 1
        self.statuses.update([reply.status] if reply.status else [])
        self.reply_codes.update([reply.reply_code] if reply.reply_code else [])
        self.hosts.update([reply.host] if reply.host else [])
        self.rules.update([reply.rule] if reply.rule else [])

    def keep(self, reply: Reply) -> None:
        """Keep ``reply`` as an example, if there is room."""
        if len(self.examples) < _MAX_EXAMPLES:
            self.examples.append(reply)


def tokens_of(template: str) -> list[str]:
    """Return words, Japanese runs, placeholders and signs of ``template``."""
    return _TOKEN.findall(template)


def spans_of(template: str) -> list[tuple[int, int]]:
    """Return where each of ``tokens_of`` begins and ends."""
    return [match.span() for match in _TOKEN.finditer(template)]


def cluster_replies(replies: Iterable[Reply]) -> list[Cluster]:
    """Return the clusters of ``replies``, the largest first. Replies without words are left out."""
    exact: dict[str, list[Reply]] = {}
    for reply in replies:
        template = template_of(reply.text)
        if any(token[0].isalpha() for token in tokens_of(template)):
            exact.setdefault(template, []).append(reply)
    clusters: list[Cluster] = []
    index: dict[str, list[int]] = {}
    ordered = sorted(exact.items(), key=lambda item: (-len(item[1]), item[0]))
    for number, (template, members) in enumerate(ordered):
        words = _words_of(template)
        place = _find_similar(words, template, clusters, index) if number < _MAX_COMPARED else None
        if place is None:
            place = len(clusters)
            clusters.append(Cluster(template))
            for word in words:
                index.setdefault(word, []).append(place)
        else:
            clusters[place].templates.append(template)
        clusters[place].keep(members[0])
        for reply in members:
            clusters[place].add(reply)
    return sorted(clusters, key=lambda cluster: (-cluster.count, cluster.template))


def _words_of(template: str) -> frozenset[str]:
    return frozenset(token for token in tokens_of(template) if token[0].isalpha())


def _find_similar(
    words: frozenset[str], template: str, clusters: list[Cluster], index: dict[str, list[int]]
) -> int | None:
    """Return the cluster most like ``template``: enough common words, in the same order."""
    shared = Counter(place for word in words for place in index.get(word, ()))
    best: tuple[float, int] | None = None
    for place, common in shared.most_common(5):
        other = _words_of(clusters[place].template)
        if common / len(words | other) < SIMILARITY:
            continue
        matcher = SequenceMatcher(None, tokens_of(template), tokens_of(clusters[place].template), autojunk=False)
        likeness = matcher.ratio()
        if likeness >= SIMILARITY and (best is None or likeness > best[0]):
            best = (likeness, place)
    return best[1] if best else None
