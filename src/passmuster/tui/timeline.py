"""One column of dated events of an item, newest first, what is to come above today. Pure.

Only what the dossier says: an event without a date is named at the end, never put somewhere.
"""

from collections.abc import Iterator
from typing import NamedTuple

from passmuster.text import Json
from passmuster.tui import words
from passmuster.tui.lines import Line, Role, Span, fold, say
from passmuster.tui.sections import ALARM, PAST, changed_words

_DATE, _AGO = 12, 16
"""Cells of the left columns."""
RULE = 100
"""Cells of the line between what was and what will be, at most."""
_NARROW = 60
"""Below this the distance is left out."""


class Event(NamedTuple):
    """Something that happened, or will."""

    at: str
    what: str
    alarm: bool = False


def lines(dossier: Json, now: str, width: int, due: str | None = None) -> list[Line]:
    """The column; *due* is when the campaign wants its decisions."""
    dated, undated = _sorted(dossier, now, due)
    ahead = [e for e in dated if e.at > now]
    behind = [e for e in dated if e.at <= now]
    out = [line for event in ahead for line in _drawn(event, now, width, "plain")]
    rule = f"── today {now[:10]} "
    out.append([Span(rule + "─" * max(0, min(width, RULE) - len(rule)), "dim")])
    out += [line for event in behind for line in _drawn(event, now, width, "plain")]
    if not behind:
        out.append([Span("nothing that has a date is known to have happened", "dim")])
    if undated:
        gone: Line = [Span("when is unknown: ", "strong"), say(", ".join(undated))]
        out += [[], *fold(gone, width)]
    return out


def _sorted(dossier: Json, now: str, due: str | None) -> tuple[list[Event], list[str]]:
    found = [*_of_identity(dossier, now), *_of_credentials(dossier, now),
             *_of_use(dossier, now), *_of_reviews(dossier, now)]  # fmt: skip
    if due:
        found.append(Event(due, f"this campaign {_tense(due, now, 'is', 'was')} due"))
    dated = sorted((e for e in found if e.at), key=lambda e: (e.at, e.what), reverse=True)
    return list(dict.fromkeys(dated)), list(dict.fromkeys(e.what for e in found if not e.at))


def _tense(at: str, now: str, to_come: str, past: str) -> str:
    return to_come if at > now else past


def _drawn(event: Event, now: str, width: int, role: Role) -> list[Line]:
    wide = width >= _NARROW
    left = _DATE + (_AGO if wide else 0)
    what: Line = [say(event.what, "strong" if event.alarm else role)]
    spare = 2 if event.alarm else 0
    folded = fold(what, max(8, width - left - spare))
    if event.alarm:
        folded[-1].append(ALARM)
    distance = f"{words.ago(event.at, now):<{_AGO}}" if wide else ""
    head: Line = [say(f"{event.at[:10]:<{_DATE}}"), say(distance, "dim")]
    return [[*head, *folded[0]], *([Span(" " * left), *line] for line in folded[1:])]


def _of_identity(dossier: Json, now: str) -> Iterator[Event]:
    identity = dossier["identity"]
    by = f" by {identity['created_by']}" if identity["created_by"] else ""
    yield Event(identity["created_at"] or "", f"created{by}")
    if identity["last_used_at"]:
        source = f" ({identity['last_used_source']})" if identity["last_used_source"] else ""
        yield Event(identity["last_used_at"], f"last used{source}")
    if identity["review_due"]:
        due = identity["review_due"]
        yield Event(due, f"its review {_tense(due, now, 'is', 'was')} due")
    if identity["absent_since"]:
        yield Event(identity["absent_since"], "gone from its source", alarm=True)


def _of_credentials(dossier: Json, now: str) -> Iterator[Event]:
    for row in dossier["credentials"]:
        name = words.credential_named(row)
        made, rotated = row["created_at"], row["last_rotated_at"]
        if not rotated or made:
            yield Event(made or "", f"{name} made")
        if rotated and rotated != made:
            yield Event(rotated, f"{name} rotated")
        if row["last_used_at"]:
            place = f" from {row['last_used_from']}" if row["last_used_from"] else ""
            yield Event(row["last_used_at"], f"{name} last used{place}")
        if row["expires_at"]:
            ends = _tense(row["expires_at"], now, "expires", "expired")
            yield Event(row["expires_at"], f"{name} {ends}")


def _of_use(dossier: Json, now: str) -> Iterator[Event]:
    for row in dossier["grants"]:
        if row["expires_at"]:
            ends = _tense(row["expires_at"], now, "ends", "ended")
            yield Event(row["expires_at"], f"{row['display_name']} {ends}")
    for row in dossier["usage"]:
        if row["last_at"]:
            kind = row["consumer_kind"]
            yield Event(row["last_at"], f"last used by {kind} {row['consumer']}", kind == "person")
    for row in dossier["sightings"]:
        what = f"{row['what'].replace('_', ' ')} seen in {row['place']}"
        yield Event(row["seen_at"] or "", what, alarm=True)


def _of_reviews(dossier: Json, now: str) -> Iterator[Event]:
    for row in dossier["findings"]:
        grave = row["severity"] in ("critical", "high")
        yield Event(row["first_seen"], f"found: {row['title']}", grave)
    for row in dossier["before"]:
        said = f" “{row['reason_text']}”" if row["reason_text"] else ""
        verdict = PAST.get(row["verdict"], row["verdict"])
        yield Event(row["decided_at"], f"{verdict} by {row['principal']}{said}, {row['campaign']}")
        if row["until"]:
            ends = _tense(row["until"], now, "ends", "ended")
            yield Event(row["until"], f"the approval of {row['decided_at'][:10]} {ends}")
    for row in dossier["changed"]:
        yield Event(row["observed_at"], changed_words(row))
    for row in dossier["runs"]:
        if row["exported_at"]:
            yield Event(row["exported_at"], f"{row['file_name']} exported")
        yield Event(row["imported_at"], f"{row['file_name']} imported")
