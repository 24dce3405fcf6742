"""`exports/audit/`: what an auditor's "User Access Review" asks for, as CSV for their own tools.

The files that such a test takes in, and the six tests as we ran them (`tests.csv`). Every row
follows from the signed files but for the two that a source or a register says today: the
post-review file and the listing of people. Nothing is cut: a file has a line for each thing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from passmuster.evidence import _came, _tables
from passmuster.evidence._came import HEARD, Came
from passmuster.evidence._files import json_lines
from passmuster.evidence._six import TESTS, Miss, Six
from passmuster.evidence._tables import csv_line
from passmuster.evidence._walk import Ballot, Judged
from passmuster.evidence.formats import Draft
from passmuster.text import Json

FOLDER = "exports/audit/"
FILES = (FOLDER,)

_ACCESS = (
    "source", "identity", "name", "kind", "part", "uid", "detail", "level", "via", "status",
    "created", "last_used", "last_used_state", "expires",
)  # fmt: skip
COLUMNS: dict[str, tuple[str, ...]] = {
    "permission-file": ("item", *_ACCESS),
    "review-file": (
        "item", "source", "identity", "name", "kind", "owners", "requested_of", "how_assigned",
        "decided_by", "relation_to_item", "first_shown", "decided_at", "signed_at", "in_time",
        "verdict", "changes", "reason_code", "reason", "decided_together_with", "outcome",
        "until", "statement", "row",
    ),
    "post-review-permission-file": ("item", *_ACCESS, "absent_since", "seen_at"),
    "owners": (
        "item", "identity", "name", "owner", "person", "still_here", "team", "role", "origin",
        "evidence",
    ),
    "actions": (
        "item", "name", "action", "part", "state_at_the_source", "why", "due", "past_due",
        "asked_for", "signed_result", "said", "at", "statement",
    ),
    "tests-exceptions": ("test", "item", "name", "person", "what", "tested"),
}  # fmt: skip
"""Files that grow as the items go by, by name, with their header."""
PEOPLE = ("uid", "email", "name", "active", "left_at", "manager", "teams", "register", "as_of")
SOURCES = (
    "source", "format", "file", "sha256", "size", "imported_at", "identities", "records",
    "not_read", "after_the_review",
)  # fmt: skip
EXCLUDED = ("item", "why")
REVIEW = (
    "review", "statement", "of", "scope", "rationale", "frequency_basis", "requested_by",
    "requested_at", "due_at", "threshold_days", "completed_at", "completed_in_time",
    "population", "excluded",
)  # fmt: skip
REQUESTS = (
    "reviewer", "requested_at", "due_at", "items", "decided", "not_decided", "late",
    "first_signed_at", "last_signed_at",
)  # fmt: skip
TEST = (
    "test", "question", "population", "exceptions", "not_tested", "result", "note",
)  # fmt: skip


def begin(draft: Draft) -> "AuditCsv":
    """The exports of a pack."""
    return AuditCsv(draft)


class AuditCsv:
    """Open files that lines are added to; of the items only counts are kept."""

    def __init__(self, draft: Draft) -> None:
        self.draft, self.six = draft, Six(draft)
        self.requests: dict[str, list[Any]] = {}
        self.identity: tuple[str, str] | None = None
        self._open = ExitStack()
        self._write: dict[str, Callable[[bytes], None]] = {}
        for name, columns in COLUMNS.items():
            stream = draft.writer.stream(f"{FOLDER}{name}.csv")
            self._write[name] = self._open.enter_context(stream)
            self._line(name, columns)

    def _line(self, name: str, cells: tuple[Any, ...]) -> None:
        self._write[name](csv_line(cells))

    def item(self, judged: Judged) -> None:
        """Its lines in each file."""
        identity = (judged.dossier["source"]["uid"], judged.dossier["identity"]["uid"])
        new = identity != self.identity
        self.identity = identity
        self._review_file(judged)
        for row in access(judged.dossier):
            # the items of one identity repeat what it is; only of grants each has its own
            if new or (judged.dossier["of"], row[4]) == ("grant", "grant"):
                self._line("permission-file", (judged.uri, *row))
        if new:
            self._owners(judged)
            self._post_review(judged)
        unseen = self.draft.unseen.get(judged.dossier["source"]["uid"])
        for one in _came.came(judged, self.draft.results, unseen):
            self._action(judged, one)
        for miss in self.six.judge(judged):
            self._miss(miss)

    def _action(self, judged: Judged, one: Came) -> None:
        said = one.result or {}
        self._line("actions", (
            judged.uri, _name(judged), one.verb, one.part, one.state, one.why, one.due,
            "yes" if one.is_late(self.draft.now) else "no", "yes" if one.is_asked else "no",
            HEARD[one.heard], said.get("said"), said.get("at"), said.get("statement"),
        ))  # fmt: skip

    def _miss(self, miss: Miss) -> None:
        self._line("tests-exceptions", (*miss[:5], "yes" if miss.known else "no"))

    def _review_file(self, judged: Judged) -> None:
        first, how = judged.first
        identity = judged.dossier["identity"]
        owners = "; ".join(o["person_uid"] or o["team"] or o["handle"]
                           for o in judged.dossier["owners"])  # fmt: skip
        head = (judged.uri, judged.dossier["source"]["uid"], identity["uid"], _name(judged),
                identity["kind"], owners, first, how)  # fmt: skip
        tail = (judged.outcome.effect, judged.outcome.until)
        self._count(judged)
        for ballot in judged.final.values():
            where = (ballot.batch.file.rsplit("/", 1)[0], ballot.leaf)
            self._line("review-file", (*head, *self._decided(judged, ballot), *tail, *where))
        if not judged.ballots:
            self._line("review-file", (*head, *(None,) * 11, *tail, None, None))

    def _decided(self, judged: Judged, ballot: Ballot) -> tuple[Any, ...]:
        row, signed = ballot.row, self.six.signed_at[ballot.batch.index]
        changes = "; ".join(
            f"{c['verb']} {c['target']}" + (f" by {c['by']}" if c.get("by") else "")
            for c in row["changes"]
        )
        return (
            ballot.batch.principal, self.six.relation(judged, ballot),
            row["attention"]["first_shown"], row["attention"]["decided"], signed,
            "yes" if signed <= self.six.due else "no", row["verdict"], changes,
            row["reason"]["code"], row["reason"]["text"],
            row["bulk"]["size"] if row["bulk"] else None,
        )  # fmt: skip

    def _count(self, judged: Judged) -> None:
        """The requests by the person who must decide it now."""
        request = self.requests.setdefault(judged.reviewer, [0, 0, 0, None, None])
        request[0] += 1
        mine = judged.final.get(judged.reviewer)
        if mine is None:
            return
        signed = self.six.signed_at[mine.batch.index]
        request[1] += 1
        request[2] += signed > self.six.due
        request[3] = min(request[3] or signed, signed)
        request[4] = max(request[4] or signed, signed)

    def _owners(self, judged: Judged) -> None:
        for owner in judged.dossier["owners"]:
            here = {1: "yes", 0: "no"}.get(owner["person_active"], "not known")
            self._line("owners", (
                judged.uri, judged.dossier["identity"]["uid"], _name(judged), owner["handle"],
                owner["person_uid"], here, owner["team"], owner["role"], owner["origin"],
                owner["evidence"],
            ))  # fmt: skip

    def _post_review(self, judged: Judged) -> None:
        if judged.after is None:
            return
        seen = max((run["imported_at"] for run in judged.after["runs"]), default=None)
        gone = judged.after["identity"]["absent_since"]
        for row in access(judged.after):
            self._line("post-review-permission-file", (judged.uri, *row, gone, seen))

    def end(self) -> None:
        """What is one file by itself."""
        for miss in self.six.end():
            self._miss(miss)
        self._open.close()
        self._add("people", PEOPLE, self._people())
        self._add("sources", SOURCES, self._sources())
        self._add("excluded", EXCLUDED, (
            (row["item"], row["why"]) for _, row in json_lines(
                self.draft.files, f"{self.draft.opened.folder}/excluded.jsonl")
        ))  # fmt: skip
        self._add("review", REVIEW, iter([self._review()]))
        self._add("requests", REQUESTS, (
            (who, self.six.body["openedAt"], self.six.due, items, decided,
             items - decided, late, first, last)
            for who, (items, decided, late, first, last) in sorted(self.requests.items())
        ))  # fmt: skip
        self._add("tests", TEST, (
            (name, asked, count.population, count.exceptions, count.unknown, count.result,
             note(self.six, name))
            for name, asked in TESTS.items() for count in (self.six.counts[name],)
        ))  # fmt: skip

    def _add(
        self, name: str, columns: tuple[str, ...], rows: Iterator[tuple[Any, ...]]
    ) -> None:  # fmt: skip
        with self.draft.writer.stream(f"{FOLDER}{name}.csv") as write:
            write(csv_line(columns))
            for row in rows:
                write(csv_line(row))

    def _people(self) -> Iterator[tuple[Any, ...]]:
        """The registers' people as they are now; of the organisation nothing else is in a pack."""
        yield from self.draft.db.execute(
            "SELECT p.uid, p.email, p.display_name,"
            " CASE p.active WHEN 1 THEN 'yes' ELSE 'no' END, p.left_at, p.manager,"
            " (SELECT group_concat(value, '; ') FROM json_each(p.teams)), s.uid, r.imported_at"
            " FROM person p JOIN source s ON s.id = p.source_id"
            " JOIN import_run r ON r.id = p.last_seen_run WHERE p.absent_since IS NULL"
            " ORDER BY p.id"
        )

    def _sources(self) -> Iterator[tuple[Any, ...]]:
        for run in self.six.body["runs"]:
            seen = self.draft.unseen.get(run["source"], "imported again: see the post-review file")
            yield (*(run[n] for n in ("source", "format", "fileName", "sha256", "size",
                                      "importedAt", "identities", "records", "problems")),
                   seen)  # fmt: skip

    def _review(self) -> tuple[Any, ...]:
        body, at = self.six.body, self.draft.campaign
        in_time = None if at.closed_at is None else "yes" if at.closed_at <= self.six.due else "no"
        return (
            body["name"], self.draft.opened.attestation.name, body["itemKind"],
            body["scope"]["filter"], body["scope"]["rationale"], body["frequencyBasis"],
            body["principal"], body["openedAt"], body["dueAt"], days(self.six), at.closed_at,
            in_time, body["population"]["count"], body["population"]["excludedCount"],
        )  # fmt: skip


