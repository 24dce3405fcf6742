"""What came of the remediations, from their signed results: which is newest, and its lines.

A result says how a platform answered whoever carried a decision out. Whether the access has gone
is still told by a newer export alone (`_after`); the two stand side by side.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from passmuster import remediation
from passmuster.evidence._files import Files, whole
from passmuster.evidence._statements import RESULTS, Statement
from passmuster.text import Json, canonical

FILE = "remediation-results.jsonl"
"""The newest result of each remediation; the file is there where there is one."""
SHOWN = ("item", "verb", "part", "state", "verdict", "said", "at")
Key = tuple[str, str, str | None]
Asked = tuple[str, str | None]
"""(verb, part)"""
Newest = Mapping[str, Mapping[Asked, Json]]


def newest(files: Files, statements: Sequence[Statement], void: Collection[int]) -> Newest:
    """Item → what was asked of it → its newest result that is not void, in log order."""
    found: dict[str, dict[Asked, Json]] = {}
    for statement in sorted(statements, key=lambda s: s.index):
        if statement.attestation.kind != "remediation" or statement.index in void:
            continue
        data = whole(files, f"{statement.folder}/{RESULTS['remediation']}")
        for row in remediation.rows_of(statement.attestation, data):
            shown = {name: row[name] for name in SHOWN}
            of_item = found.setdefault(row["item"], {})
            of_item[row["verb"], row["part"]] = {**shown, "statement": statement.folder}
    return found


def lines(found: Newest) -> Iterator[bytes]:
    """The lines of `remediation-results.jsonl`, in the order in which jq sorts."""
    for item in sorted(found):
        for verb, part in sorted(found[item], key=lambda k: (k[0], k[1] is not None, k[1] or "")):
            yield canonical(found[item][verb, part]) + b"\n"


def cells(found: Newest, key: Key) -> tuple[str | None, ...]:
    """What `remediations.csv` says of one: state, verdict, what was said, when."""
    item, verb, part = key
    row = found.get(item, {}).get((verb, part))
    if row is None:
        return (None, None, None, None)
    return (row["state"], row["verdict"], row["said"], row["at"])
