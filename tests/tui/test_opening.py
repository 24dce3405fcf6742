"""A campaign is opened from where it is looked for: the intake of the inventory, and the board."""

from collections.abc import Callable
from pathlib import Path

import pytest

from passmuster import campaigns, intake, keys, store, tlog
from passmuster.config import Settings
from passmuster.tui.app import MusterApp
from passmuster.tui.desk import Desk
from passmuster.tui.screens.review import ReviewScreen
from tests.estates import report
from tests.scene import key
from tests.tui.conftest import ME, NOW, bar, painted, press, settle
from tests.tui.test_places import listed

PASSPHRASE = "only in this test"
Begin = Callable[..., MusterApp]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_world: None) -> Begin:
    """Opens a place of a workspace to which two accounts came with the second export."""
    monkeypatch.setattr("passmuster.keys._files.BCRYPT_ROUNDS", 1)
    folder = tmp_path / "workspace"
    db = store.create(folder)
    path = tmp_path / "report.csv"
    for names in (("svc-old",), ("svc-old", "svc-new", "svc-other")):
        path.write_text(report(*names))
        intake.import_files(db, [path], Settings(me=ME), now=NOW)
    db.close()

    def app(place: str, *, with_key: bool = True) -> MusterApp:
        if with_key:
            db = store.open_(folder)
            made = keys.new(db, ME, "file", PASSPHRASE.encode, NOW, 1.0)
            tlog.enrol(db, made, NOW)
            db.close()
        desk = Desk(folder, ME, lambda _: key(ME, 1), Settings(me=ME), lambda: NOW)
        found = MusterApp(desk, None)
        found._first_place = lambda: place  # type: ignore[method-assign]
        return found

    return app


@pytest.mark.ci
async def test_the_intake_is_asked_about_from_the_inventory_and_its_queue_is_shown(
    begin: Begin,
) -> None:
    app = begin("inventory")
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, "colon", "=filter", "enter", "=intake:any", "enter")
        assert sorted(listed(pilot)) == ["svc-new", "svc-other"]
        await press(pilot, "N")
        assert "every new identity that nobody is asked about yet" in bar(pilot, "ask-lines")
        await press(pilot, "escape")
        assert "left as it was" in bar(pilot, "rule")
        await press(pilot, "slash", "ctrl+u", "=-svc-other", "enter", "N", "enter")
        await press(pilot, f"={PASSPHRASE}", "enter")
        assert isinstance(app.screen, ReviewScreen), bar(pilot, "rule")
        assert app.campaign is not None
        assert (app.campaign.name, app.campaign.population) == ("intake 2026-11-23", 1)
        assert "svc-new" in painted(pilot)
        assert PASSPHRASE not in painted(pilot)


@pytest.mark.ci
async def test_the_board_opens_a_campaign_over_all_or_over_what_is_new(begin: Begin) -> None:
    app = begin("board")
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        assert "N opens one" in painted(pilot)
        await press(pilot, "N", "1", "=Everything", "enter", f"={PASSPHRASE}", "enter")
        assert app.campaign is not None
        assert (app.campaign.name, app.campaign.population) == ("Everything", 3)
        await press(pilot, "b", "N", "2", "=--due", "enter")
        assert "begins with a letter" in bar(pilot, "ask-lines")
        await press(pilot, "ctrl+u", "enter", f"={PASSPHRASE}", "enter")
        assert "nothing" in bar(pilot, "rule"), "the first asks about all that is new already"
        assert len(campaigns.campaigns(app.db)) == 1


async def test_without_a_key_or_read_only_it_is_said_before_anything_is_asked(
    begin: Begin,
) -> None:
    app = begin("inventory", with_key=False)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, "N")
        assert "make your signing key first" in bar(pilot, "rule")
        await press(pilot, "percent_sign", "N")
        assert "read only: nothing is opened" in bar(pilot, "rule")
        assert app.screen.typing is None  # type: ignore[attr-defined]
