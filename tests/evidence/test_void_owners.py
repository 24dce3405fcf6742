"""An owner whom a void row named is none: what imports say and what holds stands again."""

from pathlib import Path

from passmuster import campaigns, evidence
from passmuster.config import Settings
from tests.evidence.test_void import EARLY, ITEM, team, tell
from tests.scene import BOSS, END, LATER, REV, SECOND, Scene

__all__ = ["team"]


def owners(scene: Scene) -> dict[str, str]:
    """Who answers for the item by what counts, and what says so."""
    identity = scene.db.value("SELECT identity_id FROM item WHERE id = ?", (scene.item(ITEM),))
    ((_, dossier),) = campaigns.dossiers(scene.db, [identity])
    return {o["handle"]: o["evidence"] for o in dossier["owners"]}


def name(scene: Scene, owner: str, at: str, *, give: bool = False, by: str = REV) -> None:
    item = scene.item(ITEM)
    campaigns.save_own(scene.db, [item], owner, None, at, reassign=give)
    scene.sign(scene.rev if by == REV else scene.second, at)


def test_an_owner_whom_a_thief_named_is_none_any_more(team: Scene) -> None:
    """What the import says stands again, and what was signed before the theft stays."""
    imported = owners(team)
    assert imported.keys() == {"nobody-known"}
    name(team, BOSS, EARLY)
    honest = owners(team)
    name(team, "thief@example.com", LATER)
    name(team, BOSS, "2026-11-24T11:00:00Z")  # the thief says it once more
    assert owners(team).keys() == {"nobody-known", BOSS, "thief@example.com"}
    tell(team)
    assert owners(team) == honest
    kept = team.db.value("SELECT count(*) FROM owner WHERE handle = 'thief@example.com'")
    assert kept == 1, "nothing is deleted"
    team.db.execute("DELETE FROM void_entry")
    campaigns.reopen(team.db)
    assert owners(team).keys() == {*honest, "thief@example.com"}, "void no more"


def test_an_owner_named_by_who_had_the_item_from_a_thief_is_none(team: Scene) -> None:
    before = owners(team)
    name(team, SECOND, LATER, give=True)
    name(team, "friend@example.com", LATER, by=SECOND)
    assert owners(team).keys() == {*before, SECOND, "friend@example.com"}
    tell(team)
    assert owners(team) == before


def test_an_owner_of_a_closed_review_falls_too_and_the_next_pack_has_none(
    team: Scene, tmp_path: Path
) -> None:
    name(team, BOSS, EARLY)
    before = owners(team)
    name(team, "thief@example.com", LATER)
    team.close()
    tell(team, at=END)
    assert owners(team) == before and BOSS in before
    wanted = campaigns.Definition("Winter", "2027-03-31", SECOND, rationale="a test")
    campaigns.open_campaign(team.db, wanted, team.boss, Settings(), END)
    winter = campaigns.campaign(team.db, "Winter")
    evidence.build_pack(team.db, winter, tmp_path / "w", team.boss, END)
    text = (tmp_path / "w" / "exports/audit/owners.csv").read_text()
    assert "nobody-known" in text and "thief" not in text


def test_an_owner_whom_no_import_names_any_more_does_not_come_back(team: Scene) -> None:
    name(team, "thief@example.com", LATER)
    with team.db.atomic():
        team.db.execute("UPDATE owner SET absent_since = ? WHERE statement IS NULL", (EARLY,))
    tell(team)
    assert owners(team) == {}
