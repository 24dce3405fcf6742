"""The whole way round: collected, imported, planned from the dossier, stopped and put back.

What a plan says of an object is what the platform is asked with: no test writes that by hand here.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.connectors import test_entra_live as entra
from tests.connectors import test_gcp_live as gcp
from tests.connectors import test_okta_live as okta
from tests.replay import Platform, served, walk

from passmuster import campaigns, config, connectors, inventory, policy
from passmuster.connectors import Context, Live, Plan
from passmuster.store import Database

LISTED_ONLY = ("0oa2", "20000000-0000-4000-8000-000000000022")
"""Applications of the small platforms that are in a list and nowhere else."""
NOW = "2026-11-27T08:00:00Z"
PLATFORMS: dict[str, tuple[Callable[[], Platform], str, set[str]]] = {
    "entra": (entra.Graph, entra.TENANT, {
        "entra.service_principal.enabled", "entra.secret", "entra.certificate",
        "entra.federated_credential", "entra.app_role", "entra.consent", "entra.directory_role",
        "entra.azure_role",
    }),
    "gcp": (gcp.Cloud, gcp.PROJECT, {
        "gcp.service_account.disabled", "gcp.key.disabled", "gcp.key", "gcp.provider.disabled",
        "gcp.binding",
    }),
    "okta": (okta.Org, okta.ORG, {
        "okta.app.status", "okta.user.status", "okta.credential.status", "okta.api_token",
        "okta.scope", "okta.role",
    }),
}  # fmt: skip


def imported(db: Database, folder: Path, tenant: str) -> list[dict[str, Any]]:
    inventory.import_files(
        db, sorted(folder.glob("*.json")), now=NOW, by=None, context=Context(tenant)
    )
    policy.evaluate(db, config.Settings(), NOW)
    ids = [row[0] for row in db.execute("SELECT id FROM identity ORDER BY id")]
    return [d for _, d in campaigns.dossiers(db, ids)]


def plans(dossiers: list[dict[str, Any]]) -> list[Plan]:
    found = []
    for dossier in dossiers:
        parts = [c["uid"] for c in dossier["credentials"]]
        parts += [g["entitlement"] for g in dossier["grants"]]
        for target in (None, *dict.fromkeys(parts)):
            found += connectors.plan(dossier, "revoke", target)
    return [p for p in found if p.act]


@pytest.mark.parametrize("name", PLATFORMS)
def test_what_was_collected_can_be_stopped_and_put_back_as_planned(
    name: str, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, tenant, every = PLATFORMS[name]
    folder = tmp_path / "collected"
    folder.mkdir()
    with served(make(), monkeypatch) as platform:
        where = platform.where(f"{name}:{tenant}")
        connectors.collect(where, folder)
        dossiers = imported(db, folder, tenant)
        assert {d["source"]["uid"] for d in dossiers} == {f"{name}:{tenant}"}
        with closing(connectors.connect(where)) as live:
            seen = carried_out(live, plans(dossiers))
    assert seen == every


def carried_out(live: Live, every: list[Plan]) -> set[str]:
    """The names of the acts that were walked, those that destroy last."""
    seen = set()
    for one in sorted(every, key=lambda p: p.undo_class):
        assert one.act
        state = live.read(one.act)
        if state is None:
            assert one.act.on.get("app") in LISTED_ONLY, one.act
            continue
        seen.add(one.act.name)
        if one.undo_class == "R3":
            live.write(one.act, None)
            assert live.read(one.act) is None
            continue
        if one.act.known is not None:  # what the import knows is what the platform says
            assert one.act.known.items() <= state.items()
        walk(live, one.act)
    return seen
