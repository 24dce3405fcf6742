"""The first steps: from an empty workspace to a key, each step seen done, nothing waited for."""

import re
import shutil
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from passmuster import config, keys, resources, store, tlog
from passmuster.config import Settings
from passmuster.tui import clipboard, first_steps, paths
from passmuster.tui.app import MusterApp
from passmuster.tui.clipboard import FILE
from passmuster.tui.desk import Desk
from passmuster.tui.screens.guide import GuideScreen, needed
from passmuster.tui.screens.review import ReviewScreen
from passmuster.tui.screens.second import SecondScreen
from passmuster.tui.widgets.line_view import LineView
from tests.scene import key
from tests.tui.conftest import ME, NOW, Review, bar, painted, press, settle

REPORT = "aws/credential-report.csv"


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_world: None) -> Path:
    """An empty workspace, and nobody who says who they are."""
    monkeypatch.delenv("MUSTER_ME")
    monkeypatch.setattr("passmuster.keys._files.BCRYPT_ROUNDS", 1)
    folder = tmp_path / "new"
    store.create(folder).close()
    (folder / "config.toml").write_text('clipboard = "file"\n')
    (folder / "config.toml").chmod(0o600)
    shutil.copy(resources.folder("sample_data") / REPORT, tmp_path / "report one.csv")
    return folder


def app_of(folder: Path, me: str = "") -> MusterApp:
    return MusterApp(
        Desk(
            folder, me, lambda _: key(ME, 1), Settings(me=me or None, clipboard="file"), lambda: NOW
        ),
        None,
    )


def guide(pilot: Pilot[None]) -> GuideScreen:
    assert isinstance(pilot.app.screen, GuideScreen)
    return pilot.app.screen


def copied(folder: Path) -> str:
    return (folder / clipboard.FILE).read_text()


def states(pilot: Pilot[None]) -> list[bool]:
    return [bool(step.done) for step in guide(pilot)._steps[: first_steps.INVITED]]


async def test_four_steps_lead_from_nothing_to_a_signing_key(empty: Path) -> None:
    app = app_of(empty)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        assert states(pilot) == [False] * 4
        assert "4 of 4 to do" in bar(pilot, "header")
        await press(pilot, "enter", "=nobody", "enter")
        assert "not an e-mail address" in bar(pilot, "ask-lines")
        await press(pilot, "ctrl+u", "=Jo@Example.com", "enter")
        assert (states(pilot)[0], app.desk.me) == (True, "jo@example.com")
        assert config.load(empty).me == "jo@example.com"
        assert guide(pilot).table.cursor == 1, "the next step is under the cursor"

        await press(pilot, "enter", f"={empty.parent}/rep", "tab", "enter")
        assert states(pilot)[1], bar(pilot, "rule")
        assert "imported aws:111122223333: 138 records, 58 new ident" in bar(pilot, "rule")
        assert store.open_(empty).value("SELECT count(*) FROM identity") > 10

        await press(pilot, "enter", "2", "=short", "enter")
        assert "8 characters or more" in bar(pilot, "ask-lines")
        await press(pilot, "=longer than that", "enter", "=another one", "enter")
        assert "the two were not the same" in bar(pilot, "rule")
        assert not states(pilot)[2]
        await press(pilot, "=longer than that", "enter", "=longer than that", "enter")
        assert states(pilot) == [True, True, True, False]
        assert "--fallback jo@example.com" in painted(pilot)
        await press(pilot, "y")
        assert (empty / FILE).read_text().startswith('muster campaign open "November"')

        await press(pilot, "enter", "enter", "=not this one", "enter")
        assert "passphrase does not open" in bar(pilot, "rule")
        assert app.campaign is None
        await press(pilot, "enter", "=Spring", "enter", "=longer than that", "enter")
        assert app.campaign is not None
        assert app.campaign.name == "Spring"
        assert isinstance(app.screen, ReviewScreen)
        assert app.is_home(app.screen)
        assert "decided" in bar(pilot, "header")
    db = store.open_(empty)
    made = keys.load(db, "jo@example.com", lambda: b"longer than that", 1.0)
    assert tlog.check(db) == 2, "the key is enrolled, the campaign opened"
    assert made.store == "file"
    assert not needed(db, config.load(empty))
    db.close()


