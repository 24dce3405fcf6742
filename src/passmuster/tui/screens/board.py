"""The campaigns: how far each one is, who is silent, and when it will be done at this pace."""

import shlex
from array import array
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from passmuster import campaigns
from passmuster.campaigns import AgeClass, Campaign, Course, Stranded, Waiting
from passmuster.errors import FilterError
from passmuster.store import Database
from passmuster.text import plural, rfc3339
from passmuster.tui import completion, course_lines, travelled, words
from passmuster.tui.completion import Suggestions
from passmuster.tui.course_lines import Known
from passmuster.tui.lines import Line, Span, say
from passmuster.tui.look import Look, Section
from passmuster.tui.screens._opening import EVERYTHING_ASKED, INTAKE_ASKED, WithOpening
from passmuster.tui.screens._typing import Command
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow

HOW_TO_OPEN = 'muster campaign open "November" --reviewer owner --fallback {me} --due {due}'
NAME_WIDTH = 13
"""Cells that the name keeps before another column may come in."""
_COLUMNS = (
    Column("name", "CAMPAIGN", 0), Column("signed", "SIGNED", 9, True),
    Column("due", "DUE", 9), Column("forecast", "FORECAST", 11),
    Column("silent", "SILENT", 6, True),
)  # fmt: skip


def how_to_open(me: str, now: str) -> str:
    """The command that opens a campaign due a month from now."""
    due = words.when(now) + timedelta(days=30)
    return HOW_TO_OPEN.format(me=shlex.quote(me or "you@example.com"), due=rfc3339(due)[:10])


def columns(width: int) -> list[Column]:
    """The columns that *width* has room for."""
    taken, chosen = NAME_WIDTH, [_COLUMNS[0]]
    for column in _COLUMNS[1:]:
        if taken + column.width + 1 <= width:
            chosen.append(column)
            taken += column.width + 1
    return chosen


def row(at: Campaign, course: Course | None, now: str) -> TableRow:
    """What the list shows of a campaign; `…` for what is still being counted."""
    how = course_lines.state(at, now)
    over = "overdue" if how == "overdue" else words.short(now, at.due_at)
    cells = {"name": at.name, "due": "closed" if how == "closed" else over,
             "signed": "…", "forecast": "…", "silent": "…"}  # fmt: skip
    if course is not None:
        known = Known(at, course, (), now)
        signed = f"{course.signed:,}/{course.total:,}"
        if len(signed) > _COLUMNS[1].width:
            signed = f"{100 * course.signed // max(1, course.total)} %"
        cells |= {"signed": signed, "forecast": course_lines.forecast_short(known.forecast),
                  "silent": f"{len(course.silent):,}" if course.silent else ""}  # fmt: skip
    return TableRow(cells, "◀" if how == "overdue" else "", "dim" if at.closed_at else "plain")


