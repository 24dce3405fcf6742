"""Results that came from another workspace: what they say is shown here, and never done again.

A remediation has the same name everywhere, so one that somebody else carried out is not planned a
second time. Its plan and its saved state are where it was carried out: only there it can be put
back.
"""

import json
from collections.abc import Iterable, Iterator

from passmuster import blobs, merkle
from passmuster.attestations import Attestation
from passmuster.errors import VerificationFailed
from passmuster.remediation._folding import check_row
from passmuster.remediation._signing import FILE
from passmuster.remediation._table import add, settle
from passmuster.store import Database
from passmuster.text import Json, strict_json


def take(db: Database, said: Attestation) -> None:
    """Take what a statement that is in the log says; anything but results changes nothing.

    Inside the transaction that puts it into the log. Raises VerificationFailed when its file is
    not what it signed. With a roster everything is told anew: it may have voided something.
    """
    if said.kind == "roster":
        for (name,) in db.execute("SELECT name FROM remediation").fetchall():
            settle(db, name)
    if said.kind != "remediation":
        return
    entry_id = int(db.value("SELECT id FROM entry WHERE statement = ?", (said.name,)))
    for row in list(rows_of(said, _lines(db, said))):  # nothing is taken of a file that is not it
        _placed(db, said, row)
        add(db, row, entry_id)
        settle(db, row["remediation"])


def rows_of(said: Attestation, lines: Iterable[bytes]) -> Iterator[Json]:
    """The results in the *lines* of a statement's file, one at a time.

    VerificationFailed comes at the end at the latest where they are not what was signed: no row
    counts before that.
    """
    tree = merkle.Frontier()
    for line in lines:
        try:
            row = strict_json(line)
            check_row(row)
        except (ValueError, RecursionError, AttributeError) as error:
            raise VerificationFailed(f"{FILE}: {error}") from None
        if "emergency" in row["basis"] and row["basis"] != said.predicate["basis"]:
            raise VerificationFailed(f"{FILE}: a result of another emergency")
        tree.append(merkle.leaf_hash(line))
        yield row
    body = said.predicate
    if (tree.root(), tree.size) != (body["root"], body["count"]) or not tree.size:
        raise VerificationFailed(f"{FILE}: does not have the root and count that were signed")


def _lines(db: Database, said: Attestation) -> Iterator[bytes]:
    if [name for name, _ in said.subject] != [FILE]:
        raise VerificationFailed("a remediation statement about other files")
    return blobs.lines(db, said.subject[0][1])


def _placed(db: Database, said: Attestation, row: Json) -> None:
    """The row of a remediation that is not planned here; one that is stays as it is."""
    campaign = said.predicate["basis"].get("campaign")
    item = db.one(
        "SELECT i.identity_id, i.subject_id, c.item_kind FROM item i"
        " JOIN campaign c ON c.id = i.campaign_id WHERE c.digest = ? AND i.uri = ?",
        (campaign, row["item"]),
    )  # fmt: skip
    identity_id, subject_id, kind = item or (None, None, "identity")
    source = row["item"].removeprefix("muster:").partition("/")[0]
    db.execute(
        "INSERT OR IGNORE INTO remediation (name, uri, identity_id, source, item_kind, subject_id,"
        " verb, part, campaign, basis, decided_at, plan_digest, undo_class, in_export, planned_at,"
        " state, said, state_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row["remediation"], row["item"], identity_id, source, kind, subject_id, row["verb"],
            row["part"], campaign, json.dumps(row["basis"]), row["planned"] or row["at"],
            row["plan"], row["undoClass"], row["inExport"], row["planned"], row["state"],
            row["said"], row["at"],
        ),
    )  # fmt: skip
