"""How those who answer for something look: rows, and what is known of one of them. Pure."""

from collections.abc import Sequence

from passmuster.campaigns import ENDED, HERE, LEFT, NO_LEAD, NOT_KNOWN, Answering, Portrait
from passmuster.policy import IdentityRow
from passmuster.text import plural
from passmuster.tui import words
from passmuster.tui.lines import Line, Span, fit, say
from passmuster.tui.sections import ALARM, LABEL, View, block
from passmuster.tui.widgets.line_table import Column, TableRow, fitting

_COLUMNS = (
    Column("risk", " RISK", 5),
    Column("name", "WHO", 0),
    Column("kind", "KIND", 8),
    Column("state", "STATE", 20),
    Column("email", "E-MAIL", 28),
    Column("identities", "OWNS", 7, right=True),
    Column("privileged", "PRIV", 6, right=True),
    Column("unused", "UNUSED", 7, right=True),
    Column("todo", "TO DECIDE", 9, right=True),
)
_FIRST_IN = ("risk", "identities", "state", "todo", "kind", "privileged", "unused", "email")

WITH_SOURCE = 64
"""Cells from which what somebody owns is shown with its source."""

NOBODY: list[Line] = [
    [Span("  nobody answers for anything yet: no source and no register names an owner")],
    [],
    [Span("  muster import people.csv --as people    ", "strong"),
     Span("who is here, who has left", "dim")],
    [Span("  muster import owners.csv --as owners    ", "strong"),
     Span("who answers for which identity", "dim")],
    [Span("  muster import --formats                 ", "strong"),
     Span("the headers of these files", "dim")],
]  # fmt: skip


def columns(width: int) -> list[Column]:
    """The columns that *width* has room for."""
    return fitting(_COLUMNS, _FIRST_IN, width)


def table_row(who: Answering) -> TableRow:
    """What the list shows of *who*; those who are not here, or were never known, stand out."""
    cells = {
        "risk": f"{who.risk:>3}" if who.identities else "",
        "name": who.name,
        "kind": who.kind,
        "state": who.state,
        "email": who.email or "none",
        **{key: f"{count:,}" if count else "" for key, count in (
            ("identities", who.identities), ("privileged", who.privileged),
            ("unused", who.unused), ("todo", who.todo))},
    }  # fmt: skip
    return TableRow(cells, "", "plain" if who.state == HERE else "strong")


def people_lines(who: Answering, known: Portrait | None, view: View) -> list[Line]:
    """Everything about *who*; *known* is what takes longer to read."""
    what = "a name that sources give" if who.kind == "unknown" else who.kind
    title: Line = [say(who.name, "strong"), say(f"  {what}")]
    if who.email and who.email != who.name:
        title.append(say(f" · {_asked(who)}{who.email}"))
    out = block("", [title], view, label_width=0)
    out += block("state", _state(who, known), view)
    counts = [plural(who.identities, "identity")]
    counts += [f"{count:,} {word}" for count, word in
               ((who.privileged, "privileged"), (who.unused, "unused")) if count]  # fmt: skip
    out += block("owns", [[say(", ".join(counts), "strong")]], view)
    if known is None:
        return [*out, [], [Span("reading …", "dim")]]
    out += block("", [_owned(row, view) for row in known.owns], view)
    if (left := who.identities - len(known.owns)) > 0:
        out += block("", [[say(f"… {left:,} more  (enter shows them)", "dim")]], view)
    out += block("decides", _todo(who, known, view), view)
    out += block("signed", _signed(known, view), view)
    out.append([])
    out += _details(who, known, view)
    return out


def _asked(who: Answering) -> str:
    return {"team": "lead ", "supplier": "contact "}.get(who.kind, "")


def _state(who: Answering, known: Portrait | None) -> list[Line]:
    if who.state == HERE:
        return [[Span("here")]]
    left = f" on {known.left_at[:10]}" if known and known.left_at else ""
    said, then = {
        NOT_KNOWN: ("not in the registers: nobody can be asked",
                    "import who it is (muster import people.csv --as people), as an alias of"
                    " somebody or as a person or team"),
        LEFT: (f"has left{left}", "what they own needs an owner who is here"),
        NO_LEAD: ("no person in charge who is here", "name one in the register of people:"
                  " the manager of the team's row"),
        ENDED: ("the contract is over, or the supplier is inactive",
                "its access should be gone: decide it in a campaign with supplier:…"),
    }[who.state]  # fmt: skip
    if who.state == NOT_KNOWN and who.kind == "supplier":
        said = "not in the register of suppliers"
        then = "import it: muster import suppliers.csv --as suppliers"
    return [[say(said, "strong"), ALARM], [say(then, "dim")]]


def _owned(row: IdentityRow, view: View) -> Line:
    where = 15 if view.width >= WITH_SOURCE else 0
    name = fit(row.name, max(10, min(40, view.width - LABEL - 18 - where)))
    used = words.last_use_short(row.last_used_at, row.last_used_state, view.now)
    source = fit(words.source(row.source, where - 1), where) if where else ""
    line: Line = [say(f"{words.risk(row.risk, row.severity)} "), Span(f"{name} "),
                  say(f"{source} {used}", "dim")]  # fmt: skip
    return [*line, ALARM] if row.is_privileged else line


def _todo(who: Answering, known: Portrait, view: View) -> list[Line]:
    rows: list[Line] = []
    for todo in known.todo:
        due = "overdue" if todo.due_at < view.now else f"due {words.ago(todo.due_at, view.now)}"
        rows.append([say(todo.campaign, "strong"), say(f"  {due}")])
        names = ", ".join(f"{name} ({risk})" for name, risk in todo.names)
        rows.append([Span("  "), say(names, "dim")])
    if rows:
        return [[say(plural(who.todo, "undecided item"), "strong")], *rows]
    if who.kind == "team" and who.email:
        return [[say(f"what is asked of it goes to {who.email}", "dim")]]
    return [[Span("nothing in an open campaign", "dim")]]


def _signed(known: Portrait, view: View) -> list[Line]:
    rows: list[Line] = []
    for at, campaign, count in known.signed:
        what = "cannot be verified" if count is None else plural(count, "decision")
        rows.append([say(words.dated(at, view.now)), say(f"  {what}"),
                     say(f"  {campaign or 'campaign unknown'}", "dim")])  # fmt: skip
    return rows or [[Span("nothing yet", "dim")]]


def _details(who: Answering, known: Portrait, view: View) -> list[Line]:
    out: list[Line] = []
    if known.manager:
        out += block("lead" if who.kind == "team" else "manager", [[say(known.manager)]], view)
    for label, names in (("teams", known.teams), ("aliases", known.aliases)):
        if names:
            out += block(label, [[say(_joined(names))]], view)
    if known.contract:
        out += block("terms", [[say(known.contract)]], view)
    return out


def _joined(names: Sequence[str]) -> str:
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ", ".join(names[:12]) + more
