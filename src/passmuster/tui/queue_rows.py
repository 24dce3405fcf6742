"""How a row of the queue looks: the only place that knows both identities and table columns."""

from collections.abc import Sequence

from rich.cells import cell_len

from passmuster.campaigns import Campaign, Progress, QueueRow
from passmuster.text import plural
from passmuster.tui import travelled, words
from passmuster.tui.lines import Line, Span, fit, say, width_of
from passmuster.tui.sitting import State
from passmuster.tui.widgets.line_table import Column, TableRow, fitting

LETTERS = {"approve": "a", "revoke": "r", "disable": "d", "abstain": "x"}
PAST = {"approve": "approved", "revoke": "to revoke", "disable": "to stop", "abstain": "abstained"}
NAME_WIDTH = 16
"""Cells that the name keeps before another column may come in."""
_COLUMNS = (
    Column("risk", " RISK", 5),
    Column("name", "IDENTITY", 0),
    Column("kind", "KIND", 8),
    Column("source", "SOURCE", 14),
    Column("env", "ENV", 8),
    Column("supplier", "SUPPLIER", 12),
    Column("owner", "OWNER", 12),
    Column("used", "LAST USE", 9),
    Column("decision", "DECISION", 9),
)
_FIRST_IN = ("risk", "name", "owner", "used", "decision", "source", "kind", "env", "supplier")
COLUMNS = {c.key: c.title.strip().lower() for c in _COLUMNS}
"""What may be a column of the queue, and its name."""


def columns(width: int, wanted: Sequence[str] = ()) -> list[Column]:
    """The columns that *width* has room for, in their order on the screen.

    Without *wanted* the most telling come in first; name and risk are always there.
    """
    return fitting(_COLUMNS, ("risk", "name", *wanted) if wanted else _FIRST_IN, width, NAME_WIDTH)


def table_row(row: QueueRow, staged: State | None, now: str, me: str, *, waiting: bool) -> TableRow:
    """What the table shows of *row*; *staged* is what is not in the database yet."""
    verdict, drafted = row.verdict, row.state == "draft"
    own = bool(row.own)
    if staged is not None:
        own = staged.own is not None
        if staged.draft is not None:
            verdict, drafted = staged.draft.verdict, True
        elif drafted:
            verdict, drafted = None, False
    signed = verdict is not None and not drafted and row.state == "signed"
    letter = LETTERS.get(verdict or "", " ")
    sign = (letter.upper() if signed else letter) + ("…" if waiting else "o" if own else "")
    decision = (PAST if signed else {v: v for v in PAST}).get(verdict or "", "")
    if row.emergency and not drafted:
        decision = "emergency"  # it is stopped, whatever was signed before
    cells = {
        "risk": words.risk(row.risk, row.severity),
        "name": row.display_name,
        "kind": row.kind,
        "source": words.source(row.source, 14),
        "env": row.environment or "unknown",
        "supplier": row.supplier or "",
        "owner": (row.owner or "none").removesuffix(me[me.find("@") :]),
        "used": words.last_use_short(row.last_used_at, row.last_used_state, now),
        "decision": decision,
    }
    return TableRow(cells, sign, "dim" if verdict else "plain")


def header(
    campaign: Campaign, progress: Progress | None, now: str, width: int, *, read_only: bool
) -> Line:
    """The campaign, how far I am, and how long there is; what does not fit is left out."""
    parts: list[Line] = []
    if progress is not None:
        done = progress.signed + progress.drafts
        parts.append([Span(f"{done:,} of {progress.total:,} decided")])
        parts.append(_bar(done, progress.total, 12))
    if campaign.travels == travelled.FROM:
        parts.insert(len(parts[:1]), [say(f"from {campaign.opened_by}", "dim")])
    if campaign.closed_at:
        parts.append([say(f"closed on {campaign.closed_at[:10]}", "strong")])
    elif campaign.due_at < now:
        late = words.span((words.when(now) - words.when(campaign.due_at)).total_seconds())
        parts.append([say(f"overdue by {late}", "strong"), Span(" ◀", "accent")])
    else:
        parts.append([say(f"due {words.ago(campaign.due_at, now)}")])
    if progress is not None and progress.drafts:
        parts.append([say(plural(progress.drafts, "draft"), "strong")])
    if read_only:
        parts.append([Span("read only", "strong")])
    room = width - 2
    wanted = min(28, cell_len(campaign.name))
    while len(parts) > 1 and sum(width_of(p) + 3 for p in parts) + wanted > room:
        parts.pop(1)  # the bar first, then what else says least
    left = room - sum(width_of(p) + 3 for p in parts)
    name = fit(campaign.name, min(max(8, left), cell_len(campaign.name)))
    line: Line = [Span(" "), Span(name, "strong")]
    for part in parts:
        line += [Span("   "), *part]
    return line


def _bar(done: int, total: int, width: int) -> Line:
    full = width * done // total if total else 0
    return [Span("▕", "dim"), Span("█" * full, "accent"), Span("░" * (width - full), "dim"),
            Span("▏", "dim")]  # fmt: skip


def empty_queue(
    me: str, others: int, *, filtered: bool, second: bool = False, came: bool = False
) -> list[Line]:  # fmt: skip
    """Why there is no row, and what to do about it."""
    if filtered:
        return [[Span("  nothing matches this filter; esc in the filter takes it off")]]
    lines: list[Line] = [[Span("  nothing here is "), say(me, "strong"), Span("'s to decide")]]
    if second:
        lines.append([Span("  2 shows what waits for you as the second person", "dim")])
    elif came:
        lines.append([say(f"  {plural(others, 'item')} of this campaign are other people's, and"
                          " not here", "dim")])  # fmt: skip
    elif others:
        lines.append([say(f"  {plural(others, 'item')} of this campaign are other people's: "
                          "is MUSTER_ME right?", "dim")])  # fmt: skip
    return lines
