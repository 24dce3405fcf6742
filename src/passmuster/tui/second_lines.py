"""What a second person reads above the evidence: what the first one decided, why, and how. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from passmuster.model import Draft, SecondDraft
from passmuster.seconds import Policy
from passmuster.text import Json, plural
from passmuster.tui import words
from passmuster.tui.dossier import decision_words
from passmuster.tui.lines import Line, Span, fold, say, short
from passmuster.tui.sections import ALARM, View, block
from passmuster.tui.widgets.line_table import Column, TableRow, fitting

if TYPE_CHECKING:
    from passmuster.campaigns import Countersign, Countersigned, SecondRow

SIGNS = {"concur": "+", "object": "-"}
PAST = {"concur": "concurred", "object": "objected"}
HASTE_S = 5.0
"""Seconds from first sight to decision below which the pane marks it."""
NAME_WIDTH = 16
_COLUMNS = (
    Column("risk", " RISK", 5),
    Column("name", "IDENTITY", 0),
    Column("source", "SOURCE", 14),
    Column("verdict", "DECIDED", 9),
    Column("by", "BY", 14),
    Column("you", "YOU", 9),
)
_FIRST_IN = ("risk", "name", "verdict", "you", "by", "source")


def columns(width: int) -> list[Column]:
    """The columns that *width* has room for."""
    return fitting(_COLUMNS, _FIRST_IN, width, NAME_WIDTH)


def mine(row: "SecondRow", me: str) -> str | None:
    """What I signed on the row last."""
    return next((s.verdict for s in reversed(row.signed) if s.principal == me), None)


def table_row(row: "SecondRow", draft: SecondDraft | None, me: str, *, waiting: bool) -> TableRow:
    """What the table shows of *row*; *draft* is what is staged on it."""
    signed = mine(row, me)
    you = draft.verdict if draft else "contested" if row.torn else PAST.get(signed or "", "")
    sign = SIGNS[draft.verdict] if draft else ""
    cells = {
        "risk": words.risk(row.risk, row.severity), "name": row.display_name,
        "source": words.source(row.source, 14), "verdict": row.verdict,
        "by": row.decider.removesuffix(me[me.find("@") :]), "you": you,
    }  # fmt: skip
    done = bool(you) and (draft is not None or not row.torn)
    return TableRow(cells, sign + ("…" if waiting else ""), "dim" if done else "plain")


def header(row: "SecondRow", dossier: Json, draft: SecondDraft | None, view: View) -> list[Line]:
    """The lines above the evidence: the first person's decision, and what was said to it."""
    first = Draft(row.verdict, None, row.reason, row.attention, row.until, row.changes, row.bulk)  # type: ignore[arg-type]
    who: Line = [
        say(decision_words(dossier, first), "strong"), say(f"  {row.decider}"),
        say(f", {words.dated(row.attention.decided, view.now)}", "dim"),
    ]  # fmt: skip
    why: Line = [say(f"“{row.reason}”")] if row.reason else [Span("no reason given", "dim")]
    out = block("decided", [who, [*why, Span("  "), *_how(row)]], view)
    out += said(row.signed, view)
    if row.torn:
        both: Line = [Span("you said both, and neither had seen the other"), ALARM]
        ends: Line = [Span("+ or -, then $, ends it: that has seen both", "dim")]
        out += block("contested", [both, ends], view)
    if draft is not None:
        yours: Line = [say(f"you {draft.verdict}", "strong")]
        if draft.reason_text:
            yours.append(say(f"  “{draft.reason_text}”"))
        yours.append(Span("  not signed yet, u takes it back", "dim"))
        out += block("draft", [yours], view)
    elif row.verdict != "approve":
        out += block("", [[Span("it takes effect without a second person", "dim")]], view)
    return out if view.short else [*out, []]


def said(signed: "Sequence[Countersigned]", view: View) -> list[Line]:
    """What second persons signed on a decision."""
    return block("second", [
        [say(PAST[s.verdict], "strong"), say(f"  {s.principal}"),
         *([say(f"  “{s.reason}”")] if s.reason else []),
         *([ALARM] if s.verdict == "object" else [])]
        for s in signed
    ], view)  # fmt: skip


