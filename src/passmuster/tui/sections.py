"""The sections below the first lines of a dossier: riskiest first, each a list of rows.

Where the pane is short (80 by 24 leaves it 15 lines) a finding takes one line and says its rule
by its id; what is cut there is one key away in the details.
"""

import functools
import heapq
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from passmuster.text import Json, plural
from passmuster.tui import words
from passmuster.tui.lines import Line, Role, Span, fit, fold, say, width_of
from passmuster.tui.link_lines import link_lines

LABEL = 8
"""Cells of the left column."""
ALARM = Span(" ◀", "accent")
"""Marks what should be looked at; a sign, so that it does not need colour."""
CAPS = {
    "findings": 5, "credentials": 5, "grants": 5, "trusts": 4, "links": 4, "usage": 4,
    "sightings": 4, "before": 3, "changed": 4,
}  # fmt: skip
"""Rows of each section beside the queue; the details screen shows all."""
SHORT_CAPS = {**CAPS, "credentials": 3, "grants": 3, "trusts": 2, "links": 2, "usage": 2,
              "sightings": 2, "before": 1, "changed": 2}  # fmt: skip
"""The same in a short pane."""
SHORT_BELOW = 24
"""Lines of a pane below which it is short."""
PAST = {"approve": "approved", "revoke": "revoked", "disable": "disabled", "abstain": "abstained"}
CONTROLS = 4
"""Control ids after a finding, beside the queue."""


class View(NamedTuple):
    """How a dossier is to be drawn."""

    width: int
    now: str
    full: bool = False
    """Every row of every list, and the attributes."""
    old_days: int = 90
    """Age from which a credential is marked (`credential-old`)."""
    short: bool = False
    """There are few lines: say what decides, in one line each."""
    verbs: bool = True
    """Whether something can be decided where it is shown: then it says by which key."""

    @property
    def caps(self) -> dict[str, int]:
        """Rows of each section."""
        return SHORT_CAPS if self.short else CAPS


def block(label: str, rows: Sequence[Line], view: View, label_width: int = LABEL) -> list[Line]:
    """*rows* beside *label*, each folded with a hanging indent; nothing at all for no rows."""
    out: list[Line] = []
    room = view.width - label_width
    for row in rows:
        indent = "    " if row and row[0].text == "  " else "  "
        # room for the alarm, so that it never stands on a line of its own
        spare = len(indent) + (2 if ALARM in row else 0)
        folded = [row] if width_of(row) <= room else fold(row, room - spare)
        for number, line in enumerate(folded):
            head = f"{'' if out else label:<{label_width}}"
            out.append([Span(head, "dim"), Span(indent if number else ""), *line])
    return out


def cut(line: Line, width: int) -> Line:
    """*line* in at most *width* cells, the alarm kept; what is cut off shows as `…`."""
    if width_of(line) <= width:
        return line
    out: Line = []
    room = width - (2 if ALARM in line else 0)
    for span in line:
        size = width_of([span])
        if span == ALARM:
            continue
        if size > room:
            out.append(Span(fit(span.text, room), span.role))
            break
        out.append(span)
        room -= size
    return [*out, ALARM] if ALARM in line else out


def all_of(dossier: Json, view: View, hanging: Sequence[Line] = ()) -> list[Line]:
    """Every section of *dossier* in its order; *hanging* is what would break, as of today."""
    out: list[Line] = []
    # of what was reviewed before, the last word and what is new since come before the rest
    order = _REVIEWED if dossier["before"] else _SECTIONS
    for section in order:
        if dossier.get(section.key):  # what was frozen by an older release has fewer sections
            out += _listed(section, dossier, view)
        elif section.none and not (view.short and section.key in _SPARE):
            out += block(section.label, [[Span(section.none, "dim")]], view)
        if section.key == "usage":
            out += block("breaks", list(hanging), view)
    out += _remedies(dossier, view)
    out += block("from", _provenance(dossier, view), view)
    out += block("id", _handles(dossier), view)
    out += _rest(dossier, view)
    return out


