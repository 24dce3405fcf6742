"""Who is another person than somebody, as the roster has it: what screens and commands ask.

The last word is that of `seconds.counts`, on what was signed.
"""

from collections.abc import Iterable

from passmuster import roster
from passmuster.errors import UsageError
from passmuster.roster import Roster
from passmuster.store import Database


def not_another(db: Database, emails: Iterable[str]) -> dict[str, set[str]]:
    """Address → the other addresses, in lower case, whose rows it cannot second."""
    says = roster.current(db)
    return {email: _not_another(db, says, email) for email in emails}


def me_of(db: Database, me: str) -> tuple[str, str]:
    """(my address, the others whose rows I cannot second: mine too by the roster, and robots')."""
    return me, f" {' '.join(sorted(_not_another(db, roster.current(db), me)))} "


def _not_another(db: Database, says: Roster | None, me: str) -> set[str]:
    """Addresses in lower case that are no other person than *me*; a roster alone can say so."""
    if says is None:
        return set()
    held: list[tuple[str, str]] = db.execute(
        "SELECT principal, fingerprint FROM signing_key"
    ).fetchall()
    known = [*held, *((person.principal, None) for person in says.people)]
    whos = {roster.person_of(says, p, mark) for p, mark in known if p.lower() == me}
    whos.add(roster.person_of(says, me))
    return {
        p.lower() for p, mark in known
        if roster.person_of(says, p, mark) in whos or roster.is_robot(says, p)
    } - {me}  # fmt: skip


def check_role(db: Database, by: str) -> None:
    """Raise UsageError unless the roster, where there is one, lets *by* countersign."""
    says = roster.current(db)
    listed = says and next((p for p in says.people if p.principal.casefold() == by), None)
    if says is not None and not (listed and set(roster.FOR["countersign"]) & set(listed.roles)):
        raise UsageError(
            f"the roster does not have {by} in the role second: ask a registrar "
            "(`muster roster set`)"
        )


def why_not_another(db: Database, reviewer: str, by: str) -> str:
    """Why the reviewer's rows are not for *by* to second, as the roster has it; else empty."""
    says = roster.current(db)
    if reviewer not in _not_another(db, says, by):
        return ""
    if roster.is_robot(says, reviewer):
        return "that is a robot, says the roster, and two persons are asked for"
    return "that is you, says the roster; a second person is another person"