async def test_a_wrong_ssh_key_is_asked_for_again_with_what_was_typed(empty: Path) -> None:
    wrong = empty.parent / "garbage"
    wrong.write_text("no key\n")
    async with app_of(empty, ME).run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, "j", "enter", "3", f"={wrong}", "enter")
        said = " ".join(bar(pilot, "rule").replace("─", " ").split())  # a long path breaks the line
        assert "garbage: not an SSH private" in said
        assert guide(pilot).ask.text.value == str(wrong)
        await press(pilot, "escape")
        assert not guide(pilot).ask.is_open


async def test_a_passphrase_is_never_on_the_screen(empty: Path) -> None:
    async with app_of(empty, ME).run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, "j", "enter", "2", "=correct horse")
        assert "correct" not in painted(pilot)
        assert "•" * len("correct horse") in painted(pilot)


async def test_a_file_that_is_no_export_is_refused_in_one_line(empty: Path) -> None:
    (empty.parent / "odd.txt").write_text("hello \x1b]52;c;aGk=\x07\n")
    async with app_of(empty, ME).run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", f"={empty.parent}/nothing", "enter")
        assert "there is no file" in bar(pilot, "ask-lines")
        await press(pilot, "ctrl+u", f"={empty.parent}/odd.txt", "enter")
        assert "not an export that muster knows" in bar(pilot, "rule")
        assert not states(pilot)[1]
        assert "\x1b" not in painted(pilot)


async def test_options_may_follow_the_file(empty: Path) -> None:
    people = resources.folder("sample_data") / "registers" / "people.csv"
    if not people.is_file():
        people = next(resources.folder("sample_data").rglob("people*.csv"))
    async with app_of(empty, ME).run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", f"='{people}' --as people", "enter")
        assert states(pilot)[1], bar(pilot, "rule")
    assert store.open_(empty).value("SELECT count(*) FROM person") > 0


