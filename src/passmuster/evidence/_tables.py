"""The tables that people read: outcomes as JSON lines and CSV, and what must now be stopped.

They say nothing that the signed rows do not; the check makes them again and compares. A CSV file
is opened in a spreadsheet, which runs cells that begin like a formula (CWE-1236): such a cell
gets an apostrophe before it. No cell has a line break, so lines can be counted; only the command
lines of a remediation have, since they are to be pasted.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from passmuster import connectors
from passmuster.evidence import _came
from passmuster.evidence._remedies import Newest
from passmuster.evidence._statements import Statement
from passmuster.evidence._walk import Ballot, Judged
from passmuster.seconds import Policy
from passmuster.text import Json, canonical, sha256, visible

FORMULA = ("=", "+", "-", "@", "\t", "\r")
OUTCOMES = "outcomes.jsonl"
OUTCOMES_CSV = "outcomes.csv"
REMEDIATIONS = "remediations.csv"
OUTCOME_COLUMNS = (
    "item", "name", "kind", "source", "outcome", "until", "remediations", "reviewer",
    "principal", "decided_at", "verdict", "reason_code", "reason", "bulk", "risk", "dossier",
    "statement", "row",
)  # fmt: skip
SECOND_COLUMNS = (
    "needs_second", "second", "second_verdict", "second_decided_at", "second_reason", "second_row",
)  # fmt: skip
"""At the end, in packs of a campaign with a two-person rule alone; all countersignatures that count
stand in one cell, `; ` between them."""
VOID_CSV = "void.csv"
VOID_COLUMNS = (
    "statement", "kind", "signed_by", "fingerprint", "signed_at", "rows", "why", "sha256",
)  # fmt: skip
"""Of statements that hold and count for nothing; the file is there where there is one."""
REMEDIATION_COLUMNS = (
    "item", "name", "source", "verb", "part", "by", "reason", "what", "stop", "undo",
    "undo_class", "propagation_s", "residual", "state", "verdict", "said", "at",
)  # fmt: skip


def csv_line(cells: Iterable[Any]) -> bytes:
    """One line of CSV with its newline, safe to open in a spreadsheet."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow([cell(c) for c in cells])
    return buffer.getvalue().encode()


def cell(value: Any) -> str:
    """*value* as text that no spreadsheet takes for a formula."""
    if isinstance(value, tuple):
        text = "\n".join(visible(line) for step in value for line in step.split("\n"))
    else:
        text = "" if value is None else visible(str(value))
    return f"'{text}" if text.startswith(FORMULA) else text


def outcome_columns(second: Policy | None) -> tuple[str, ...]:
    """The columns of `outcomes.csv` in a campaign with this two-person rule."""
    return OUTCOME_COLUMNS if second is None else OUTCOME_COLUMNS + SECOND_COLUMNS


def outcome_line(judged: Judged, second: Policy | None = None) -> bytes:
    """The line of `outcomes.jsonl`, with its newline; under a two-person rule it says more."""
    outcome = judged.outcome
    return canonical({
        "item": judged.uri, "effect": outcome.effect, "until": outcome.until,
        "reviewer": judged.reviewer,
        "remediations": [{"verb": verb, "part": part} for verb, part in outcome.remediations],
        "rows": list(outcome.leaves), "ignored": [ballot.leaf for ballot in judged.ignored],
        **({} if second is None else {
            "needsSecond": judged.may is not None, "seconds": list(outcome.seconds),
        }),
        **({"void": [ballot.leaf for ballot in judged.void]} if judged.void else {}),
    }) + b"\n"  # fmt: skip


def void_lines(statements: Iterable[Statement], void: Mapping[int, str]) -> Iterator[bytes]:
    """The lines of `void.csv`."""
    yield csv_line(VOID_COLUMNS)
    for s in statements:
        if s.index in void:
            said = s.attestation.predicate
            yield csv_line((
                s.folder, s.attestation.kind, said["principal"], s.attestation.keyid,
                said["signedAt"], said.get("count"), void[s.index], s.attestation.name,
            ))  # fmt: skip


