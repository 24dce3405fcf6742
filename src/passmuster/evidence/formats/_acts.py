"""The signed results of remediations as OCSF events: every one, in the order of the log.

What was done to an account, a credential or a right is an event of the class for that, of the
activity that was done; whether it came to anything is its status, and never more than the
platform answered. Where nothing was done (a script was handed over, a person is to do it, it was
not there) that is told as "Other", by its name. They are read from the signed files one at a
time.
"""

from collections.abc import Iterator
from typing import NamedTuple

from passmuster import campaigns, merkle
from passmuster.evidence._came import HEARD, PROVED, Heard, heard
from passmuster.evidence._files import json_lines
from passmuster.evidence._statements import RESULTS, Statement
from passmuster.evidence.formats import Draft
from passmuster.evidence.formats._common import said
from passmuster.text import Json

ACCOUNT, PRIVILEGES, MANAGEMENT = 3001, 3005, 3004
OTHER = 99
STOP = {ACCOUNT: 5, PRIVILEGES: 2, MANAGEMENT: 9}
"""Class → the activity that takes away: Disable, Revoke Privileges, Disable."""
BACK = {ACCOUNT: 2, PRIVILEGES: 1, MANAGEMENT: 8}
"""Class → the activity that gives back: Enable, Assign Privileges, Enable."""
UNKNOWN, SUCCESS, FAILURE = 0, 1, 2
DONE: frozenset[Heard] = frozenset(
    {"refused", "flag", "works", "applied", "apply_failed", "reverted"}
)
"""Results of something that was sent to the platform, or tried."""
FAILED: frozenset[Heard] = frozenset({"works", "apply_failed"})
PARTS = (("credential", "credential", "uid"), ("grant", "grant", "entitlement_uid"),
         ("trust", "trust", "from_uid"))  # fmt: skip


class Act(NamedTuple):
    """A signed result, and what it is about."""

    statement: Statement
    leaf: str
    """Its name, as that of a decision row."""
    row: Json
    """A line of `remediations.jsonl`."""
    kind: str
    """identity, credential, grant or trust; `part` where the inventory no longer tells."""
    name: str
    """What people call the identity."""
    of: str
    """The identity's own kind."""

    @property
    def heard(self) -> Heard:
        """What the result comes to."""
        return heard(self.row)

    @property
    def what(self) -> str:
        """Who and what, for people."""
        verb, part = self.row["verb"].replace("_", "-"), self.row["part"]
        return f"{said(self.name)}: {verb} {said(part)}" if part else f"{said(self.name)}: {verb}"


def acts(draft: Draft) -> Iterator[Act]:
    """Every signed result of the pack that is not void."""
    for statement in draft.statements:
        if statement.attestation.kind == "remediation" and statement.index not in draft.void:
            name = f"{statement.folder}/{RESULTS['remediation']}"
            for line, row in json_lines(draft.files, name):
                yield _act(draft, statement, merkle.leaf_hash(line).hex(), row)


def _act(draft: Draft, statement: Statement, leaf: str, row: Json) -> Act:
    _, kind, uid = campaigns.subject_of(row["item"])
    found = draft.db.one(
        "SELECT y.id, y.display_name, y.kind FROM item i JOIN identity y ON y.id = i.identity_id"
        " WHERE i.campaign_id = ? AND i.uri = ?", (draft.campaign.id, row["item"]),
    )  # fmt: skip
    identity_id, name, of = found or (None, uid, "service")
    if row["part"] is not None:
        kind = next((
            kind for kind, table, column in PARTS
            if draft.db.value(f"SELECT 1 FROM {table} WHERE identity_id = ? AND {column} = ?",
                              (identity_id, row["part"]))
        ), "part")  # fmt: skip
    return Act(statement, leaf, row, kind, str(name), str(of))


def kind_of(act: Act) -> tuple[int, int, str | None]:
    """(class, activity, the activity's name where it has no number)."""
    what = HEARD[act.heard]
    if act.heard not in DONE:
        return MANAGEMENT, OTHER, f"Remediation: {what}"
    number = {"identity": ACCOUNT, "grant": PRIVILEGES}.get(act.kind, MANAGEMENT)
    # of what is taken away or destroyed nobody can say "disabled": it is called by its verb
    if number != PRIVILEGES and act.row["undoClass"] != "R1":
        verb = "put back" if act.heard == "reverted" else act.row["verb"]
        return number, OTHER, f"Remediation: {verb}"
    return number, (BACK if act.heard == "reverted" else STOP)[number], None


def status(act: Act) -> int:
    """A success only where the platform was asked and said so."""
    if act.heard in PROVED or act.heard == "reverted":
        return SUCCESS
    if act.heard in FAILED:
        return FAILURE
    return UNKNOWN if act.heard in DONE else OTHER
