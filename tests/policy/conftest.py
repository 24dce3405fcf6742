"""A real workspace to put an estate into, row by row, and to ask the rules about."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from passmuster import policy
from passmuster.config import Settings
from passmuster.policy._rulebook import NEEDS
from tests.fresh import fresh

NOW = "2026-11-22T00:00:00Z"
FACTS = [need for need in NEEDS if need not in ("review", "emergency", "agent")]

_ALWAYS: dict[str, dict[str, Any]] = {
    "identity": {
        "kind": "service", "kind_origin": "stated", "status": "enabled",
        "last_used_state": "unknown", "attributes": "{}",
    },
    "credential": {
        "credential_type": "static_secret", "credential_detail": "aws.access_key",
        "status": "enabled", "expires_state": "unknown", "last_used_state": "unknown",
        "attributes": "{}",
    },
    "entitlement": {
        "display_name": "right", "purpose": "permission", "permission_level": "read",
        "attributes": "{}",
    },
    "grant": {"via": "direct", "principal_uid": "x", "entitlement_uid": "x"},
    "trust": {
        "from_uid": "arn:aws:iam::999999999999:root", "from_kind": "account",
        "mechanism": "assume_role", "is_external": 1, "is_wildcard": 0, "to_identity_uid": "x",
    },
    "usage": {"consumer": "w", "consumer_kind": "workload", "identity_uid": "x"},
    "sighting": {"what": "leak", "place": "github.com/x", "identity_uid": "x"},
    "owner": {"handle": "ann", "role": "owner", "origin": "tag", "identity_uid": "x"},
    "person": {"display_name": "Ann", "active": 1, "aliases": "[]", "teams": "[]"},
    "team": {"display_name": "Platform", "aliases": "[]"},
    "supplier": {"display_name": "Acme", "tenant_uids": "[]", "active": 1},
    "environment": {"display_name": "x", "tier": "prod", "matches": "[]"},
}  # fmt: skip


class Estate:
    """A workspace with one source and one run that supplies every kind of fact."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = fresh(folder)
        self.count = 0
        self.row(
            "source", uid="aws:111122223333", platform="aws", tenant_uid="111122223333",
            usage_since="2025-08-01T00:00:00Z",
        )  # fmt: skip
        self.run()

    def row(self, table: str, **values: Any) -> int:
        """Insert one row; what is not given has a harmless default."""
        self.count += 1
        if table in _ALWAYS:
            values = {
                "source_id": 1, "first_seen_run": 1, "last_seen_run": 1, **_ALWAYS[table], **values,
            }  # fmt: skip
        if table in ("identity", "credential", "entitlement", "person", "team", "supplier"):
            values.setdefault("uid", f"{table}-{self.count}")
        if table == "credential":
            values.setdefault("identity_uid", "x")
        if table in ("owner", "usage", "sighting", "grant", "trust"):
            key = {"grant": "principal_uid", "trust": "to_identity_uid"}.get(table, "identity_uid")
            values[key] = f"x{self.count}"
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        done = self.db.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values())
        )
        return int(done.lastrowid or 0)

    def run(self, supplies: list[str] | None = None, **values: Any) -> int:
        """An import run; without *supplies*, of everything."""
        return self.row(
            "import_run", source_id=1, format="f", file_name="n", sha256="0", size=1,
            tool_version="0", options="{}", identities=1,
            supplies=json.dumps(FACTS if supplies is None else supplies),
            **{"imported_at": "2026-11-20T00:00:00Z", **values},
        )  # fmt: skip

    def identity(self, name: str, **values: Any) -> int:
        """An enabled service account called *name*."""
        return self.row("identity", **{"display_name": name, **values})

    def decide(
        self, verdict: str, subject_id: int, identity_id: int, *, at: str, of: str = "identity",
    ) -> None:  # fmt: skip
        """A signed decision on a subject, in a campaign of its own."""
        self.count += 1
        n = self.count
        campaign = self.row(
            "campaign", name=f"c{n}", digest=f"c{n}", item_kind=of, scope="", due_at=NOW,
            opened_at=NOW, opened_by="me", population=1, excluded=0, definition="",
        )  # fmt: skip
        item = self.row(
            "item", campaign_id=campaign, uri=f"u{n}", subject_id=subject_id,
            identity_id=identity_id, reviewer="me", assigned="rule", risk=0, dossier="d",
            material="m", chunk="c", position=0, salt="s",
        )  # fmt: skip
        entry = self.row(
            "entry", leaf=f"l{n}", statement=f"s{n}", predicate="decisions", principal="me",
            device="d", seq=n, envelope=b"{}", logged_at=at,
        )  # fmt: skip
        self.row(
            "decision", leaf=f"d{n}", item_id=item, entry_id=entry, identity_id=identity_id,
            uri=f"u{n}", verdict=verdict, changes="[]", reason_text="", material="m",
            principal="me", decided_at=at, row="{}",
        )  # fmt: skip

    def stop(self, kind: str, subject_id: int, *, at: str = "2026-06-02T00:00:00Z") -> int:
        """A signed emergency decision on an identity or a credential; its entry."""
        self.count += 1
        n = self.count
        source, uid = self.db.one(
            f"SELECT s.uid, x.uid FROM {kind} x JOIN source s ON s.id = x.source_id WHERE x.id = ?",
            (subject_id,),
        )  # fmt: skip
        entry = self.row(
            "entry", leaf=f"l{n}", statement=f"s{n}", predicate="decisions", principal="me",
            device="d", seq=n, envelope=b"{}", logged_at=at,
        )  # fmt: skip
        self.row(
            "emergency", leaf=f"e{n}", entry_id=entry, uri=f"muster:{source}/{kind}/{uid}",
            source=source, kind=kind, uid=uid, verdict="disable", reason="leaked",
            principal="me", decided_at=at, row="{}",
        )  # fmt: skip
        return entry

    def evaluate(self, now: str = NOW, **rules: dict[str, int]) -> dict[str, policy.RuleRun]:
        """Run all rules; thresholds as `unused={"max_days": 45}` with `_` for `-`."""
        settings = Settings(rules={name.replace("_", "-"): v for name, v in rules.items()})
        return {run.rule: run for run in policy.evaluate(self.db, settings, now)}

    def hits(self, rule: str, now: str = NOW, **params: int) -> dict[int, str]:
        """Open findings of *rule* after an evaluation: subject's id to detail."""
        run = self.evaluate(now, **({rule: params} if params else {}))[rule]
        assert run.not_evaluated is None, run
        found: dict[int, str] = dict(
            self.db.execute(
                "SELECT subject_id, detail FROM finding WHERE rule = ? AND cleared_at IS NULL",
                (rule,),
            ).fetchall()
        )
        assert run.hits == len(found)
        return found


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    """An empty estate."""
    made = Estate(tmp_path / "workspace")
    yield made
    made.db.close()


