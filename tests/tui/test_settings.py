"""The settings screen: what holds, where it comes from, and one value changed in the file."""

from pathlib import Path

import pytest
from textual.pilot import Pilot

from passmuster import config
from passmuster.config import Setting
from passmuster.errors import UsageError
from passmuster.tui import setting_rows
from passmuster.tui.app import MusterApp
from passmuster.tui.lines import plain
from passmuster.tui.screens.settings import SettingsScreen
from passmuster.tui.screens.themes import ThemesScreen
from passmuster.tui.setting_rows import Entry
from passmuster.tui.widgets.line_view import LineView
from tests.tui.conftest import ME, Review, bar, painted, press, settle

COMMENT = "# mine, with a comment\n"


@pytest.fixture
def kept(review: Review) -> Review:
    """A workspace with a file that a person wrote."""
    file(review).write_text(f'{COMMENT}me = "{ME}"\n\n[rules.unused]\nmax_days = 45 # quarterly\n')
    file(review).chmod(0o600)
    review.settings = config.load(review.folder)
    return review


def file(review: Review) -> Path:
    return review.folder / "config.toml"


async def settings(pilot: Pilot[None], at: str = "", *keys: str) -> SettingsScreen:
    await settle(pilot)
    if not isinstance(pilot.app.screen, SettingsScreen):
        await press(pilot, "comma")
    screen = pilot.app.screen
    assert isinstance(screen, SettingsScreen)
    if at:
        screen.open_section(2 if at.startswith("rules.") else 3 if at.startswith("keys.") else 0)
        await settle(pilot)
        screen.table.go_to_id(screen._ids[at])
        await settle(pilot)
    await press(pilot, *keys)
    return screen


async def test_every_setting_has_its_value_its_origin_and_what_it_does(kept: Review) -> None:
    async with kept.app().run_test(size=(160, 48)) as pilot:
        screen = await settings(pilot)
        shown = {e.key for e in screen._entries.values()}
        assert set(config._fields.SHAPES) - shown <= {"rules", "reasons", "bulk", "keys"}
        assert {"reasons.4", "bulk.high", "rules.credential-old.max_days", "keys.filter"} <= shown
        await settings(pilot, "key_store")
        text = painted(pilot)
        assert "key_store = auto" in text
        assert "may be   auto, keyring, file" in text
        assert str(file(kept)) in bar(pilot, "header")
        await press(pilot, "tab")
        assert {screen._entries[i].key for i in screen.table.rank} == {
            "me",
            "rules.unused.max_days",
        }


async def test_yes_or_no_changes_at_once_and_holds_at_once(kept: Review) -> None:
    async with kept.app().run_test(size=(120, 40)) as pilot:
        app = pilot.app
        assert isinstance(app, MusterApp)
        await settings(pilot, "read_only", "enter")
        assert "read_only is yes, from now on" in bar(pilot, "status")
        assert app.read_only
        assert config.load(kept.folder).read_only
        await press(pilot, "u")
        assert not app.read_only
    assert file(kept).read_text().startswith(COMMENT)
    assert "read_only" not in file(kept).read_text()
    assert "max_days = 45 # quarterly" in file(kept).read_text()


async def test_a_choice_is_one_digit(kept: Review) -> None:
    async with kept.app().run_test(size=(80, 24)) as pilot:
        await settings(pilot, "key_store", "enter", "3")
        assert "key_store is file" in bar(pilot, "rule")
    assert config.load(kept.folder).key_store == "file"


async def test_a_number_is_typed_and_a_wrong_one_is_refused_with_the_file_as_it_was(
    kept: Review,
) -> None:
    before = file(kept).read_text()
    async with kept.app().run_test(size=(80, 24)) as pilot:
        await settings(pilot, "bulk.high", "enter", "=many", "enter")
        assert "'many' is not a number" in bar(pilot, "ask-lines")
        await press(pilot, "ctrl+u", "=0", "enter")
        assert "cannot be less than 1" in bar(pilot, "rule")
        assert file(kept).read_text() == before
        await settings(pilot, "rules.unused.max_days", "enter", "=60", "enter")
        await settings(pilot, "bulk.high", "enter", "=12", "enter")
    now = config.load(kept.folder)
    assert (now.bulk["high"], now.rules["unused"]["max_days"]) == (12, 60)
    assert "# quarterly" in file(kept).read_text()


async def test_a_tab_of_ones_own_is_added_by_name_and_filter(kept: Review) -> None:
    async with kept.app().run_test(size=(80, 24)) as pilot:
        await settings(pilot, "sections", "enter", "=vendors", "enter")
        assert "NAME = FILTER" in bar(pilot, "ask-lines")
        await press(pilot, "ctrl+u", "=my vendors = supplier:acme", "enter")
        await settings(pilot, "sections", "enter", "=old = unused:>1y", "enter")
    assert config.load(kept.folder).sections == {
        "my vendors": "supplier:acme", "old": "unused:>1y",
    }  # fmt: skip


