"""The steps from each released version to the next; one that has been released is never edited."""

import re

from sqlite_utils import Database as UtilsDatabase
from sqlite_utils import Migrations

from passmuster import merkle
from passmuster.schema._links import LINKS
from passmuster.schema._tables import (
    CENTRAL,
    EMERGENCY,
    EVIDENCE,
    INVENTORY,
    LOG,
    POLICY,
    REMEDIATION,
    REVIEW,
)

migrations = Migrations("passmuster")


def _statements(script: str) -> list[str]:
    """The single statements of *script*: `executescript` would commit the migration's own
    transaction. Each begins on a line of its own; what a trigger does, does not.
    """
    return re.split(r";\n\s*(?=CREATE|ALTER|--)", script.strip().rstrip(";"))


@migrations()
def version_1(db: UtilsDatabase) -> None:
    """The first release."""
    for script in (INVENTORY, POLICY, REVIEW, LOG):
        for statement in _statements(script):
            db.execute(statement)


@migrations()
def version_2(db: UtilsDatabase) -> None:
    """Names that begin alike, and what trusts an identity, are found by an index."""
    db.execute("CREATE INDEX listing_name ON listing (name)")
    db.execute("CREATE INDEX trust_from ON trust (from_uid)")


@migrations()
def version_3(db: UtilsDatabase) -> None:
    """The first rows of a whole queue, and what a handle names, are there at once."""
    db.execute("CREATE INDEX item_risk ON item (campaign_id, reviewer, risk DESC, id)")
    db.execute("CREATE INDEX identity_external ON identity (external_id)"
               " WHERE external_id IS NOT NULL")  # fmt: skip


@migrations()
def version_4(db: UtilsDatabase) -> None:
    """The tree of the log, countersignatures, and where a key of another tool lies."""
    for statement in _statements(EVIDENCE):
        db.execute(statement)
    envelopes = db.execute("SELECT envelope FROM entry ORDER BY id")
    leaves = (merkle.leaf_hash(bytes(row[0])) for row in envelopes)
    for tile in merkle.grow(lambda *_: b"", 0, leaves):
        db.execute("INSERT INTO tile VALUES (?, ?, ?)", tile)


@migrations()
def version_5(db: UtilsDatabase) -> None:
    """The central log: its verified mirror, what it refused, and campaigns that travel."""
    for statement in _statements(CENTRAL):
        db.execute(statement)


@migrations()
def version_6(db: UtilsDatabase) -> None:
    """What counts for nothing by what came to light after it was signed: made anew from the log
    whenever a roster or a witness's line comes.
    """
    db.execute("CREATE TABLE void_entry (entry_id INTEGER PRIMARY KEY REFERENCES entry,"
               " why TEXT NOT NULL)")  # fmt: skip


@migrations()
def version_7(db: UtilsDatabase) -> None:
    """What decisions ask to be stopped, how far that is, and the states that were there before."""
    for statement in _statements(REMEDIATION):
        db.execute(statement)


@migrations()
def version_8(db: UtilsDatabase) -> None:
    """Emergency decisions; handles by which people name what leaked."""
    for statement in _statements(EMERGENCY):
        db.execute(statement)


@migrations()
def version_9(db: UtilsDatabase) -> None:
    """Both ends of a trust, across sources; what new identities are for."""
    for statement in _statements(LINKS):
        db.execute(statement)
