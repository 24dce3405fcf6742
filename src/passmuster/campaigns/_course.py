"""How a campaign goes: who has signed how much and when, when all will be, and how old keys are.

Everything is counted in SQL, so that it may run in a thread beside a screen at a million items;
the forecast is pure. Nothing here is an outcome: "signed" says that a reviewer has answered.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from passmuster import tlog
from passmuster.campaigns._campaign import Campaign
from passmuster.store import Database
from passmuster.text import rfc3339

WINDOW_DAYS = 7
"""The pace is that of the last so many days."""
LEAST_BATCHES = 2
"""Signed batches before which nothing is forecast: one says nothing about a pace."""
FAR_DAYS = 3_650
"""A forecast further away is no forecast."""
_DAY_S = 86_400
AT_ONCE = 500


class Stand(NamedTuple):
    """How one reviewer stands."""

    reviewer: str
    open: int
    drafts: int
    signed: int
    last_signed: str | None
    """When they last signed decisions in this campaign."""

    @property
    def total(self) -> int:
        """Items that are theirs."""
        return self.open + self.drafts + self.signed

    @property
    def silent(self) -> bool:
        """Whether they have been asked and have not begun."""
        return self.open > 0 and not self.drafts and not self.signed


class SignedBatch(NamedTuple):
    """Items that one sign-off decided for the first time."""

    at: str
    items: int


@dataclass(frozen=True, slots=True)
class Course:
    """How a campaign stands, and how it came there."""

    reviewers: list[Stand]
    """Who has most to do first."""
    batches: list[SignedBatch]
    """In the order of time; together they are the items that are signed."""
    contested: int = 0
    """Items that were decided differently, neither having seen the other: to be decided again."""

    @property
    def total(self) -> int:
        """All items."""
        return sum(r.total for r in self.reviewers)

    @property
    def signed(self) -> int:
        """Items with a signed decision of their reviewer."""
        return sum(r.signed for r in self.reviewers)

    @property
    def left(self) -> int:
        """Items without one; a draft is none."""
        return self.total - self.signed

    @property
    def silent(self) -> list[Stand]:
        """Reviewers who have not begun."""
        return [r for r in self.reviewers if r.silent]


_STANDS = """
SELECT reviewer, sum(state = 'open'), sum(state = 'draft'), sum(state = 'signed') FROM item
WHERE campaign_id = ? GROUP BY reviewer
"""
# An item counts at the first sign-off of the person whose item it is now; what somebody decided
# before they handed it over is not counted.
_BATCHES = """
SELECT first, count(*) FROM (
    SELECT (SELECT min(d.entry_id) FROM decision d JOIN entry e ON e.id = d.entry_id
        WHERE d.item_id = n.id AND lower(e.principal) = n.reviewer
            AND d.entry_id NOT IN (SELECT entry_id FROM void_entry)) AS first
    FROM item n WHERE n.campaign_id = ? AND n.state = 'signed')
