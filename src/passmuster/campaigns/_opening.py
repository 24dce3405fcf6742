"""Open a campaign: freeze what will be judged, prove that the list is whole, sign it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from passmuster import attestations, blobs, policy, tlog
from passmuster.campaigns import _freezing
from passmuster.campaigns._freezing import Freezer
from passmuster.campaigns._naming import name_items
from passmuster.campaigns._population import ITEM_KINDS, OWNER, Assigner, ItemKind, select
from passmuster.campaigns._reconciling import reconcile
from passmuster.campaigns._second_policy import second_ext, wanted_policy
from passmuster.config import Settings
from passmuster.errors import PreflightFailed, UsageError
from passmuster.keys import SigningKey
from passmuster.seconds import Policy
from passmuster.store import Database
from passmuster.text import Json, canonical, nearest, sha256, strict_json, utc, visible

STRATEGY = "one_deny_denies"
KINDS = ("periodic", "intake", "delta", "emergency")
"""Why a campaign is held; the statement says so."""
MAX_RISK_ANALYSIS = 32 * 1024 * 1024
"""Bytes of the file that sets how often a review is done."""
MAX_NAME = 80
"""Characters of a campaign's name."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What somebody asks for when opening a campaign."""

    name: str
    due: str
    """A day (`2026-12-31`, to its end in UTC) or a full time."""
    reviewer: str
    """An e-mail, or `owner`."""
    fallback: str | None = None
    scope: str = ""
    of: ItemKind = "identity"
    rationale: str | None = None
    """Why the scope is what it is; an auditor asks."""
    frequency_basis: str | None = None
    """The risk analysis that sets how often this is done (PCI DSS 7.2.5.1), in a sentence."""
    risk_analysis: Path | None = None
    """That analysis itself; it is kept and goes into the evidence."""
    expect: tuple[str, ...] = ()
    """Counts that the inventory must have: `COUNT` of the scope, or `FILTER=COUNT`."""
    against: tuple[Path, ...] = ()
    """Second exports that the inventory is compared with."""
    explain: str | None = None
    """Why a difference to either is right."""
    second: tuple[str, ...] | None = None
    """Who may be the second person; None as the settings have it, empty for no such rule."""
    second_when: str | None = None
    """Which approvals need one: privileged, all, or risk:70; None as the settings have it."""
    kind: str = "periodic"
    """One of `KINDS`."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A campaign as it was opened."""

    name: str
    digest: str
    """SHA-256 of the campaign statement: the campaign's name for ever."""
    population: int
    excluded: int
    reviewers: dict[str, int]
    """Items by reviewer."""
    unowned: int
    due_at: str
    needing_second: int = 0
    """Items whose approval needs a second person."""


def open_campaign(
    db: Database,
    wanted: Definition,
    key: SigningKey,
    settings: Settings,
    now: str,
    progress: Callable[[int, int], None] | None = None,
) -> Opened:
    """Freeze the population of *wanted* and sign the campaign statement; all or nothing.

    Raises PreflightFailed when the campaign could not succeed.
    """
    with _freezing.staging(db):
        with db.snapshot():  # whatever is signed from here on is a conflict
            link = tlog.next_link(db)
            due_at = _preflight(db, wanted, now)
            second = wanted_policy(db, wanted.second, wanted.second_when, settings)
            more = _when_given(db, wanted, now) | second_ext(second)
            definition = _definition(db, wanted, due_at, settings, more)
            freezer, excluded, body, subject = _freeze(db, wanted, second, now, progress)
            body = {**_statement_body(db, wanted, due_at, definition, now), **body}
        payload = attestations.statement(
            "campaign", {"definition.json": sha256(definition), **subject}, body,
            tlog.enrol_at(db, link, key, now), now, key.principal, second_ext(second),
        )  # fmt: skip
        envelope = attestations.sign(payload, key)  # a hardware key waits: nobody else does
        digest = sha256(payload)
        with db.atomic():
            tlog.append(db, envelope, tlog.known_keys(db), digest, now)
            counts = freezer.count, excluded
            campaign_id = _insert_campaign(db, wanted, key, digest, body, counts)
            _freezing.land(db, campaign_id)
            name_items(db, campaign_id, digest)
    return Opened(
        wanted.name, digest, freezer.count, excluded, freezer.reviewers, freezer.unowned, due_at,
        freezer.needing.count,
    )  # fmt: skip