def _listed(section: "Section", dossier: Json, view: View) -> list[Line]:
    label, name, draw, _, rank = section
    rows, cap = dossier[name], view.caps[name]
    if view.full:
        shown = sorted(rows, key=rank) if rank else rows
    else:
        shown = heapq.nsmallest(cap, rows, key=rank) if rank else rows[:cap]
    drawn = [line for row in shown for line in draw(row, view)]
    left = len(rows) - len(shown) + dossier["left_out"].get(name, 0)
    if left:
        how = "" if view.full else "  (→ shows them)"
        drawn.append([Span(f"… {left:,} more{how}", "dim")])
    return block(label, drawn, view)


def _finding(row: Json, view: View) -> list[Line]:
    grave = row["severity"] in ("critical", "high")
    if view.short:
        letter = row["severity"][0].upper()
        line = [say(f"{letter} {row['rule']}", "strong" if grave else "plain"),
                say(f"  {row['detail'] or row['title']}")]  # fmt: skip
        return [cut([*line, ALARM] if grave else line, view.width - LABEL)]
    line = [
        say(row["title"], "strong" if grave else "plain"),
        say(f"  {row['severity']} +{row['points']}", "dim"),
    ]
    if grave:
        line.append(ALARM)
    out = [line]
    if row["detail"]:
        out.append([Span("  "), say(row["detail"])])
    if view.full:
        if row["why"]:
            out.append([Span("  why: ", "dim"), say(row["why"], "dim")])
        out += [[Span("  ", "dim"), *line] for line in _remedy(row, view)]
    return out


def _remedy(row: Json, view: View) -> list[Line]:
    """What would make the finding go away, and which controls ask for it: not what decides."""
    out: list[Line] = [[Span("fix: ", "dim"), say(row["fix"], "dim")]] if row["fix"] else []
    controls = row["controls"] if view.full else row["controls"][:CONTROLS]
    if controls:
        left = len(row["controls"]) - len(controls)
        more = f" and {left} more" if left else ""
        out.append([Span("for: ", "dim"), say(", ".join(controls) + more, "dim")])
    return out


def _remedies(dossier: Json, view: View) -> list[Line]:
    if view.full:
        return []  # they stand with their findings there
    out: list[Line] = []
    for finding in dossier["findings"][: view.caps["findings"]]:
        out += _folded_remedy(
            "" if out else "to fix", finding["title"], finding["fix"],
            tuple(finding["controls"]), view.width,
        )  # fmt: skip
    return out


@functools.lru_cache(maxsize=1024)
def _folded_remedy(
    label: str, title: str, fix: str | None, controls: tuple[str, ...], width: int
) -> tuple[Line, ...]:
    """A few rules find nearly everything: what is said of each is made once for a width."""
    view = View(width, "")
    said = _remedy({"fix": fix, "controls": list(controls)}, view)
    return tuple(block(label, [[say(title)], *[[Span("  ", "dim"), *line] for line in said]], view))


def _credential(row: Json, view: View) -> list[Line]:
    live = row["status"] not in ("disabled", "deleted")
    age = words.days_since(row["last_rotated_at"] or row["created_at"], view.now)
    kind = words.credential_type(row)
    facts: list[str] = [] if kind.lower() in words.credential(row).lower() else [kind]
    if age is None:
        facts.append("age unknown")
    elif view.short and row["last_rotated_at"]:
        facts.append(f"rotated {plural(age, 'day')} ago")
    else:
        facts.append(plural(age, "day") + (" since rotated" if row["last_rotated_at"] else " old"))
    if view.short and row["last_used_state"] == "known" and row["last_used_at"]:
        facts.append(f"used {words.ago(row['last_used_at'], view.now)}")
    else:
        facts.append(words.last_use(row["last_used_at"], row["last_used_state"], view.now))
    if row["last_used_from"] and view.full:
        facts.append(f"from {row['last_used_from']}")
    if row["status"] != "enabled" or view.full:
        facts.append("status unknown" if row["status"] == "unknown" else row["status"])
    if live:
        facts.append(_expiry(row, view))
    role: Role = "plain" if live else "dim"
    line: Line = [
        say(words.credential(row), "strong" if live else "dim"),
        say("  " + ", ".join(f for f in facts if f), role),
    ]
    overdue = live and _ages(row) and age is not None and age >= view.old_days
    return [[*line, ALARM] if overdue or _expired(row, view) else line]


