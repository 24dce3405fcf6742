"""How suppliers look: a row of the list, and everything known of one. Pure."""

from passmuster import campaigns
from passmuster.campaigns import UNREGISTERED, Held, Vendor
from passmuster.tui.lines import Line, Span, say
from passmuster.tui.sections import ALARM, View, block
from passmuster.tui.widgets.line_table import Column, TableRow, fitting

LABEL = 10
"""Cells of the left column."""
FINE = ("under contract",)
_COLUMNS = (
    Column("risk", " RISK", 5),
    Column("name", "SUPPLIER", 0),
    Column("state", "STATE", 22),
    Column("ends", "CONTRACT END", 12),
    Column("contact", "CONTACT", 28),
    Column("identities", "HOLDS", 6, right=True),
    Column("trusts", "TRUSTS", 6, right=True),
    Column("findings", "FOUND", 5, right=True),
)
_FIRST_IN = ("risk", "state", "identities", "ends", "findings", "trusts", "contact")

NOBODY: list[Line] = [
    [Span("  no supplier is known: no register names one, and no platform does")],
    [],
    [Span("  muster import suppliers.csv --as suppliers    ", "strong"),
     Span("who they are, until when, whom to ask", "dim")],
    [Span("  muster import --formats                       ", "strong"),
     Span("the header of that file", "dim")],
]  # fmt: skip


def columns(width: int) -> list[Column]:
    """The columns that *width* has room for."""
    return fitting(_COLUMNS, _FIRST_IN, width)


def table_row(one: Vendor) -> TableRow:
    """What the list shows of *one*; whose contract is not in order stands out."""
    counts = {"identities": one.identities, "trusts": one.trusts, "findings": one.findings}
    cells = {
        "risk": f"{one.risk:>3}" if one.identities else "",
        "name": one.name,
        "state": one.state,
        "ends": one.contract_ends_at[:10] if one.contract_ends_at else "unknown",
        "contact": one.contact or "none",
        **{key: f"{count:,}" if count else "" for key, count in counts.items()},
    }  # fmt: skip
    return TableRow(cells, "", "plain" if one.state in FINE else "strong")


def lines(one: Vendor, known: Held | None, view: View) -> list[Line]:
    """Everything about *one*; *known* is what takes longer to read."""
    state: Line = [say(one.name, "strong"), say(f"  {one.state}")]
    out = block("", [state if one.state in FINE else [*state, ALARM]], view, label_width=0)
    if one.state == UNREGISTERED:
        then = "register it: muster import suppliers.csv --as suppliers"
        out += block("", [[say(then, "dim")]], view, label_width=LABEL)
    if known is None:
        return [*out, [], [Span("reading …", "dim")]]
    last = ""
    for label, words in campaigns.supplier_facts(one, known):
        out += block("" if label == last else label, [[say(words)]], view, label_width=LABEL)
        last = label
    return out
