"""The table of remediations and of their results: read, written, and kept in step.

A result is durable before anything follows from it; `state` beside it is the fold of all results
that are not void, made anew with each.
"""

import json
import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

from passmuster import merkle
from passmuster.connectors import Verdict, holds_secret
from passmuster.errors import NotFound
from passmuster.remediation._folding import Standing, fold, result_row
from passmuster.remediation._remedy import COLUMNS, Remedy, State, remedy_of, saved
from passmuster.store import Database
from passmuster.text import Json, canonical, visible

SELECT = f"SELECT {', '.join(COLUMNS)} FROM remediation"
NEVER = "1970-01-01T00:00:00Z"
MAX_SAID = 300
"""Characters of what a platform said."""
WITHHELD = "(what it said looked like a secret and is not kept)"


class Came(NamedTuple):
    """One result."""

    row: Json
    statement: str | None
    """The signed statement that it is in; None while it waits to be signed."""


def remedies(db: Database) -> Iterator[Remedy]:
    """All remediations, those of one item together."""
    for row in db.execute(f"{SELECT} ORDER BY uri, part, name").fetchall():
        yield remedy_of(row)


def remedy(db: Database, word: str) -> Remedy:
    """The one whose id begins with *word*; NotFound names what else there is."""
    rows = db.execute(
        f"{SELECT} WHERE name >= ?1 AND name < ?1 || '{{' LIMIT 2", (word.strip().lower(),)
    ).fetchall()
    if len(rows) == 1 and word.strip():
        return remedy_of(rows[0])
    how = "several remediations begin" if rows else "no remediation begins"
    raise NotFound(f"{how} with {visible(word)!r}: `muster remediate status` lists them")


def again(db: Database, remedy: Remedy) -> Remedy:
    """The same one as it is by now."""
    return remedy_of(db.one(f"{SELECT} WHERE name = ?", (remedy.name,)))


def history(db: Database, name: str) -> list[Came]:
    """Its results in the order of the log, those that wait to be signed last; no void ones."""
    rows = db.execute(
        "SELECT q.row, e.statement FROM remediation_result q LEFT JOIN entry e ON e.id = q.entry_id"
        " WHERE q.remediation = ? AND coalesce(q.entry_id, 0) NOT IN (SELECT entry_id FROM"
        " void_entry) ORDER BY q.entry_id IS NULL, q.entry_id, q.id", (name,),
    )  # fmt: skip
    return [Came(json.loads(row), statement) for row, statement in rows.fetchall()]


def results(db: Database, name: str) -> list[Json]:
    """The rows of `history`."""
    return [one.row for one in history(db, name)]


def record(
    db: Database, of: Remedy, state: State, said: str, now: str, *,
    verdict: Verdict | None = None, script: str | None = None, secret: str | None = None,
) -> Remedy:  # fmt: skip
    """Keep what came of a step, to be signed at the end of the run; on the disk when it returns.

    *secret* was at hand for a question: it is never in what is kept.
    """
    prior = saved(db, of)
    act = of.act
    row = result_row(
        remediation=of.name, item=of.uri, basis=of.basis, verb=of.verb, part=of.part,
        action=act.name if act else None, undo_class=of.undo_class, plan=of.plan_digest,
        state=state, verdict=verdict, said=_kept(said, secret),
        prior=prior.digest if prior else None, planned=of.planned_at, sent=of.sent_at, at=now,
        carrier="script" if script else "muster", script=script,
        in_export=of.in_export, salt=secrets.token_hex(16),
    )  # fmt: skip
    with db.atomic():
        add(db, row, None)
        settle(db, of.name)
    return again(db, of)


def _kept(said: str, secret: str | None) -> str:
    words = visible(said)[:MAX_SAID]
    if (secret and secret in said) or holds_secret(words):
        return WITHHELD
    return words


def add(db: Database, row: Json, entry_id: int | None) -> None:
    """Put a result into the table; inside a transaction. The same one twice is once."""
    line = canonical(row)
    db.execute(
        "INSERT OR IGNORE INTO remediation_result (leaf, remediation, row, entry_id)"
        " VALUES (?, ?, ?, ?)",
        (merkle.leaf_hash(line).hex(), row["remediation"], line.decode(), entry_id),
    )


def settle(db: Database, name: str) -> None:
    """Write where a remediation stands beside it; inside a transaction."""
    standing = fold(results(db, name))
    held = db.value("SELECT 1 FROM remediation_result WHERE remediation = ? LIMIT 1", (name,))
    if standing is None and held:  # all of them are void
        standing = Standing("planned", None, "what was signed of it counts for nothing", NEVER)
    if standing is not None:
        db.execute(
            "UPDATE remediation SET state = ?, verdict = ?, said = ?, state_at = ? WHERE name = ?",
            (standing.state, standing.verdict, standing.said, standing.at, name),
        )


def save_prior(db: Database, of: Remedy, state: Json | None, now: str) -> Remedy:
    """Keep what was read before anything is sent: on the disk when this returns."""
    with db.atomic():
        cursor = db.execute(
            "INSERT INTO saved_state (remediation, saved_at, salt, state) VALUES (?, ?, ?, ?)",
            (of.name, now, secrets.token_hex(16), json.dumps(state)),
        )
        db.execute("UPDATE remediation SET prior_id = ?, sent_at = ? WHERE name = ?",
                   (cursor.lastrowid, now, of.name))  # fmt: skip
    return again(db, of)


def note(db: Database, of: Remedy, **columns: Any) -> Remedy:
    """Set columns of a remediation, on the disk when this returns."""
    names = ", ".join(f"{name} = ?" for name in columns)
    with db.atomic():
        db.execute(f"UPDATE remediation SET {names} WHERE name = ?", (*columns.values(), of.name))
    return again(db, of)
