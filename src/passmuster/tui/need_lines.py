"""What needs a person, in words: what is so, what it means, and what to do next. Pure."""

from collections.abc import Sequence

from passmuster.campaigns import Disputed, Said
from passmuster.central import PROBLEMS
from passmuster.errors import VerificationFailed
from passmuster.note import parse, parse_checkpoint
from passmuster.sync import State
from passmuster.text import plural
from passmuster.tlog import Halted, Rejected
from passmuster.tui import second_lines, sync_lines, words
from passmuster.tui.lines import Line, Span, fold, say, width_of
from passmuster.tui.needs import Need, Urgent, Void
from passmuster.tui.sections import ALARM, PAST
from passmuster.tui.widgets.line_table import Column, TableRow, fitting

COLUMNS = (
    Column("kind", "WHAT", 9), Column("name", "OF", 0), Column("who", "WHOSE", 20),
    Column("since", "SINCE", 6, True),
)  # fmt: skip
_FIRST_IN = ("kind", "name", "since", "who")
SIDE = 26
"""Cells that a decision needs beside another one."""
PARTS = {
    "owners": "who owns it", "credentials": "its credentials", "grants": "what it may do",
    "trusts": "who may become it", "identity": "what it is",
}  # fmt: skip
TO_DO = {
    "not-listed": "Ask a registrar to put your key, with that role, on the roster.",
    "unauthorized": "Ask a registrar to put your key on the roster.",
    "forbidden": "Ask a registrar for that role.",
    "roster-order": "Another version of the roster came first: muster roster drop, sync, and make"
                    " it again.",
    "chain-fork": "This workspace was copied, or restored from an old copy, and both went on. Use"
                  " one of them, and tell your auditor: no statement is lost, and neither can"
                  " be the other.",
    "campaign-unknown": "Publish the campaign first: muster campaign publish.",
    "unknown-kind": "Whoever runs the server has to upgrade it.",
    "too-large": "Sign in smaller batches, or ask whoever runs the server.",
}  # fmt: skip
"""By the server's reason; for the others whoever runs it can say what it means."""


def columns(width: int) -> list[Column]:
    """The columns that *width* has room for."""
    return fitting(COLUMNS, _FIRST_IN, width)


def table_row(need: Need, me: str, now: str) -> TableRow:
    """What the list shows of one."""
    who = "you" if need.who == me else need.who.removesuffix(me[me.find("@") :])
    since = words.short(need.at, now) if need.at else ""
    cells = {"kind": need.kind, "name": need.what, "who": who, "since": since}
    mine = need.kind in ("halted", "declined", "refused") or need.who == me
    return TableRow(cells, "", "strong" if mine else "plain")


def lines(need: Need, url: str | None, me: str, now: str, width: int) -> list[Line]:
    """Everything about one."""
    about = need.about
    match about:
        case Halted():
            return _halted(about, url, now, width)
        case State():
            return _declined(about, now, width)
        case Rejected():
            return _refused(about, now, width)
        case Void():
            return _void(about, width)
        case Urgent():
            return _urgent(about, now, width)
        case Disputed():
            tell = _contested if need.kind == "contested" else _stale
            return tell(about, need, me, now, width)


def _text(words_: str, width: int) -> list[Line]:
    return fold([say(words_)], width)


def _then(words_: str, width: int) -> list[Line]:
    first, rest = fold([say(words_, "strong")], width - 2), Span("  ")
    return [[Span("→ ", "accent") if not n else rest, *line] for n, line in enumerate(first)]


def _press(key: str, what: str) -> Line:
    return [Span(f"  {key:<10}", "accent"), say(what)]


# --- the log


def _halted(about: Halted, url: str | None, now: str, width: int) -> list[Line]:
    out: list[Line] = [[Span("The sync is halted", "error"), ALARM], []]
    out += _text(f"{about.why}.", width)
    out += [[], *_text(
        f"Found {sync_lines.since(about.at, now)}. The central log has signed two things that"
        " cannot both be true: it was set back to an old copy, it shows different people different"
        " entries, or somebody else answers in its place. Nothing of yours is lost, and nothing"
        " more is sent to it or taken from it.", width,
    ), []]  # fmt: skip
    out += _then(f"Tell whoever runs {url or 'it'}, and your auditor, by another way than this"
                 " server; show them both checkpoints (y copies them).", width)  # fmt: skip
    out += _then("Go on here: decide and sign as ever. What is signed waits and goes when the log"
                 " is whole again.", width)  # fmt: skip
    out += _then("Where they have recovered the log, S follows their signed statement. Where they"
                 " tell you the pin of its new key by another way:", width)  # fmt: skip
    out += [[Span("  muster sync --accept-recovery PIN", "accent")], []]
    out += _checkpoint("verified here", about.ours, width)
    out += _checkpoint("shown then", about.theirs, width)
    return out