@pytest.fixture
def busy(estate: Estate) -> Estate:
    """An estate in which every rule hits something, and some identities are hit by several."""
    old = "2024-02-01T00:00:00Z"
    estate.row("person", uid="lee", display_name="Lee", active=0, left_at=old)
    estate.row("environment", uid="prod", tier="prod")
    admin = estate.row("entitlement", permission_level="admin", level_reason="Allow * on *")
    for name in ("ci-deploy", "svc-backup", "Zoë's bot"):
        subject = estate.identity(
            name, last_used_state="never", created_at=old, is_privileged=1, environment="dev",
            created_by="automation:terraform", purpose=None,
        )  # fmt: skip
        estate.row("grant", identity_id=subject, entitlement_id=admin)
        estate.row("credential", identity_id=subject, created_at=old, expires_state="none")
        estate.row("trust", identity_id=subject, is_wildcard=1)
        for consumer in ("api", "batch"):
            estate.row("usage", identity_id=subject, consumer=consumer, environment="prod")
        estate.row("usage", identity_id=subject, consumer="Ann", consumer_kind="person")
        estate.row("sighting", identity_id=subject, seen_at=old)
        estate.decide("revoke", subject, subject, at="2026-06-01T00:00:00Z")
    estate.stop("identity", estate.identity("night", uid="night", status="disabled"))
    owned = estate.identity("owned", kind="agent", created_at=old)
    estate.row("owner", identity_id=owned, person_uid="lee")
    return estate
