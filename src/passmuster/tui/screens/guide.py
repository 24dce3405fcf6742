"""The first steps: who are you, the first import, a signing key, a campaign; or an invitation.

An import runs as a process of its own: a row of Python for each record of a big export would
make the screen wait.
"""

import shlex
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from passmuster import config
from passmuster.errors import FilterError, MusterError
from passmuster.store import Database
from passmuster.tui import first_steps, paths
from passmuster.tui.first_steps import CAMPAIGN, IMPORT, INVITED, KEY, WHO, Step, needed
from passmuster.tui.lines import Line, Span
from passmuster.tui.look import Look
from passmuster.tui.screens._child import DATA
from passmuster.tui.screens._inviting import WithInvitation
from passmuster.tui.screens._opening import WithOpening
from passmuster.tui.screens.board import how_to_open
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow

__all__ = ["SCREEN", "GuideScreen", "needed"]

_COLUMNS = (Column("step", "FIRST STEPS", 24), Column("state", "", 0))
NAME = "First review"


class GuideScreen(WithInvitation, WithOpening):
    """Steps, and what to do for the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,right", "step", "do it", id="guide.step", tooltip="do this step"),
        Binding("n", "platform(1)", "next platform", id="guide.next",
                tooltip="how the next platform makes its export"),
        Binding("N", "platform(-1)", "platform before", id="guide.before",
                tooltip="how the platform before makes its export"),
        Binding("m", "export(1)", "next export", id="guide.next_export",
                tooltip="how this platform makes its next export"),
        Binding("M", "export(-1)", "export before", id="guide.export_before",
                tooltip="how this platform makes the export before"),
        Binding("y", "copy", "copy the command", id="guide.copy",
                tooltip="put the command that is shown on the clipboard"),
    ]  # fmt: skip
    NOUN = "step"

    def __init__(self) -> None:
        super().__init__()
        self._steps: list[Step] = []
        self._newer: list[Step] = []
        self._recipes = first_steps.recipes()
        self._recipe = 0
        self._import_said: list[str] = []

    # the rows

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":  # noqa: ARG002
        """The steps."""
        self._newer = first_steps.steps(db, self.desk.me)
        return array("I", range(len(self._newer)))

    def view_shown(self, *, first: bool) -> None:
        """Begin at the first step that is not done, and go on when one has been done."""
        before, self._steps = self._steps, self._newer
        self.table.forget()
        here = self.table.cursor_id or 0
        just_done = before and self._steps[here].done and not before[here].done
        if first or just_done:
            self.table.go_to(next((n for n, s in enumerate(self._steps) if not s.done), here))
        self.show_evidence(keep_place=True)

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """Each step and whether it is done."""
        return {n: self._row(n, self._steps[n]) for n in ids if n < len(self._steps)}

    def _row(self, place: int, step: Step) -> TableRow:
        state = f"done: {step.done}" if step.done else "to do"
        if step.done.startswith(first_steps.NOT_NEEDED):
            state = step.done
        elif place == INVITED and not step.done:
            state = "if you have one"
        cells = {"step": step.title, "state": state}
        return TableRow(cells, "✓" if step.done else "", "dim" if step.done else "plain")

    def columns(self, width: int) -> Sequence[Column]:  # noqa: ARG002 - they fit at any width
        """The same at any width."""
        return _COLUMNS

    def changed_outside(self) -> None:
        """Perhaps a step was done on the command line."""
        self.show_look(self.look)

    def nothing(self, *, filtered: bool) -> list[Line]:  # noqa: ARG002 - never so
        """There are always steps."""
        return []

    def try_filter(self, typed: str) -> FilterError | None:  # noqa: ARG002 - four rows need none
        """Four steps need no filter."""
        return None

    def action_filter(self) -> None:
        """Four steps need no filter."""
        self.say("there is nothing to filter here")

    def action_sort(self) -> None:
        """They stand in the order in which they are done."""
        self.say("the steps stand in the order in which they are done")

    # what to do

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """What the step is for, and what to press."""
        me, done = self.desk.me, self._steps[row_id].done if self._steps else ""
        command, said = how_to_open(me, self.desk.clock()), list(self._import_said)
        key, joined = self._steps[KEY].done if self._steps else "", list(self.joined)
        recipes, place = self._recipes, self._recipe
        return {
            WHO: lambda width: first_steps.who_lines(me, width),
            IMPORT: lambda width: first_steps.import_lines(recipes, place, said, width),
            KEY: lambda width: first_steps.key_lines(done, width),
            CAMPAIGN: lambda width: first_steps.campaign_lines(command, done, width),
            INVITED: lambda width: first_steps.invited_lines(me, key, joined, done, width),
        }[row_id]

    def headline(self, width: int) -> Line:  # noqa: ARG002 - short at any width
        """How many steps are left."""
        line: Line = [Span(" "), Span("Welcome to passmuster", "strong")]
        if self._steps:
            own = self._steps[:INVITED]
            left = sum(not s.done for s in own)
            line.append(Span(f"   {left} of {len(own)} to do" if left
                             else "   all done: b shows the campaigns"))  # fmt: skip
        return line

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        here = self.table.cursor_id
        found = [Key("enter", "do it", "step")]
        if here == IMPORT:
            found.append(Key("n", "next platform", "platform(1)"))
            found.append(Key("m", "next export", "export(1)"))
        if here in (IMPORT, CAMPAIGN):
            found.append(Key("y", "copy the command", "copy"))
        return [*found, Key("j/k", "steps", "", True), Key("J", "scroll", "pane(1)", True),
                Key("q", "leave", "leave"), Key("?", "more", "help")]  # fmt: skip

    def action_step(self) -> None:
        """Do the step under the cursor."""
        here = self.table.cursor_id
        if here == WHO:
            self.put("who are you?", "you@example.com", self._i_am)
        elif not self.desk.me and here in (KEY, CAMPAIGN, INVITED):
            self.say("say first who you are", "error")
        elif here == IMPORT:
            self._ask_file()
        elif here == KEY:
            self.ask_store()
        elif here == CAMPAIGN:
            self._ask_name()
        elif here == INVITED and not self._steps[KEY].done:
            self.say("make your signing key first", "error")
        elif here == INVITED:
            self.ask_invitation()

    def action_platform(self, by: int) -> None:
        """How another platform makes its export."""
        self._show_recipe(first_steps.other_platform(self._recipes, self._recipe, by))

    def action_export(self, by: int) -> None:
        """How the platform makes another of its exports."""
        self._show_recipe(first_steps.other_export(self._recipes, self._recipe, by))

    def _show_recipe(self, place: int) -> None:
        self._recipe = place
        if self.table.cursor_id != IMPORT:
            self.table.go_to(IMPORT)
        self.show_evidence()

    def action_copy(self) -> None:
        """Give the command that is shown to the terminal's clipboard."""
        here = self.table.cursor_id
        if here == IMPORT:
            text = self._recipes[self._recipe].howto
        elif here == CAMPAIGN:
            text = how_to_open(self.desk.me, self.desk.clock())
        else:
            self.say("there is no command here to copy")
            return
        self.say(f"the command: {self.copied(text).words}")

    # who

    def _i_am(self, typed: str) -> str | None:
        if "@" not in typed or " " in typed.strip():
            return "that is not an e-mail address"
        self._write_me(typed.strip().lower())
        return None

    @work(thread=True, group="me")
    def _write_me(self, me: str) -> None:
        try:
            config.change(config.files(self.desk.folder)["workspace"], "me", me)
            settings = config.load(self.desk.folder)
        except MusterError as error:
            self.app.call_from_thread(self.say, str(error), "error")
        else:
            self.app.call_from_thread(self._me_written, me, settings)

    def _me_written(self, me: str, settings: config.Settings) -> None:
        self.muster.use_settings(settings)
        held = "" if self.desk.me == me else f"; MUSTER_ME says {self.desk.me}, and goes before it"
        self.say(f"written to config.toml{held}")
        self.show_look(self.look)

    # the import

    def _ask_file(self) -> None:
        if self.running:
            self.say(f"{self.running}: wait for it")
            return
        self.put("which file?", "a path; tab completes; options of muster import may follow",
                  self._file_given)  # fmt: skip
        self.ask.text.completed = self._complete_file

    def _complete_file(self, typed: str, at: int) -> tuple[str, int] | None:
        found = paths.candidates(typed[:at])
        if len(found) > 1:
            self.say("  ".join(found[:12]) + ("  …" if len(found) > 12 else ""))
        elif not found:
            self.say("no file there begins so")
        return paths.completed(typed, at, found)

    def _file_given(self, typed: str) -> str | None:
        whole = Path(typed.strip()).expanduser()
        try:
            parts = [str(whole)] if whole.is_file() else shlex.split(typed)
        except (ValueError, OSError) as error:
            return f"not understood: {error}"
        if not parts:
            return "type the path of a file"
        first = Path(parts[0]).expanduser()
        if first.is_dir():
            return f"{first} is a folder: give the file in it"
        if not first.is_file():
            return f"there is no file {first}"
        self.run_muster(["import", str(first), *parts[1:], "--json"], f"importing {first.name}",
                        self._imported)  # fmt: skip
        return None

    def _imported(self, code: int, said: list[str]) -> None:
        rows = first_steps.imported(said)
        told = [line for line in said if not line.startswith(DATA)]
        self._import_said = [*rows, *told]
        if code:
            last = told[-1] if told else "the import failed"
            self.say(last.removeprefix("muster: "), "error")
        else:
            self.say(f"imported {'; '.join(rows)}")
        self.show_look(self.look)
        self.show_evidence(keep_place=True)

    # the campaign

    def _ask_name(self) -> None:
        missing = next((step for step in self._steps[:CAMPAIGN] if not step.done), None)
        if missing is not None:
            self.say(f"first: {missing.title}", "error")
            return

        self.open_everything(NAME)


SCREEN = GuideScreen