def _freeze(
    db: Database, wanted: Definition, second: Policy | None, now: str,
    progress: Callable[[int, int], None] | None,
) -> tuple[Freezer, int, Json, dict[str, str]]:  # fmt: skip
    """Stage the population; how many are left out, what the statement says of both, the files."""
    freezer = Freezer(db, wanted.of, Assigner(db, wanted.reviewer, wanted.fallback), second)
    ids = select(db, wanted.scope, now)
    freezer.freeze(ids, progress)
    freezer.refuse(wanted.scope)
    excluded, excluded_root, excluded_digest = freezer.exclude(ids, wanted.scope)
    body = {
        "population": {
            "count": freezer.count, "root": freezer.population.root(),
            "excludedCount": excluded, "excludedRoot": excluded_root,
        },
        "assignmentsRoot": freezer.assignments.root(),
    }  # fmt: skip
    files = {f"{name}.jsonl": freezer.digest[name].hexdigest()
             for name in ("population", "assignments", "dossiers")}  # fmt: skip
    return freezer, excluded, body, {**files, "excluded.jsonl": excluded_digest}


def _preflight(db: Database, wanted: Definition, now: str) -> str:
    if wanted.of not in ITEM_KINDS:
        raise UsageError(f"no items of {wanted.of!r}{nearest(wanted.of, ITEM_KINDS)}")
    if wanted.kind not in KINDS:
        raise UsageError(f"no campaign of kind {wanted.kind!r}{nearest(wanted.kind, KINDS)}")
    if wanted.name != wanted.name.strip() or not wanted.name.isprintable():
        raise UsageError("a campaign's name is printable and has no spaces around it")
    if not 1 <= len(wanted.name) <= MAX_NAME:
        raise UsageError(f"a campaign's name has 1 to {MAX_NAME} characters")
    due_at = f"{wanted.due}T23:59:59Z" if len(wanted.due) == 10 else wanted.due
    if utc(due_at) is None:
        raise UsageError(f"{wanted.due!r} is not a date; write 2026-12-31")
    if due_at <= now:
        raise PreflightFailed(f"the due date {wanted.due} is past")
    if db.value("SELECT 1 FROM campaign WHERE name = ?", (wanted.name,)):
        raise PreflightFailed(f"there is a campaign {wanted.name!r} already: choose another name")
    if wanted.reviewer != OWNER and "@" not in wanted.reviewer:
        raise UsageError(f"--reviewer takes an e-mail address or `owner`, not {wanted.reviewer!r}")
    return due_at


def _definition(
    db: Database, wanted: Definition, due_at: str, settings: Settings, more: Json
) -> bytes:
    """The definition and the rules that the findings come from, as one kept document."""
    rules = {
        rule.id: {"sha256": rule.sha256, "severity": rule.severity,
                  "params": {**rule.params, **settings.rules.get(rule.id, {})}}
        for rule in policy.load_rules().values()
    }  # fmt: skip
    document = canonical({
        "name": wanted.name, "of": wanted.of, "scope": wanted.scope, "reviewer": wanted.reviewer,
        "fallback": wanted.fallback, "dueAt": due_at, "rationale": _shown(wanted.rationale),
        "frequencyBasis": _shown(wanted.frequency_basis), "rules": rules,
        "notEvaluated": dict(policy.not_evaluated(db)), **more,
    })  # fmt: skip
    blobs.put(db, document, staged=True)
    _keep_rules(db)
    return document


