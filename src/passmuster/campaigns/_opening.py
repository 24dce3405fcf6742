"""Open a campaign: freeze what will be judged, prove that the list is whole, sign it."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from passmuster import attestations, blobs, merkle, policy, tlog
from passmuster.campaigns import _dossiers
from passmuster.campaigns._naming import name_items
from passmuster.campaigns._population import (
    ITEM_KINDS,
    OWNER,
    Assigner,
    ItemKind,
    left_out,
    refuse_unassigned,
    select,
)  # fmt: skip
from passmuster.campaigns._reconciling import reconcile
from passmuster.campaigns._second_policy import Needing, second_ext, wanted_policy
from passmuster.config import Settings
from passmuster.errors import PreflightFailed, UsageError
from passmuster.keys import SigningKey
from passmuster.seconds import Policy
from passmuster.store import Database
from passmuster.text import Json, canonical, nearest, sha256, strict_json, utc, visible

STRATEGY = "one_deny_denies"
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
    due_at = _preflight(db, wanted, now)
    assigner = Assigner(db, wanted.reviewer, wanted.fallback)
    second = wanted_policy(db, wanted.second, wanted.second_when, settings)
    with db.atomic():
        ids = select(db, wanted.scope, now)
        more = _when_given(db, wanted, now) | second_ext(second)
        definition = _definition(db, wanted, due_at, settings, more)
        campaign_id = _insert_campaign(db, wanted, key, due_at, definition, now)
        freezer = _Freezer(db, campaign_id, wanted.of, assigner, second)
        freezer.freeze(ids, progress)
        freezer.refuse(wanted.scope)
        excluded, excluded_root, excluded_digest = _exclude(
            db, campaign_id, ids, wanted.scope, freezer.without
        )
        body = {
            **_statement_body(db, wanted, due_at, definition, now),
            "population": {
                "count": freezer.count, "root": freezer.population.root(),
                "excludedCount": excluded, "excludedRoot": excluded_root,
            },
            "assignmentsRoot": freezer.assignments.root(),
        }  # fmt: skip
        tlog.enrol(db, key, now)
        link = tlog.next_link(db)
        subject = {
            "definition.json": sha256(definition),
            "population.jsonl": freezer.digest["population"].hexdigest(),
            "assignments.jsonl": freezer.digest["assignments"].hexdigest(),
            "dossiers.jsonl": freezer.digest["dossiers"].hexdigest(),
            "excluded.jsonl": excluded_digest,
        }
        payload = attestations.statement(
            "campaign", subject, body, link, now, key.principal, second_ext(second)
        )
        envelope = attestations.sign(payload, key)
        digest = sha256(payload)
        tlog.append(db, envelope, tlog.known_keys(db), digest, now)
        db.execute(
            "UPDATE campaign SET digest = ?, population = ?, excluded = ? WHERE id = ?",
            (digest, freezer.count, excluded, campaign_id),
        )
        name_items(db, campaign_id, digest)
    return Opened(
        wanted.name, digest, freezer.count, excluded, freezer.reviewers, freezer.unowned, due_at,
        freezer.needing.count,
    )  # fmt: skip


def _preflight(db: Database, wanted: Definition, now: str) -> str:
    if wanted.of not in ITEM_KINDS:
        raise UsageError(f"no items of {wanted.of!r}{nearest(wanted.of, ITEM_KINDS)}")
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
    blobs.put(db, document)
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
            "fileName": file_name(wanted.risk_analysis.name), "sha256": blobs.put(db, data),
            "size": len(data),
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
        kept = blobs.put(db, (folder / f"{rule.id}.sql").read_bytes())
        if kept != rule.sha256:
            raise PreflightFailed(f"the rule {rule.id} changed meanwhile: start muster again")


def _insert_campaign(
    db: Database, wanted: Definition, key: SigningKey, due_at: str, definition: bytes, now: str
) -> int:
    cursor = db.execute(
        "INSERT INTO campaign (name, item_kind, scope, due_at, opened_at, opened_by, population,"
        " excluded, definition) VALUES (?, ?, ?, ?, ?, ?, 0, 0, ?)",
        (wanted.name, wanted.of, wanted.scope, due_at, now, key.principal, sha256(definition)),
    )
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
        "kind": "periodic",
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


class _Freezer:
    """Writes items and their dossiers, chunk by chunk, and hashes as it goes."""

    def __init__(
        self, db: Database, campaign_id: int, of: ItemKind, assigner: Assigner,
        second: Policy | None,
    ) -> None:  # fmt: skip
        self.db, self.campaign_id, self.of, self.assigner = db, campaign_id, of, assigner
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
            stored = blobs.put(self.db, b"\n".join(lines) + b"\n")
            self.db.executemany(
                "INSERT INTO item (campaign_id, uri, subject_id, identity_id, reviewer, assigned,"
                " risk, dossier, material, chunk, position, salt, needs_second, barred)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(*row[:9], stored, *row[9:]) for row in rows],
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
                    self.campaign_id, item["uri"], identity_id, identity_id,
                    assignment.reviewer, assignment.how, item["risk"], digest, material,
                    len(lines) - 1, salt, *self.needing.note(item, assignment.reviewer),
                )  # fmt: skip

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


def _exclude(
    db: Database, campaign_id: int, ids: list[int], scope: str, without: dict[int, str]
) -> tuple[int, str, str]:
    frontier, digest = merkle.Frontier(), hashlib.sha256()
    batch: list[tuple[int, str, str, str]] = []
    for source, uid, why in left_out(db, ids, scope, without):
        item_uri, salt = _dossiers.uri(source, "identity", uid), secrets.token_hex(16)
        batch.append((campaign_id, item_uri, why, salt))
    batch.sort(key=lambda row: row[1])
    for _, item_uri, why, salt in batch:
        row = excluded_row(item_uri, why, salt)
        frontier.append(merkle.leaf_hash(row))
        digest.update(row + b"\n")
    db.executemany("INSERT INTO exclusion VALUES (?, ?, ?, ?)", batch)
    return frontier.size, frontier.root(), digest.hexdigest()
