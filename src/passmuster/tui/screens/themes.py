"""The themes: the screen takes the colours of the one under the cursor while one looks around."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster.errors import FilterError
from passmuster.store import Database
from passmuster.tui import theme_files, themes
from passmuster.tui.lines import Line, Span, say
from passmuster.tui.look import Look
from passmuster.tui.screens._list import ListScreen
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow

_COLUMNS = (Column("name", "THEME", 0), Column("ground", "GROUND", 8))


class ThemesScreen(ListScreen):
    """Enter keeps the theme (its name is the answer), esc goes back to the one before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "keep", "keep", id="themes.keep", tooltip="use this theme from now on"),
    ]
    NOUN = "theme"
    FILTER_HINT = "words of a theme's name"

    def __init__(self) -> None:
        super().__init__()
        self._themes = list(themes.load(theme_files.folders())[0].values())
        self._before = ""
        self._began = False

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":  # noqa: ARG002
        """Places of the themes."""
        wanted = look.expression.lower().split()
        return array("I", (n for n, theme in enumerate(self._themes)
                           if all(word in theme.name.lower() for word in wanted)))  # fmt: skip

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """Name and ground."""
        return {n: TableRow({"name": self._themes[n].name,
                             "ground": "dark" if self._themes[n].dark else "light"})
                for n in ids}  # fmt: skip

    def columns(self, width: int) -> Sequence[Column]:  # noqa: ARG002 - they fit at any width
        """The same at any width."""
        return _COLUMNS

    def view_shown(self, *, first: bool) -> None:
        """Begin on the theme that is in use."""
        if first:
            self._before = self.app.theme
            for place, theme in enumerate(self._themes):
                if theme.name == self._before:
                    self.table.go_to_id(place)
            self._began = True

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """A sample, in the theme's own colours: they are the screen's by then."""
        if self._began and self.app.theme != self._themes[row_id].name:
            if self.muster.colourless:
                self.say(f"{self.muster.colourless}: every theme looks as mono does", "error")
            else:
                self.app.theme = self._themes[row_id].name
        name = self._themes[row_id].name
        return lambda _: [
            [say(name, "strong")], [],
            [Span("plain text, as evidence is written")],
            [Span("dim: labels, what is less", "dim")],
            [Span("strong: names, what counts", "strong")],
            [Span("accent: keys, what to look at ◀", "accent")],
            [Span("error: what went wrong", "error")], [],
            [Span("> the row under the cursor        ", "cursor")],
        ]  # fmt: skip

    def headline(self, width: int) -> Line:  # noqa: ARG002 - short at any width
        """What this is."""
        return [
            Span(" "),
            Span("Themes", "strong"),
            Span("   the screen shows the one at the cursor"),
        ]

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        return [Key("enter", "keep it", "keep"), Key("esc", "as it was", "back")]

    def nothing(self, *, filtered: bool) -> list[Line]:  # noqa: ARG002 - there are always some
        """No theme has these words."""
        return [[Span("  no theme has this in its name; esc takes the filter off")]]

    def try_filter(self, typed: str) -> FilterError | None:  # noqa: ARG002 - any text is a part
        """Any text is a part of a name."""
        return None

    def action_sort(self) -> None:
        """They stand in the order of their files."""
        self.say("themes stand in the order of their files")

    def action_keep(self) -> None:
        """Back, with the name of this theme."""
        if self.table.cursor_id is not None:
            self.dismiss(self._themes[self.table.cursor_id].name)

    def action_back(self) -> None:
        """Back, with the colours as they were."""
        if not self.step_back():
            self.action_leave()

    def action_leave(self) -> None:
        """Back, with the colours as they were."""
        self._restore()
        self.dismiss(None)

    def action_place(self, name: str) -> None:
        """Elsewhere, with the colours as they were."""
        self._restore()
        super().action_place(name)

    def _restore(self) -> None:
        if self._before:
            self.app.theme = self._before
