"""What the report for people says, gathered while the items go by.

Counters, and of each kind of exception the first few: nothing here grows with the items. How
fast somebody decided and how much they approved is counted and told, never judged.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from passmuster.evidence import _came
from passmuster.evidence._came import Came
from passmuster.evidence._six import Miss, Six, is_owner
from passmuster.evidence._tables import name
from passmuster.evidence._tally import Tally
from passmuster.evidence._walk import Ballot, Judged
from passmuster.evidence.formats import Draft
from passmuster.text import Json

SHOWN = 10
"""Exceptions of one kind that the page lists; the rest is counted."""
PACE = ((2, "under 2 s"), (5, "2 to 5 s"), (15, "5 to 15 s"), (60, "15 to 60 s"),
        (300, "1 to 5 min"))  # fmt: skip
"""Seconds from an item being shown to its decision, and what the class is called."""
SLOWEST, UNTIMED = "over 5 min", "not known"
TOGETHER = "decided together"
FAST_S = 5


@dataclass(slots=True)
class Listed:
    """The first of many."""

    count: int = 0
    first: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, *row: Any) -> None:
        """One more."""
        self.count += 1
        if self.count <= SHOWN:
            self.first.append(row)


@dataclass(slots=True)
class Person:
    """What one reviewer had to do and did; decisions by their verdict."""

    asked: int = 0
    open: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    together: int = 0
    fast: int = 0
    """Approvals of single items within `FAST_S` of being shown, details not opened."""
    late: int = 0

    @property
    def decided(self) -> int:
        """Rows that count."""
        return self.verdicts.total()


class Facts:
    """Everything that the page has to say of the items."""

    def __init__(self, draft: Draft) -> None:
        self.draft, self.six = draft, Six(draft)
        self.definition = self.six.definition
        self.tally = Tally(self.definition["rules"])
        self.outcomes: Counter[str] = Counter()
        self.sources: dict[str, Counter[str]] = {}
        self.people: dict[str, Person] = {}
        self.pace: dict[str, Counter[str]] = {"approve": Counter(), "other": Counter()}
        self.acts: dict[str, tuple[int, str, str]] = {}
        self.listed: dict[str, Listed] = {}
        self.stops: Counter[tuple[str, str]] = Counter()
        """(verb, how its source has it) → how many."""
        self.came: Counter[tuple[_came.Heard, str]] = Counter()
        """The same by what the newest signed result comes to."""
        self.carried: Counter[str] = Counter()
        """How many are proved, late, asked for in an emergency, and so on."""
        self.excluded: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        """Items that need a second person, and those that have one's word."""
        self._identity: tuple[str, str] | None = None

    def item(self, judged: Judged) -> None:
        """Count an item."""
        self.tally.count(judged)
        effect, source = judged.outcome.effect, judged.dossier["source"]["uid"]
        self.outcomes[effect] += 1
        of_source = self.sources.setdefault(source, Counter())
        of_source[effect] += 1
        identity = (source, judged.dossier["identity"]["uid"])
        of_source["identities"] += identity != self._identity
        self._identity = identity
        self.seconds["needed"] += judged.may is not None
        self.seconds["given"] += bool(judged.outcome.seconds)
        asked = self._person(judged.reviewer)
        asked.asked += 1
        asked.open += judged.reviewer not in judged.final
        for ballot in judged.final.values():
            self._decided(judged, ballot)
        self.carried["urgent"] += _came.is_urgent(judged)
        for one in _came.came(judged, self.draft.results, self.draft.unseen.get(source)):
            self._came(judged, one)
        for miss in self.six.judge(judged):
            self._miss(miss)

    def _came(self, judged: Judged, one: Came) -> None:
        """Count one thing that is to stop; list it where somebody should look."""
        row = (name(judged.dossier), judged.uri, one)
        if not one.is_asked:
            self._list("beside", *row)
            return
        self.stops[one.verb, one.state] += 1
        self.came[one.heard, one.state] += 1
        late = one.is_late(self.draft.now)
        self.carried["late"] += late
        if one.is_done:
            self.carried["gone" if one.state == "gone" else "proved"] += 1
        else:
            self.carried["put back" if one.heard == "reverted" else "open"] += 1
            self._list("still there" if one.state == "standing" else "not proved", *row)
        if late:
            self._list("late", *row)

    def _person(self, who: str) -> Person:
        return self.people.setdefault(who, Person())

    def _list(self, kind: str, *row: Any) -> None:
        self.listed.setdefault(kind, Listed()).add(*row)

    def _miss(self, miss: Miss) -> None:
        self._list(miss.test if miss.known else f"{miss.test}?", miss.name, miss.who, miss.why,
                   miss.item)  # fmt: skip

    def _decided(self, judged: Judged, ballot: Ballot) -> None:
        row, who = ballot.row, ballot.batch.principal
        person = self._person(who)
        person.verdicts[row["verdict"]] += 1
        person.late += self.six.signed_at[ballot.batch.index] > self.six.due
        if is_owner(judged, who):
            self._list("owner", name(judged.dossier), who, row["verdict"], judged.uri)
        taken = seconds(ballot)
        self.pace["approve" if row["verdict"] == "approve" else "other"][pace(ballot, taken)] += 1
        if row["bulk"]:
            person.together += 1
            self._act(row["bulk"], who)
        elif is_fast(row, taken):
            person.fast += 1
            self._list("fast", name(judged.dossier), who, f"after {taken} s", judged.uri)

    def _act(self, bulk: dict[str, Any], who: str) -> None:
        """Keep the largest acts; each row says how large its act was."""
        self.acts[f"{who} {bulk['id']}"] = (bulk["size"], who, bulk["how"])
        if len(self.acts) > SHOWN:
            del self.acts[min(self.acts, key=lambda act: (self.acts[act][0], act))]

    def end(self) -> None:
        """What is no single item's."""
        for miss in self.six.end():
            self._miss(miss)
        for statement in self.draft.statements:
            for changed in statement.attestation.predicate["ext"].get("changedEvidence", ()):
                self._list("changed", changed["item"], statement.attestation.predicate["principal"],
                           ", ".join(changed["parts"]), changed["item"])  # fmt: skip
        for uri, why in self._excluded():
            self.excluded[why.partition(" since ")[0]] += 1
            source = unquote(uri.removeprefix("muster:").partition("/")[0])
            self.sources.setdefault(source, Counter())["excluded"] += 1

    def _excluded(self) -> Iterator[tuple[str, str]]:
        yield from self.draft.db.execute(
            "SELECT uri, why FROM exclusion WHERE campaign_id = ?", (self.draft.campaign.id,)
        )


def seconds(ballot: Ballot) -> int | None:
    """Seconds from the first look at an item to its decision; None where it is not known."""
    shown, decided = (ballot.row["attention"][n] for n in ("first_shown", "decided"))
    try:
        taken = datetime.fromisoformat(decided) - datetime.fromisoformat(shown)
    except (TypeError, ValueError):
        return None
    return max(int(taken.total_seconds()), 0)


def is_fast(row: Json, taken: int | None) -> bool:
    """Whether an item was approved almost at once, and its details never opened."""
    at_once = taken is not None and taken < FAST_S
    return at_once and row["verdict"] == "approve" and not row["attention"]["details_opened"]


def pace(ballot: Ballot, taken: int | None) -> str:
    """The class that a decision's time falls into."""
    if ballot.row["bulk"]:
        return TOGETHER
    if taken is None:
        return UNTIMED
    return next((words for limit, words in PACE if taken < limit), SLOWEST)
