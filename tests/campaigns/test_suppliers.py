"""Third parties: who, until when, what gets in, and the lines that take it away."""

import json
from pathlib import Path

import pytest

from passmuster import campaigns, config, connectors, policy
from passmuster.campaigns import _suppliers
from passmuster.connectors import Format
from passmuster.errors import NotFound
from passmuster.inventory import import_file
from passmuster.model import Identity, Record, Source, Supplier, Trust
from passmuster.store import Database
from tests.conftest import Muster
from tests.estates import ME, NOW

SOON = "2027-01-22T08:00:00Z"
ROLE = "arn:aws:iam::111122223333:role/etl"
RECORDS: list[Record] = [
    Source("register", "suppliers"),
    Supplier("Datalift", "Datalift Ltd", '["999988887777"]', "C-19", "2026-12-31T00:00:00Z",
             "hello@datalift.example", "2024-01-31T00:00:00Z"),
    Supplier("Over", "Over GmbH", "[]", "C-1", "2026-01-31T00:00:00Z", None),
    Supplier("Quiet", "Quiet Inc", "[]", None, None, None, active=0),
    Supplier("Open", "Open End", "[]", None, None, None),
    Supplier("Long", "Long Run", "[]", None, "2030-01-31T00:00:00Z", None),
    Source("aws", "111122223333", "prod"),
    Identity(ROLE, None, "etl", "role", status="enabled", created_at="2024-05-01T00:00:00Z",
             created_by="automation:terraform", line=1),
    Identity("arn:aws:iam::111122223333:user/temp", None, "temp", "service", status="enabled",
             supplier="Ghost", line=2),
    Trust(ROLE, "999988887777", "account", "assume_role", None, None, "no sts:ExternalId", 1),
]  # fmt: skip


@pytest.fixture
def estate(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    form = Format("tests.suppliers", "rows", lambda _: True, lambda *_: iter(RECORDS), "none",
                  supplies=("trust", "supplier"))  # fmt: skip
    path = tmp_path / "rows.txt"
    path.write_text("rows")
    monkeypatch.setattr(connectors, "named", lambda _: form)
    import_file(db, path, now=NOW, by=ME, format_name=form.name)
    policy.evaluate(db, config.Settings(), NOW)
    return db


def test_each_supplier_is_listed_with_how_its_contract_stands(estate: Database) -> None:
    found = {one.name: one for one in campaigns.suppliers(estate, NOW, SOON)}
    assert {name: one.state for name, one in found.items()} == {
        "Datalift Ltd": "contract ends soon", "Over GmbH": "contract is over",
        "Quiet Inc": "no longer a supplier", "Open End": "no contract end known",
        "Long Run": "under contract", "Ghost": campaigns.UNREGISTERED,
    }  # fmt: skip
    one = found["Datalift Ltd"]
    assert (one.identities, one.trusts, one.tenants) == (1, 1, ("999988887777",))
    assert one.findings >= 1
    assert (found["Ghost"].identities, found["Long Run"].identities) == (1, 0)


def test_one_supplier_says_how_access_was_given_and_the_lines_that_take_it_away(
    estate: Database,
) -> None:
    one = campaigns.supplier(estate, "datalift", NOW, SOON)
    held = campaigns.held(estate, one)
    assert [row.name for row in held.identities] == ["etl"]
    (path,) = held.paths
    assert (path.identity, path.through) == ("etl", "999988887777")
    assert path.issued == ("assume role, created 2024-05-01 by automation:terraform, nobody here"
                           " answers for it")  # fmt: skip
    told = list(campaigns.supplier_facts(one, held))
    assert ("contract", "C-19 until 2026-12-31") in told
    text = "\n".join(words for _, words in told)
    assert "tell hello@datalift.example" in text
    dossier = next(campaigns.dossiers(estate, [held.identities[0].id]))[1]
    alone = connectors.plan(dossier, "revoke", "999988887777")
    expected = alone or connectors.plan(dossier, "disable")
    assert expected
    assert (list(path.stop), path.whole) == (expected, not alone)
    assert ("stops the whole identity" in text) is not bool(alone)
    assert all(line in text for line in expected[0].stop)


def test_an_identity_that_is_theirs_without_a_trust_is_stopped_itself(estate: Database) -> None:
    one = campaigns.supplier(estate, "Ghost", NOW, SOON)
    (path,) = campaigns.held(estate, one).paths
    assert (path.identity, path.through) == ("temp", None)
    assert path.stop
    told = dict(campaigns.supplier_facts(one, campaigns.held(estate, one)))
    assert told["contact"].startswith("nobody: add a contact")


def test_a_name_that_is_nobodys_is_an_error_with_the_nearest(estate: Database) -> None:
    with pytest.raises(NotFound, match="Datalift Ltd"):
        campaigns.supplier(estate, "Datalift Ltdd", NOW, SOON)


def test_with_no_supplier_at_all_the_error_says_what_to_import(db: Database) -> None:
    with pytest.raises(NotFound, match=r"muster import suppliers\.csv"):
        campaigns.supplier(db, "x", NOW, SOON)


def test_the_trusts_of_one_are_found_by_their_index(db: Database) -> None:
    steps = [r[3] for r in db.execute(f"EXPLAIN QUERY PLAN {_suppliers.TRUSTS}", ("x",))]
    assert any("INDEX trust_supplier (supplier=?)" in step for step in steps), steps
    assert not [step for step in steps if step.startswith("SCAN")], steps


def test_from_the_command_line_one_and_all_are_told(estate: Database, inside: Muster) -> None:
    rows = json.loads(inside("suppliers", "--json").stdout)
    assert {row["name"] for row in rows} >= {"Datalift Ltd", "Ghost"}
    (one,) = json.loads(inside("suppliers", "Datalift", "--json").stdout)
    assert one["holds"][0]["name"] == "etl"
    assert one["paths"][0]["through"] == "999988887777"
    assert "  revoke   " in inside("suppliers", "Datalift").stdout
    assert "no supplier 'Datalif'" in inside("suppliers", "Datalif", code=1).stderr


def test_an_empty_inventory_says_so_and_never_that_there_is_none(
    db: Database, inside: Muster
) -> None:
    assert "import an export first" in inside("suppliers", code=1).stderr
    assert "import an export first" in inside("intake", code=1).stderr
