"""Run the rules over the whole inventory and bring `finding` and `listing` up to date.

Everything is SQL over sets. One transaction: a crash leaves the findings of before. A finding is
keyed by rule and subject, never deleted and made anew: `first_seen` is evidence.
"""

import json
from dataclasses import dataclass

from passmuster.config import Settings
from passmuster.errors import MusterError
from passmuster.policy import _listing
from passmuster.policy._rulebook import NEEDS, Rule, check, load_rules
from passmuster.store import Database, SqliteError


@dataclass(frozen=True, slots=True)
class RuleRun:
    """What came of one rule: a count, or why there is none."""

    rule: str
    hits: int | None
    not_evaluated: str | None
    """A sentence; None when the rule ran."""


def evaluate(db: Database, settings: Settings, now: str) -> list[RuleRun]:
    """Run every rule at *now* (RFC 3339, UTC), reconcile the findings, rebuild the listing.

    Raises UsageError for a threshold of a rule or parameter that does not exist.
    """
    check(settings)
    with db.aside(), db.atomic(durable=False, joins=True):  # can be repeated at any time
        have = supplied(db)
        _retire(db, now)
        runs = [_run(db, rule, have, rule.where_params(now, settings)) for rule in _all()]
        _listing.rebuild(db)
    return runs


def stale(db: Database, settings: Settings, now: str) -> bool:
    """Whether the findings are of other facts, other thresholds or another day than *now*'s.

    So after an import that was killed before its rules ran, after a change in `config.toml`,
    after a sign-off, and when a night has made something older than the policy allows.
    """
    newest = db.value(
        "SELECT max(at) FROM (SELECT max(imported_at) AS at FROM import_run"
        " UNION ALL SELECT max(logged_at) FROM entry)"
    )
    if db.value("SELECT 1 FROM import_run LIMIT 1") is None:
        return False
    ran = {row[0]: row[1:] for row in db.execute(
        "SELECT rule, ran_at, sql_sha256, params FROM rule_run")}  # fmt: skip
    for rule in _all():
        at, *how = ran.get(rule.id, ("", "", ""))
        params = _as_kept(rule.where_params(now, settings))
        if at < newest or at[:10] < now[:10] or how != [rule.sha256, params]:
            return True
    return False


def _as_kept(params: dict[str, str | int]) -> str:
    return json.dumps({k: v for k, v in params.items() if k != "now"}, sort_keys=True)


def _all() -> list[Rule]:
    return list(load_rules().values())


def supplied(db: Database) -> set[str]:
    """The kinds of facts that are there to judge by (`NEEDS`)."""
    have = {
        str(fact)
        for (fact,) in db.execute(
            "SELECT DISTINCT f.value FROM import_run r, json_each(r.supplies) f"
        )
    }
    if db.value("SELECT 1 FROM decision UNION ALL SELECT 1 FROM emergency LIMIT 1"):
        have.add("review")
    if db.value("SELECT 1 FROM emergency LIMIT 1"):
        have.add("emergency")
    if db.value("SELECT 1 FROM identity WHERE kind = 'agent' AND absent_since IS NULL LIMIT 1"):
        have.add("agent")
    return have


def missing(rule: Rule, have: set[str]) -> str | None:
    """Why *rule* cannot be evaluated, as a sentence; None when it can."""
    return "; ".join(NEEDS[need] for need in rule.needs if need not in have) or None


def not_evaluated(db: Database) -> dict[str, str]:
    """Rules that say nothing about this workspace, each with the reason."""
    have = supplied(db)
    return {rule.id: why for rule in _all() if (why := missing(rule, have))}


def _run(db: Database, rule: Rule, have: set[str], params: dict[str, str | int]) -> RuleRun:
    why = missing(rule, have)
    hits = None
    if why is None:
        hits = _reconcile(db, rule, params)
    # a rule that cannot be evaluated leaves its findings: no answer is not an all-clear
    db.execute(
        "INSERT OR REPLACE INTO rule_run (rule, ran_at, sql_sha256, params, hits, not_evaluated)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            rule.id, params["now"], rule.sha256, _as_kept(params), hits, why,
        ),
    )  # fmt: skip
    return RuleRun(rule.id, hits, why)


def _reconcile(db: Database, rule: Rule, params: dict[str, str | int]) -> int:
    db.execute(
        "CREATE TABLE IF NOT EXISTS aside.hit"
        " (subject_id INTEGER PRIMARY KEY, identity_id INTEGER NOT NULL, detail TEXT NOT NULL)"
    )
    db.execute("DELETE FROM aside.hit")
    try:
        db.execute(
            # a subject is hit once; a hit without words is still a hit
            "INSERT INTO aside.hit SELECT subject_id, identity_id, coalesce(detail, '')"
            f" FROM (\n{rule.sql}\n) WHERE true ON CONFLICT (subject_id) DO NOTHING",
            params,
        )
    except SqliteError as error:
        raise MusterError(f"rule {rule.id} cannot run: {error}") from None
    key = {"rule": rule.id, "kind": rule.subject, "severity": rule.severity, **params}
    db.execute(
        "UPDATE finding SET cleared_at = :now WHERE rule = :rule AND cleared_at IS NULL"
        " AND (subject_kind <> :kind OR subject_id NOT IN (SELECT subject_id FROM aside.hit))",
        key,
    )
    for first, last in db.spans("aside.hit"):
        db.execute(_FOUND, {**key, "first": first, "last": last})
    return int(db.value("SELECT count(*) FROM aside.hit"))


_FOUND = """
INSERT INTO finding (rule, subject_kind, subject_id, identity_id, severity, detail, first_seen)
SELECT :rule, :kind, subject_id, identity_id, :severity, detail, :now FROM aside.hit
WHERE subject_id BETWEEN :first AND :last ORDER BY subject_id
ON CONFLICT (rule, subject_kind, subject_id) DO UPDATE SET
    identity_id = excluded.identity_id, severity = excluded.severity, detail = excluded.detail,
    cleared_at = NULL
WHERE (identity_id, severity, detail, cleared_at) IS NOT
    (excluded.identity_id, excluded.severity, excluded.detail, NULL)
"""


def _retire(db: Database, now: str) -> None:
    """Clear what rules that exist no more have found."""
    known = json.dumps(list(load_rules()))
    gone = "rule NOT IN (SELECT value FROM json_each(:known))"
    db.execute(
        f"UPDATE finding SET cleared_at = :now WHERE cleared_at IS NULL AND {gone}",
        {"now": now, "known": known},
    )
    db.execute(f"DELETE FROM rule_run WHERE {gone}", {"known": known})