def outcome_cells(judged: Judged, second: Policy | None = None) -> bytes:
    """The line of `outcomes.csv`; of several rows that count, the newest is shown."""
    outcome, dossier = judged.outcome, judged.dossier
    shown = [b for b in judged.ballots if b.leaf in outcome.leaves][-1:]
    decided: Sequence[Any] = _decided(shown[0]) if shown else (None,) * 6
    return csv_line((
        judged.uri, name(dossier), dossier["identity"]["kind"], _source(dossier),
        outcome.effect, outcome.until,
        "; ".join(f"{verb} {part}" if part else verb for verb, part in outcome.remediations),
        judged.reviewer, *decided, dossier["risk"],
        *(_digests(judged, shown[0]) if shown else (_dossier(judged), None, None)),
        *(() if second is None else _seconds(judged)),
    ))  # fmt: skip


def _seconds(judged: Judged) -> tuple[str, ...]:
    counted = [b for b in judged.seconds if b.leaf in judged.outcome.seconds]
    each = (
        [b.batch.principal for b in counted],
        [b.row["verdict"] for b in counted],
        [b.row["attention"]["decided"] for b in counted],
        [b.row["reason"]["text"] for b in counted],
        [b.leaf for b in counted],
    )
    return ("no" if judged.may is None else "yes", *("; ".join(cells) for cells in each))


def _decided(ballot: Ballot) -> tuple[Any, ...]:
    row = ballot.row
    bulk = row["bulk"]
    return (
        ballot.batch.principal, row["attention"]["decided"], row["verdict"],
        row["reason"]["code"], row["reason"]["text"],
        f"{bulk['size']} at once: {bulk['how']}" if bulk else None,
    )  # fmt: skip


def _digests(judged: Judged, ballot: Ballot) -> tuple[str, str, str]:
    return _dossier(judged), ballot.batch.file.rsplit("/", 1)[0], ballot.leaf


def _dossier(judged: Judged) -> str:
    return sha256(judged.line)


def name(dossier: Json) -> str:
    """What people call an item: the identity and, where it is less, the part of it."""
    whole = str(dossier["identity"]["display_name"])
    return f"{whole}: {dossier['subject']}" if dossier["subject"] else whole


def _source(dossier: Json) -> str:
    return str(dossier["source"]["name"] or dossier["source"]["uid"])


def remediation_lines(judged: Judged, found: Newest) -> Iterator[bytes]:
    """The lines of `remediations.csv` for an item: what to run to stop it, and to undo that, and
    what came of it by the newest signed result.

    One line for each step of the platform's plan; one line without commands where there is none.
    """
    dossier = judged.dossier
    reasons = "; ".join(b.row["reason"]["text"] for b in judged.ballots
                        if b.leaf in judged.outcome.leaves)  # fmt: skip
    for verb, part in judged.outcome.remediations:
        head = (judged.uri, name(dossier), _source(dossier), verb, part,
                _came.due(judged, verb, part), reasons)  # fmt: skip
        came = found.cells(judged.uri, verb, part)
        plans = connectors.plan(dossier, verb, part or _whole(dossier))
        for plan in plans:
            yield csv_line((*head, plan.what, plan.stop, plan.undo, plan.undo_class,
                            plan.propagation_s, plan.residual, *came))  # fmt: skip
        if not plans:
            yield csv_line((*head, "no command is known for it: carry it out by hand",
                            None, None, None, None, None, *came))  # fmt: skip


def remediations(table: Iterator[str]) -> Iterator[tuple[str, ...]]:
    """(item, verb, part) of each remediation in a table, and what came of it; the steps of one are
    told once.

    The commands are not compared: a later release may know better ones.
    """
    last = None
    for row in csv.reader(table):
        found = (row[0], row[3], row[4], *row[-4:])
        if found != last and last is not None:
            yield found
        last = found


def _whole(dossier: Json) -> str | None:
    """What the item is to its platform; None, which means the whole identity, for nothing less."""
    match dossier["of"]:
        case "identity":
            return None
        case "grant":
            return str(dossier["grants"][0]["entitlement"])
        case _:
            return str(dossier["subject"])
