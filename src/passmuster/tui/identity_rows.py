"""How identities, and what was found about them, look in a list: rows, columns and empty lists."""

from collections.abc import Sequence

from passmuster.policy import HitRow, IdentityRow
from passmuster.tui import words
from passmuster.tui.lines import Line, Span, say
from passmuster.tui.widgets.line_table import Column, TableRow, fitting

_OFF = ("disabled", "deleted")
_COLUMNS = (
    Column("risk", " RISK", 5),
    Column("name", "IDENTITY", 0),
    Column("kind", "KIND", 8),
    Column("status", "STATUS", 8),
    Column("source", "SOURCE", 14),
    Column("env", "ENV", 8),
    Column("supplier", "SUPPLIER", 12),
    Column("owner", "OWNER", 14),
    Column("used", "LAST USE", 9),
    Column("privileged", "PRIV", 4),
    Column("findings", "FOUND", 5, right=True),
)
_FIRST_IN = ("risk", "owner", "used", "source", "kind", "privileged", "findings", "env", "status",
             "supplier")  # fmt: skip
_HIT_COLUMNS = (
    Column("risk", " RISK", 5),
    Column("name", "IDENTITY", 20),
    Column("kind", "KIND", 8),
    Column("source", "SOURCE", 14),
    Column("owner", "OWNER", 14),
    Column("detail", "WHAT WAS FOUND", 0),
    Column("seen", "SINCE", 10),
)
_HITS_FIRST_IN = ("risk", "name", "seen", "owner", "source", "kind")

IMPORT_FIRST: list[Line] = [
    [Span("  nothing has been imported yet")],
    [],
    [Span("  muster import FILE         ", "strong"), Span("the format is recognised", "dim")],
    [Span("  muster import --formats    ", "strong"), Span("how to make each export", "dim")],
    [Span("  muster demo                ", "strong"), Span("everything, on made-up data", "dim")],
]


def columns(width: int) -> list[Column]:
    """The columns of an inventory that *width* has room for."""
    return fitting(_COLUMNS, _FIRST_IN, width)


def hit_columns(width: int) -> list[Column]:
    """The columns of a rule's hits that *width* has room for."""
    return fitting(_HIT_COLUMNS, _HITS_FIRST_IN, width)


def table_row(row: IdentityRow, now: str, me: str) -> TableRow:
    """What an inventory shows of *row*; what is gone or switched off stands back."""
    cells = {
        "risk": words.risk(row.risk, row.severity),
        "name": row.name,
        "kind": row.kind,
        "status": "gone" if row.absent_since else row.status,
        "source": words.source(row.source, 14),
        "env": row.environment or "unknown",
        "supplier": row.supplier or "",
        "owner": owner(row.owner, row.owner_state, me),
        "used": words.last_use_short(row.last_used_at, row.last_used_state, now),
        "privileged": "yes" if row.is_privileged else "",
        "findings": str(row.findings or ""),
    }
    return TableRow(cells, "", "dim" if row.absent_since or row.status in _OFF else "plain")


def owner(name: str | None, state: str | None, me: str) -> str:
    """An owner for a column; a name that nobody here is called has a question mark."""
    if name is None:
        return "none"
    short = name.removesuffix(me[me.find("@") :])
    return f"{short} ?" if state == "unmatched" else short


def hit_row(row: HitRow, me: str) -> TableRow:
    """What a list of hits shows of *row*."""
    cells = {
        "risk": words.risk(row.risk, row.worst),
        "name": row.name,
        "kind": row.kind,
        "source": words.source(row.source, 14),
        "owner": owner(row.owner, None, me),
        "detail": row.detail,
        "seen": row.first_seen[:10],
    }
    return TableRow(cells)


def nothing(what: str, *, filtered: bool, imported: bool) -> list[Line]:
    """Why a list has no row, and what to do about it."""
    if filtered:
        return [[Span("  nothing matches this filter; esc takes it off")]]
    return [[say(f"  {what}")]] if imported else IMPORT_FIRST


def heading(title: str, parts: Sequence[str], width: int) -> Line:
    """The first line of a place; what does not fit is left out from the end."""
    line: Line = [Span(" "), say(title, "strong")]
    used = 1 + len(title)
    for part in parts:
        used += 3 + len(part)
        if used >= width:
            break
        line.append(say(f"   {part}"))
    return line
