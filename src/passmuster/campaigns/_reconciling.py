"""Is the list whole? What the inventory holds, against a count or a second export.

An auditor's first question (PCAOB AS 1105.10: information produced by the company is tested for
completeness). The answer is given before a campaign opens and is signed with its definition; a
difference that nobody explains keeps it from opening.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from passmuster import inventory, store
from passmuster.campaigns._population import select
from passmuster.errors import PreflightFailed, UsageError
from passmuster.store import Database
from passmuster.text import Json, plural, visible

NAMED = 5
"""Identities that are named of those that one side lacks; the rest are counted."""


def reconcile(
    db: Database, scope: str, expected: Iterable[str], against: Iterable[Path], now: str,
    explained: str | None = None,
) -> list[Json]:  # fmt: skip
    """What was compared and how it came out, for the definition.

    *expected* are `COUNT`, of the campaign's *scope*, or `FILTER=COUNT`; *against* are second
    exports of sources that were imported. Raises PreflightFailed for a difference that is not
    *explained*.
    """
    found = [_typed(db, scope, words, now) for words in expected]
    for path in against:
        found += _second_export(db, path, now)
    for one in found:
        one["explained"] = visible(explained) if explained and one["differs"] else None
        if one["differs"] and not explained:
            raise PreflightFailed(f"{_said(one)}: import the whole export, or say why with "
                                  "--explain")  # fmt: skip
    return found


def _typed(db: Database, scope: str, words: str, now: str) -> Json:
    expression, equals, number = words.rpartition("=")
    if not number.strip().isdecimal():
        raise UsageError(f"--expect takes COUNT or FILTER=COUNT, not {words!r}")
    what, expected = expression.strip() if equals else scope, int(number)
    try:
        held = len(select(db, what, now))
    except PreflightFailed:
        held = 0
    return {"how": "typed", "what": what, "expected": expected, "found": held,
            "differs": held != expected}  # fmt: skip


def _second_export(db: Database, path: Path, now: str) -> list[Json]:
    """Each source of *path*, read into a workspace of its own, against the inventory."""
    with tempfile.TemporaryDirectory(prefix="muster-second-") as folder:
        scratch = store.create(Path(folder, "workspace"))
        try:
            inventory.import_file(scratch, path, now=now, by=None)
            digest = scratch.value("SELECT sha256 FROM import_run LIMIT 1")
            sources = scratch.execute("SELECT uid FROM source ORDER BY uid").fetchall()
            held = {row[0] for row in db.execute("SELECT uid FROM source")}
            if not {uid for (uid,) in sources} & held:
                raise PreflightFailed(f"{path.name}: is of no source that was imported here")
            return [
                _compared(db, scratch, uid, path.name, digest) for (uid,) in sources if uid in held
            ]
        finally:
            scratch.close()


def _compared(db: Database, scratch: Database, source: str, name: str, digest: str) -> Json:
    there, here = _present(scratch, source), _present(db, source)
    missing, extra = sorted(there - here), sorted(here - there)
    return {
        "how": "export", "what": source, "expected": len(there), "found": len(here),
        "differs": bool(missing), "fileName": visible(name),
        "sha256": digest,
        "missing": len(missing), "missingNamed": missing[:NAMED],
        "extra": len(extra), "extraNamed": extra[:NAMED],
    }  # fmt: skip


def _present(db: Database, source: str) -> set[str]:
    """Identities of *source* that its newest export has."""
    rows = db.execute(
        "SELECT i.uid FROM identity i JOIN source s ON s.id = i.source_id"
        " WHERE s.uid = ? AND i.absent_since IS NULL",
        (source,),
    )
    return {row[0] for row in rows}


def _said(one: Json) -> str:
    if one["how"] == "typed":
        what = f" for {one['what']!r}" if one["what"] else " in the scope"
        return f"{plural(one['found'], 'identity')}{what}, {one['expected']:,} expected"
    named = ", ".join(one["missingNamed"])
    return (
        f"{one['fileName']} has {plural(one['missing'], 'identity')} that {one['what']} "
        f"here has not ({named})"
    )
