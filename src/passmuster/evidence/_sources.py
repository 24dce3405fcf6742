"""Where the evidence comes from: import runs, their problems, the rules as run, their findings.

The campaign statement signs the runs and the rules as they were at opening. What came later is
here too and is marked so: it shows whether the access that was to go is still there.
"""

import json
from collections.abc import Iterator
from typing import Any

from passmuster import blobs, campaigns, policy
from passmuster.campaigns import Campaign
from passmuster.evidence._files import Writer
from passmuster.filters import Compiled
from passmuster.store import Database
from passmuster.text import Json, canonical, strict_json

RUN_COLUMNS = (
    "source", "platform", "format", "fileName", "sha256", "size", "exportedAt", "importedAt",
    "importedBy", "toolVersion", "supplies", "identities", "records", "new", "changed", "absent",
    "problems", "raw",
)  # fmt: skip
_RUNS = (
    "SELECT s.uid, s.platform, r.format, r.file_name, r.sha256, r.size, r.exported_at,"
    " r.imported_at, r.imported_by, r.tool_version, r.supplies, r.identities, r.records, r.new,"
    " r.changed, r.absent, r.problems, r.raw FROM import_run r JOIN source s ON s.id = r.source_id"
    " ORDER BY r.id"
)
_PROBLEMS = (
    "SELECT s.uid, r.format, r.sha256, r.imported_at, p.line, p.field, p.why, p.uid"
    " FROM problem p JOIN import_run r ON r.id = p.run_id JOIN source s ON s.id = r.source_id"
    " ORDER BY p.id"
)
PROBLEM_COLUMNS = ("source", "format", "sha256", "importedAt", "line", "field", "why", "uid")
FINDING_COLUMNS = (
    "rule", "severity", "subject_kind", "subject", "identity", "name", "source", "detail",
    "first_seen", "cleared_at",
)  # fmt: skip


def write(db: Database, campaign: Campaign, writer: Writer) -> None:
    """Write `sources`, `problems`, `rules`, `findings` as JSON lines, and the files they name."""
    writer.add("sources.jsonl", map(_line, _runs(db)))
    for (digest,) in db.execute("SELECT DISTINCT raw FROM import_run WHERE raw IS NOT NULL"):
        writer.add(f"raw/{digest}", blobs.pieces(db, digest))
    writer.add("problems.jsonl", (
        _line(dict(zip(PROBLEM_COLUMNS, row, strict=True))) for row in db.execute(_PROBLEMS)
    ))  # fmt: skip
    frozen = strict_json(campaigns.definition(db, campaign))["rules"]
    for rule_id, as_run in frozen.items():
        writer.add(f"rules/{rule_id}.sql", blobs.get(db, as_run["sha256"]))
    writer.add("rules.jsonl", map(_line, _rules(db, campaign)))
    writer.add("findings.jsonl", map(_line, _findings(db, campaign)))


def _line(value: Json) -> bytes:
    return canonical(value) + b"\n"


def _runs(db: Database) -> Iterator[Json]:
    for row in db.execute(_RUNS):
        run = dict(zip(RUN_COLUMNS, row, strict=True))
        run["supplies"] = json.loads(run["supplies"])
        run["raw"] = f"raw/{run['raw']}" if run["raw"] else None
        yield run


def _rules(db: Database, campaign: Campaign) -> Iterator[Json]:
    """Each rule as it stood at opening, and how it ran last."""
    document = strict_json(campaigns.definition(db, campaign))
    for rule_id, as_run in document["rules"].items():
        rule = policy.parse(blobs.get(db, as_run["sha256"]), rule_id)
        yield {
            "id": rule_id, "title": rule.title, "severity": as_run["severity"],
            "subject": rule.subject, "file": f"rules/{rule_id}.sql", "sha256": as_run["sha256"],
            "params": as_run["params"], "why": rule.why, "fix": rule.fix,
            "controls": [f"{framework} {control}" for framework, control, _ in rule.controls],
            "notEvaluatedAtOpening": document["notEvaluated"].get(rule_id),
            "latest": _latest(db, rule_id),
        }  # fmt: skip


def _latest(db: Database, rule_id: str) -> dict[str, Any] | None:
    row = db.one(
        "SELECT ran_at, sql_sha256, params, hits, not_evaluated FROM rule_run WHERE rule = ?",
        (rule_id,),
    )
    if row is None:
        return None
    return {"ranAt": row[0], "sha256": row[1], "params": json.loads(row[2]), "hits": row[3],
            "notEvaluated": row[4]}  # fmt: skip


def _findings(db: Database, campaign: Campaign) -> Iterator[Json]:
    """What the rules say of the campaign's identities by now, cleared findings included."""
    mine = Compiled(
        "EXISTS (SELECT 1 FROM item t WHERE t.identity_id = l.identity_id AND t.campaign_id = ?)",
        [campaign.id],
    )
    for found in policy.findings(db, where=mine, cleared=True):
        yield {name: found[name] for name in FINDING_COLUMNS}
