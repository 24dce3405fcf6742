"""A stop at once, in lines: what will break, the steps as they are taken, and how it came out."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from passmuster.connectors import Plan
from passmuster.remediation import Fact, Result
from passmuster.text import visible
from passmuster.tui.lines import Line, Span, fold, say
from passmuster.tui.sections import ALARM

LABEL = 11
"""Cells for the word on the left."""
LAST = 4
"""Signs of the handle that are typed to confirm it."""


class Shown(NamedTuple):
    """All that the screen says."""

    title: str
    facts: Sequence[Fact]
    plan: Plan | None
    steps: Sequence[str] = ()
    result: Result | None = None
    failed: str = ""
    """Why nothing was done at all; the decision is not signed then."""


def lines(shown: Shown, width: int) -> list[Line]:
    """Everything, in *width* cells."""
    out: list[Line] = [[Span(" Stop now  ", "strong"), say(shown.title, "strong")], []]
    for fact in shown.facts:
        out += _labelled(fact.label, fact.words, width, grave=fact.grave)
    if shown.steps:
        out.append([])
        out += [part for step in shown.steps for part in _labelled("→", step, width)]
    if shown.failed:
        out += [[], *_folded([Span("Not decided, nothing stopped: ", "error"), say(shown.failed)],
                             width)]  # fmt: skip
    if shown.result is not None:
        out += [[], *_result(shown.result, shown.plan, width)]
    return out


def _labelled(label: str, words: str, width: int, *, grave: bool = False) -> list[Line]:
    line: Line = [say(words), *([ALARM] if grave else [])]
    folded = fold(line, max(20, width - LABEL - 2))
    head = Span(f" {label:<{LABEL}}", "dim")
    return [[head if not n else Span(" " * (LABEL + 1)), *part] for n, part in enumerate(folded)]


def _folded(line: Line, width: int) -> list[Line]:
    return [[Span(" "), *part] for part in fold(line, max(20, width - 2))]


def _result(result: Result, plan: Plan | None, width: int) -> list[Line]:
    """In words, the state before all."""
    remedy = result.remedy
    out = _folded(verdict(result), width)
    if remedy.state in ("applied", "verified"):
        out += _labelled("undo", f"muster remediate restore {remedy.name}", width)
    elif plan is not None and remedy.state != "object_gone":
        out += _folded([Span("Until muster can do it, run:", "strong")], width)
        for command in plan.stop:  # folded and not cut: half a command is another one
            out += [[Span("   "), *part] for part in fold([say(command)], max(20, width - 4))]
    out += _labelled("decision", f"signed: {result.emergency.statement[:16]}…", width)
    said = f"signed: {result.statements[0][:16]}…" if result.statements else "nothing new to sign"
    out += _labelled("result", (result.unsigned and f"waits: {result.unsigned}") or said, width)
    return [*out, *_labelled("review", "it waits for one: h shows what needs somebody", width)]


def verdict(result: Result) -> Line:
    """One line: is it stopped, and how is that known."""
    remedy = result.remedy
    if remedy.verdict == "refused":
        return [Span("Stopped, and refused", "strong"), say(f": {remedy.said}")]
    if remedy.verdict == "flag":
        return [Span("Off, says the platform", "strong"), say(f"; nobody tried it: {remedy.said}")]
    if remedy.state == "object_gone":
        return [Span("Gone already", "strong"), say(f": {remedy.said}")]
    if remedy.state in ("applied", "verified"):
        return [Span("Stopped, and not seen to be refused yet", "error"), say(f": {remedy.said}")]
    return [Span("Decided, and not stopped", "error"), say(f": {remedy.said}")]


def for_a_while(typed: str) -> tuple[str, str]:
    """The reason, and the span that stands behind `for` at its end; empty without one."""
    found = re.fullmatch(r"(.*?)[\s,]+for\s+(\d+\s*[mhd])\s*", typed, re.IGNORECASE | re.DOTALL)
    if found is None:
        return typed.strip(), ""
    return found[1].strip(), re.sub(r"\s", "", found[2]).lower()


def confirms(typed: str, handle: str) -> bool:
    """Whether the last signs of the handle were typed, in either case."""
    return typed.strip().lower() == visible(handle)[-LAST:].lower()
