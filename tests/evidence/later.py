"""What the tests' own platform says after the end of a review."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from passmuster import connectors, inventory
from passmuster.model import Problem, Record
from passmuster.store import Database
from tests import scene
from tests.scene import BOSS, RAW, records

AFTER = "2026-12-05T08:00:00Z"


def speaks_for_all(patch: pytest.MonkeyPatch) -> None:
    """From now on an export of the platform says how every identity stands."""
    patch.setattr(scene, "FORMAT", replace(scene.FORMAT, covers=("status", "display_name")))


def import_again(
    db: Database, folder: Path, patch: pytest.MonkeyPatch,
    change: Callable[[Record], Record | None] = lambda record: record, at: str = AFTER,
    whole: bool = True,
) -> None:  # fmt: skip
    """Bring in an export in which *change* was done to each record; None takes it away.

    Unless it is read *whole*, a row of it cannot be read.
    """

    def told(*_: object) -> Iterator[Record]:
        kept = [r for r in records() if not (whole and isinstance(r, Problem))]
        yield from filter(None, map(change, kept))

    path = folder / "later.txt"
    path.write_bytes(RAW + at.encode())
    patch.setattr(connectors, "named", lambda _: replace(scene.FORMAT, parse=told))
    inventory.import_file(db, path, now=at, by=BOSS, format_name=scene.FORMAT.name)
