"""An import and what follows from it: the rules run again, and the lists show it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from passmuster import inventory, policy
from passmuster.config import Settings
from passmuster.inventory import Run
from passmuster.store import Database


def import_files(
    db: Database, paths: Sequence[Path], settings: Settings, *, now: str, **options: Any
) -> list[Run]:
    """Import each of *paths* (`inventory.import_file`), then evaluate the rules once.

    Each file is all or nothing; a refused one leaves those before it imported.
    """
    runs: list[Run] = []
    try:
        for path in paths:
            runs += inventory.import_file(db, path, now=now, by=settings.me, **options)
    finally:
        if not options.get("dry_run") and any(run.unchanged_since is None for run in runs):
            policy.evaluate(db, settings, now)
    return runs
