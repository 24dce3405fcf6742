"""Beside the dossier, today: who might answer for it, each with evidence, and what hangs on it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from passmuster import campaigns, config, connectors, inventory, policy
from passmuster.campaigns import Candidate, _around
from passmuster.connectors import Format
from passmuster.model import (
    Entitlement,
    Grant,
    Identity,
    Owner,
    Person,
    Record,
    Source,
    Supplier,
    Team,
    Trust,
    Usage,
)
from passmuster.store import Database
from passmuster.text import Json
from tests.conftest import NOW


def account(name: str, kind: Any = "service", **more: Any) -> Identity:
    return Identity(f"id:{name}", None, name, kind, status="enabled", **more)


def records(*_: object) -> Iterator[Record]:
    """Registers, and a platform where most accounts have no owner."""
    yield Source("register", "people")
    yield Person("p1", "jane@example.com", "Jane Okafor", aliases='["jane"]')
    yield Person("p2", "gone@example.com", "Gus Gone", active=0, manager="mika@example.com",
                 teams='["Platform"]')  # fmt: skip
    yield Person("p3", "mika@example.com", "Mika Ito")
    yield Person("p4", "sam@example.com", "Sam Smith", aliases='["sam"]')
    yield Team("Platform", "Platform", "mika@example.com", '["platform"]')
    yield Supplier("Datalift", "Datalift Ltd", '["999988887777"]', contact="hello@datalift.example")
    yield Source("testbed", "t1", "the testbed")
    yield account("by-jane", created_by="id/jane", created_at="2021-03-02T10:00:00Z")
    yield account("by-gus", created_by="gone@example.com")
    yield account("by-nobody", created_by="id/who")
    yield account("by-robot", created_by="automation:terraform")
    yield account("left-behind")
    yield Owner("id:left-behind", "gone@example.com", evidence="tag owner=gone")
    yield account("tagged")
    yield Owner("id:tagged", "nobody-known", evidence="tag team=nobody-known")
    yield Owner("id:tagged", "platform", evidence="tag team=platform")
    yield account("used")
    yield Usage("id:used", "sam", "person")
    yield Usage("id:used", "console sign-in", "person")
    yield account("admins", "group")
    yield Owner("id:admins", "jane", evidence="managedBy")
    yield Entitlement("admins#member", "member of admins", "assignment", "id:admins")
    yield account("member")
    yield Grant("id:member", "admins#member")
    for number in range(1, 8):
        yield account(f"svc-backup-{number}")
        if number < 6:
            yield Owner(f"id:svc-backup-{number}", "platform" if number < 5 else "jane")
    for number in range(_around.SIBLINGS + 5):
        yield account(f"ws/{number}")
        yield Owner(f"id:ws/{number}", "jane")
    yield account("ours", "role")
    yield Trust("id:ours", "id:member", "account", "assume_role")
    yield account("theirs", "role")
    yield Trust("id:theirs", "999988887777", "account", "assume_role", is_external=1)


FORMAT = Format("tests.around", "rows", lambda _: True, records, "none", keeps_raw=True,
                supplies=("grant", "trust", "owner", "person", "supplier", "consumer"))  # fmt: skip


@pytest.fixture
def estate(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    path = tmp_path / "rows.txt"
    path.write_bytes(b"rows\n")
    monkeypatch.setattr(connectors, "named", lambda _: FORMAT)
    inventory.import_file(db, path, now=NOW, by="me@example.com", format_name=FORMAT.name)
    policy.evaluate(db, config.Settings(), NOW)
    return db


def dossier(db: Database, name: str) -> Json:
    found = db.value("SELECT id FROM identity WHERE display_name = ?", (name,))
    return next(campaigns.dossiers(db, [found]))[1]


@pytest.mark.parametrize(("name", "offered"), [
    ("by-jane", [("jane@example.com", "created it 2021-03-02")]),
    ("by-nobody", [("id/who", "created it; not in the registers")]),
    ("by-robot", []),
    ("by-gus", []),
    ("left-behind", [("mika@example.com", "manager of Gus Gone, who has left"),
                     ("Platform", "team of Gus Gone, who has left")]),
    ("tagged", [("Platform", "tag team=platform"), ("mika@example.com", "lead of Platform"),
                ("nobody-known", "tag team=nobody-known; not in the registers")]),
    ("used", [("sam@example.com", "uses it")]),
    ("member", [("jane@example.com", "owner of its group admins")]),
    ("svc-backup-7", [("Platform", "owns 4 of 6 others named svc-backup-*")]),
    ("svc-backup-5", [("jane@example.com", "tag"),
                      ("Platform", "owns 4 of 6 others named svc-backup-*")]),
    ("ws/3", [("jane@example.com", "tag")]),
    ("theirs", [("hello@datalift.example",
                 "contact of the supplier Datalift; not in the registers")]),
])  # fmt: skip
def test_each_kind_of_evidence_offers_its_candidate(
    estate: Database, name: str, offered: list[tuple[str, str]]
) -> None:
    found = campaigns.candidates(estate, dossier(estate, name))
    assert [(one.who, one.why.replace("Datalift Ltd", "Datalift")) for one in found] == offered


def test_who_has_left_is_never_offered_whatever_names_them(estate: Database) -> None:
    for (name,) in estate.execute("SELECT display_name FROM identity").fetchall():
        about = dossier(estate, name)
        about["before"] = [{"verdict": "approve", "principal": "gone@example.com",
                            "decided_at": NOW}]  # fmt: skip
        assert all(one.who != "gone@example.com" for one in campaigns.candidates(estate, about))


def test_whom_the_registers_know_can_be_named_as_an_owner(estate: Database) -> None:
    for (name,) in estate.execute("SELECT display_name FROM identity").fetchall():
        for one in campaigns.candidates(estate, dossier(estate, name)):
            if one.known:
                campaigns.check_own(estate, one.who)
            else:
                assert one.why.endswith("not in the registers")


def test_one_whom_two_sources_name_is_offered_once_with_both(estate: Database) -> None:
    about = dossier(estate, "by-jane")
    about["before"] = [
        {"verdict": "abstain", "principal": "sam@example.com", "decided_at": NOW},
        {"verdict": "approve", "principal": "jane@example.com", "decided_at": NOW},
    ]
    assert campaigns.candidates(estate, about) == [
        Candidate("jane@example.com", "created it 2021-03-02",
                  "created it 2021-03-02; last reviewer, 2026-11-23: approve"),
    ]  # fmt: skip


def test_at_most_nine_are_offered(estate: Database) -> None:
    about = dossier(estate, "tagged")
    about["owners"] = [{**about["owners"][0], "handle": f"who{n}@example.com", "team": None}
                       for n in range(30)]  # fmt: skip
    found = campaigns.candidates(estate, about)
    assert len(found) == 9
    assert found[0].who == "who0@example.com"


def test_what_hangs_on_it_is_what_trusts_it_and_who_is_in_it(estate: Database) -> None:
    assert campaigns.around(estate, dossier(estate, "member")).lets_in == [("role", "ours")]
    assert campaigns.around(estate, dossier(estate, "admins")).members == [("service", "member")]
    assert campaigns.around(estate, dossier(estate, "used")) == _around.Around(
        [Candidate("sam@example.com", "uses it", "uses it")]
    )


def test_an_identity_that_is_not_here_has_no_neighbours(estate: Database) -> None:
    """A packet's dossier may be of a source that this workspace has never seen."""
    about = dossier(estate, "tagged")
    about["source"] = {**about["source"], "uid": "elsewhere:1"}
    assert campaigns.around(estate, about).candidates[0].who == "Platform"


