"""A rule as a person reads it: what it found or why nothing, why it matters, what to do. Pure."""

from collections.abc import Mapping
from itertools import groupby

from passmuster import policy
from passmuster.policy import NEEDS, Hits, Rule, RuleRun, Supply
from passmuster.text import plural
from passmuster.tui import words
from passmuster.tui.lines import Line, Span, say
from passmuster.tui.sections import ALARM, View, block
from passmuster.tui.widgets.line_table import Column, TableRow, fitting

NEED_WORDS = {
    "usage": "last use", "credential": "credentials", "grant": "permissions", "trust": "trusts",
    "consumer": "users of it", "person_use": "use by people", "auth": "authentication",
    "automation": "its maker", "sighting": "leaks", "person": "people", "supplier": "suppliers",
    "environment": "environments", "owner": "owners", "review": "a review", "agent": "AI agents",
    "emergency": "an emergency stop",
}  # fmt: skip
"""What a rule needs to know, in a word or two."""
_BY_ITSELF = {
    "review": "sign a first decision: press q, then decide",
    "agent": "nothing to do: there is no AI agent",
    "emergency": "nothing to do: nothing was stopped in an emergency",
}
"""What no import supplies, and how it comes."""
FORMATS = 6
"""Formats that are named as possible suppliers."""
NEVER = "not run yet: import an export"

_COLUMNS = (
    Column("severity", "SEVERITY", 9),
    Column("title", "RULE", 0),
    Column("hits", "HITS", 14, right=True),
    Column("new", "NEW", 7, right=True),
    Column("rule", "ID", 22),
    Column("controls", "CONTROLS", 30),
)
_FIRST_IN = ("severity", "hits", "new", "rule", "controls")
WHY_WIDTH, WHY_FROM = 24, 90
"""Where there is room, the column of hits also says what is missing."""


def columns(width: int) -> list[Column]:
    """The columns that *width* has room for."""
    wide = [
        c._replace(width=WHY_WIDTH) if c.key == "hits" and width >= WHY_FROM else c
        for c in _COLUMNS
    ]
    return fitting(wide, _FIRST_IN, width, least=24)


def table_row(rule: Rule, run: RuleRun | None, hits: Hits | None) -> TableRow:
    """What the list shows of a rule; *hits* when they have been counted."""
    count = hits.all if hits else run.hits if run else None
    why = (run.not_evaluated or "") if run else NEVER
    if run is None:
        found = "not run yet"
    elif why:
        found = f"not evaluated: {missing_words(rule, why)}"
    else:
        found = f"{count or 0:,}"
    cells = {
        "severity": rule.severity,
        "title": rule.title,
        "hits": found,
        "new": f"{hits.new:,}" if hits and hits.new else "",
        "rule": rule.id,
        "controls": ", ".join(control for _, control, _ in rule.controls),
    }
    return TableRow(cells, "", "plain" if count and not why else "dim")


def missing_words(rule: Rule, why: str) -> str:
    """What *rule* lacks, in a word or two each."""
    return ", ".join(NEED_WORDS[n] for n in rule.needs if NEEDS[n] in why) or why


def rule_lines(
    rule: Rule, run: RuleRun | None, hits: Hits | None, *, set_to: Mapping[str, int],
    supplies: Mapping[str, Supply], last_import: str | None, view: View,
    narrowed: str = "",
) -> list[Line]:  # fmt: skip
    """Everything about *rule*; *set_to* are the person's own thresholds for it, *narrowed* the
    filter that its hits were counted with.
    """
    out = block("", [[say(rule.title, "strong")]], view, label_width=0)
    out += block("", [[say(f"{rule.severity} · one finding per {rule.subject}"
                           f" · {rule.id}", "dim")]], view, label_width=0)  # fmt: skip
    out += block("found", _found(run, hits, last_import, narrowed, view), view)
    out.append([])
    out += block("why", [[say(rule.why)]], view)
    out += block("fix", [[say(rule.fix)]], view)
    out += block("set", _thresholds(rule, set_to), view)
    out += block("needs", _needs(rule, supplies), view)
    out += block("for", _controls(rule), view)
    out += block("sql", [
        [say(f"passmuster/policy/rules/{rule.id}.sql")],
        [say(f"muster rules show {rule.id}", "dim")],
    ], view)  # fmt: skip
    return out


def _found(
    run: RuleRun | None, hits: Hits | None, last_import: str | None, narrowed: str, view: View
) -> list[Line]:
    if run is None:
        return [[Span(NEVER, "strong")]]
    count = hits.all if hits else run.hits
    if run.not_evaluated:
        lines: list[Line] = [
            [Span("not evaluated: ", "strong"), say(run.not_evaluated, "strong"), ALARM]
        ]
        if count:
            lines.append([say(f"{plural(count, 'finding')} of before stay open: no answer is no"
                              " all-clear", "dim")])  # fmt: skip
        return lines
    line: Line = [say(plural(count or 0, "open finding"), "strong")]
    if narrowed:
        line.append(say(f" on {narrowed}"))
    if hits is not None and last_import:
        new = f"{hits.new:,}" if hits.new else "none"
        line.append(say(f", {new} new since the last import {words.ago(last_import, view.now)}"))
    return [line]


def _thresholds(rule: Rule, set_to: Mapping[str, int]) -> list[Line]:
    rows: list[Line] = []
    for name, default in rule.params.items():
        value = set_to.get(name, default)
        row: Line = [say(f"{name} = {value}", "strong")]
        if value != default:
            row.append(say(f"  yours; the default is {default}"))
        row.append(say(f"  {rule.sources.get(name, '')}", "dim"))
        rows.append(row)
    return rows


def _needs(rule: Rule, supplies: Mapping[str, Supply]) -> list[Line]:
    rows: list[Line] = []
    for need in rule.needs:
        supply = supplies.get(need)
        row: Line = [say(NEED_WORDS[need])]
        if supply is None:
            row.append(Span("  …", "dim"))
        elif supply.sources:
            row.append(say(f"  from {_few(supply.sources)}", "dim"))
        elif need in _BY_ITSELF:
            row.append(say(f"  {_BY_ITSELF[need]}", "dim"))
        else:
            row += [Span("  from nobody yet", "strong"), ALARM]
            rows.append(row)
            row = [Span("  "), say(f"muster import of {_few(supply.formats)}", "dim")]
        rows.append(row)
    return rows or [[Span("nothing but the identities themselves", "dim")]]


def _few(names: list[str]) -> str:
    more = f" and {len(names) - FORMATS} more" if len(names) > FORMATS else ""
    return ", ".join(names[:FORMATS]) + more


def _controls(rule: Rule) -> list[Line]:
    rows: list[Line] = []
    for name, served in groupby(policy.controls(rule), key=lambda c: str(c["framework_name"])):
        rows.append([say(name, "strong")])
        for control in served:
            fit = "" if control["fit"] == "direct" else f"  {control['fit']}"
            rows.append([Span("  "), say(control["id"], "strong"), say(f"  {control['title']}"),
                         say(fit, "dim")])  # fmt: skip
    if rows:
        rows.append([Span("our judgement, no published crosswalk", "dim")])
    return rows
