"""Freeze what a campaign will judge, beside the workspace: it lands there once it is signed.

A key may wait a minute for a touch, and a million items take minutes to freeze. Both happen on one
state of the workspace, in a file aside that only this connection sees, while others go on writing.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from passmuster import blobs, merkle
from passmuster.campaigns import _dossiers
from passmuster.campaigns._population import (
    Assigner,
    ItemKind,
    left_out,
    refuse_unassigned,
)  # fmt: skip
from passmuster.campaigns._second_policy import Needing
from passmuster.errors import PreflightFailed
from passmuster.seconds import Policy
from passmuster.store import Database
from passmuster.text import canonical

_ITEM = (
    "uri, subject_id, identity_id, reviewer, assigned, risk, dossier, material, chunk, position,"
    " salt, needs_second, barred"
)


@contextmanager
def staging(db: Database) -> Iterator[None]:
    """In the block items and bytes can be staged; at its end they are gone unless they landed."""
    with blobs.staging(db):
        db.execute(f"CREATE TABLE aside.staged_item ({_ITEM})")
        db.execute("CREATE TABLE aside.staged_exclusion (uri TEXT PRIMARY KEY, why, salt)")
        yield


def land(db: Database, campaign_id: int) -> None:
    """Make what is staged the campaign's, in the order in which it was frozen."""
    blobs.land(db)
    for span in db.spans("aside.staged_item"):
        db.execute(
            f"INSERT INTO item (campaign_id, {_ITEM})"
            f" SELECT ?, {_ITEM} FROM aside.staged_item WHERE rowid BETWEEN ? AND ? ORDER BY rowid",
            (campaign_id, *span),
        )
    db.execute(
        "INSERT INTO exclusion SELECT ?, uri, why, salt FROM aside.staged_exclusion ORDER BY uri",
        (campaign_id,),
    )


def population_row(item_uri: str, dossier: str, material: str, salt: str) -> bytes:
    """One line of `population.jsonl`; the salt keeps sibling hashes from being guessed."""
    return canonical({"item": item_uri, "dossier": dossier, "material": material, "salt": salt})


def assignment_row(item_uri: str, reviewer: str, how: str, salt: str) -> bytes:
    """One line of `assignments.jsonl`; its salt follows from the item's."""
    own = hashlib.sha256(f"assignment {salt}".encode()).hexdigest()[:32]
    return canonical({"item": item_uri, "reviewer": reviewer, "assigned": how, "salt": own})


def excluded_row(item_uri: str, why: str, salt: str) -> bytes:
    """One line of `excluded.jsonl`."""
    return canonical({"item": item_uri, "why": why, "salt": salt})


class Freezer:
    """Stages items and their dossiers, chunk by chunk, and hashes as it goes."""

    def __init__(
        self, db: Database, of: ItemKind, assigner: Assigner, second: Policy | None
    ) -> None:  # fmt: skip
        self.db, self.of, self.assigner = db, of, assigner
        self.needing = Needing(db, second)
        self.population, self.assignments = merkle.Frontier(), merkle.Frontier()
        # files that a stock tool can check by one digest, without a tree (campaign statement)
        self.digest = {name: hashlib.sha256() for name in ("population", "assignments", "dossiers")}
        self.count = self.unowned = self.unassigned_count = 0
        self.unassigned: list[str] = []
        self.without: dict[int, str] = {}
        self.reviewers: dict[str, int] = {}

    def freeze(self, ids: list[int], progress: Callable[[int, int], None] | None) -> None:
        for start in range(0, len(ids), _dossiers.CHUNK):
            chunk = ids[start : start + _dossiers.CHUNK]
            lines: list[bytes] = []
            rows = list(self._rows(chunk, lines))
            stored = blobs.put(self.db, b"\n".join(lines) + b"\n", staged=True)
            self.db.executemany(
                f"INSERT INTO aside.staged_item ({_ITEM})"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(*row[:8], stored, *row[8:]) for row in rows],
            )
            if progress:
                progress(start + len(chunk), len(ids))

    def refuse(self, scope: str) -> None:
        """Raise PreflightFailed when what was frozen cannot be reviewed to an end."""
        refuse_unassigned(self.unassigned, self.unassigned_count)
        self.needing.refuse_stuck()
        if not self.count:
            raise PreflightFailed(f"no {self.of} in the scope {scope!r}")

    def _rows(self, ids: list[int], lines: list[bytes]) -> Iterator[tuple[Any, ...]]:
        for identity_id, dossier in _dossiers.dossiers(self.db, ids):
            assignment = self.assigner.assign(dossier)
            if assignment.reviewer is None:
                self.unassigned_count += 1
                if len(self.unassigned) < 3:
                    self.unassigned.append(dossier["identity"]["display_name"])
                continue
            found = list(_dossiers.items(dossier, self.of))
            if not found:
                self.without[identity_id] = f"has no {self.of} to decide on"
            for item in found:
                line, digest, material = _dossiers.digests(item)
                salt = secrets.token_hex(16)
                lines.append(line)
                self.digest["dossiers"].update(line + b"\n")
                self._count(item["uri"], digest, material, salt, assignment.reviewer,
                            assignment.how)  # fmt: skip
                yield (
                    item["uri"], identity_id, identity_id,
                    assignment.reviewer, assignment.how, item["risk"], digest, material,
                    len(lines) - 1, salt, *self.needing.note(item, assignment.reviewer),
                )  # fmt: skip

    def exclude(self, ids: list[int], scope: str) -> tuple[int, str, str]:
        """Stage who is left out, and why; their count, root and the digest of the file."""
        frontier, digest = merkle.Frontier(), hashlib.sha256()
        self.db.executemany("INSERT INTO aside.staged_exclusion VALUES (?, ?, ?)", (
            (_dossiers.uri(source, "identity", uid), why, secrets.token_hex(16))
            for source, uid, why in left_out(self.db, ids, scope, self.without)
        ))  # fmt: skip
        for staged in self.db.execute("SELECT * FROM aside.staged_exclusion ORDER BY uri"):
            row = excluded_row(*staged)
            frontier.append(merkle.leaf_hash(row))
            digest.update(row + b"\n")
        return frontier.size, frontier.root(), digest.hexdigest()

    def _count(
        self, item_uri: str, digest: str, material: str, salt: str, reviewer: str, how: str
    ) -> None:
        row = population_row(item_uri, digest, material, salt)
        self.population.append(merkle.leaf_hash(row))
        self.digest["population"].update(row + b"\n")
        row = assignment_row(item_uri, reviewer, how, salt)
        self.assignments.append(merkle.leaf_hash(row))
        self.digest["assignments"].update(row + b"\n")
        self.count += 1
        self.unowned += how.startswith("unowned")
        self.reviewers[reviewer] = self.reviewers.get(reviewer, 0) + 1