async def test_a_key_is_changed_by_its_id_and_a_clash_is_told(kept: Review) -> None:
    async with kept.app().run_test(size=(120, 40)) as pilot:
        screen = await settings(pilot, "keys.filter", "enter", "=f7", "enter")
        assert "keys.filter is f7, from now on" in bar(pilot, "status")
        await press(pilot, "f7")
        assert screen.typed_line is not None, "it holds at once"
        await press(pilot, "escape")
        await settings(pilot, "keys.sort", "enter", "=f7", "enter")
        assert "the key f7 is for" in bar(pilot, "status")
        assert "clash" in painted(pilot)
        assert "cannot be used ◀" in bar(pilot, "header")


async def test_a_theme_is_seen_while_one_looks_and_goes_back_with_escape(kept: Review) -> None:
    async with kept.app().run_test(size=(120, 40)) as pilot:
        await settings(pilot, "theme", "enter")
        assert isinstance(pilot.app.screen, ThemesScreen)
        before, tried = pilot.app.theme, set()
        for _ in range(3):
            await press(pilot, "j")
            tried.add(pilot.app.theme)
        assert len(tried | {before}) >= 3
        await press(pilot, "escape")
        assert pilot.app.theme == before
        await settings(pilot, "theme", "enter", "j", "b")
        assert pilot.app.theme == before, "also when one goes elsewhere"
        await press(pilot, "comma")
        await settings(pilot, "theme", "enter", "home")
        chosen = pilot.app.theme
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, SettingsScreen)
        assert config.load(kept.folder).theme == chosen == pilot.app.theme


async def test_without_colour_trying_a_theme_says_why_nothing_changes(
    kept: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with kept.app().run_test(size=(120, 40)) as pilot:
        await settings(pilot, "theme", "enter", "home")
        assert "NO_COLOR is set" in bar(pilot, "status")
        assert pilot.app.theme == "mono"


async def test_a_value_of_the_environment_goes_before_the_file_and_says_so(
    kept: Review,
) -> None:
    async with kept.app().run_test(size=(120, 40)) as pilot:
        app = pilot.app
        assert isinstance(app, MusterApp)
        await settings(pilot, "me")
        assert "the environment goes before any file" in painted(pilot)
        await press(pilot, "enter", "=other@example.com", "enter")
        assert "MUSTER_ME goes before it" in bar(pilot, "status")
        assert app.desk.me == ME


async def test_a_file_that_was_broken_meanwhile_is_told_and_not_fatal(kept: Review) -> None:
    async with kept.app().run_test(size=(120, 40)) as pilot:
        screen = await settings(pilot)
        file(kept).write_text("me = [[[\x1b]52;c;aGk=\x07")
        screen.show_look(screen.look)
        await settle(pilot)
        assert "not TOML" in " ".join(painted(pilot).replace("│", " ").split())
        assert "\x1b" not in painted(pilot)
        await press(pilot, "enter")
        assert "there is no setting here" in bar(pilot, "status")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 12)])
async def test_every_size_shows_settings_and_what_to_press(
    kept: Review, size: tuple[int, int]
) -> None:
    async with kept.app().run_test(size=size) as pilot:
        screen = await settings(pilot, "", "j")
        assert "enter change" in painted(pilot)
        assert "> " in painted(pilot)
        await pilot.click("#queue", offset=(8, 1))
        assert screen.table.cursor == 0
        for widget in screen.walk_children(LineView):
            if widget.size.area:
                widths = {s.cell_length for s in widget.render_lines(widget.size.region)}
                assert widths == {widget.size.width}
        await press(pilot, "q")
        assert not isinstance(pilot.app.screen, SettingsScreen)


async def test_words_find_a_setting_by_name_value_or_documentation(kept: Review) -> None:
    async with kept.app().run_test(size=(120, 40)) as pilot:
        screen = await settings(pilot, "", "slash", "=braille", "enter")
        assert [screen._entries[i].key for i in screen.table.rank] == ["screen_reader"]


def test_hostile_values_are_text() -> None:
    evil = "x\x1b]52;c;aGk=\x07[/]"
    found = [Setting(f"sections.{evil}", evil, "workspace", evil, evil, (), True)]
    for entry in setting_rows.entries(found):
        rows = setting_rows.lines(entry, evil, [evil], 60)
        assert "\x1b" not in "".join(plain(row) for row in rows)


@pytest.mark.parametrize(("kind", "typed", "value"), [
    ("number", "1,200", 1200), ("number", "2.5", 2.5), ("list", "risk, name owner",
    ["risk", "name", "owner"]), ("text", " a b ", "a b"),
])  # fmt: skip
def test_what_is_typed_becomes_a_value(kind: str, typed: str, value: object) -> None:
    entry = Entry("x", 1, kind, "default", None, "")  # type: ignore[arg-type]
    assert setting_rows.parsed(entry, typed) == value


@pytest.mark.parametrize(("table", "typed"), [
    ("rules", "unused.max_days 45"), ("rules", "unused.max_days = soon"), ("sections", "= x"),
    ("sections", "name ="),
])  # fmt: skip
def test_an_entry_that_is_not_understood_says_how_to_write_it(table: str, typed: str) -> None:
    with pytest.raises(UsageError, match=r"write|not a number"):
        setting_rows.parsed_entry(table, typed)
    assert setting_rows.parsed_entry("rules", "unused.max_days = 45") == (
        "rules.unused.max_days", 45,
    )  # fmt: skip
