"""An entry of the log as people read it: what it says, whether it holds, and its rows. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from passmuster.attestations import Attestation
from passmuster.campaigns import SignedRow
from passmuster.model import VERDICTS
from passmuster.text import Json, plural
from passmuster.tlog import CALLED, Found, LogRow
from passmuster.tui import words
from passmuster.tui.lines import Line, Span, fit, fold, say
from passmuster.tui.sections import ALARM

SHOWN = 50
"""Rows of an entry that the pane names, the riskiest first."""
KEPT_HERE = "no central log is configured: every entry is kept here"
LABEL = 10
"""Cells of the left column."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of one entry."""

    row: LogRow
    found: Found
    verdicts: Mapping[str, int] = field(default_factory=dict)
    rows: Sequence[SignedRow] = ()
    owners: Sequence[Json] = ()
    sent: str = "not sent: no central log is configured, so it is kept here"
    """Whether the central log has it, in words."""


def waiting(row: LogRow) -> list[Line]:
    """The pane until an entry has been read and checked."""
    return [[say(CALLED.get(row.kind, row.kind), "strong"), say(f"  of {row.principal}")], [],
            [Span("reading and checking …", "dim")]]  # fmt: skip


def lines(read: Read, now: str, width: int) -> list[Line]:
    """Everything about one entry."""
    try:
        told = _told(read, now, width)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        # signed, perhaps, but by something that fills the fields in another way than we do
        why = "This statement cannot be put in words by this version of muster"
        told = [*_labelled("", [say(why, "error")], width, 0), *_holds(read.found, width)]
    out = [*told, *_labelled("sent", [say(read.sent)], width)]
    return [*out, *_rows(read, width), *_owners(read, width)]


def _told(read: Read, now: str, width: int) -> list[Line]:
    row, said = read.row, read.found.attestation
    out = [*_labelled("", _said(read), width, 0), *_holds(read.found, width)]
    if said is not None:
        signed_at = str(said.predicate["signedAt"])
        out += _labelled("signed", [say(_when(signed_at, now))], width)
        if abs((words.when(row.logged_at) - words.when(signed_at)).total_seconds()) >= 60:
            out += _labelled("logged", [say(_when(row.logged_at, now))], width)
        out += [*_facts(said, width), *_place(said, width)]
    return out


def _when(stamp: str, now: str) -> str:
    return f"{stamp[:16].replace('T', ' ')} UTC ({words.ago(stamp, now)})"


def _labelled(label: str, line: Line, width: int, left: int = LABEL) -> list[Line]:
    folded = fold(line, width - left)
    return [[Span(f"{'' if n else label:<{left}}", "dim"), *row] for n, row in enumerate(folded)]


def _said(read: Read) -> Line:
    """The statement as a sentence."""
    row, said = read.row, read.found.attestation
    if said is None:
        return [say("This entry cannot be read: it is no statement of ours", "error")]
    who = say(said.predicate.get("principal", "?"), "strong")
    tell = _SENTENCES.get(said.kind)
    if tell is None:
        return [who, say(f" signed a statement of another kind: {said.kind}")]
    return [who, *tell(said.predicate, row)]


def _signed_decisions(said: Json, row: LogRow) -> Line:
    if "emergency" in said["basis"]:
        return [Span(" stopped something in "), Span("an emergency", "strong"),
                say(f": “{said['basis']['emergency']}”")]  # fmt: skip
    return [say(f" signed {plural(int(said['count']), 'decision')} in "),
            say(row.campaign or "?", "strong")]  # fmt: skip


def _carried_out(said: Json, row: LogRow) -> Line:
    what = "an emergency" if "emergency" in said["basis"] else row.campaign or "?"
    return [say(f" signed {plural(int(said['count']), 'result')} of carrying out "),
            say(what, "strong")]  # fmt: skip


def _named(said: Json, row: LogRow) -> Line:
    count = int(said["count"])
    what = "the owner of 1 item" if count == 1 else f"the owners of {plural(count, 'item')}"
    return [say(f" named {what} in "), say(row.campaign or "?", "strong")]


def _opened(said: Json, _row: LogRow) -> Line:
    population = said["population"]
    left_out = int(population["excludedCount"])
    return [Span(" opened "), say(said["name"], "strong"),
            say(f": {plural(int(population['count']), 'item')} to decide, {left_out:,} left out,"
                f" due {said['dueAt'][:10]}")]  # fmt: skip


def _closed(said: Json, row: LogRow) -> Line:
    ended = ", ".join(f"{int(n):,} {effect}" for effect, n in sorted(said["outcomes"].items()))
    return [Span(" closed "), say(row.campaign or "?", "strong"), say(f": {ended or 'no item'}")]


def _enrolled(said: Json, _row: LogRow) -> Line:
    return [Span(" signs with the key "), say(said["fingerprint"], "strong"),
            say(f", kept in the {said['store']}" if said["store"] != "memory"
                else ", which is kept nowhere")]  # fmt: skip


def _seconded(said: Json, row: LogRow) -> Line:
    return [say(f" signed {plural(int(said['count']), 'countersignature')} in "),
            say(row.campaign or "?", "strong")]  # fmt: skip


def _listed(said: Json, _row: LogRow) -> Line:
    return [say(f" brought version {int(said['version'])} of the roster:"
                f" {plural(len(said['people']), 'name')} on it")]  # fmt: skip


