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
    """Import *paths* as one snapshot (`inventory.import_files`), then evaluate the rules."""
    runs = inventory.import_files(db, paths, now=now, by=settings.me, **options)
    if options.get("dry_run"):
        return runs
    if any(run.unchanged_since is None for run in runs):
        policy.evaluate(db, settings, now)  # `stale` cannot tell two imports in one second apart
    else:
        refresh(db, settings, now)
    return runs


def refresh(db: Database, settings: Settings, now: str) -> None:
    """Run the rules if what they found is no longer what they would find."""
    if policy.stale(db, settings, now):
        policy.evaluate(db, settings, now)
