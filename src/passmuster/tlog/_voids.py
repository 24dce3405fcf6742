"""Statements that are void: let in rightly, and without standing by what came to light later.

The table `void_entry` follows from the log, the rosters and the witnesses' lines alone; it is
made anew whenever a roster or such a line comes, and `check` compares it.
"""

from passmuster import roster
from passmuster.attestations import unchecked
from passmuster.errors import VerificationFailed
from passmuster.roster import Proven, Roster
from passmuster.store import Database


def voids(db: Database) -> dict[int, str]:
    """Log entry → why what it says counts for nothing."""
    return {i: str(why) for i, why in db.execute("SELECT entry_id, why FROM void_entry")}


def settle(db: Database, proven: Proven) -> None:
    """Write down anew what is void; inside the transaction that brought the cause.

    *proven* is `proven_time`, which stands above this.
    """
    db.execute("DELETE FROM void_entry")
    db.executemany("INSERT INTO void_entry VALUES (?, ?)", sorted(_judged(db, proven).items()))


def check_voids(db: Database, found: dict[int, str]) -> None:
    """Raise VerificationFailed unless the table has exactly what was *found* to be void."""
    if voids(db) != found:
        raise VerificationFailed("the table of what is void is not what the log comes to: "
                                 "`muster log verify --rebuild` makes it anew")  # fmt: skip


def _judged(db: Database, proven: Proven) -> dict[int, str]:
    """What is void now. What does not hold at all is told by `check`, and is not in it."""
    known = roster.history(db)
    seen = db.value("SELECT 1 FROM cosignature WHERE line IS NOT NULL LIMIT 1")
    if seen is None and not any(line.before for r in known[-1:] for line in r.lines):
        return {}
    found: dict[int, str] = {}
    before: list[Roster] = []
    kinds = ", ".join(f"'{kind}'" for kind in sorted({"roster", *roster.CAN_FALL}))
    for index, kind, envelope in db.execute(
        f"SELECT id, predicate, envelope FROM entry WHERE predicate IN ({kinds}) ORDER BY id"
    ).fetchall():
        if kind == "roster":
            before.append(known[len(before)])
            continue
        try:
            said = unchecked(bytes(envelope))
            time = roster.judge(said, before, known, proven(index))
        except VerificationFailed:
            continue
        if time is not None and time.void:
            found[index] = time.void
    return found