def _ages(row: Json) -> bool:
    """A certificate and a federation end by themselves; age says nothing about them."""
    return row["credential_type"] not in ("certificate", "federated")


def _oldest_first(row: Json) -> tuple[bool, bool, str]:
    """Live ones before dead ones, and what has been the same for longest first."""
    live = row["status"] not in ("disabled", "deleted")
    return not live, not _ages(row), row["last_rotated_at"] or row["created_at"] or "9"


def _widest_first(row: Json) -> tuple[bool, bool]:
    """Anybody, then outsiders."""
    return not row["is_wildcard"], not row["is_external"]


def _people_first(row: Json) -> bool:
    return bool(row["consumer_kind"] != "person")


def _expired(row: Json, view: View) -> bool:
    return bool(row["expires_at"]) and row["expires_at"] < view.now


def _expiry(row: Json, view: View) -> str:
    if row["expires_at"]:
        word = "expired" if _expired(row, view) else "expires"
        return f"{word} {words.dated(row['expires_at'], view.now)}"
    return {"none": "never expires"}.get(row["expires_state"], "expiry unknown")


def _grant(row: Json, view: View) -> list[Line]:
    admin = row["permission_level"] in ("admin", "owner")
    line: Line = [say(row["display_name"], "strong" if admin else "plain")]
    facts = [] if row["permission_level"] == "unknown" else [row["permission_level"]]
    facts += [row["scope"]] if row["scope"] else []
    facts.append("direct" if row["via"] == "direct" else f"via {row['via']}")
    if row["expires_at"]:
        facts.append(f"until {words.dated(row['expires_at'], view.now)}")
    if row["condition"]:
        facts.append(f"only if {row['condition']}")
    line.append(say("  " + ", ".join(facts)))
    if admin:
        line.append(ALARM)
        if row["level_reason"] and not view.short:
            return [line, [Span("  because: ", "dim"), say(row["level_reason"])]]
    return [line]


def _trust(row: Json, view: View) -> list[Line]:
    line: Line = [say(row["from_uid"], "strong" if row["is_external"] else "plain")]
    facts = [row["from_kind"].replace("_", " "), row["mechanism"].replace("_", " ")]
    facts.append("outside this organisation" if row["is_external"] else "inside")
    if row["supplier"]:
        facts.append(f"supplier {row['supplier']}")
    if row["subject_pattern"]:
        facts.append(f"subject {row['subject_pattern']}")
    if row["audience"] and view.full:
        facts.append(f"audience {row['audience']}")
    facts.append(_condition(row["condition"]))
    if row["is_wildcard"]:
        facts.append("anybody there")
    line.append(say("  " + ", ".join(facts)))
    return [[*line, ALARM] if row["is_external"] or row["is_wildcard"] else line]


def _link(row: Json, view: View) -> list[Line]:
    lines = link_lines(row, ALARM)
    return [cut(lines[0], view.width - LABEL)] if view.short else lines


def _condition(said: str | None) -> str:
    """A platform may say which condition is missing."""
    if not said:
        return "no condition"
    return said if said.startswith("no ") else f"only if {said}"


def _usage(row: Json, view: View) -> list[Line]:
    facts = [row["consumer_kind"]]
    facts += [str(row[k]) for k in ("how", "environment") if row[k]]
    if row["last_at"]:
        facts.append(f"last {words.dated(row['last_at'], view.now)}")
    person = row["consumer_kind"] == "person"
    line: Line = [say(row["consumer"]), say("  " + ", ".join(facts))]
    return [[*line, ALARM] if person else line]


def _sighting(row: Json, view: View) -> list[Line]:
    line: Line = [say(row["what"].replace("_", " "), "strong"), say(f"  in {row['place']}")]
    if row["seen_at"]:
        line.append(say(f", {words.dated(row['seen_at'], view.now)}"))
    return [[*line, ALARM]]