GROUP BY first
"""
_SIGNED_AT = """
SELECT id, lower(principal), logged_at FROM entry WHERE campaign = ? AND predicate = 'decisions'
ORDER BY id
"""


def course(db: Database, at: Campaign) -> Course:
    """How the campaign stands now; reads every item once, so call it in a thread."""
    entries = db.execute(_SIGNED_AT, (at.digest,)).fetchall()
    times = {entry: stamp for entry, _, stamp in entries}
    last = {principal: stamp for _, principal, stamp in entries}
    stands = [
        Stand(reviewer, left, drafts, signed, last.get(reviewer))
        for reviewer, left, drafts, signed in db.execute(_STANDS, (at.id,))
    ]
    batches = [
        SignedBatch(times[first], count)
        for first, count in db.execute(_BATCHES, (at.id,))
        if first in times
    ]
    contested = db.value(
        "SELECT count(*) FROM item WHERE campaign_id = ? AND contested = 1", (at.id,)
    )
    stands.sort(key=lambda s: (-s.open, -s.drafts, s.reviewer))
    return Course(stands, sorted(batches), contested)


def signed_by(db: Database, at: Campaign) -> dict[str, int]:
    """Who signed how many decisions in the whole campaign, as far as it has come here.

    Of a campaign that came from elsewhere only one's own items are here, and what everybody signed:
    this is what is known of the rest. A decision that supersedes another is counted too.
    """
    found: dict[str, int] = {}
    ids = [row[0] for row in db.execute(
        "SELECT id FROM entry WHERE campaign = ? AND predicate = 'decisions' ORDER BY id",
        (at.digest,),
    )]  # fmt: skip
    for start in range(0, len(ids), AT_ONCE):
        for row in tlog.rows(db, ids[start : start + AT_ONCE]):
            found[row.principal.lower()] = found.get(row.principal.lower(), 0) + (row.rows or 0)
    return found


Kind = Literal["closed", "done", "early", "stalled", "far", "expected"]


class Forecast(NamedTuple):
    """When a campaign will be decided, as far as its pace tells."""

    kind: Kind
    """closed, done, early (too few batches to say), stalled (nothing signed lately), far, or
    expected; only the last one has a day."""
    done_on: str | None = None
    """The day on which the last item will be signed."""
    days_late: int = 0
    """Calendar days after the due date; below zero before it."""
    per_day: float = 0.0
    window_days: int = WINDOW_DAYS
    """Days that the pace is taken from: fewer in a campaign that is younger."""


def forecast(
    batches: Sequence[SignedBatch], left: int, now: str, opened_at: str, due_at: str,
    closed_at: str | None = None,
) -> Forecast:  # fmt: skip
    """When *left* items will be signed, at the pace of the last `WINDOW_DAYS` days. Pure."""
    if closed_at is not None:
        return Forecast("closed")
    if not left:
        return Forecast("done")
    if len(batches) < LEAST_BATCHES:
        return Forecast("early")
    moment = datetime.fromisoformat(now)
    age = (moment - datetime.fromisoformat(opened_at)).total_seconds() / _DAY_S
    window = max(1, min(WINDOW_DAYS, math.ceil(age)))
    since = rfc3339(moment - timedelta(days=window))
    items = sum(b.items for b in batches if b.at > since)
    if not items:
        return Forecast("stalled", window_days=window)
    per_day = items / window
    if left / per_day > FAR_DAYS:
        return Forecast("far", per_day=per_day, window_days=window)
    done = moment + timedelta(days=left / per_day)
    late = (done.date() - datetime.fromisoformat(due_at).date()).days
    return Forecast("expected", rfc3339(done)[:10], late, per_day, window)


class AgeClass(NamedTuple):
    """Items whose identity's oldest live key is so old."""

    above_days: int | None
    """The least age in days; None where there is no key, or no date of one."""
    dated: bool
    """Whether there is a key at all, where no age is known."""
    items: int
    signed: int


# what counts as a key that ages is what the rule credential-old looks at
_AGES = """
SELECT age, count(*), sum(state = 'signed') FROM (
    SELECT state, CASE {whens} WHEN made IS NULL AND keys > 0 THEN -2 WHEN made IS NULL THEN -1
        ELSE 0 END AS age
    FROM (SELECT n.state AS state, min(coalesce(c.last_rotated_at, c.created_at)) AS made,
            count(c.id) AS keys
        FROM item n LEFT JOIN credential c ON c.identity_id = n.identity_id
            AND c.absent_since IS NULL AND c.status NOT IN ('disabled', 'deleted')
            AND c.credential_type IN ('static_secret', 'asymmetric_key', 'token')
        WHERE n.campaign_id = ? GROUP BY n.id))
GROUP BY age
"""


def ages_sql(bounds: int) -> str:
    """The query of `ages` for so many bounds."""
    return _AGES.format(whens=" ".join(f"WHEN made <= ? THEN {n}" for n in range(bounds, 0, -1)))


def ages(db: Database, campaign_id: int, now: str, bounds: Sequence[int]) -> list[AgeClass]:
    """Items by the age of their identity's oldest live key: youngest class first, then unknown.

    *bounds* are ages in days, rising, at which a new class begins. Reads every item and every
    key of it, so call it in a thread.
    """
    moment = datetime.fromisoformat(now)
    cuts = [rfc3339(moment - timedelta(days=days)) for days in reversed(bounds)]
    found = {
        age: (count, signed)
        for age, count, signed in db.execute(ages_sql(len(bounds)), (*cuts, campaign_id))
    }
    classes = [AgeClass(days, True, *found.get(n, (0, 0))) for n, days in enumerate((0, *bounds))]
    classes.append(AgeClass(None, True, *found.get(-2, (0, 0))))
    classes.append(AgeClass(None, False, *found.get(-1, (0, 0))))
    return classes
