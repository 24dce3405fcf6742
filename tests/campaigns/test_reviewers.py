"""Promise 7: nobody who has left is asked to decide, and no item goes without somebody who is."""

from pathlib import Path

import pytest

from passmuster import campaigns, config
from passmuster.errors import NotFound, PreflightFailed, UsageError
from passmuster.store import Database
from tests.estates import NOW, bring_in, report, reviewer
from tests.scene import LATER, REV, SECOND, draft, open_scene

PEOPLE = """email,name,kind,active,left_on,manager,aliases,teams
here@example.com,Hera Here,person,yes,,,,
gone@example.com,Gus Gone,person,no,2026-08-31,,,
,Alpha,team,yes,,here@example.com,,
,Omega,team,yes,,gone@example.com,,
"""
OWNERS = """identity,owner,role,evidence
svc-a,here@example.com,owner,
svc-b,gone@example.com,owner,
svc-c,Alpha,owner,
svc-d,Omega,owner,
svc-e,nobody-known,owner,
"""


@pytest.fixture
def estate(db: Database, tmp_path: Path) -> Database:
    bring_in(db, tmp_path / "r.csv", report(*(f"svc-{c}" for c in "abcdef")))
    bring_in(db, tmp_path / "p.csv", PEOPLE)
    bring_in(db, tmp_path / "o.csv", OWNERS)
    return db


def opened(db: Database, who: str, fallback: str | None) -> campaigns.Opened:
    wanted = campaigns.Definition("C", "2026-12-31", who, fallback)
    return campaigns.open_campaign(db, wanted, reviewer(db), config.Settings(), NOW)


@pytest.mark.parametrize(("who", "fallback"), [
    ("gone@example.com", None), ("Gone@Example.com", None), ("owner", "gone@example.com"),
])  # fmt: skip
def test_who_has_left_is_not_asked(estate: Database, who: str, fallback: str | None) -> None:
    with pytest.raises(PreflightFailed, match="has left"):
        opened(estate, who, fallback)


def test_without_a_fallback_every_item_needs_somebody_who_is_there(estate: Database) -> None:
    with pytest.raises(PreflightFailed, match="4 items would have no reviewer"):
        opened(estate, "owner", None)
    assert not estate.value("SELECT count(*) FROM item")


def test_what_has_nobody_goes_to_the_fallback_and_says_why(estate: Database) -> None:
    found = opened(estate, "owner", "boss@example.com")
    asked = {
        name: (who, how)
        for name, who, how in estate.execute(
            "SELECT y.display_name, reviewer, assigned FROM item i"
            " JOIN identity y ON y.id = i.identity_id"
        )
    }
    assert asked == {
        "svc-a": ("here@example.com", "owner"),
        "svc-b": ("boss@example.com", "unowned: the owner has left"),
        "svc-c": ("here@example.com", "team lead"),
        "svc-d": ("boss@example.com", "unowned: the team has no person in charge"),
        "svc-e": ("boss@example.com",
                  "unowned: 'nobody-known' is nobody in the register of people"),
        "svc-f": ("boss@example.com", "unowned: no owner"),
    }  # fmt: skip
    assert found.unowned == 4


def test_a_draft_is_signed_by_its_author_and_by_nobody_else(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = open_scene(db, tmp_path, monkeypatch)
    item = scene.item("ci-deploy")
    with pytest.raises(UsageError, match=r"is rev@example\.com's to decide"):
        campaigns.save_draft(db, item, draft("approve", "x"), LATER, SECOND)
    campaigns.save_draft(db, item, draft("approve", "x"), LATER, REV)
    with db.atomic():
        db.execute("UPDATE item SET reviewer = ?", (SECOND,))
    for who in (REV, SECOND):
        with pytest.raises(NotFound, match="nothing to sign"):
            campaigns.prepare(db, scene.campaign.id, who)