def _before(row: Json, view: View) -> list[Line]:
    line: Line = [
        say(PAST.get(row["verdict"], row["verdict"]), "strong"),
        say(f" {words.dated(row['decided_at'], view.now)} by {row['principal']}"),
    ]
    if row["until"]:
        line.append(say(f" until {row['until'][:10]}"))
    if row["reason_text"]:
        line.append(say(f"  “{row['reason_text']}”"))
    line.append(say(f"  {row['campaign']}", "dim"))
    return [line]


def changed_words(row: Json) -> str:
    """What an observation saw: `new credential k2`, `status: enabled → disabled`."""
    kind, _, name = row["subject"].partition(" ")
    field = row["field"].replace("_", " ")
    if kind == row["field"]:
        return f"new {kind} {name}" if row["old"] is None else f"{kind} {name} is gone"
    of = "" if kind == "identity" else f"{kind} {name} "
    old = "unknown" if row["old"] is None else row["old"]
    return f"{of}{field}: {old} → {'nothing' if row['new'] is None else row['new']}"


def _changed(row: Json, view: View) -> list[Line]:
    observed = words.dated(row["observed_at"], view.now)
    return [[say(changed_words(row)), say(f"  {observed}", "dim")]]


def _provenance(dossier: Json, view: View) -> list[Line]:
    """How far the evidence reaches: an "unused" is worth as much as the telemetry behind it."""
    reach = dossier["source"]["usage_since"]
    if reach:
        rows: list[Line] = [[say(f"use is known since {words.dated(reach, view.now)}")]]
    else:
        rows = [[Span("how far back use is known: unknown")]]
    runs = dossier["runs"] if view.full else dossier["runs"][:2]
    for run in runs:
        stamp = run["exported_at"] or run["imported_at"]
        verb = "exported" if run["exported_at"] else "imported"
        rows.append([say(f"{run['file_name']}, {verb} {words.dated(stamp, view.now)}", "dim")])
    if len(dossier["runs"]) > len(runs):
        rows.append([Span(f"… {len(dossier['runs']) - len(runs)} more files", "dim")])
    return rows


def _handles(dossier: Json) -> list[Line]:
    identity = dossier["identity"]
    seen = dict.fromkeys(filter(None, (identity["uid"], identity["uid_alt"])))
    return [[say(handle, "dim")] for handle in seen]


def _rest(dossier: Json, view: View) -> list[Line]:
    """What seldom decides anything: shown in the details only."""
    identity = dossier["identity"]
    out: list[Line] = []
    if not view.full:
        return out
    for label, key in (("acts for", "acts_for"), ("held by", "supplier"),
                       ("review", "review_due"), ("created", "created_at"),
                       ("by", "created_by")):  # fmt: skip
        if identity[key]:
            out += block(label, [[say(identity[key])]], view)
    rows: list[Line] = [
        [say(f"{name}: ", "dim"), say(value)] for name, value in identity["attributes"]
    ]
    return out + block("also", rows, view)


class Section(NamedTuple):
    """One list of a dossier."""

    label: str
    key: str
    draw: Callable[[Json, View], list[Line]]
    none: str
    """What to say of an empty list; nothing where its absence says nothing."""
    rank: Callable[[Json], Any] | None = None
    """What comes first, where the dossier's own order is not by risk."""


_SECTIONS = (
    Section("found", "findings", _finding, "no rule found anything"),
    Section("keys", "credentials", _credential, "no credential is known", _oldest_first),
    Section("may", "grants", _grant, "no permission is known"),
    Section("trusts", "trusts", _trust, "nobody else is known who may become it", _widest_first),
    Section("chain", "links", _link, ""),
    Section("used by", "usage", _usage, "", _people_first),
    Section("seen", "sightings", _sighting, ""),
    Section("before", "before", _before, "never reviewed here"),
    Section("changed", "changed", _changed, ""),
)
_REVIEWED = (_SECTIONS[0], *_SECTIONS[-2:], *_SECTIONS[1:-2])
_SPARE = ("trusts",)
"""Empty lists that a short pane passes over in silence."""
