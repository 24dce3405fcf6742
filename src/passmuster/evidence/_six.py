"""The six tests that an auditor's "User Access Review" re-performs, run by us on the same rows.

Complete, nobody judged their own access, all reviewed, in time, by the right person, carried out.
A test that cannot be answered says so and why; it never reads as passed. What is counted here is
an exception to look at, no verdict on the company.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from passmuster import campaigns
from passmuster.evidence import _after
from passmuster.evidence._statements import Statement
from passmuster.evidence._walk import Ballot, Judged
from passmuster.evidence.formats import Draft
from passmuster.text import Json, strict_json, utc

TESTS = {
    "completeness": "Is everything that the sources list in the reviewed population, or excluded"
                    " with a reason?",
    "own-access": "Did anybody review their own access?",
    "all-reviewed": "Was every item reviewed?",
    "timeliness": "Was every item reviewed by the due date?",
    "right-reviewer": "Did the owner, the owner's team or whoever was named decide each item?",
    "revoked": "Is access that was to go gone at its source?",
}  # fmt: skip
"""Id → what is asked."""


SILENT: dict[str, str] = {
    "no_response": "no signed decision", "abstained": "only abstentions",
    "awaiting_second": "approved, and no second person has concurred",
    "objected": "approved, and a second person objects",
    "contested": "decided or countersigned differently, and neither had seen the other",
}  # fmt: skip
"""Outcomes in which access neither stands nor stops, and what is missing."""


URGENT = "on call"
"""What somebody is to an item that they stopped in an emergency: nobody asked them."""


class Miss(NamedTuple):
    """An exception, or something that could not be tested (`known` is False)."""

    test: str
    item: str | None
    name: str | None
    who: str | None
    why: str
    known: bool = True


@dataclass(slots=True)
class Count:
    """What came of one test."""

    population: int = 0
    exceptions: int = 0
    unknown: int = 0

    @property
    def result(self) -> str:
        """In words."""
        if self.exceptions:
            return "exceptions"
        if not self.population:
            return "nothing to test"
        if self.unknown == self.population:
            return "not tested"
        return "passed in part" if self.unknown else "passed"


@dataclass
class Six:
    """The six tests over one pack; items go by one at a time and are not kept."""

    draft: Draft
    counts: dict[str, Count] = field(default_factory=lambda: {name: Count() for name in TESTS})
    relations: Counter[str] = field(default_factory=Counter)
    """Decisions by what the person who signed is to the item."""
    unseen: dict[str, str] = field(default_factory=dict)
    """Sources of something that was to go of which the state is not known, and why."""

    @cached_property
    def body(self) -> Json:
        """What the campaign statement says."""
        return self.draft.opened.attestation.predicate

    @cached_property
    def definition(self) -> Json:
        """The definition as it was signed."""
        found: Json = strict_json(campaigns.definition(self.draft.db, self.draft.campaign))
        return found

    @cached_property
    def due(self) -> str:
        """The due date in the form of all other times, so that they compare."""
        return utc(self.body["dueAt"]) or str(self.body["dueAt"])

    @cached_property
    def signed_at(self) -> dict[int, str]:
        """When each statement was signed, by its index."""
        return {s.index: signed_at(s) for s in self.draft.statements}

    def judge(self, judged: Judged) -> list[Miss]:
        """What the tests of single items have to say of this one."""
        found = [*self._reviewed(judged), *self._of_rows(judged), *self._carried_out(judged)]
        for miss in found:
            self._add(miss)
        return found

    def _add(self, miss: Miss) -> None:
        count = self.counts[miss.test]
        count.exceptions += miss.known
        count.unknown += not miss.known

    def _reviewed(self, judged: Judged) -> Iterator[Miss]:
        at = (judged.uri, _name(judged), judged.reviewer)
        self.counts["all-reviewed"].population += 1
        self.counts["timeliness"].population += 1
        silent = SILENT.get(judged.outcome.effect)
        if silent:
            yield Miss("all-reviewed", *at, silent)
        due, closed = self.due, self.draft.campaign.closed_at
        if silent:
            if (closed or self.draft.now) > due:
                yield Miss("timeliness", *at, f"not decided by {due}")
            elif closed is not None:
                yield Miss("timeliness", *at, f"not decided when the review was closed, {closed}")
            else:
                yield Miss("timeliness", *at, f"not decided yet, and not due before {due}", False)
            return
        counted = [b for b in judged.final.values() if b.leaf in judged.outcome.leaves]
        when = max(self.signed_at[ballot.batch.index] for ballot in counted)
        if when > due:
            yield Miss("timeliness", *at, f"signed {when}, due {due}")

    def _of_rows(self, judged: Judged) -> Iterator[Miss]:
        for principal, ballot in judged.final.items():
            at = (judged.uri, _name(judged), principal)
            self.counts["own-access"].population += 1
            self.counts["right-reviewer"].population += 1
            if how := self._own(judged, principal):
                yield Miss("own-access", *at, how)
            relation = self.relation(judged, ballot)
            self.relations[relation.partition(":")[0]] += 1
            if relation.startswith("unowned"):
                yield Miss("right-reviewer", *at, f"decided by who was named, {relation}")
        for ballot in judged.ignored:
            self.counts["right-reviewer"].population += 1
            yield Miss("right-reviewer", judged.uri, _name(judged), ballot.batch.principal,
                       "was not asked: the row counts for nothing")  # fmt: skip

    def relation(self, judged: Judged, ballot: Ballot) -> str:
        """What somebody who decided is to the item, as far as the signed files tell."""
        who = ballot.batch.principal
        if ballot.batch.is_emergency:
            return URGENT
        if is_owner(judged, who):
            return "owner"
        first, how = judged.first
        return how if who == first else "handed over by an earlier reviewer"

    def _own(self, judged: Judged, principal: str) -> str | None:
        """How *principal* is the one whose access this is; None when nothing says so."""
        identity = judged.dossier["identity"]
        names = [identity[n] for n in ("uid", "uid_alt", "display_name", "external_id")]
        if principal in [str(name).lower() for name in names if name]:
            return "the account is the reviewer's own"
        if identity["kind"] == "human" and principal == self._person(judged):
            return "the account belongs to the reviewer, says the register of people"
        if str(identity["created_by"] or "").lower() == principal:
            return "the reviewer created the account"
        users = [u["consumer"].lower() for u in judged.dossier["usage"]
                 if u["consumer_kind"] == "person"]  # fmt: skip
        return "the reviewer uses the account by hand" if principal in users else None

    def _person(self, judged: Judged) -> str | None:
        found = self.draft.db.value(
            "SELECT lower(p.email) FROM item i JOIN identity y ON y.id = i.identity_id"
            " JOIN person p ON p.uid = y.person_uid WHERE i.campaign_id = ? AND i.uri = ?"
            " AND p.email IS NOT NULL LIMIT 1",
            (self.draft.campaign.id, judged.uri),
        )
        return None if found is None else str(found)

    def _carried_out(self, judged: Judged) -> Iterator[Miss]:
        source = judged.dossier["source"]["uid"]
        unseen = self.draft.unseen.get(source)
        for stop in _after.stops(judged, unseen):
            self.counts["revoked"].population += 1
            if unseen:
                self.unseen[source] = unseen
            if stop.state == "gone":
                continue
            verb = _after.ENDED if stop.verb == _after.ENDS else stop.verb
            what = f"{verb} {stop.part}" if stop.part else verb
            yield Miss("revoked", judged.uri, _name(judged), judged.reviewer,
                       f"{what}: {stop.why}", stop.state == "standing")  # fmt: skip

    def end(self) -> Iterator[Miss]:
        """What is no single item's: what is in no list, and the end of the review itself."""
        for miss in chain(self._late_end(), self._uncovered()):
            self._add(miss)
            yield miss

    def _late_end(self) -> Iterator[Miss]:
        closed, due = self.draft.campaign.closed_at, self.due
        if closed is not None and closed > due:
            yield Miss("timeliness", None, None, self.draft.campaign.opened_by,
                       f"the review was closed {closed}, due {due}")  # fmt: skip

    def _uncovered(self) -> Iterator[Miss]:
        """Known identities in neither list, and rows of the exports that could not be read."""
        db, at, count = self.draft.db, self.draft.campaign, self.counts["completeness"]
        rows = db.execute(
            "SELECT s.uid, i.uid, i.display_name, EXISTS (SELECT 1 FROM item t"
            " WHERE t.identity_id = i.id AND t.campaign_id = ?1) FROM identity i"
            " JOIN source s ON s.id = i.source_id JOIN import_run r ON r.id = i.first_seen_run"
            " WHERE r.imported_at <= ?2",
            (at.id, at.opened_at),
        )
        for source, uid, name, in_it in rows:
            count.population += 1
            if in_it:
                continue
            uri = campaigns.uri(source, "identity", uid)
            if not db.value("SELECT 1 FROM exclusion WHERE campaign_id = ? AND uri = ?",
                            (at.id, uri)):  # fmt: skip
                yield Miss("completeness", uri, name, None, "neither reviewed nor excluded")
        for run in self.body["runs"]:
            yield from self._unread(run)
        for compared in self.definition.get("reconciliation", ()):
            count.population += 1
            if compared["differs"]:
                yield Miss("completeness", None, compared["what"] or "the scope", None,
                           f"expected {compared['expected']}, found {compared['found']}; "
                           f"explained: {compared['explained']}")  # fmt: skip

    def _unread(self, run: Json) -> Iterator[Miss]:
        rows = self.draft.db.execute(
            "SELECT p.line, p.field, p.why FROM problem p JOIN import_run r ON r.id = p.run_id"
            " JOIN source s ON s.id = r.source_id WHERE s.uid = ? AND r.format = ?"
            " AND r.sha256 = ? AND r.imported_at = ? ORDER BY p.id",
            tuple(run[name] for name in ("source", "format", "sha256", "importedAt")),
        )
        for line, column, why in rows:
            self.counts["completeness"].population += 1
            place = f"{run['fileName']} line {line}" if line else run["fileName"]
            yield Miss("completeness", None, place, None,
                       f"not read: {f'{column}: ' if column else ''}{why}")  # fmt: skip


def signed_at(statement: Statement) -> str:
    """When its signer says that it was signed."""
    return str(statement.attestation.predicate["signedAt"])


def is_owner(judged: Judged, who: str) -> bool:
    """Whether the evidence names *who* (an e-mail in lower case) as an owner in person."""
    return any(
        who in (str(owner["person_uid"]).lower(), owner["handle"].lower())
        for owner in judged.dossier["owners"]
    )


def _name(judged: Judged) -> str:
    return str(judged.dossier["identity"]["display_name"])
