"""What came of each thing that a review stops: how the platform answered, and how it is by now.

Two things are told side by side and never mixed: the newest signed result, which is the word of
whoever carried a decision out, and what an export says that was imported after the end (`_after`).
Nothing counts as stopped because nobody said anything of it.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from passmuster.evidence import _after
from passmuster.evidence._remedies import Newest
from passmuster.evidence._walk import Judged
from passmuster.text import Json

Heard = Literal[
    "refused", "flag", "works", "applied", "apply_failed", "object_gone", "not_supported",
    "planned", "reverted", "none",
]  # fmt: skip
HEARD: dict[Heard, str] = {
    "refused": "stopped, and the platform refused it when it was asked",
    "flag": "stopped; the platform says that it is off, and nobody tried it",
    "works": "stopped, and still let in when the platform was asked",
    "applied": "stopped; whether the platform refuses it is not known",
    "apply_failed": "not stopped: it was tried and failed",
    "object_gone": "nothing to stop: the platform answered that it is not there",
    "not_supported": "left to people: muster does not stop it",
    "planned": "handed over as a script; that it was run is not proved",
    "reverted": "put back after it had been stopped",
    "none": "no signed result",
}
"""What the newest signed result comes to, in words."""
PROVED: frozenset[Heard] = frozenset({"refused", "flag"})
STOPPED: frozenset[Heard] = frozenset({"refused", "flag", "works", "applied"})


class Came(NamedTuple):
    """One thing that is to stop or to change, with what came of it."""

    verb: str
    part: str | None
    """None for the item as a whole."""
    due: str | None
    """The day by which it is to be done."""
    heard: Heard
    result: Json | None
    """The line of `remediation-results.jsonl`."""
    state: _after.State
    """How its source has it after the end of the review."""
    why: str
    is_newer: bool
    """Whether the result is of a later time than the export that says so."""
    is_asked: bool = True
    """False for a stop that was carried out and that the outcome does not ask for (any more)."""

    @property
    def what(self) -> str:
        """Verb and part, for people."""
        verb = _after.ENDED if self.verb == _after.ENDS else self.verb.replace("_", "-")
        return f"{verb} {self.part}" if self.part else verb

    @property
    def is_done(self) -> bool:
        """Whether nobody has to do anything: the later of the two, result and export, says so."""
        if self.state == "unknown" or self.is_newer:
            return self.heard in PROVED or (self.state == "gone" and self.heard != "reverted")
        return self.state == "gone"

    def is_late(self, today: str) -> bool:
        """Whether its day is past (*today* is a time as we store it) and it is not done."""
        late = self.due is not None and self.due < today[:10]
        return self.is_asked and late and not self.is_done


def came(judged: Judged, results: Newest, unseen: str | None) -> Iterator[Came]:
    """Each thing that the outcome stops or changes, then what was stopped beside it.

    *unseen* is why it is not known how the source has it after the end.
    """
    signed = results.of(judged.uri)
    seen = max((run["imported_at"] for run in judged.after["runs"]), default="") if (
        judged.after is not None) else ""  # fmt: skip
    asked = set()
    for stop in _after.stops(judged, unseen):
        asked.add((stop.verb, stop.part))
        result = signed.get((stop.verb, stop.part))
        yield Came(stop.verb, stop.part, due(judged, stop.verb, stop.part), heard(result), result,
                   stop.state, stop.why, result is not None and result["at"] > seen)  # fmt: skip
    for verb, part in sorted(signed.keys() - asked, key=str):
        result = signed[verb, part]
        state = _after.state(judged, verb, part, unseen)
        yield Came(verb, part, None, heard(result), result, *state, result["at"] > seen,
                   is_asked=False)  # fmt: skip


def heard(result: Json | None) -> Heard:
    """What a result comes to."""
    if result is None:
        return "none"
    found: Heard = result["state"]
    if result["state"] == "verified" or (found, result["verdict"]) == ("applied", "works"):
        found = result["verdict"]
    return found


def due(judged: Judged, verb: str, part: str | None) -> str | None:
    """The day by which the reviewers want it done, the earliest; of an end, that day."""
    if verb == _after.ENDS:
        return judged.outcome.until
    days = [
        change["by"]
        for ballot in judged.ballots
        for change in ballot.row["changes"]
        if (change["verb"], change["target"]) == (verb, part) and change.get("by")
    ]
    return min(days, default=None)


def is_urgent(judged: Judged) -> bool:
    """Whether a stop in an emergency is among what the outcome follows from."""
    return any(b.batch.is_emergency and b.leaf in judged.outcome.leaves for b in judged.ballots)
