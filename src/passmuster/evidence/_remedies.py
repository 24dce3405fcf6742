"""What came of the remediations, from their signed results: which is newest, and its lines.

A result says how a platform answered whoever carried a decision out. Whether the access has gone
is still told by a newer export alone (`_after`); the two stand side by side.
"""

import json
import weakref
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from passmuster import remediation, store
from passmuster.evidence._files import Files, lines
from passmuster.evidence._statements import RESULTS, Statement
from passmuster.text import Json, canonical

FILE = "remediation-results.jsonl"
"""The newest result of each remediation; the file is there where there is one."""
SHOWN = ("item", "verb", "part", "state", "verdict", "said", "at")
Asked = tuple[str, str | None]
"""(verb, part)"""
AT_ONCE = 1_000
"""Results that are put there together."""


class Newest:
    """Of what was asked of each item its newest result that is not void, in log order.

    They lie in a file without a name, which is gone with this: every item may have one.
    """

    def __init__(
        self, files: Files, statements: Sequence[Statement], void: Collection[int]
    ) -> None:
        told = [s for s in sorted(statements, key=lambda s: s.index)
                if s.attestation.kind == "remediation" and s.index not in void]  # fmt: skip
        self._some = bool(told)
        self._last: tuple[str | None, dict[Asked, Json]] = (None, {})
        if not told:
            return
        self._db = store.alone()
        weakref.finalize(self, self._db.close)
        self._db.execute(
            "CREATE TABLE aside.newest (item TEXT, verb TEXT, has_part INTEGER, part TEXT,"
            " line BLOB, PRIMARY KEY (item, verb, has_part, part)) WITHOUT ROWID"
        )
        for statement in told:
            rows = _rows(files, statement)
            while some := list(islice(rows, AT_ONCE)):
                with self._db.snapshot():  # which holds in memory what it could take back
                    self._db.executemany(
                        "INSERT OR REPLACE INTO aside.newest VALUES (?, ?, ?, ?, ?)", some
                    )

    def __bool__(self) -> bool:
        return self._some

    def lines(self) -> Iterator[bytes]:
        """The lines of `remediation-results.jsonl`, in the order in which jq sorts."""
        for (line,) in (
            self._db.execute("SELECT line FROM aside.newest ORDER BY item, verb, has_part, part")
            if self._some
            else ()
        ):
            yield line + b"\n"

    def of(self, item: str) -> dict[Asked, Json]:
        """What was asked of an item → its line."""
        if self._some and item != self._last[0]:
            rows = self._db.execute("SELECT line FROM aside.newest WHERE item = ?", (item,))
            found = [json.loads(line) for (line,) in rows]
            self._last = item, {(row["verb"], row["part"]): row for row in found}
        return self._last[1]

    def cells(self, item: str, verb: str, part: str | None) -> tuple[str | None, ...]:
        """What `remediations.csv` says of one: state, verdict, what was said, when."""
        row = self.of(item).get((verb, part))
        if row is None:
            return (None, None, None, None)
        return (row["state"], row["verdict"], row["said"], row["at"])


def _rows(files: Files, statement: Statement) -> Iterator[tuple[str, str, bool, str, bytes]]:
    signed = lines(files, f"{statement.folder}/{RESULTS['remediation']}")
    for row in remediation.rows_of(statement.attestation, signed):
        shown = {name: row[name] for name in SHOWN} | {"statement": statement.folder}
        part = row["part"]  # none sorts before every part
        yield row["item"], row["verb"], part is not None, part or "", canonical(shown)
