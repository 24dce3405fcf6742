"""Every setting with its value, where that comes from and what it does; enter changes it.

Written is the workspace's `config.toml`, one value at a time, by `config.change`, which keeps
comments and order; nothing is written that the settings would refuse to read.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from textual import work
from textual.binding import Binding, BindingType

from passmuster import config
from passmuster.errors import FilterError, MusterError, UsageError
from passmuster.store import Database
from passmuster.tui import completion, setting_rows
from passmuster.tui.completion import Suggestions
from passmuster.tui.lines import Line, Span, fold, say
from passmuster.tui.look import Look, Section
from passmuster.tui.screens._list import ListScreen
from passmuster.tui.setting_rows import Entry
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow

_COLUMNS = (Column("key", "SETTING", 20), Column("value", "VALUE", 0), Column("from", "FROM", 11))


class SettingsScreen(ListScreen):
    """Settings, thresholds and keys, and what is known of the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,right", "change", "change", id="settings.change",
                tooltip="change this setting"),
        Binding("u", "unset", "set back", id="settings.unset",
                tooltip="take it out of the workspace's file: what is under it holds again"),
    ]  # fmt: skip
    NOUN = "setting"
    FILTER_HINT = "words of a setting, its value or what it does"

    def __init__(self) -> None:
        super().__init__()
        self.sections = [Section("settings", ""), Section("changed", "changed"),
                         Section("thresholds", "thresholds"), Section("keys", "keys")]  # fmt: skip
        self._ids: dict[str, int] = {}
        self._entries: dict[int, Entry] = {}
        self._newer: dict[int, Entry] = {}
        self._unread = ""
        """Why the files cannot be read, if so."""

    # the rows: a few dozen, held in memory and read anew for each look

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":  # noqa: ARG002
        """Places of the settings, each the same as long as the screen is open."""
        rows = self._read_entries()
        self._newer = {self._ids.setdefault(e.key, len(self._ids)): e for e in rows}
        chosen = setting_rows.matching(rows, look.section, look.expression.lower().split())
        return array("I", (self._ids[e.key] for e in chosen))

    def _read_entries(self) -> list[Entry]:
        try:
            found = config.listing(self.desk.folder)
        except MusterError as error:
            self._unread = str(error)
            return []
        self._unread = ""
        return [*setting_rows.entries(found),
                *setting_rows.key_entries(self.desk.settings, found)]  # fmt: skip

    def read_counts(self, db: Database) -> dict[str, int]:  # noqa: ARG002
        """How many settings each section has."""
        rows = self._read_entries()
        return {s.name: len(setting_rows.matching(rows, s.expression, ())) for s in self.sections}

    def view_shown(self, *, first: bool) -> None:  # noqa: ARG002 - always the same
        """The rows are of the settings that were read with them."""
        self._entries = self._newer
        self.table.forget()
        self.show_evidence(keep_place=True)

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """What the list shows of these settings."""
        return {i: self._row(self._entries[i]) for i in ids if i in self._entries}

    def _row(self, entry: Entry) -> TableRow:
        cells = {"key": entry.key.removeprefix("keys.").removeprefix("rules."),
                 "value": entry.words, "from": setting_rows.FROM[entry.origin]}  # fmt: skip
        return TableRow(cells, "!" if entry.clash else "",
                        "dim" if entry.origin == "default" else "plain")  # fmt: skip

    def columns(self, width: int) -> Sequence[Column]:  # noqa: ARG002 - they fit at any width
        """The same at any width."""
        return _COLUMNS

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """What the setting does and where its value comes from."""
        entry = self._entries.get(row_id)
        if entry is None:
            return lambda _: []
        file, troubles = str(self._file), self.muster.troubles()
        return lambda width: setting_rows.lines(entry, file, troubles, width)

    def nothing(self, *, filtered: bool) -> list[Line]:
        """Why there is no setting."""
        if self._unread:
            room = self.table.inner_width - 4
            return [[Span("  "), *row] for row in fold([say(self._unread, "error")], room)]
        if filtered:
            return [[Span("  no setting is so; esc takes the filter off, tab goes on")]]
        return [[Span("  everything is as it is built in")]]

    def try_filter(self, typed: str) -> FilterError | None:  # noqa: ARG002 - any text is a part
        """Any text is a part of something."""
        return None

    def suggestions(self, typed: str, at: int) -> Suggestions:
        """The settings' names."""
        names = [e.key for e in self._entries.values() if e.kind != "key"]
        return completion.for_last_word(typed, at, names)

    # the lines around

    @property
    def _file(self) -> object:
        return config.files(self.desk.folder)["workspace"]

    def headline(self, width: int) -> Line:  # noqa: ARG002 - short at any width
        """Which file is written, and how much is wrong."""
        line: Line = [Span(" "), Span("Settings", "strong"), say(f"   {self._file}", "dim")]
        if troubles := self.muster.troubles():
            line += [say(f"   {len(troubles)} cannot be used", "strong"), Span(" ◀", "accent")]
        return line

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        return [Key("enter", "change", "change"), Key("u", "set back", "unset"),
                Key("tab", "section", "section(1)"), Key("/", "filter", "filter"),
                Key("q", "back", "leave"), Key("?", "more", "help")]  # fmt: skip

    def action_sort(self) -> None:
        """They stand in the order of the documentation."""
        self.say("settings stand in the order of the documentation; / finds one")

    # changing

    def _here(self) -> Entry | None:
        place = self.table.cursor_id
        return None if place is None else self._entries.get(place)

    def action_change(self) -> None:
        """Change it: at once where there are two values, else ask."""
        entry = self._here()
        if entry is None:
            self.say("there is no setting here")
        elif entry.kind == "yesno":
            self._write(entry.key, not entry.value)
        elif entry.kind == "theme":
            self._choose_theme()
        elif entry.kind == "choice":
            self._ask_choice(entry)
        else:
            self._ask_value(entry)

    def _ask_choice(self, entry: Entry) -> None:
        options = [(str(n), word) for n, word in enumerate(entry.choices[:9], 1)]

        def answer(typed: str) -> str | None:
            if typed not in dict(options):
                return "press the digit of a value, or esc"
            self._write(entry.key, dict(options)[typed])
            return None

        self.ask.ask([say(entry.key, "strong"), say(f"  is {entry.words}", "dim")], options,
                     answer, hint="a digit")  # fmt: skip
        self.redraw_bars()

    def _ask_value(self, entry: Entry) -> None:
        def answer(typed: str) -> str | None:
            try:
                if entry.kind == "table":
                    key, value = setting_rows.parsed_entry(entry.key, typed.strip())
                else:
                    key, value = entry.key, setting_rows.parsed(entry, typed)
            except UsageError as error:
                return str(error)
            self._write(key, value)
            return None

        hint = "a new value"
        if entry.kind == "table":
            hint = setting_rows.ENTRY_HINTS.get(entry.key, "NAME = VALUE")
        elif entry.kind == "list":
            hint = f"some of {', '.join(entry.choices)}"
        elif entry.kind == "key":
            hint = "a key, or several with commas between them: A  or  ctrl+a,f5"
        self.ask.ask([say(entry.key, "strong"), say(f"  is {entry.words}", "dim")], (), answer,
                     hint=hint)  # fmt: skip
        self.redraw_bars()

    def _choose_theme(self) -> None:
        from passmuster.tui.screens.themes import ThemesScreen

        def chosen(name: str | None) -> None:
            if name is not None:
                self._write("theme", name)

        self.app.push_screen(ThemesScreen(), chosen)

    def action_unset(self) -> None:
        """Take it out of the workspace's file."""
        entry = self._here()
        if entry is None or entry.origin != "workspace":
            self.say("it is not set in the workspace's file: there is nothing to set back")
        else:
            self._write(entry.key, None)

    @work(thread=True, group="change")
    def _write(self, key: str, value: Any) -> None:
        try:
            config.change(config.files(self.desk.folder)["workspace"], key, value)
            settings = config.load(self.desk.folder)
        except MusterError as error:
            self.app.call_from_thread(self.say, str(error), "error")
        else:
            self.app.call_from_thread(self._written, key, value, settings)

    def _written(self, key: str, value: Any, settings: config.Settings) -> None:
        self.muster.use_settings(settings)
        self.show_look(self.look)
        self.count_sections()
        entry = Entry(key, value, "text", "workspace", None, "")
        what = "is as under the workspace's file again" if value is None else f"is {entry.words}"
        held = " (MUSTER_ME goes before it)" if key == "me" and settings.me != value else ""
        clashes = self.muster.key_troubles
        if key.startswith("keys.") and clashes:
            self.say(f"{key} {what}, but {clashes[0]}", "error")
        else:
            self.say(f"{key} {what}, from now on{held}")


SCREEN = SettingsScreen