def _checkpoint(label: str, note: str | None, width: int) -> list[Line]:
    if note is None:
        return [[say(f"{label}: none yet", "strong")], []]
    head: Line = [say(label, "strong")]
    try:
        said = parse_checkpoint(parse(note).text)
    except VerificationFailed:
        head.append(Span(": no checkpoint that can be read"))
    else:
        head.append(say(f": {plural(said.size, 'entry')}, root {said.root.hex()[:16]}…"))
    raw = [[Span("  "), *line] for row in note.splitlines() if row
           for line in fold([say(row, "dim")], width - 2)]  # fmt: skip
    return [head, *raw, []]


def evidence(about: Halted) -> str:
    """Both checkpoints, as they were signed: what is shown to whoever runs the log."""
    return f"# verified here\n{about.ours or ''}\n# shown on {about.at}\n{about.theirs}"


def _declined(about: State, now: str, width: int) -> list[Line]:
    out: list[Line] = [[Span("The server answers, and will not", "strong"), ALARM], []]
    out += _text(f"{about.problem}", width)
    since = sync_lines.since(about.declined_since, now)
    out += [[], *_text(f"So since {since}. What is signed here is kept, and goes when the server"
                       " takes it.", width), []]  # fmt: skip
    return [*out, *_then("Do what is said there; then S syncs.", width)]


def _refused(about: Rejected, now: str, width: int) -> list[Line]:
    out: list[Line] = [
        [Span("The server refused a record", "strong"), ALARM], [],
        *_text(f"{about.why} ({about.code})", width), [],
        *_text(f"The record ({about.kind}, statement {about.statement[:16]}…) was refused"
               f" {sync_lines.since(about.at, now)}. It is signed, kept here, and unchanged; it is"
               " offered again only when you say so.", width), [],
    ]  # fmt: skip
    known = PROBLEMS.get(about.code)
    if known and known not in about.why:
        out += [*_text(f"That means: {known}.", width), []]
    out += _then(TO_DO.get(about.code, "Whoever runs the server can say what has to be done."),
                 width)  # fmt: skip
    return [*out, _press("enter", "then: offer all that was refused again, and sync")]


def _void(about: Void, width: int) -> list[Line]:
    return [
        [Span("A record of somebody else does not hold", "strong"), ALARM], [],
        *_text(f"{about.why}", width), [],
        *_text(f"It stands in the central log at {about.place:,} and counts for nothing here:"
               " whatever it says, no access stands or stops by it.", width), [],
        *_then("Tell whoever signed it, or the owner of the campaign.", width),
    ]  # fmt: skip


def _urgent(about: Urgent, now: str, width: int) -> list[Line]:
    one = about.stopped
    ticket = f", {one.ticket}" if one.ticket else ""
    waits = about.state in ("planned", "apply_failed", "not_supported", None)
    title = "Decided in an emergency, and not stopped" if waits else "Stopped in an emergency"
    verb = "decided to stop" if waits else "stopped"
    out: list[Line] = [[Span(title, "strong"), ALARM], []]
    out += _text(f"{one.principal} {verb} {one.name} ({one.source})"
                 f" {sync_lines.since(one.decided_at, now)}{ticket}: “{one.reason}”",
                 width)  # fmt: skip
    state = (about.state or "planned").replace("_", " ")
    out += [[], *_text(f"Nobody has looked at it since. How it stands: {state}.", width), []]
    if about.state in ("planned", "apply_failed", None):
        out += _then("C shows it among the stops: ! there goes on, when what failed is mended; or"
                     f" muster revoke {one.uri}", width)  # fmt: skip
    elif about.state in ("applied", "verified") and not about.is_due(now):
        out += _then(f"To let it in again: muster remediate restore {about.remedy}", width)
    if about.is_due(now):
        out += _then(f"It was for a while, and that is over ({one.restore_due}): muster remediate"
                     f" restore {about.remedy}", width)  # fmt: skip
    elif one.restore_due and about.state != "reverted":
        out += _text(f"It is due to be given back {one.restore_due}; nothing does that by itself.",
                     width)  # fmt: skip
    return [*out, *_then("Decide it in a campaign: finding:emergency-unreviewed is a scope that has"
                         " them all. That is its review.", width)]  # fmt: skip


# --- items


