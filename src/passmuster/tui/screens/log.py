"""The append-only log: what was signed, newest first, and whether each entry holds.

Whether the central log has an entry is said beside it; without a central log the screen says that
once, instead of showing a list of things that wait for nothing.
"""

import contextlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from textual import work
from textual.worker import get_current_worker

from passmuster import campaigns, store, tlog
from passmuster.filters import plain_words
from passmuster.store import Database
from passmuster.text import plural
from passmuster.tlog import LogRow
from passmuster.tui import completion, log_lines, words
from passmuster.tui.completion import Suggestions
from passmuster.tui.lines import Line, Span
from passmuster.tui.log_lines import Read
from passmuster.tui.look import Look, Section
from passmuster.tui.screens._list import ListScreen
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow

KINDS: dict[str, tuple[str, ...]] = {
    "all": (), "decisions": ("decisions", "countersign"), "owners": ("own",),
    "campaigns": ("campaign", "publication", "close", "acknowledgement", "pack"),
    "keys": ("enrolment", "roster"),
}  # fmt: skip
"""Which statements each section shows."""
OWNERS_READ = 10_000
"""A batch of more named owners than this is not taken apart for the pane."""
HELD = 32
"""Entries that stay read while one looks around."""
_COLUMNS = (
    Column("seq", "SEQ", 5, True), Column("age", "AGE", 5, True), Column("what", "WHAT", 9),
    Column("campaign", "CAMPAIGN", 0), Column("rows", "ROWS", 7, True), Column("who", "WHO", 14),
    Column("digest", "STATEMENT", 12),
)  # fmt: skip
_FIRST_IN = ("seq", "what", "who", "age", "rows", "digest")
CAMPAIGN_WIDTH = 10
"""Cells that the campaign keeps before another column may come in."""


def columns(width: int) -> list[Column]:
    """The columns that *width* has room for, in their order on the screen."""
    by_key = {c.key: c for c in _COLUMNS}
    taken, chosen = CAMPAIGN_WIDTH, {"campaign"}
    for key in _FIRST_IN:
        if taken + by_key[key].width + 1 > width:
            break
        chosen.add(key)
        taken += by_key[key].width + 1
    return [c for c in _COLUMNS if c.key in chosen]


def row_of(row: LogRow, now: str, me: str) -> TableRow:
    """What the list shows of an entry; the domain of *me* goes without saying."""
    return TableRow({
        "seq": str(row.seq), "age": words.short(row.logged_at, now),
        "what": tlog.CALLED.get(row.kind, row.kind), "campaign": row.campaign or "",
        "rows": "" if row.rows is None else f"{row.rows:,}",
        "who": row.principal.removesuffix(me[me.find("@"):]), "digest": row.statement[:12],
    })  # fmt: skip


