"""An import and what follows from it: the rules run again, and the lists show it."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from passmuster import connectors, inventory, policy
from passmuster.config import Settings
from passmuster.connectors import Context, Where
from passmuster.errors import ImportRefused, UsageError
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


def collect(
    db: Database, where: Where, settings: Settings, *, now: str, keep: Path | None = None,
    **options: Any,
) -> list[Run]:  # fmt: skip
    """Make the exports of a source live and import them as one snapshot; they are deleted then.

    All or nothing: a source that cannot be reached, or that turns out to be another one than was
    asked for, leaves the inventory as it was. *keep* is a folder for the exports.
    """
    if keep is not None and keep.exists():
        raise UsageError(f"{keep} is there already: name a new folder")
    folder = Path(tempfile.mkdtemp(prefix=".collect-", dir=db.path.parent))  # 0700, as its parent
    try:
        connectors.collect(where, folder)
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        if not paths:
            raise ImportRefused(f"{where.source}: nothing was collected")
        for path in paths:
            path.chmod(0o600)
        context = options.get("context") or Context()
        if context.source_label is None:  # what a file cannot name is what was asked for
            context = replace(context, source_label=where.tenant or None, label_is_tenant=True)
        options["context"] = context
        with db.aside(), db.atomic(durable=False):
            runs = inventory.import_files(
                db, paths, now=now, by=settings.me, just_made=True, **options
            )
            _refuse_other(where, runs)
        refresh(db, settings, now)
        if keep is not None:
            shutil.copytree(folder, keep)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return runs


def _refuse_other(where: Where, runs: Sequence[Run]) -> None:
    """Logged in elsewhere than one meant, everything there would seem new, and nothing gone."""
    other = next((run.source for run in runs if run.source != where.source), None)
    if where.tenant and other is not None:
        raise ImportRefused(
            f"{where.source}: the login is of {other}: log in there with the vendor's tool; "
            "nothing was imported"
        )