@pytest.mark.parametrize("name", [
    "IDENTITY", "KNOWN", "LEFT_BEHIND", "MAKER", "GROUPS", "SAME_PREFIX", "LETS_IN", "MEMBERS",
])  # fmt: skip
def test_no_look_up_beside_a_dossier_reads_a_table(db: Database, name: str) -> None:
    sql = getattr(_around, name)
    steps = [r[3] for r in db.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * sql.count("?"))]
    # `g` is the few grants of one identity, read by its index in a step of its own
    assert not [s for s in steps if s.startswith("SCAN") and s not in ("SCAN g", "SCAN a")]


def test_the_supplier_is_looked_up_within_the_few_sources(db: Database) -> None:
    steps = [r[3] for r in db.execute(f"EXPLAIN QUERY PLAN {_around.SUPPLIER}", (1,))]
    assert steps[0].startswith("SCAN s")
    assert steps[1].startswith("SEARCH x USING INDEX sqlite_autoindex_supplier_1 (source_id=?")


def test_names_alike_and_trusts_are_found_by_their_index(db: Database) -> None:
    plan = [r[3] for r in db.execute(f"EXPLAIN QUERY PLAN {_around.SAME_PREFIX}", ("a", "b"))]
    assert plan == ["SEARCH listing USING INDEX listing_name (name>? AND name<?)"]
    plan = [r[3] for r in db.execute(f"EXPLAIN QUERY PLAN {_around.LETS_IN}", ("a", 1))]
    assert plan[0] == "SEARCH t USING INDEX trust_from (from_uid=?)"
