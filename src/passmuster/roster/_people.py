"""Who is who: two principals, or two keys, may be one human being."""

from passmuster.roster._model import Person, Roster
from passmuster.seconds import Signer


def _listed(roster: Roster | None, principal: str, mark: str | None) -> Person | None:
    """Whom the roster lists for a key, by the key first, else for its principal."""
    if roster is None:
        return None
    listed = {p.principal.casefold(): p for p in roster.people}
    holders = [line.principal for line in roster.lines_of(mark)] if mark else []
    names = [name.casefold() for name in (*holders, principal)]
    return next((listed[name] for name in names if name in listed), None)


def person_of(roster: Roster | None, principal: str, mark: str | None = None) -> str:
    """The human being behind a principal and the key *mark* that signed for it.

    The roster says it, by the key first; without one everybody is who they say they are.
    """
    found = _listed(roster, principal, mark)
    return principal.casefold() if found is None else found.who


def signer(roster: Roster | None, principal: str, mark: str) -> Signer:
    """Who signed with the key *mark* as *principal*, for the two-person rule."""
    found = _listed(roster, principal, mark)
    who = "" if roster is None else person_of(roster, principal, mark)
    return Signer(principal, mark, who, found is not None and found.kind == "robot")


def same_person(
    roster: Roster | None, one: tuple[str, str | None], other: tuple[str, str | None]
) -> bool:
    """Whether two (principal, fingerprint) are one human being: same person, or the same key."""
    if one[1] is not None and one[1] == other[1]:
        return True
    if one[0].casefold() == other[0].casefold():
        return True
    return person_of(roster, *one) == person_of(roster, *other)


def is_robot(roster: Roster | None, principal: str) -> bool:
    """Whether the roster lists *principal* as a robot, which is no second person to anybody."""
    found = _listed(roster, principal, None)
    return found is not None and found.kind == "robot"
