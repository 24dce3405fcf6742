"""Findings whose risk somebody accepted, by a signed reason that says so: SARIF suppressions.

An approval is no acceptance: it says that access stands, and the finding may be mended all the
same. Viewers hide what is suppressed, so only a reason that begins with "risk accepted" (as our own
one-key reason does) suppresses, and only what its signer had on the screen: findings of the
evidence as it was frozen, but for parts that the same decision takes away or changes. It ends with
the approval: when its day is past, when access does not stand (a second person is lacking or
objects, somebody else stops it), when the statement is void.
"""

from typing import NamedTuple

from passmuster.evidence._walk import Ballot, Judged
from passmuster.evidence.formats import Draft
from passmuster.evidence.formats._common import Names, counted, said
from passmuster.outcomes import STANDING
from passmuster.text import Json

SAYS_SO = "risk accepted"
MAX_ITEMS = 25_000
"""Items whose acceptance is kept in memory: as many as results are written. Those beyond suppress
nothing, and are counted."""


class _Kept(NamedTuple):
    of: str
    """identity, credential, grant or trust."""
    subject: str | None
    """The part that the item is; None for an identity."""
    seen: frozenset[tuple[str, str]]
    """(rule, first seen) of each finding that was shown."""
    changed: frozenset[str | None]
    """Parts that the decision takes away or changes."""
    suppressions: list[Json]

    def covers(self, found: Json) -> bool:
        """Whether a line of `findings.jsonl` is of what was accepted."""
        mine = self.of == "identity" or (
            (self.of, self.subject) == (found["subject_kind"], str(found["subject"]))
        )
        seen = (found["rule"], found["first_seen"]) in self.seen
        return mine and seen and found["subject"] not in self.changed


class Accepted:
    """The acceptances of a review."""

    def __init__(self, draft: Draft, names: Names) -> None:
        self._today, self._id = draft.now[:10], names.of
        self._kept: dict[tuple[str, str], list[_Kept]] = {}
        """By source and identity."""
        self._items = 0
        self.beyond = 0
        """Items whose acceptance is not in the file."""

    def item(self, judged: Judged) -> None:
        """Keep what the decision on an item accepts."""
        rows, outcome, dossier = counted(judged), judged.outcome, judged.dossier
        ended = outcome.until is not None and outcome.until < self._today
        if outcome.effect not in STANDING or ended or not all(map(_says_so, rows)):
            return
        self._items += 1
        if self._items > MAX_ITEMS:
            self.beyond += 1
            return
        kept = _Kept(
            dossier["of"], dossier["subject"],
            frozenset((f["rule"], f["first_seen"]) for f in dossier["findings"]),
            frozenset(part for _, part in outcome.remediations),
            [self._suppression(judged, ballot) for ballot in rows],
        )  # fmt: skip
        whose = (dossier["source"]["uid"], dossier["identity"]["uid"])
        self._kept.setdefault(whose, []).append(kept)

    def _suppression(self, judged: Judged, ballot: Ballot) -> Json:
        return {
            "kind": "external", "status": "accepted", "guid": self._id("accepted", ballot.leaf),
            "justification": said(ballot.row["reason"]["text"]),
            "properties": {
                "by": said(ballot.batch.principal), "decided": ballot.row["attention"]["decided"],
                "until": judged.outcome.until, "item": judged.uri, "row": ballot.leaf,
                "statement": ballot.batch.file.rpartition("/")[0],
            },
        }  # fmt: skip

    def of(self, found: Json) -> list[Json]:
        """The suppressions of a line of `findings.jsonl`; none means that it is not suppressed."""
        if found["cleared_at"] is not None:
            return []
        kept = self._kept.get((found["source"], found["identity"]), ())
        return [one for each in kept if each.covers(found) for one in each.suppressions]


def _says_so(ballot: Ballot) -> bool:
    return str(ballot.row["reason"]["text"]).strip().lower().startswith(SAYS_SO)