def _published(said: Json, row: LogRow) -> Line:
    return [Span(" published "), say(row.campaign or "?", "strong"),
            say(f": {plural(int(said['population']['count']), 'item')} for reviewers")]  # fmt: skip


def _acknowledged(said: Json, row: LogRow) -> Line:
    return [say(f" has seen, as {said['capacity']}, how "), say(row.campaign or "?", "strong"),
            say(f" ended: {said['statement']}")]  # fmt: skip


def _sealed(said: Json, row: LogRow) -> Line:
    return [Span(" sealed the evidence of "), say(row.campaign or "?", "strong"),
            say(f": {plural(int(said['files']), 'file')}")]  # fmt: skip


_SENTENCES: dict[str, Callable[[Json, LogRow], Line]] = {
    "decisions": _signed_decisions, "own": _named, "campaign": _opened, "close": _closed,
    "enrolment": _enrolled, "countersign": _seconded, "roster": _listed,
    "publication": _published, "acknowledgement": _acknowledged, "pack": _sealed,
    "remediation": _carried_out,
}  # fmt: skip


def _holds(found: Found, width: int) -> list[Line]:
    """Whether the signature and the chain hold, in words and not by a colour."""
    if found.wrong:
        line: Line = [say(f"NOT VERIFIED: {found.wrong}", "error"), ALARM]
        return _labelled("check", line, width)
    if found.void:
        void: Line = [say("void", "strong"), ALARM,
                      say(f": it holds, and counts for nothing: {found.void}")]  # fmt: skip
        return _labelled("check", void, width)
    said = found.attestation
    assert said is not None
    after = "it is the first of its device" if said.predicate.get("prev") is None else (
        "it follows the entry before it"
    )  # fmt: skip
    how = f": signed with the key that {found.whose} enrolled; {after}"
    return _labelled("check", [Span("verified", "strong"), say(how)], width)


def _facts(said: Attestation, width: int) -> list[Line]:
    """What else the statement says, by its kind."""
    p, out = said.predicate, []
    if said.kind == "decisions":
        span = f"{p['decidedFrom'][:16]} to {p['decidedTo'][:16]}".replace("T", " ")
        out.append(("decided", span))
        if ticket := p["basis"].get("ticket"):
            out.append(("ticket", ticket))
        if due := p["ext"].get("restoreDue"):
            out.append(("due", f"to be given back {due}; nothing does that by itself"))
    if said.kind == "campaign":
        out += _of_campaign(p)
    if said.kind == "close" and p["unsignedDrafts"]:
        out.append(("drafts", f"{plural(p['unsignedDrafts'], 'draft')} never signed: they count "
                              "for nothing"))  # fmt: skip
    found = [line for name, value in out for line in _labelled(name, [say(value)], width)]
    if changed := p["ext"].get("changedEvidence"):
        told = f"{plural(len(changed), 'item')} decided on evidence that had changed since"
        found += _labelled("changed", [say(told, "strong"), ALARM], width)
    return found


def _of_campaign(p: Json) -> list[tuple[str, Any]]:
    scope, stage = p["scope"], p["stages"][0]
    reviewer = str(stage["reviewerRule"])
    if stage["fallback"]:
        reviewer += f", else {stage['fallback']}"
    out = [("scope", scope["filter"] or "everything present"), ("reviewer", reviewer)]
    if scope["rationale"]:
        out.append(("why", scope["rationale"]))
    return out


def _place(said: Attestation, width: int) -> list[Line]:
    """Where it stands, and the names by which others know it."""
    p = said.predicate
    before = f"after {p['prev'][:16]}…" if p["prev"] else "nothing before it"
    rows = [
        ("key", said.keyid), ("statement", said.name),
        ("place", f"{p['seq']} of the device {p['device'][:12]}…, {before}"),
        *((name, digest) for name, digest in said.subject if len(name) < LABEL),
    ]  # fmt: skip
    return [line for name, value in rows for line in _labelled(name, [say(value)], width)]


def _rows(read: Read, width: int) -> list[Line]:
    """Counts per verdict, then the riskiest rows."""
    if not read.verdicts:
        return []
    counts = ", ".join(f"{read.verdicts[v]:,} {v}" for v in VERDICTS if v in read.verdicts)
    total = sum(read.verdicts.values())
    out: list[Line] = [[], [say(counts, "strong"), Span("   the riskiest first", "dim")]]
    name = max(12, min(32, width // 2 - 8))
    for row in read.rows:
        what = row.verdict + (f" until {row.until[:10]}" if row.until else "")
        if row.changes:
            what += f", {plural(row.changes, 'change')}"
        line: Line = [say(f"{row.risk:>3} {fit(row.display_name, name)} "), say(fit(what, 10))]
        out.append([*line, say(f" {row.reason}", "dim")])
    if total > len(read.rows):
        out.append([Span(f"… {total - len(read.rows):,} more", "dim")])
    return out


def _owners(read: Read, width: int) -> list[Line]:
    if not read.owners:
        return []
    out: list[Line] = [[], [Span("owners", "strong")]]
    for row in read.owners:
        handed = f", who is to decide it: {row['reviewer']}" if row.get("reviewer") else ""
        out += fold([say(row.get("owner"), "strong"), say(f"  for {row.get('item')}{handed}")],
                    width)  # fmt: skip
    if (more := (read.row.rows or 0) - len(read.owners)) > 0:
        out.append([Span(f"… {more:,} more", "dim")])
    return out
