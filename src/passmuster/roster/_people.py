"""Who is who: two principals, or two keys, may be one human being."""

from passmuster.roster._model import Roster


def person_of(roster: Roster | None, principal: str, mark: str | None = None) -> str:
    """The human being behind a principal and the key *mark* that signed for it.

    The roster says it, by the key first; without one everybody is who they say they are.
    """
    if roster is not None:
        listed = {p.principal.casefold(): p for p in roster.people}
        holders = [line.principal for line in roster.lines_of(mark)] if mark else []
        for name in (*holders, principal):
            if (found := listed.get(name.casefold())) is not None:
                return found.who
    return principal.casefold()


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
    if roster is None:
        return False
    return any(p.kind == "robot" and p.principal.casefold() == principal.casefold()
               for p in roster.people)  # fmt: skip
