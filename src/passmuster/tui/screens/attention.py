"""What needs a person: what the server refused, what is contested or stale, and a halted sync.

Few rows, held in memory; they are read in a thread, what is stale after the rest. Nothing is
decided on this screen: a verb goes to the item in its queue, with all its evidence.
"""

import threading
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import remediation, tlog
from passmuster.campaigns import Disputed
from passmuster.errors import FilterError, MusterError
from passmuster.filters import plain_words
from passmuster.store import Database
from passmuster.text import plural
from passmuster.tlog import Halted
from passmuster.tui import keymap, need_lines
from passmuster.tui.lines import Line, Span, say
from passmuster.tui.look import Look, Section
from passmuster.tui.needs import Need, needs
from passmuster.tui.screens._list import ListScreen
from passmuster.tui.screens.details import HANDED
from passmuster.tui.sections import ALARM
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow
from passmuster.tui.writer import Job

KINDS: dict[str, tuple[str, ...]] = {
    "all": (), "the log": ("halted", "declined", "refused", "void"),
    "contested": ("contested",), "emergency": ("urgent",), "stale": ("stale",),
}  # fmt: skip
"""Which kinds each section shows."""
DECIDED = tuple(verb for verb in HANDED.values() if verb not in ("clear", "undo"))
SENT = -1
"""For the writer: the job is about no item."""


