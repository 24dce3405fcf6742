"""How stops look: a row of the list, and everything known of one. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from passmuster import remediation
from passmuster.outcomes import ENDS
from passmuster.remediation import Because, Came, Status
from passmuster.text import plural
from passmuster.tui import words
from passmuster.tui.lines import Line, Span, fold, say
from passmuster.tui.sections import ALARM, View, block
from passmuster.tui.widgets.line_table import Column, TableRow, fitting

LABEL = 10
"""Cells of the left column."""
_COLUMNS = (
    Column("state", "HOW FAR", 24),
    Column("name", "WHAT", 0),
    Column("due", "DUE", 12),
    Column("identity", "IDENTITY", 20),
    Column("undo", "UNDO", 4),
    Column("source", "SOURCE", 14),
    Column("since", "SINCE", 5, right=True),
)
_FIRST_IN = ("state", "identity", "due", "since", "undo", "source")
UNDO = {
    "R1": "R1: a flag is set back", "R2": "R2: it is made anew from what is saved",
    "R3": "R3: it cannot be undone",
}  # fmt: skip
NOTHING: list[Line] = [
    [Span("  nothing is to be stopped: no signed decision asks for it")],
    [],
    [Span("  r  d      ", "strong"), Span("in the queue: decide what is to be stopped", "dim")],
    [Span("  $         ", "strong"), Span("in the queue: sign it; then p here plans it", "dim")],
    [Span("  !         ", "strong"),
     Span("on any account: an emergency, stopped at once", "dim")],
]  # fmt: skip


class Known(NamedTuple):
    """A stop with what stands behind it and what came of it."""

    found: Status
    because: Sequence[Because]
    history: Sequence[Came]


def waits(count: int) -> list[Line]:
    """Instead of a list, where stops are asked for and none was planned."""
    return [
        [Span(f"  signed decisions ask for {plural(count, 'stop')}, and none is planned yet")],
        [],
        [Span("  p         ", "strong"), Span("plan what is open; nothing is sent by that", "dim")],
    ]  # fmt: skip


def columns(width: int) -> list[Column]:
    """The columns that *width* has room for."""
    return fitting(_COLUMNS, _FIRST_IN, width, 26)


def table_row(found: Status, now: str) -> TableRow:
    """What the list shows of one; where somebody has to do something stands out."""
    one = found.remedy
    cells = {
        "state": found.words,
        "name": one.what,
        "due": (one.due or "") + (" ◀" if found.overdue else ""),
        "identity": found.identity,
        "undo": one.undo_class or "",
        "source": words.source(one.source.replace(":", " ", 1), 14),
        "since": words.short(one.state_at, now),
    }
    return TableRow(cells, "", "strong" if found.is_open else "plain")


def vendor_lines(found: Status) -> str:
    """The vendor's lines, to be run by hand; the undo as comments."""
    plan = found.remedy.plan or {}
    undo = [f"# undo: {line}" for step in plan.get("undo", ()) for line in step.split("\n")]
    return "\n".join([*plan.get("stop", ()), *undo]) + "\n" if plan.get("stop") else ""


def lines(known: Known, view: View) -> list[Line]:
    """Everything about one."""
    found, one = known.found, known.found.remedy
    grave = found.alive is not None or found.overdue
    out = block("", [[say(one.what, "strong"), *([ALARM] if grave else [])]], view, label_width=0)
    who = words.platform(one.source.partition(":")[0])
    for label, said in (("of", f"{found.identity}  {who} {one.source.partition(':')[2]}"),
                        ("how far", found.words), ("", _due(found))):  # fmt: skip
        out += _row(label, said, view)
    if one.said:
        out += _row("said", one.said, view)
    for proof, label in ((found.proof, "proof"), (found.alive, "alive")):
        if proof is not None:
            out += _row(label, f"{proof.words}: export of {proof.at[:10]}", view)
    out += _decisions(known.because, view)
    out += _plan(found, view)
    out += _results(known.history, view)
    return [*out, *_row("id", one.name, view)]


def _row(label: str, said: str, view: View) -> list[Line]:
    return block(label, [[say(said)]], view, LABEL) if said else []


def _due(found: Status) -> str:
    due = found.remedy.due
    if found.remedy.verb == ENDS:
        return f"its approval ended with {due}"
    return f"due {due}, and not done" if found.overdue else f"due {due}" if due else ""


def _decisions(because: Sequence[Because], view: View) -> list[Line]:
    rows: list[Line] = []
    for one in because[:4]:
        at = one.campaign or "an emergency, outside any campaign"
        until = f" until {one.until[:10]}" if one.until else ""
        when = words.dated(one.at, view.now)
        rows.append([say(f"{one.who}: {one.verdict}{until}, {when}; {at}")])
        rows.append([Span("  "), say(f"“{one.reason}”" if one.reason else "no reason given")])
    if len(because) > 4:
        rows.append([Span(f"… {len(because) - 4} more", "dim")])
    return block("decided", rows or [[Span("that decision is not here", "dim")]], view, LABEL)


def _plan(found: Status, view: View) -> list[Line]:
    one = found.remedy
    if one.plan is None:
        return _row("plan", "planned in another workspace: p plans it here too", view)
    out: list[Line] = []
    for label in ("stop", "undo"):
        for command in one.plan[label]:
            # folded and not cut: half a command is another one
            for line in fold([say(command)], max(20, view.width - LABEL - 2)):
                head = f"{label:<{LABEL}}" if label else " " * LABEL
                out.append([Span(head, "dim"), *line])
                label = ""  # noqa: PLW2901 - said once
    if not one.plan["stop"]:
        return [*out, *_row("stop", "no command is known for it", view)]
    out += _row("undone by", UNDO.get(one.undo_class or "", "by hand"), view)
    out += _row("takes", f"up to {plural(one.plan['propagation_s'], 'second')}", view)
    return [*out, *_row("goes on", one.plan["residual"] or "nothing that is known", view)]


def _results(history: Sequence[Came], view: View) -> list[Line]:
    rows: list[Line] = []
    for came in history:
        row = came.row
        verdict = f": {remediation.IN_WORDS[row['verdict']]}" if row["verdict"] else ""
        signed = f"statement {came.statement[:16]}…" if came.statement else "not signed yet"
        rows.append([say(f"{row['at'][:16].replace('T', ' ')} {row['state'].replace('_', ' ')}"
                         f"{verdict}; "), say(signed, "dim")])  # fmt: skip
    return block("results", rows, view, LABEL)