def _how(row: "SecondRow") -> Line:
    """How much heed was paid: how long it was in sight, whether it was read whole, in what act."""
    heed, out = row.attention, []
    seconds = None
    if heed.first_shown is not None:
        seconds = (words.when(heed.decided) - words.when(heed.first_shown)).total_seconds()
        out.append(say(f"{_lasted(seconds)} after first sight"))
    out.append(Span(", details read" if heed.details_opened else ", details not opened"))
    if row.bulk:
        out.append(say(f", one of {row.bulk.size:,} at once: {row.bulk.how or 'marked'}"))
    if heed.first_shown is None:
        out[0] = Span(out[0].text.removeprefix(", "))
    hasty = seconds is not None and seconds < HASTE_S and not heed.details_opened
    return [Span(s.text, "dim") for s in out] + ([ALARM] if hasty or row.bulk else [])


def _lasted(seconds: float) -> str:
    return f"{max(0, round(seconds))} s" if seconds < 120 else words.span(seconds)


def counted(batch: "Sequence[Countersign]") -> list[Line]:
    """How many rows a sign-off would concur with, and how many it would object to."""
    out: list[Line] = []
    for verdict, about in (
        ("concur", "with what others decided"),
        ("object", "to what others decided: an approval then does not stand"),
    ):
        count = sum(1 for row in batch if row.draft.verdict == verdict)
        if count:
            out.append([Span(f" {count:>6,}  ", "strong"), Span(verdict, "strong"),
                        Span(f"  {about}", "dim")])  # fmt: skip
    return out


def named(batch: "Sequence[Countersign]", width: int, most: int) -> list[Line]:
    """What is said to other people's decisions: objections first, then the riskiest first."""
    out: list[Line] = []
    for verdict, title in (("object", "You object to"), ("concur", "You concur with")):
        rows = sorted((row for row in batch if row.draft.verdict == verdict),
                      key=lambda row: -row.risk)  # fmt: skip
        if rows:
            out += [[], [Span(f" {title}", "strong")]]
        for row in rows[:most]:
            line: Line = [say(row.verdict, "strong"), say(f"  {short(row.display_name)}"),
                          say(f"  {row.decider.principal}", "dim")]  # fmt: skip
            if row.draft.reason_text:
                line.append(say(f"  “{row.draft.reason_text}”"))
            for number, folded in enumerate(fold(line, width - 5)):
                out.append([Span("     " if number else "   "), *folded])
        if len(rows) > most:
            out.append([Span(f"   … {len(rows) - most:,} more", "strong")])
    return out


def nothing(
    policy: Policy | None, campaign: str | None, me: str, section: str, *, filtered: bool
) -> list[Line]:
    """Why there is no row, and what to do about it."""
    if campaign is None:
        return [[Span("  no campaign is open: b shows the campaigns")]]
    if policy is None:
        return [
            [say(f"  {campaign} asks for no second person")],
            [Span("  muster campaign open … --second EMAIL asks for one", "dim")],
        ]
    if me not in policy.by:
        return [
            [Span("  you are no second person here: "), say(_named(policy.by), "strong"),
             Span(" may be")],
            [Span("  is MUSTER_ME right?", "dim")],
        ]  # fmt: skip
    if filtered:
        return [[Span("  nothing matches this filter; esc in the filter takes it off")]]
    return {
        "draft": [[Span("  no drafts: + concurs with a row that waits, - objects to it")]],
        "signed": [[Span("  you have countersigned nothing yet; tab shows what waits")]],
        "all": [[Span("  nobody has signed a decision yet that you may countersign")]],
    }.get(section, [
        [Span("  nothing waits on you")],
        [Span("  a signed approval comes here at once; tab shows every decision,"
              " stops too", "dim")],
    ])  # fmt: skip


def _named(people: Sequence[str]) -> str:
    return ", ".join(people[:3]) + (f" and {len(people) - 3} more" if len(people) > 3 else "")


def heading(waits: int | None, drafts: int) -> list[str]:
    """What the first line says: how much waits on me."""
    parts = [] if waits is None else [f"{plural(waits, 'decision')} waiting on you"]
    return [*parts, *([plural(drafts, "draft")] if drafts else [])]