async def test_an_import_does_not_stop_the_screen_and_ends_with_the_program(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the interpreter never ends; the keys go on working meanwhile."""
    endless = empty.parent / "endless"
    endless.write_text("#!/bin/sh\necho reading\nexec sleep 1000\n")
    endless.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(endless))
    app = app_of(empty, ME)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("enter")
        screen = guide(pilot)
        screen.ask.text.insert(f"{empty.parent}/report one.csv")
        await pilot.press("enter")
        while "reading" not in bar(pilot, "rule"):
            await pilot.pause(0.02)
        await pilot.press("j", "j")
        assert screen.table.cursor == 3
        await pilot.press("k", "k", "enter")
        assert "importing report one.csv: wait for it" in bar(pilot, "rule")
        (process,) = app.processes
    assert process.wait(20) != 0


async def test_every_format_shows_how_its_export_is_made_and_y_copies_it(empty: Path) -> None:
    recipes = first_steps.recipes()
    async with app_of(empty, ME).run_test(size=(80, 40)) as pilot:
        await settle(pilot)
        seen = set()
        platforms = [list(same) for _, same in groupby(recipes, lambda one: one.platform)]
        for same in platforms:
            for recipe in same:
                assert recipe.title in " ".join(painted(pilot).split())
                await press(pilot, "y")
                assert (empty / FILE).read_text() == recipe.howto
                seen.add(recipe.name)
                await press(pilot, "m")
            await press(pilot, "n")
        assert len(seen) == len(recipes) >= 60
        await press(pilot, "N", "M", "y")
        assert (empty / FILE).read_text() == recipes[-1].howto


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 12)])
async def test_every_size_shows_the_steps_and_what_to_press(
    empty: Path, size: tuple[int, int]
) -> None:
    async with app_of(empty).run_test(size=size) as pilot:
        await settle(pilot)
        assert "say who you are" in painted(pilot)
        assert "to do" in painted(pilot)
        assert "enter do it" in painted(pilot)
        await pilot.click("#queue", offset=(8, 2))
        assert guide(pilot).table.cursor == 1
        for widget in pilot.app.screen.walk_children(LineView):
            if widget.size.area:
                widths = {s.cell_length for s in widget.render_lines(widget.size.region)}
                assert widths == {widget.size.width}


async def test_without_a_keyring_another_place_is_asked_for_in_words_of_the_screen(
    empty: Path,
) -> None:
    async with app_of(empty, ME).run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        guide(pilot).table.go_to(first_steps.KEY)
        await press(pilot, "enter", "1")
        assert "no usable keyring" in bar(pilot, "rule")
        assert "--key-store" not in bar(pilot, "rule")
        assert "where shall the key be kept?" in bar(pilot, "ask-lines")


async def test_a_digit_is_a_place_and_the_steps_have_none(empty: Path) -> None:
    async with app_of(empty, ME).run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        steps = guide(pilot).read_rows(guide(pilot).table.rank)
        told = [cell for row in steps.values() for cell in row.cells.values()]
        for place in range(5):
            guide(pilot).table.go_to(place)
            await pilot.pause()
            told.append(" ".join(painted(pilot).split("\n")[7:]))
        assert not re.search(r"(^|\bstep )[1-5]\b", "\n".join(told), re.MULTILINE)
        await press(pilot, "2")
        assert isinstance(pilot.app.screen, SecondScreen)


async def test_a_key_waits_for_a_name(empty: Path) -> None:
    async with app_of(empty).run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, "j", "j", "enter")
        assert "say first who you are" in bar(pilot, "rule")


async def test_the_guide_is_reached_by_name_and_left_again(review: Review) -> None:
    async with review.app().run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, "colon", "=guide", "enter")
        assert states(pilot) == [True] * 4
        assert "all done" in bar(pilot, "header")
        await press(pilot, "slash")
        assert "nothing to filter" in bar(pilot, "rule")
        await press(pilot, "q")
        assert len(pilot.app.screen_stack) == 2


@pytest.mark.parametrize("lacking", ["import_run", "signing_key", "me"])
def test_the_guide_is_needed_until_there_is_a_name_an_import_and_a_key(
    review: Review, lacking: str
) -> None:
    db = store.open_(review.folder)
    assert not needed(db, Settings(me=ME))
    assert not needed(db, Settings()), "a workspace with one key knows whose it is"
    with db.atomic():
        db.execute("PRAGMA defer_foreign_keys = ON")
        for name in ("decision", "item", "exclusion", "campaign"):
            db.execute(f"DELETE FROM {name}")
    assert not needed(db, Settings(me=ME)), "the first campaign is not pressed upon anybody"
    with db.atomic():
        db.execute("DROP TRIGGER entry_stays")
        if lacking != "me":
            db.execute(f"DELETE FROM {lacking}")
    assert needed(db, Settings(me="x@example.com" if lacking == "me" else ME))
    db.close()


def test_a_path_is_completed_as_far_as_the_names_agree(tmp_path: Path) -> None:
    tmp_path /= "exports"
    tmp_path.mkdir()
    for name in ("report-a.csv", "report-b.csv", "evil\x1b]0;x\x07.csv", ".hidden", "two words"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    base = f"{tmp_path}/"
    assert paths.candidates(base) == ["folder/", "report-a.csv", "report-b.csv", "two words"]
    assert paths.candidates(f"{base}.") == [".hidden"]
    assert paths.candidates(f"{base}nowhere/x") == []

    def tab(typed: str) -> Any:
        return paths.completed(typed, len(typed), paths.candidates(typed))

    assert tab(f"{base}rep") == (f"{base}report-", len(base) + 7)
    assert tab(f"{base}fo") == (f"{base}folder/", len(base) + 7)
    assert tab(f"{base}two") == (f"{base}two words", len(base) + 9)
    assert tab(f"{base}ev") is None
