"""The part of the report for people that says what stops, and what really came of it.

First in sentences with counts, then as tables: what was stopped, proved, not proved, put back, and
what is open past its day. The word of whoever carried it out and what an export says stand side by
side.
"""

from typing import Any

from passmuster.evidence import _after
from passmuster.evidence._came import HEARD, STOPPED, Came
from passmuster.evidence._facts import SHOWN, Facts, Listed
from passmuster.evidence._paper import (
    MAX_ROWS,
    Html,
    Num,
    bullets,
    code,
    flagged,
    join,
    kept,
    link,
    moment,
    more,
    named,
    para,
    section,
    table,
)  # fmt: skip
from passmuster.text import plural

STATES = ("gone", "standing", "unknown")
LISTS = {
    "late": "Open past the day by which it was to be done",
    "still there": "Still there after the review",
    "not proved": "Not proved, and no export after the review tells",
    "beside": "Carried out, and no decision that counts asks for it",
}


def carried_out(found: Facts) -> Html:
    """What was to stop, and what came of it."""
    asked = sum(found.stops.values())
    if not asked and "beside" not in found.listed:
        return section("What stops, and whether it was carried out",
                       para("No decision stops or changes anything."))  # fmt: skip
    unseen = [join(source, ": ", why) for source, why in found.six.unseen.items()]
    return section(
        "What stops, and whether it was carried out",
        bullets(_sentences(found, asked)),
        para("A signed result is the word of whoever carried a decision out on how the platform "
             "answered. That something is gone is told by an export that was imported after the "
             "closing. The later of the two counts here."),
        _tables(found) if asked else Html(""),
        join(para("Not known at the source, because:"), bullets(unseen[:MAX_ROWS]))
        if unseen else Html(""),
        *(_listed(found, kind, title) for kind, title in LISTS.items()),
        _files(found),
    )  # fmt: skip


def _sentences(found: Facts, asked: int) -> list[Html]:
    """What came of everything; each thing is proved, not proved or put back, and may be late."""
    count = found.carried
    heard = {kind: sum(found.came[kind, state] for state in STATES) for kind in HEARD}
    stopped = sum(heard[kind] for kind in STOPPED)
    urgent = f"; in an emergency: {plural(count['urgent'], 'item')}" if count["urgent"] else ""
    told = [
        join(f"Stops and changes that the decisions ask for: {asked:,}{urgent}."),
        join(f"Stopped, by a signed result: {stopped:,} (refused when the platform was asked: "
             f"{heard['refused']:,}; reads back as off, and nobody tried it: {heard['flag']:,})."),
        join(f"Proved: {count['gone'] + count['proved']:,} (gone or off in an export after the "
             f"review: {count['gone']:,}; by the platform's answer alone: {count['proved']:,})."),
        join(_look(count["open"], f"Not proved: {count['open']:,}"), "."),
        join(f"Put back after it had been stopped: {count['put back']:,}."),
        join(_look(count["late"], f"Open past its day: {count['late']:,}"), "."),
    ]  # fmt: skip
    if beside := found.listed.get("beside"):
        told.append(join(f"Carried out, and asked for by no decision that counts: "
                         f"{beside.count:,}."))  # fmt: skip
    return told


def _look(count: int, words: str) -> Html:
    return flagged(words) if count else join(words)


def _tables(found: Facts) -> Html:
    heard = [
        (words, *(Num(found.came[kind, state]) for state in STATES))
        for kind, words in HEARD.items() if any(found.came[kind, state] for state in STATES)
    ]  # fmt: skip
    verbs = [
        (_verb(verb), *(Num(found.stops[verb, state]) for state in STATES))
        for verb in sorted({verb for verb, _ in found.stops})
    ]  # fmt: skip
    head = ("gone at the source", "still there", "not known")
    return join(
        table("By the newest signed result", ("result", *head), heard),
        table("What the decisions stop or change", ("action", *head), verbs),
    )


def _verb(verb: str) -> str:
    return _after.ENDED if verb == _after.ENDS else verb.replace("_", "-")


def _listed(found: Facts, kind: str, title: str) -> Html:
    """The first of one kind, and the count of the rest."""
    listed = found.listed.get(kind, Listed())
    if not listed.count:
        return Html("")
    rows = [(named(name, uri), _asked(found, one), _result(one), one.why)
            for name, uri, one in listed.first]  # fmt: skip
    shown = table(f"{title}: {listed.count:,}", ("item", "what", "signed result", "at the source"),
                  rows)  # fmt: skip
    if listed.count <= SHOWN:
        return shown
    return join(shown, more(listed.count - SHOWN, "exports/audit/actions.csv"))


def _asked(found: Facts, one: Came) -> Any:
    if one.due is None:
        return one.what
    day = kept(f"by {one.due}")
    return join(one.what, ", ", flagged(day) if one.is_late(found.draft.now) else day)


def _result(one: Came) -> Any:
    if one.result is None:
        return HEARD[one.heard]
    said = one.result
    return join(HEARD[one.heard], ": ", said["said"], ", ", moment(said["at"]), " ",
                code(said["statement"]))  # fmt: skip


def _files(found: Facts) -> Html:
    """Where all of it is."""
    parts = ["What to run, its undo, and the newest result: ", link("remediations.csv"),
             ". Each thing and its source: ", link("exports/audit/actions.csv"), "."]  # fmt: skip
    if found.draft.results:
        parts += [" Results for other tools: ", link("remediation-results.jsonl"), "."]
    return para(*parts)
