"""Who answers for something: the numbers are those of the inventory, and nobody is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from passmuster import campaigns, policy
from passmuster.campaigns import Answering, _people
from passmuster.store import Database
from tests.campaigns.test_plans import plan
from tests.policy.conftest import NOW, Estate
from tests.scene import END, LATER, REV, Scene

BEFORE = "2026-08-24T00:00:00Z"
OLD = "2024-02-01T00:00:00Z"


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[Estate]:
    """Two persons, two teams, suppliers, and a handle that nobody has; with all that is unusual."""
    made = Estate(tmp_path / "owned")
    made.row("person", uid="ann", email="ann@example.com", display_name="Ann Ito",
             manager="lee@example.com", teams='["Web"]', aliases='["aito"]')  # fmt: skip
    made.row("person", uid="lee", email="Lee@example.com", display_name="Lee", active=0,
             left_at="2026-03-31T00:00:00Z")  # fmt: skip
    made.row("person", uid="was", email="was@example.com", display_name="Was", absent_since=OLD)
    made.row("team", uid="Web", display_name="Web", lead="ann@example.com")
    made.row("team", uid="Ops", display_name="Ops, night shift", lead="lee@example.com")
    made.row("supplier", uid="acme", display_name="Acme Ltd", contact="desk@acme.example")
    made.row("supplier", uid="over", display_name="Over", contract_ends_at=OLD)
    things: dict[str, dict[str, Any]] = {
        "a": {"is_privileged": 1, "last_used_state": "known", "last_used_at": OLD},
        "b": {"last_used_state": "never", "created_at": OLD},
        "c": {"last_used_state": "known", "last_used_at": NOW, "supplier": "ACME"},
        "d": {"supplier": "over"}, "e": {"supplier": "Nobody & Co"},
        "group": {"kind": "group"}, "gone": {"absent_since": OLD},
    }  # fmt: skip
    ids = {name: made.identity(name, **values) for name, values in things.items()}
    owners: list[tuple[str, str, dict[str, Any]]] = [
        ("a", "ann@example.com", {"person_uid": "ann"}), ("a", "aito", {"person_uid": "ann"}),
        ("a", "ci", {}), ("b", "ann@example.com", {"person_uid": "ann"}), ("b", "CI", {}),
        ("b", "ci ops", {}), ("c", "Lee@example.com", {"person_uid": "lee"}),
        ("c", "was@example.com", {"person_uid": "was"}), ("d", "Web", {"team_uid": "Web"}),
        ("e", "Ops, night shift", {"team_uid": "Ops"}), ("group", "aito", {"person_uid": "ann"}),
        ("gone", "ann@example.com", {"person_uid": "ann"}), ("c", "who@example.com", {}),
        ("d", "old", {"absent_since": OLD}),
    ]  # fmt: skip
    for name, handle, values in owners:
        made.row("owner", identity_id=ids[name], handle=handle, **values)
    made.row("owner", identity_id=None, handle="of nothing")
    made.evaluate()
    yield made
    made.db.close()


def everybody(db: Database, expression: str = "") -> dict[str, Answering]:
    found = campaigns.people(db, expression, NOW, BEFORE)
    assert len({who.key for who in found}) == len(found)
    return {who.name: who for who in found}


def test_each_is_there_once_with_what_they_are_and_whether_they_are_here(owned: Estate) -> None:
    found = {name: (who.kind, who.state, who.email) for name, who in everybody(owned.db).items()}
    assert found == {
        "Ann Ito": ("person", "here", "ann@example.com"),
        "Lee": ("person", "left", "Lee@example.com"),
        "was": ("person", "not in the registers", None),
        "Web": ("team", "here", "ann@example.com"),
        "Ops, night shift": ("team", "no lead", "lee@example.com"),
        "ci": ("unknown", "not in the registers", None),
        "ci ops": ("unknown", "not in the registers", None),
        "who@example.com": ("unknown", "not in the registers", "who@example.com"),
        "Acme Ltd": ("supplier", "here", "desk@acme.example"),
        "Over": ("supplier", "ended", None),
        "nobody & co": ("supplier", "not in the registers", None),
    }


def test_several_names_of_one_person_are_one_owner_and_counted_once(owned: Estate) -> None:
    ann = everybody(owned.db)["Ann Ito"]
    assert (ann.identities, ann.privileged, ann.unused) == (2, 1, 2)
    assert ann.risk == owned.db.value("SELECT max(risk) FROM listing WHERE name IN ('a', 'b')")
    assert everybody(owned.db)["ci"].identities == 2


@pytest.mark.parametrize("narrowed", ["", "privileged:yes", "-kind:human unused:>90d"])
def test_the_inventory_shows_as_many_as_are_counted(owned: Estate, narrowed: str) -> None:
    found = everybody(owned.db, narrowed)
    assert found
    for who in found.values():
        expression = f"{who.filter} {narrowed}"
        if who.name != "was":  # of whom not even the name is known any more
            assert policy.count_identities(owned.db, expression, NOW) == who.identities, who
        owns = campaigns.portrait(owned.db, who, NOW).owns
        if not narrowed:
            assert len(owns) == who.identities
            assert [r.risk for r in owns] == sorted((r.risk for r in owns), reverse=True)
            assert not {r.name for r in owns} & {"group", "gone"}


def test_a_portrait_has_the_names_the_teams_and_the_terms(owned: Estate) -> None:
    found = everybody(owned.db)
    ann = campaigns.portrait(owned.db, found["Ann Ito"], NOW)
    assert (ann.manager, ann.teams, ann.aliases) == ("lee@example.com", ["Web"], ["aito"])
    assert campaigns.portrait(owned.db, found["Lee"], NOW).left_at == "2026-03-31T00:00:00Z"
    assert campaigns.portrait(owned.db, found["Web"], NOW).manager == "ann@example.com"
    over = campaigns.portrait(owned.db, found["Over"], NOW)
    assert over.contract == "contract until 2024-02-01"


def test_what_is_to_be_decided_and_what_was_signed_is_told_of_the_person(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(email: str) -> Answering | None:
        found = campaigns.people(scene.db, "", NOW, BEFORE)
        return next((who for who in found if who.email == email), None)

    rev = of(REV)
    assert rev is not None
    assert (rev.kind, rev.todo, rev.identities) == ("unknown", 3, 0)
    todo = campaigns.portrait(scene.db, rev, NOW).todo
    assert [t.campaign for t in todo] == ["Autumn"]
    assert len(todo[0].names) == 3
    assert of(REV.upper()) is None
    scene.decide()
    signed = campaigns.portrait(scene.db, rev, LATER).signed
    assert [(campaign, count) for _, campaign, count in signed] == [("Autumn", 1)]
    after = of(REV)
    assert after is not None
    assert after.todo == 1, "one is signed, one was handed over"
    scene.close()
    assert of(REV) is None, "nothing is to be decided in what is closed"
    assert campaigns.portrait(scene.db, rev, END).todo == []


def test_under_a_filter_only_those_are_left_who_answer_for_what_it_matches(scene: Scene) -> None:
    found = campaigns.people(scene.db, "ci-deploy", NOW, BEFORE)
    assert [(who.name, who.identities) for who in found] == [("nobody-known", 1)]


def test_everybody_is_read_with_one_walk_through_the_owners(db: Database) -> None:
    values: dict[str, object] = {"now": NOW, "unused_before": BEFORE, "everybody": 1}
    steps = [row[3] for row in db.execute(
        f"EXPLAIN QUERY PLAN {_people.people_sql('1')}", values)]  # fmt: skip
    assert [s for s in steps if " o " in s] == [
        "SEARCH o USING INDEX owner_identity (identity_id>?)"
    ]
    # the listing once for the suppliers; the rest are the groups themselves, and few campaigns
    scans = [s for s in steps if s.startswith("SCAN") and not s.startswith("SCAN (")]
    assert sorted(scans) == ["SCAN c", "SCAN l", "SCAN w", "SCAN w"]
    assert not [s for s in steps if s.startswith("SEARCH i ")], "the filter asks for no identity"
    assert "SEARCH n USING COVERING INDEX item_queue (campaign_id=?)" in steps


def test_what_somebody_has_to_decide_is_read_by_the_index_of_the_queue(db: Database) -> None:
    steps = plan(db, _people.TODO_NAMES, 1, REV)
    assert steps[0].startswith("SEARCH n USING COVERING INDEX item_queue") or steps[0].startswith(
        "SEARCH n USING INDEX item_queue"
    )
    assert not [s for s in steps if s.startswith(("SCAN", "USE TEMP"))]


@pytest.mark.parametrize("letter", _people.OWNED)
def test_what_somebody_owns_is_one_walk_and_then_by_id(db: Database, letter: str) -> None:
    steps = plan(
        db, f"SELECT l.identity_id FROM listing l WHERE l.identity_id IN ({_people.OWNED[letter]})"
        " ORDER BY l.risk DESC, l.identity_id LIMIT 30", "x",
    )  # fmt: skip
    assert len([s for s in steps if s.startswith("SCAN")]) == 1, steps
