"""Where each remediation stands today: its own state, and what the imports say beside it."""

from collections.abc import Iterator
from typing import NamedTuple

from passmuster.remediation._proved import Proof, alive_of, proof_of
from passmuster.remediation._remedy import TASKS, Remedy
from passmuster.remediation._table import remedies
from passmuster.store import Database


class Status(NamedTuple):
    """A remediation and what is derived for it when somebody looks."""

    remedy: Remedy
    identity: str
    """What people call it."""
    proof: Proof | None
    """The import that shows it done."""
    alive: Proof | None
    """The import that shows it active after it was stopped."""
    overdue: bool

    @property
    def is_open(self) -> bool:
        """Whether somebody has to do something still."""
        if self.alive is not None:
            return True
        return self.proof is None and self.remedy.state not in ("verified", "reverted")

    @property
    def words(self) -> str:
        """The state in a few words for a list."""
        one = self.remedy
        if self.alive is not None:
            return f"{one.state}, but active in the export of {self.alive.at[:10]}"
        if self.proof is not None and one.state != "verified":
            return f"verified by import of {self.proof.at[:10]}"
        if one.state == "verified":
            return "verified: refused" if one.verdict == "refused" else "verified: flag read back"
        if one.state == "applied" and one.verdict is not None:
            return {"works": "applied, still works", "unknown": "applied, not known"}.get(
                one.verdict, "applied"
            )
        return one.state.replace("_", " ")


def status(db: Database, today: str) -> Iterator[Status]:
    """All of them; *today* is a time as we store it."""
    for one in remedies(db):
        done = one.state in ("applied", "verified")
        proof = None if one.state == "reverted" else proof_of(db, one, one.decided_at)
        alive = alive_of(db, one, one.sent_at or one.state_at) if done else None
        name = db.value("SELECT display_name FROM identity WHERE id = ?", (one.identity_id,))
        still = proof is None and (one.verb in TASKS or not done)
        overdue = one.due is not None and one.due < today[:10] and still
        yield Status(one, str(name or one.uri), proof, alive, overdue)
