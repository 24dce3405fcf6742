"""What the formats for other tools share: exceptions, rules, findings, names that stay the same.

A format tells totals and exceptions; the signed files have the rest, and a digest points there.
No name here is made by chance or from a clock: the same pack gives the same bytes.
"""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from passmuster import policy
from passmuster.evidence._files import lines
from passmuster.evidence._walk import Ballot, Judged
from passmuster.evidence.formats import Draft
from passmuster.model import DOMAIN
from passmuster.text import Json, utc, visible

EXPORTS = "exports"
"""The folder of a pack that the files for other tools lie in."""
EXCEPTIONS = {
    "stops": "access is to stop",
    "stands_until": "access stands until a day",
    "parts": "access stands but for some parts",
    "abstained": "the reviewer abstained",
    "no_response": "nobody decided",
    "awaiting_second": "approved, and no second person has concurred",
    "objected": "approved, and a second person objects",
    "contested": "decided or countersigned differently, and neither had seen the other",
}
"""Every outcome but the plain `stands`, and what it means."""
MAIL = re.compile(r"[a-zA-Z0-9!#$%&'*+\-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+")
"""What validators take for an e-mail address."""
SEVERITY_ID = {"critical": 5, "high": 4, "medium": 3, "low": 2}


@dataclass(frozen=True, slots=True)
class Stated:
    """A rule as the campaign froze it, and what it says by now."""

    id: str
    title: str
    severity: str
    why: str
    fix: str
    ran_at: str | None
    not_evaluated: str | None
    """Why it says nothing; None when it was evaluated by the very text that was frozen."""
    controls: list[Json]
    """As `policy.controls` has them; our judgement, no published crosswalk."""


def exception(judged: Judged) -> str | None:
    """What kind of exception an item is; None where access simply stands."""
    if judged.outcome.effect != "stands":
        return judged.outcome.effect
    return "parts" if judged.outcome.remediations else None


def counted(judged: Judged) -> list[Ballot]:
    """The rows that the outcome follows from, in log order."""
    return [b for b in judged.ballots if b.leaf in judged.outcome.leaves]


def counted_seconds(judged: Judged) -> list[Ballot]:
    """The countersignatures that the outcome follows from, in log order."""
    return [b for b in judged.seconds if b.leaf in judged.outcome.seconds]


def rules(draft: Draft) -> dict[str, Stated]:
    """Each rule of the campaign by its id."""
    return {row["id"]: _stated(row) for row in _rows(draft, "rules.jsonl")}


def _stated(row: Json) -> Stated:
    latest = row["latest"]
    if latest is None:
        why = row["notEvaluatedAtOpening"] or "it was never run"
    elif latest["sha256"] != row["sha256"]:
        why = "it was last run by another text than the one that the campaign froze"
    else:
        why = latest["notEvaluated"]
    return Stated(
        row["id"], said(row["title"]), row["severity"], said(row["why"]), said(row["fix"]),
        latest["ranAt"] if latest else None, said(why) if why else None,
        policy.controls(row["id"]),
    )  # fmt: skip


def findings(draft: Draft) -> Iterator[Json]:
    """The rows of `findings.jsonl`, one in RAM at a time."""
    return _rows(draft, "findings.jsonl")


def _rows(draft: Draft, name: str) -> Iterator[Json]:
    return (json.loads(line) for line in lines(draft.files, name))


def said(value: Any) -> str:
    """Text from outside as one visible line, never empty."""
    return visible(str(value)).strip() or "(empty)"


def item_name(judged: Judged) -> str:
    """What people call an item."""
    name, subject = said(judged.dossier["identity"]["display_name"]), judged.dossier["subject"]
    return f"{name}: {said(subject)}" if subject else name


def when(value: Any, otherwise: str) -> str:
    """A time as we write them, `Z` at its end; *otherwise* for what is none."""
    return (utc(value) if isinstance(value, str) else None) or otherwise


def millis(value: Any, otherwise: str) -> int:
    """The same in milliseconds since 1970."""
    return int(datetime.fromisoformat(when(value, otherwise)).timestamp()) * 1000


class Names:
    """UUIDs of version 5: OSCAL takes no other that could be made again."""

    def __init__(self, campaign: str) -> None:
        self._space = uuid.uuid5(uuid.NAMESPACE_URL, f"https://{DOMAIN}/campaign/{campaign}")

    def of(self, *words: str) -> str:
        """The UUID of what *words* name in this campaign."""
        return str(uuid.uuid5(self._space, json.dumps(words)))
