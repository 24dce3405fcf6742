"""The settings as rows to look at and to change: values in words, words into values. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from passmuster.config import Setting, Settings
from passmuster.errors import UsageError
from passmuster.policy import load_rules
from passmuster.tui import keymap
from passmuster.tui.lines import Line, Span, fold, say
from passmuster.tui.sections import ALARM

Kind = Literal["yesno", "choice", "theme", "text", "number", "list", "table", "key"]
FROM = {"default": "built in", "user": "your file", "workspace": "workspace",
        "environment": "environment"}  # fmt: skip
"""Where a value comes from, for a column."""
ENTRY_HINTS = {
    "rules": "RULE.PARAMETER = NUMBER: unused.max_days = 45",
    "reasons": "DIGIT = WORDS: 7 = supplier contract ended",
    "bulk": "TIER = NUMBER: high = 25",
    "keys": "ID = KEY: approve = A",
    "sections": "NAME = FILTER: my vendors = supplier:acme",
}
"""How an entry of a table is typed."""


class Entry(NamedTuple):
    """One row."""

    key: str
    """What `config.change` takes."""
    value: Any
    kind: Kind
    origin: str
    where: str | None
    about: str
    choices: tuple[str, ...] = ()
    clash: str = ""
    """What is wrong with it, where it is a key."""

    @property
    def words(self) -> str:
        """The value as it is read."""
        if self.value is None:
            return "not set"
        if isinstance(self.value, bool):
            return "yes" if self.value else "no"
        if isinstance(self.value, list | dict):
            return ", ".join(map(str, self.value)) or "none"
        return str(self.value)


def entries(found: Sequence[Setting]) -> list[Entry]:
    """The settings as rows; a threshold that nobody has set has its row too."""
    rows: list[Entry] = []
    thresholds = _thresholds()
    for one in found:
        if one.key == "rules" or one.key.startswith("rules."):
            known = thresholds.get(one.key)
            if known is not None or one.key != "rules":
                about = known.about if known else one.about
                thresholds[one.key] = Entry(one.key, one.value, "number", one.origin, one.where,
                                            about)  # fmt: skip
        elif not one.key.startswith("keys."):
            rows.append(Entry(one.key, one.value, _kind(one), one.origin, one.where, one.about,
                              one.choices))  # fmt: skip
    tabs = [one for one in found if one.key.startswith("sections.")]
    if tabs:  # without any, the table has a row of its own already
        names = {one.key.removeprefix("sections."): one.value for one in tabs}
        rows.append(Entry("sections", names, "table", tabs[0].origin, tabs[0].where,
                          f"{tabs[0].about} Change it to add another."))  # fmt: skip
    return rows + [thresholds[key] for key in sorted(thresholds)]


def _thresholds() -> dict[str, Entry]:
    """Every parameter of every rule, as it stands in the rule's file."""
    return {
        f"rules.{rule.id}.{name}": Entry(
            f"rules.{rule.id}.{name}", value, "number", "default", rule.sources.get(name),
            f"{rule.title}. {rule.why}",
        )
        for rule in load_rules().values() for name, value in rule.params.items()
    }  # fmt: skip


def _kind(one: Setting) -> Kind:
    if one.key == "theme":
        return "theme"
    if isinstance(one.value, bool):
        return "yesno"
    if isinstance(one.value, list):
        return "list"
    if isinstance(one.value, dict):
        return "table"
    if one.choices:
        return "choice"
    return "number" if isinstance(one.value, int | float) else "text"


def key_entries(settings: Settings, found: Sequence[Setting]) -> list[Entry]:
    """Every key by the id of what it does, with what it clashes with."""
    origins = {one.key: one for one in found}
    wrong = keymap.clashes(settings.keys)
    rows = []
    for name, binding in keymap.known().items():
        set_ = origins.get(f"keys.{name}")
        pressed = settings.keys.get(name) or binding.key_display or binding.key
        clash = next((w for w in wrong if name in w.split()), "")
        about = binding.tooltip or binding.description
        rows.append(Entry(f"keys.{name}", pressed, "key", set_.origin if set_ else "default",
                          set_.where if set_ else None, about, (), clash))  # fmt: skip
    return rows


def parsed(entry: Entry, typed: str) -> Any:
    """The value that *typed* stands for; raises UsageError where it is none."""
    typed = typed.strip()
    if not typed:
        raise UsageError("type a value, or esc to leave it; u sets it back")
    if entry.kind == "number":
        try:
            return float(typed) if "." in typed else int(typed.replace(",", ""))
        except ValueError:
            raise UsageError(f"{typed!r} is not a number") from None
    if entry.kind == "list":
        return [word for word in typed.replace(",", " ").split() if word]
    return typed


def parsed_entry(table: str, typed: str) -> tuple[str, Any]:
    """(key, value) of a new entry of a table, typed as `name = value`."""
    name, equals, value = (part.strip() for part in typed.partition("="))
    if not (equals and name and value):
        raise UsageError(f"write {ENTRY_HINTS.get(table, 'NAME = VALUE')}")
    if table in ("rules", "bulk"):
        if not value.lstrip("-").isdigit():
            raise UsageError(f"{value!r} is not a number")
        return f"{table}.{name}", int(value)
    return f"{table}.{name}", value


def lines(entry: Entry, file: str, troubles: Sequence[str], width: int) -> list[Line]:
    """All that is known of one setting, and what is wrong with any."""
    out: list[Line] = [[say(entry.key, "strong"), Span(" = "), say(entry.words, "strong")], []]
    out += fold([say(entry.about)], width)
    out.append([])
    out += _labelled("from", _origin(entry), width)
    if entry.choices:
        out += _labelled("may be", [say(", ".join(entry.choices))], width)
    if entry.clash:
        out += _labelled("clash", [say(entry.clash, "error"), ALARM], width)
    out += _labelled("written", [say(f"to {file}")], width)
    if entry.origin == "environment":
        out += _labelled("", [Span("the environment goes before any file", "strong")], width)
    if troubles:
        out += [[], [Span("What cannot be used", "strong"), ALARM]]
        out += [line for trouble in troubles for line in fold([say(trouble)], width)]
    return out


def _origin(entry: Entry) -> Line:
    if entry.origin == "default":
        why = f": {entry.where}" if entry.where else ""
        return [say(f"built in{why}")]
    return [say(f"{FROM[entry.origin]}: {entry.where}")]


def _labelled(label: str, line: Line, width: int) -> list[Line]:
    folded = fold(line, width - 9)
    return [[Span(f"{'' if n else label:<9}", "dim"), *row] for n, row in enumerate(folded)]


def matching(rows: Sequence[Entry], section: str, words: Sequence[str]) -> list[Entry]:
    """The rows of a section that have all of *words* in key, value or documentation."""
    tests: Mapping[str, Any] = {
        "": lambda e: e.kind != "key" and not e.key.startswith("rules."),
        "changed": lambda e: e.origin != "default",
        "thresholds": lambda e: e.key.startswith("rules."),
        "keys": lambda e: e.kind == "key",
    }
    chosen = [e for e in rows if tests[section](e)] if section or not words else rows
    return [
        e for e in chosen
        if all(w in f"{e.key} {e.words} {e.about}".lower() for w in words)
    ]  # fmt: skip