class LogScreen(ListScreen):
    """Entries, and the statement under the cursor in words."""

    NOUN = "entry"
    FILTER_HINT = "words: decisions, a person, a campaign, a statement's digest"
    SORTS: ClassVar[Mapping[str, str]] = {"seq": "newest first"}

    def __init__(self) -> None:
        super().__init__()
        self.sections = [Section(name, name if kinds else "") for name, kinds in KINDS.items()]
        self._read_entries: dict[int, Read] = {}
        self._reading: int | None = None
        self._detail_db: Database | None = None

    # the rows

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":
        """Ids of entries, newest first."""
        wanted = plain_words(look.expression, "the log")
        return tlog.rank(db, KINDS.get(look.section, ()), wanted, backwards=look.backwards,
                         limit=limit)  # fmt: skip

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """What the list shows of these entries."""
        now, me = self.desk.clock(), self.desk.me
        return {row.id: row_of(row, now, me) for row in tlog.rows(self.muster.db, ids)}

    def columns(self, width: int) -> Sequence[Column]:
        """As many as there is room for."""
        return columns(width)

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many entries each section has."""
        return {name: len(tlog.rank(db, kinds)) for name, kinds in KINDS.items()}

    def changed_outside(self) -> None:
        """Something may have been signed, or sent."""
        self._read_entries.clear()
        self.show_look(self.look)

    def nothing(self, *, filtered: bool) -> list[Line]:
        """Why there is no entry, and what makes one."""
        if filtered:
            return [[Span("  no entry is so; esc takes the filter off, tab goes on")]]
        return [
            [Span("  nothing has been signed in this workspace.", "strong")], [],
            [Span("  Whatever is signed is kept here and never changed: a key that is made")],
            [Span("  (muster key new), a campaign that is opened, decisions ($ in the queue).")],
        ]  # fmt: skip

    # the filter: words

    def check_filter(self, typed: str) -> None:
        """A log has no qualifiers."""
        plain_words(typed, "the log")

    def suggestions(self, typed: str, at: int) -> Suggestions:
        """Kinds, people and campaigns."""
        names = [
            *tlog.CALLED.values(),
            *(completion.quoted(c.name) for c in campaigns.campaigns(self.muster.db)),
        ]
        return completion.for_last_word(typed, at, names)

    # the evidence

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """The statement in words; it is read and checked in a thread."""
        read, now = self._read_entries.get(row_id), self.desk.clock()
        if read is not None:
            return lambda width: log_lines.lines(read, now, width)
        (row,) = tlog.rows(self.muster.db, [row_id])
        if self._reading != row_id:
            self._reading = row_id
            if self._detail_db is not None:
                with contextlib.suppress(store.SqliteError):
                    self._detail_db.interrupt()
            self._read_entry(row)
        return lambda _: log_lines.waiting(row)

    @work(thread=True, exclusive=True, group="entry")
    def _read_entry(self, row: LogRow) -> None:
        worker = get_current_worker()
        with self.muster.reading() as db:
            self._detail_db = db
            try:
                read = _read(db, row)
            except store.OperationalError as error:
                if "interrupted" not in str(error):
                    raise
                return
            finally:
                if self._detail_db is db:
                    self._detail_db = None
        if not worker.is_cancelled:
            self.app.call_from_thread(self._entry_read, read)

    def _entry_read(self, read: Read) -> None:
        self._reading = None
        while len(self._read_entries) >= HELD:
            del self._read_entries[next(iter(self._read_entries))]
        self._read_entries[read.row.id] = read
        if self.table.cursor_id == read.row.id:
            self.show_evidence(keep_place=True)

    # the lines around

    def headline(self, width: int) -> Line:  # noqa: ARG002 - short at any width
        """How many entries there are, and that they are all here."""
        line: Line = [Span(" "), Span("Log", "strong")]
        if self.counts:
            line.append(Span(f"   {plural(self.counts['all'], 'entry')}"))
        if tlog.central(self.muster.db) is not None:
            return line
        return [*line, Span(f"   {log_lines.KEPT_HERE}", "dim")]

    def resting(self, shown: int) -> str:
        """Newest or oldest first."""
        if not self.whole:
            return "reading …"
        return f"{plural(shown, 'entry')}, {'oldest' if self.look.backwards else 'newest'} first"

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        return [Key("J", "scroll", "pane(1)"), Key("tab", "section", "section(1)"),
                Key("/", "filter", "filter"), Key("s", "turn round", "sort", True),
                Key("q", "back", "leave"), Key("?", "more", "help")]  # fmt: skip

    def action_sort(self) -> None:
        """There is one order, and its reverse."""
        self.sort_by("seq")


def _read(db: Database, row: LogRow) -> Read:
    """Everything about an entry, checked."""
    read = _told(db, row)
    if tlog.central(db) is None:
        return read
    index = tlog.central_index_of(db, row.id)
    return replace(read, sent=(
        "not in the central log: what is published goes there with the next sync"
        if index is None else f"in the central log, as number {index:,}"
    ))  # fmt: skip


def _told(db: Database, row: LogRow) -> Read:
    found = tlog.look_up(db, row.id)
    if row.kind == "decisions":
        return Read(row, found, campaigns.signed_counts(db, row.id),
                    campaigns.signed_rows(db, row.id, log_lines.SHOWN))  # fmt: skip
    if row.kind == "own" and found.attestation and (row.rows or 0) <= OWNERS_READ:
        digest = dict(found.attestation.subject).get("own.jsonl", "")
        return Read(row, found, owners=campaigns.named_owners(db, digest, log_lines.SHOWN))
    return Read(row, found)


SCREEN = LogScreen