def access(dossier: Json) -> Iterator[tuple[Any, ...]]:
    """The account of a dossier, then each credential, grant and trust of it; columns `_ACCESS`."""
    at = dossier["identity"]
    head = (dossier["source"]["uid"], at["uid"], at["display_name"], at["kind"])
    used = (at["last_used_at"], at["last_used_state"])
    yield (*head, "account", at["uid"], at["nhi_detail"], at["privilege_reason"], None,
           at["status"], at["created_at"], *used, None)  # fmt: skip
    for row in dossier["credentials"]:
        yield (*head, "credential", row["uid"], row["credential_detail"], None, None,
               row["status"], row["created_at"], row["last_used_at"], row["last_used_state"],
               row["expires_at"])  # fmt: skip
    for row in dossier["grants"]:
        yield (*head, "grant", row["entitlement"], row["display_name"], row["permission_level"],
               row["via"], None, None, None, None, row["expires_at"])  # fmt: skip
    for row in dossier["trusts"]:
        yield (*head, "trust", row["from_uid"], row["mechanism"], None, row["subject_pattern"],
               None, None, None, None, None)  # fmt: skip
    for part, count in dossier["left_out"].items():
        if dossier["of"] == "identity":
            yield (*head, part, None, f"{count} more: see the dossier's left_out and the export",
                   *(None,) * 7)  # fmt: skip


def note(six: Six, test: str) -> str:
    """What somebody who reads the result of a test should know."""
    body, draft = six.body, six.draft
    match test:
        case "completeness":
            return (f"{body['population']['excludedCount']} identities are excluded, each with a"
                    " reason (excluded.csv); compare the counts in sources.csv with the source"
                    " itself")  # fmt: skip
        case "right-reviewer":
            return "; ".join(f"{n} by: {what}" for what, n in sorted(six.relations.items()))
        case "timeliness":
            return f"requested {body['openedAt']}, due {body['dueAt']}"
        case "revoked":
            whys = "; ".join(f"{source}: {why}" for source, why in six.unseen.items())
            return f"not known of {whys}" if whys else ""
        case "all-reviewed" if draft.campaign.closed_at is None:
            return "the review is not closed yet"
        case _:
            return ""


def days(six: Six) -> int:
    """Whole days from the request to the due date."""
    return (datetime.fromisoformat(six.due) - datetime.fromisoformat(six.body["openedAt"])).days


def _name(judged: Judged) -> str:
    return _tables.name(judged.dossier)
