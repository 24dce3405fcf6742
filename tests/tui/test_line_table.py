"""The table knows ids and nothing else; it asks for what it shows and for no more."""

from array import array
from collections.abc import Mapping, Sequence

from textual.app import App, ComposeResult

from passmuster.tui.themes import load
from passmuster.tui.widgets.line_table import Column, LineTable, TableRow
from tests.conftest import REPOSITORY

MILLION = array("I", range(1_000_000, 0, -1))


class Host(App[None]):
    """One table, with a log of the ids that it asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.moves: list[int | None] = []
        for theme in load([REPOSITORY / "themes"])[0].values():
            self.register_theme(theme)
        self.theme = "muster-dark"

    def rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        self.asked += ids
        return {i: TableRow({"name": f"row {i}"}) for i in ids}

    def compose(self) -> ComposeResult:
        yield LineTable(self.rows, lambda _: [Column("name", "NAME", 0)])

    def on_line_table_moved(self, message: LineTable.Moved) -> None:
        self.moves.append(message.row_id)

    @property
    def table(self) -> LineTable:
        return self.query_one(LineTable)


async def test_of_a_million_rows_only_what_is_seen_is_read() -> None:
    app = Host()
    async with app.run_test(size=(60, 21)) as pilot:
        app.table.set_rank(MILLION)
        await pilot.pause()
        assert len(app.asked) == 20, "one screen of rows under the head"
        await pilot.press("end")
        assert len(app.asked) == 40, "the last screen, and nothing on the way to it"
        await pilot.press("up", "down", "up")
        assert len(app.asked) == 40, "what is seen already is not read again"
        await pilot.press("pageup")
        assert len(app.asked) <= 60


async def test_the_cursor_is_an_id_not_a_place() -> None:
    app = Host()
    async with app.run_test(size=(60, 21)) as pilot:
        app.table.set_rank(MILLION)
        app.table.go_to_id(500_000)
        app.table.set_rank(array("I", range(499_990, 500_010)))
        assert app.table.cursor_id == 500_000
        app.table.set_rank(array("I", [3, 2, 1]))
        assert app.table.cursor_id == 3, "its row is not in the view: the top of the view"
        app.table.set_rank(MILLION)
        assert app.table.cursor_id == 500_000, "and it is back when its row is"
        await pilot.pause()
        assert app.moves[-1] == 500_000


async def test_a_row_that_the_person_went_to_is_the_one_to_come_back_to() -> None:
    app = Host()
    async with app.run_test(size=(60, 21)) as pilot:
        app.table.set_rank(array("I", [1, 2, 3, 4]))
        app.table.go_to_id(4)
        app.table.set_rank(array("I", [1, 2]))
        await pilot.press("down")
        app.table.set_rank(array("I", [4, 3, 2, 1]))
        assert app.table.cursor_id == 2


async def test_marks_are_of_ids_and_outlive_a_filter() -> None:
    app = Host()
    async with app.run_test(size=(60, 21)) as pilot:
        app.table.set_rank(array("I", [1, 2, 3, 4]))
        app.table.toggle_mark()
        app.table.toggle_mark()
        await pilot.pause()
        app.table.set_rank(array("I", [4, 3]))
        app.table.set_rank(array("I", [4, 3, 2, 1]))
        assert app.table.marks == {1, 2}


async def test_the_cursor_shows_without_colour_and_the_terminals_own_cursor_follows() -> None:
    app = Host()
    async with app.run_test(size=(60, 21)) as pilot:
        app.theme = "mono"
        await pilot.pause()
        app.table.set_rank(MILLION)
        app.table.focus()
        await pilot.press("down", "down")
        strips = app.table.render_lines(app.table.size.region)
        styled = [[(s.text, s.style) for s in strip] for strip in strips]
        at = [n for n, row in enumerate(styled) if row[0][0].startswith(">")]
        assert at == [3]
        style = styled[3][0][1]
        assert style is not None
        assert style.reverse
        styles = [s for row in styled for _, s in row if s is not None]
        assert all(s.color is None and s.bgcolor is None for s in styles)
        assert app.table.caret == (0, 3)


async def test_an_empty_table_says_why_and_survives_every_key() -> None:
    app = Host()
    async with app.run_test(size=(60, 21)) as pilot:
        app.table.set_rank(array("I"))
        app.table.focus()
        await pilot.press("down", "up", "end", "home", "pagedown", "pageup")
        app.table.toggle_mark()
        assert app.table.cursor_id is None
        assert not app.asked