def _contested(about: Disputed, need: Need, me: str, now: str, width: int) -> list[Line]:
    if about.by_second:
        return _torn(about, need, me, now, width)
    people = {row.principal.lower() for row in about.rows}
    who = "was decided differently on two devices" if len(people) == 1 else (
        f"was decided differently by {plural(len(people), 'person').replace('persons', 'people')}"
    )  # fmt: skip
    out: list[Line] = [_title(about, need), []]
    out += _text(f"It {who}, and neither had seen the other decision. Until somebody who was asked"
                 " decides with both before them, no approval stands and nothing is carried out.",
                 width)  # fmt: skip
    out += [[], *_side_by_side([_decision(row, about.rows, now) for row in about.rows], width)]
    return [*out, *_decide(about, me, width, "That decision names both as seen, and ends it.")]


def _torn(about: Disputed, need: Need, me: str, now: str, width: int) -> list[Line]:
    who = "you" if about.reviewer == me else about.reviewer
    out: list[Line] = [_title(about, need), []]
    out += _text(f"As the second person {who} concurred on one device and objected on another, and"
                 " neither had seen the other. Until that is said again with both in sight, or"
                 " the item is decided anew, the approval does not stand.", width)  # fmt: skip
    out += [[], *_side_by_side([_decision(row, about.rows, now) for row in about.rows], width)]
    if about.reviewer != me:
        return [*out, *_then(f"{about.reviewer} is to say it again: ask them.", width)]
    then = "Say it again, + or -, then $ to sign. That names both as seen, and ends it."
    return [*out, *_then(then, width), [], _press("enter", "it waits there, with its evidence")]


def _stale(about: Disputed, need: Need, me: str, now: str, width: int) -> list[Line]:
    parts = ", ".join(PARTS.get(part, part.replace("_", " ")) for part in about.parts)
    out: list[Line] = [_title(about, need), []]
    changed: Line = [Span("Changed at its source since: "), say(parts, "strong"), ALARM]
    out += fold(changed, width)
    out += [[], *_text("The approval stands, on evidence that is no longer so; that is said again"
                       " before anything is done on it.", width), []]  # fmt: skip
    out += _side_by_side([_decision(row, about.rows, now) for row in about.rows], width)
    return [*out, *_decide(about, me, width, "That decision is on the evidence as it was frozen;"
                           " what is new comes with the next campaign.")]  # fmt: skip


def _title(about: Disputed, need: Need) -> Line:
    at = need.campaign.name if need.campaign else ""
    return [
        say(about.display_name, "strong"),
        say(f"  {about.name}  risk {about.risk}  {at}", "dim"),
    ]


def _decide(about: Disputed, me: str, width: int, then: str) -> list[Line]:
    if about.reviewer != me:
        return [*_then(f"{about.reviewer} is to decide it again: ask them.", width), [],
                _press("enter", "its evidence, where it is in your queue")]  # fmt: skip
    return [
        *_then(f"Decide it again. {then}", width),
        [],
        _press("a r d x …", "in the queue, on this item: then $ to sign"),
        _press("enter", "its evidence in the queue first"),
    ]


def _decision(row: Said, rows: Sequence[Said], now: str) -> list[Line]:
    what = {**PAST, **second_lines.PAST}[row.verdict]
    if row.until:
        what += f" until {row.until[:10]}"
    if row.changes:
        what += f" + {plural(row.changes, 'change')}"
    others = [other for other in rows if other.leaf != row.leaf]
    seen = sum(other.leaf in row.saw for other in others)
    had = (
        "all of these" if seen == len(others) else f"{seen:,} of these" if seen else "none of these"
    )
    out: list[Line] = [
        [say(row.principal, "strong")],
        [say(what, "strong")],
        [say(f"“{row.reason}”")] if row.reason else [Span("no reason given", "dim")],
        [say(sync_lines.since(row.decided_at, now), "dim")],
        [Span("details read" if row.details_opened else "details not opened", "dim")],
    ]
    if others:
        before = f", {plural(len(row.saw), 'earlier decision')}" if row.saw and not seen else ""
        out.append([Span(f"had seen {had}{before}", "dim")])
    return out


def _side_by_side(blocks: list[list[Line]], width: int) -> list[Line]:
    """Two blocks beside each other where there is room, else each below the one before."""
    out: list[Line] = []
    if len(blocks) < 2 or width < 2 * SIDE + 3:
        for block in blocks:
            for line in block:
                out += [[Span("  "), *folded] for folded in fold(line, width - 2)]
            out.append([])
        return out
    each = (width - 3) // 2
    for start in range(0, len(blocks), 2):
        pair = [[folded for line in block for folded in fold(line, each)]
                for block in blocks[start : start + 2]]  # fmt: skip
        rows = max(map(len, pair))
        for n in range(rows):
            line = list(pair[0][n]) if n < len(pair[0]) else []
            if len(pair) > 1:
                line += [Span(" " * (each - width_of(line))), Span(" │ ", "dim")]
                line += pair[1][n] if n < len(pair[1]) else []
            out.append(line)
        out.append([])
    return out