def _when_given(db: Database, wanted: Definition, now: str) -> Json:
    """The parts of a definition that version 1 has only where somebody asked for them."""
    found: Json = {}
    if wanted.expect or wanted.against:
        found["reconciliation"] = reconcile(
            db, wanted.scope, wanted.expect, wanted.against, now, wanted.explain
        )
    if wanted.risk_analysis is not None:
        data = wanted.risk_analysis.read_bytes()
        if len(data) > MAX_RISK_ANALYSIS:
            raise UsageError(f"{wanted.risk_analysis}: larger than {MAX_RISK_ANALYSIS:,} bytes")
        found["riskAnalysis"] = {
            "fileName": file_name(wanted.risk_analysis.name),
            "sha256": blobs.put(db, data, staged=True), "size": len(data),
        }  # fmt: skip
    return found


def file_name(name: str) -> str:
    """*name* as a file may be called in a pack: letters, digits, `.`, `-`, `_` alone."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in ".-_") else "_" for c in name)
    return kept.lstrip(".-")[-MAX_NAME:] or "unnamed"


def _keep_rules(db: Database) -> None:
    """Keep the rules' files: a later release may have other ones, a pack needs these."""
    folder = resources.files(policy) / "rules"
    for rule in policy.load_rules().values():
        kept = blobs.put(db, (folder / f"{rule.id}.sql").read_bytes(), staged=True)
        if kept != rule.sha256:
            raise PreflightFailed(f"the rule {rule.id} changed meanwhile: start muster again")


def _insert_campaign(
    db: Database, wanted: Definition, key: SigningKey, digest: str, body: Json,
    counts: tuple[int, int],
) -> int:  # fmt: skip
    cursor = db.execute(
        "INSERT INTO campaign (name, digest, item_kind, scope, due_at, opened_at, opened_by,"
        " population, excluded, definition) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (wanted.name, digest, wanted.of, wanted.scope, body["dueAt"], body["openedAt"],
         key.principal, *counts, body["definitionDigest"]),
    )  # fmt: skip
    return int(cursor.lastrowid or 0)


def _statement_body(
    db: Database, wanted: Definition, due_at: str, definition: bytes, now: str
) -> Json:
    previous = db.value(
        "SELECT digest FROM campaign WHERE digest IS NOT NULL AND scope = ? AND item_kind = ?"
        " ORDER BY id DESC LIMIT 1",
        (wanted.scope, wanted.of),
    )
    return {
        "name": wanted.name,
        "kind": wanted.kind,
        "iteration": 1,
        "previousCampaign": previous,
        "itemKind": wanted.of,
        "openedAt": now,
        "dueAt": due_at,
        "definitionDigest": sha256(definition),
        "rulesDigest": sha256(canonical(strict_json(definition)["rules"])),
        "scope": {"filter": wanted.scope, "rationale": _shown(wanted.rationale)},
        "stages": [{
            "reviewerRule": wanted.reviewer, "fallback": wanted.fallback, "dueAt": due_at,
            "strategy": STRATEGY, "quorum": 1, "exclusions": [],
        }],
        "runs": [dict(run) for run in source_runs(db)],
        "frequencyBasis": _shown(wanted.frequency_basis),
        "commitments": [],
    }  # fmt: skip


def _shown(words: str | None) -> str | None:
    return None if words is None else visible(words)


def source_runs(db: Database) -> list[Json]:
    """The newest import run of each source and format: where the population comes from."""
    names = (
        "source", "format", "fileName", "sha256", "size", "importedAt", "identities", "records",
        "problems",
    )  # fmt: skip
    rows = db.execute(
        "SELECT s.uid, r.format, r.file_name, r.sha256, r.size, r.imported_at, r.identities,"
        " r.records, r.problems FROM import_run r JOIN source s ON s.id = r.source_id"
        " WHERE r.batch IN (SELECT max(batch) FROM import_run GROUP BY source_id, format)"
        " ORDER BY s.uid, r.format, r.id"
    )
    return [dict(zip(names, row, strict=True)) for row in rows]