class BoardScreen(WithOpening):
    """Every campaign, and the course of the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,right", "open", "its queue", id="board.open",
                tooltip="review what is mine in this campaign"),
        Binding("y", "copy", "copy", id="board.copy",
                tooltip="copy the addresses of who is silent, or how to open a campaign"),
        Binding("N", "new", "new campaign", id="campaign.new",
                tooltip="open a campaign: over every identity, or over what is new"),
    ]  # fmt: skip
    NOUN = "campaign"
    FILTER_HINT = "words of a campaign's name"
    SORTS: ClassVar[Mapping[str, str]] = {"state": "state", "due": "due date", "name": "name"}

    def __init__(self) -> None:
        super().__init__()
        self.sections = [Section("all", ""), Section("open", "open"),
                         Section("overdue", "overdue"), Section("closed", "closed")]  # fmt: skip
        self._campaigns: dict[int, Campaign] = {}
        self._newer: dict[int, Campaign] = {}
        """What the thread has read for rows that are not shown yet."""
        self._courses: dict[int, Course] = {}
        self._ages: dict[int, list[AgeClass]] = {}
        self._seconds: dict[int, tuple[Waiting, Stranded, Mapping[str, int] | None]] = {}

    # the campaigns: few enough to be held in memory, read anew for each look

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":  # noqa: ARG002
        """Ids of the campaigns of a section with all the words in their name."""
        now, wanted = self.desk.clock(), look.expression.lower().split()
        found = campaigns.campaigns(db)
        self._newer = {c.id: c for c in found}
        chosen = [
            c for c in found
            if look.section in ("", *self._states(c, now))
            and all(word in c.name.lower() for word in wanted)
        ]  # fmt: skip
        orders: dict[str, Callable[[Campaign], tuple[object, ...]]] = {
            "due": lambda c: (c.due_at, -c.id), "name": lambda c: (c.name.lower(), c.id),
        }  # fmt: skip
        first = orders.get(look.order, lambda c: (c.closed_at is not None, -c.id))
        chosen.sort(key=first, reverse=look.backwards)
        return array("I", (c.id for c in chosen))

    def view_shown(self, *, first: bool) -> None:  # noqa: ARG002 - always the same
        """The rows are of the campaigns that were read with them."""
        self._campaigns = self._newer
        self.table.forget()
        self.show_evidence(keep_place=True)

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """What the list shows of these campaigns."""
        now = self.desk.clock()
        return {i: row(self._campaigns[i], self._courses.get(i), now)
                for i in ids if i in self._campaigns}  # fmt: skip

    def columns(self, width: int) -> Sequence[Column]:
        """As many as there is room for."""
        return columns(width)

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many campaigns each section has, and the course of each campaign.

        They are counted together because both read every item, and so both wait until it is their
        turn (`COUNT_SHARE`). A closed campaign does not change: it is counted once.
        """
        worker = get_current_worker()
        now, old = self.desk.clock(), course_lines.bounds(self.desk.old_days)
        found = campaigns.campaigns(db)
        for at in sorted(found, key=lambda c: (c.closed_at is not None, -c.id)):
            held = self._courses.get(at.id)
            if at.closed_at and held is not None and self._ages.get(at.id) is not None:
                continue
            course = campaigns.course(db, at)
            ages = campaigns.ages(db, at.id, at.closed_at or now, old)
            came = campaigns.signed_by(db, at) if at.travels == travelled.FROM else None
            seconds = campaigns.waiting(db, at), campaigns.stranded(db, at), came
            if worker.is_cancelled:
                break
            self.app.call_from_thread(self._counted_course, at.id, course, ages, seconds)
        states = [state for c in found for state in self._states(c, now)]
        return {"all": len(found), **{s: states.count(s) for s in ("open", "overdue", "closed")}}

    def _states(self, at: Campaign, now: str) -> set[str]:
        """The sections that it is in; what is overdue is open still."""
        return {course_lines.state(at, now), *(() if at.closed_at else ("open",))}

    def _counted_course(
        self, campaign_id: int, course: Course, ages: list[AgeClass],
        seconds: tuple[Waiting, Stranded, Mapping[str, int] | None],
    ) -> None:  # fmt: skip
        self._courses[campaign_id], self._ages[campaign_id] = course, ages
        self._seconds[campaign_id] = seconds
        self.table.forget([campaign_id])
        if self.table.cursor_id == campaign_id:
            self.show_evidence(keep_place=True)

    def changed_outside(self) -> None:
        """Perhaps one was opened or closed."""
        self.show_look(self.look)

    # the filter: words of a name

    def try_filter(self, typed: str) -> FilterError | None:  # noqa: ARG002 - any text is a part
        """Any text is a part of a name."""
        return None

    def suggestions(self, typed: str, at: int) -> Suggestions:
        """Words of the names that there are."""
        names = [word for c in self._campaigns.values() for word in c.name.split()]
        return completion.for_last_word(typed, at, list(dict.fromkeys(names)))

    # the evidence

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """The course of a campaign in words and plots."""
        at, course = self._campaigns.get(row_id), self._courses.get(row_id)
        if at is None:
            return lambda _: []
        if course is None:
            return lambda _: [[Span("counting …", "dim")]]
        known = Known(at, course, self._ages.get(row_id, []), self.desk.clock(), self.desk.me,
                      *self._seconds.get(row_id, ()))  # fmt: skip
        return lambda width: course_lines.lines(known, width)

    # the lines around

    def headline(self, width: int) -> Line:  # noqa: ARG002 - short at any width
        """How many are open."""
        line: Line = [Span(" "), Span("Campaigns", "strong")]
        if self.counts:
            line.append(Span(f"   {self.counts['open']:,} open"))
            if self.counts["overdue"]:
                line += [Span(f"   {self.counts['overdue']:,} overdue", "strong"),
                         Span(" ◀", "accent")]  # fmt: skip
        return line

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        if not self.table.rank:
            return [Key("N", "open one", "new"), Key("y", "copy the command", "copy"),
                    Key("q", "back", "leave"), Key("?", "more", "help")]  # fmt: skip
        silent = [Key("y", "copy who is silent", "copy")] if self._silent() else []
        return [Key("enter", "its queue", "open"), *silent, Key("N", "new campaign", "new"),
                Key("J", "scroll", "pane(1)", True), *super().hints()]  # fmt: skip

    def nothing(self, *, filtered: bool) -> list[Line]:
        """Why there is no campaign, and how to open one."""
        if filtered:
            return [[Span("  no campaign is so; esc takes the filter off, tab goes on")]]
        return [
            [Span("  no campaign has been opened yet: N opens one.", "strong")], [],
            [Span("  A campaign freezes what is to be judged, and asks people to judge it.")],
            [Span("  With a scope of its own it is opened by a command (y copies the line):")],
            [Span("  "), say(self.how_to_open(), "accent")],
        ]  # fmt: skip

    def how_to_open(self) -> str:
        """The command that opens a campaign, due a month from now."""
        return how_to_open(self.desk.me, self.desk.clock())

    # what can be done

    def commands(self) -> dict[str, Command]:
        """A campaign by its name, too."""
        names = [c.name for c in self._campaigns.values()]
        return {**super().commands(),
                "queue": Command("the queue of a campaign", self._open_named, names)}  # fmt: skip

    def _open_named(self, name: str) -> None:
        for at in self._campaigns.values():
            if at.name.lower() == name.lower():
                self.muster.open_campaign(at)
                return
        self.say(f"no campaign {name}", "error")

    def action_open(self) -> None:
        """Show the queue of the campaign under the cursor."""
        at = self._campaigns.get(self.table.cursor_id or 0)
        if at is None:
            self.say("there is no campaign here")
        else:
            self.muster.open_campaign(at)

    def action_new(self) -> None:
        """Ask over what, then open it."""
        options = [("1", EVERYTHING_ASKED), ("2", INTAKE_ASKED)]

        def answer(typed: str) -> str | None:
            if typed == "1":
                self.open_everything(f"Review {self.desk.clock()[:10]}")
            elif typed == "2":
                self.open_intake()
            else:
                return "press a digit, or esc"
            return None

        self.ask.ask([Span("a new campaign over", "strong")], options, answer,
                     hint="a digit; another scope: muster campaign open --scope …")  # fmt: skip
        self.redraw_bars()

    def _silent(self) -> list[str]:
        course = self._courses.get(self.table.cursor_id or 0)
        return [r.reviewer for r in course.silent] if course else []

    def action_copy(self) -> None:
        """Give what is next of use to the terminal's clipboard, and say what it was."""
        silent = self._silent()
        if not self._campaigns:
            self.say(f"the command: {self.copied(self.how_to_open()).words}")
        elif silent:
            who = plural(len(silent), "silent reviewer")
            self.say(f"the addresses of {who}: {self.copied(', '.join(silent)).words}")
        else:
            self.say("nobody is silent here: there is nothing to copy")


SCREEN = BoardScreen