class AttentionScreen(ListScreen):
    """Things that wait for a person; an id is given to each for as long as the screen is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,right", "next", "what to do", id="attention.next",
                tooltip="offer what was refused again; or show the item in its queue"),
        Binding("y", "copy", "copy the evidence", id="attention.copy",
                tooltip="both checkpoints of a halted log, for whoever runs it"),
        *(Binding(key, f"hand('{verb}')", verb, id=verb, show=False)
          for key, verb in HANDED.items() if verb in DECIDED),
    ]  # fmt: skip
    NOUN = "thing"
    FIRST = 0  # however few come first, what is stale is not among them
    FILTER_HINT = "words: a name, a person, contested"
    SORTS: ClassVar[Mapping[str, str]] = {"need": "what stops most"}

    def __init__(self) -> None:
        super().__init__()
        self.sections = [Section(name, name if kinds else "") for name, kinds in KINDS.items()]
        self._ids: dict[str, int] = {}
        self._needs: dict[int, Need] = {}
        self._found: list[int] | None = None
        self._stale_known = False
        self._stops = 0
        """Stops that are asked for and not done: for whoever carries out, so no need of its own."""
        self._reading = threading.Lock()

    # the rows

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":
        """What needs somebody, in the order in which it is to be looked at."""
        kinds = KINDS.get(look.section, ())
        wanted = plain_words(look.expression, "this list")
        found = [
            i for i in self._all(db, stale=limit is None)
            if (not kinds or self._needs[i].kind in kinds)
            and all((w.lower() in _searched(self._needs[i])) != no for w, no in wanted)
        ]  # fmt: skip
        return array("I", reversed(found) if look.backwards else found)

    def _all(self, db: Database, *, stale: bool) -> list[int]:
        with self._reading:  # the list and its sections are read by two threads at a time
            if self._found is None or (stale and not self._stale_known):
                found = needs(db, self.desk.me, stale=stale)
                for need in found:
                    self._needs[self._ids.setdefault(need.key, len(self._ids))] = need
                self._found = [self._ids[need.key] for need in found]
                self._stale_known = stale
                if stale:
                    now = self.desk.clock()
                    self._stops = len(remediation.unplanned(db, now)) + sum(
                        one.is_open for one in remediation.status(db, now)
                    )
            return list(self._found)

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """From memory."""
        me, now = self.desk.me, self.desk.clock()
        return {i: need_lines.table_row(self._needs[i], me, now) for i in ids}

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many each section has."""
        found = [self._needs[i] for i in self._all(db, stale=True)]
        return {name: sum(not kinds or need.kind in kinds for need in found)
                for name, kinds in KINDS.items()}  # fmt: skip

    def counted(self) -> None:
        """The first rows did not wait for the stops: they are known now."""
        if not self.table.rank:
            self.table.empty = self.nothing(filtered=bool(self.look.filter))
            self.table.redraw()

    def columns(self, width: int) -> Sequence[Column]:
        """As many as there is room for."""
        return need_lines.columns(width)

    def changed_outside(self) -> None:
        """Something may have been done about it, or have come."""
        self._found = None
        self._stale_known = False
        self.show_look(self.look)

    def nothing(self, *, filtered: bool) -> list[Line]:
        """That all is well, and how one knows."""
        if filtered:
            return [[Span("  nothing of that is here; esc takes the filter off")]]
        if not self._stale_known:
            return [[Span("  nothing so far; looking whether an approval has gone stale …")]]
        standing = self.muster.syncing.standing
        if standing is None:
            log = "  This workspace has no central log: nothing is sent or refused."
        else:
            log = f"  The central log: {standing.state.words}."
        return [
            [Span("  all is well: nothing needs you.", "strong")], [],
            [Span("  Nothing was refused, no item is contested, no approval has gone stale.")],
            [say(log)],
            *([[say(f"  {plural(self._stops, 'stop')} asked for and not done yet: C", "strong")]]
              if self._stops else []),
        ]  # fmt: skip

    def check_filter(self, typed: str) -> None:
        """These are few: words do."""
        plain_words(typed, "this list")

    def try_filter(self, typed: str) -> FilterError | None:
        """Words, as they are typed."""
        try:
            self.check_filter(typed)
        except FilterError as error:
            return error
        return None

    def action_sort(self) -> None:
        """There is one order, and its reverse."""
        self.sort_by("need")

    # one of them

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """What it is, what it means, and what to do."""
        need, me, now = self._needs[row_id], self.desk.me, self.desk.clock()
        standing = self.muster.syncing.standing
        url = standing.state.url if standing else None
        return lambda width: need_lines.lines(need, url, me, now, width)

    @property
    def here(self) -> Need | None:
        """What is under the cursor."""
        at = self.table.cursor_id
        return None if at is None else self._needs.get(at)

    def headline(self, width: int) -> Line:  # noqa: ARG002 - short at any width
        """How much there is."""
        line: Line = [Span(" "), Span("What needs you", "strong")]
        if (count := self.counts.get("all")) is not None:
            line.append(Span(f"   {plural(count, 'thing')}" if count else "   nothing"))
            if count:
                line.append(ALARM)
        return line

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        need, found = self.here, [Key("S", "sync", "sync", True)]
        if need is not None and need.kind == "halted":
            found = [Key("y", "copy both", "copy"), *found]
        elif need is not None and need.kind == "refused":
            found = [Key("enter", "offer again", "next"), *found]
        elif need is not None and need.campaign is not None:
            verbs = [Key(key, verb, f"hand('{verb}')") for key, verb in HANDED.items()
                     if verb in ("approve", "revoke", "disable")]  # fmt: skip
            mine = need.who == self.desk.me and not self.muster.read_only
            verbs = verbs if mine and not _is_for_second(need) else []
            found = [Key("enter", "its evidence", "next"), *verbs, *found]
        return [*found, *super().hints()[1:]]

    # what can be done

    def action_next(self) -> None:
        """What is next to do about it."""
        need = self.here
        if need is None:
            self.say("nothing needs you")
        elif _is_for_second(need) and need.who == self.desk.me:
            self._to_second(need)
        elif need.campaign is not None:
            self._to_queue(need)
        elif need.kind == "refused":
            self._offer_again()
        else:
            self.say("what to do is said beside it: it is not done here")

    def action_hand(self, verb: str) -> None:
        """A verb on an item: in its queue, on that item and no other."""
        need = self.here
        if need is None or need.campaign is None:
            self.say("there is nothing to decide here", "error")
        elif need.who != self.desk.me:
            self.say(f"{need.what} is {need.who}'s to decide", "error")
        elif _is_for_second(need):
            self.say("you are its second person: enter, then + or - says it again", "error")
        else:
            self._to_queue(need, verb)

    def _to_second(self, need: Need) -> None:
        assert need.campaign is not None
        if self.muster.campaign is None or self.muster.campaign.id != need.campaign.id:
            self.muster.open_campaign(need.campaign)
        self.app.call_after_refresh(self.muster.go, "second")

    def _to_queue(self, need: Need, verb: str | None = None) -> None:
        assert need.campaign is not None
        assert isinstance(need.about, Disputed)
        queue = self.muster.show_in_queue(need.about.item_id, need.campaign)
        if queue is not None and verb is not None:
            queue.call_later(queue.run_action, keymap.known()[verb].action)

    def _offer_again(self) -> None:
        if self.muster.read_only:
            self.say("read only: nothing is sent until % allows it", "error")
            return
        self.muster.writer.put(Job((SENT,), _again))
        self.say("offering again …")

    def written(self, ids: Sequence[int], error: MusterError | None) -> None:
        """What was refused is to be offered again: sync."""
        if SENT in ids and error is None:
            self.action_sync()
        elif SENT in ids:
            self.say(str(error), "error")

    def action_copy(self) -> None:
        """Both checkpoints, for whoever runs the log."""
        need = self.here
        if need is None or not isinstance(need.about, Halted):
            self.say("there is nothing to copy here: y is for the checkpoints of a halted log")
            return
        copied = self.copied(need_lines.evidence(need.about))
        self.say(f"both checkpoints: {copied.words}", "plain" if copied.how else "error")


def _is_for_second(need: Need) -> bool:
    return isinstance(need.about, Disputed) and need.about.by_second


def _searched(need: Need) -> str:
    return f"{need.kind} {need.what} {need.who}".lower()


def _again(db: Database) -> None:
    tlog.offer_again(db)


SCREEN = AttentionScreen
