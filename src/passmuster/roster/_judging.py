"""Whether a statement's key might sign it, by the roster in force at its place in the log.

The time that counts is the proven one: a witness's, under the first checkpoint that has the
statement. Without one it is what the signer claims, but never earlier than the roster that was
in the log before it; and that it is a claim is said.

A key must be good twice: by the roster in force at the statement's place, so that nobody is let
in afterwards, and by those that came later, so that a compromise which is told on Wednesday takes
away what the thief signed on Tuesday. An end that a later roster sets for the time after itself
takes nothing away from what the log had before it, however late a witness came.

What its signer might not sign when it was logged is refused, and the whole log with it. What was
let in rightly and loses its standing by what came to light later (a theft that is told, a witness
who saw it only afterwards) is **void**: its signature holds, and it counts for nothing.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from passmuster.attestations import Attestation, is_emergency
from passmuster.errors import VerificationFailed
from passmuster.roster._allowed import Line
from passmuster.roster._model import FOR, Roster
from passmuster.roster._succession import check_pins, succeed

Proven = Callable[[int], str | None]
"""Index in the log → the time at which a witness had seen that entry, None without one."""


class Time(NamedTuple):
    """When a statement was there at the latest, as far as that is known."""

    at: str
    proven: bool
    """False: it is the signer's claim."""
    void: str = ""
    """Why the statement counts for nothing, though it was let in rightly; else empty."""


CAN_FALL = frozenset({"decisions", "own", "countersign", "acknowledgement", "remediation"})
"""Kinds of statement that may be void. Without its opening, its end or its seal there is no review
to speak of: where one of those loses its standing, the whole is refused."""


def may_sign(
    in_force: Roster, later: Sequence[Roster], principal: str, mark: str, time: Time, kind: str
) -> str:
    """Why a key may not sign a statement of *kind* as *principal*; empty when it may.

    *later* are the versions after the one in force, as far as they are known.
    """
    person = in_force.person(principal)
    if person is None:
        return f"{principal} is not on roster version {in_force.version}"
    if not in_force.lines_of(mark, principal):
        return f"{mark} is not a key of {principal} on roster version {in_force.version}"
    lines = _shortened(in_force, later, mark, principal, backdated=time.proven)
    if not any(line.holds_at(time.at) for line in lines):
        spans = " or ".join(_span(line.after, line.before) for line in lines)
        return f"{mark} of {principal} is valid {spans}, not at {time.at}"
    wanted = FOR.get(kind)
    if wanted is None:
        return f"a {kind} statement is not known to the roster"
    if wanted and not set(wanted) & set(person.roles):
        return f"{principal} has not the role {' or '.join(wanted)} that a {kind} statement needs"
    return ""


def _shortened(
    in_force: Roster, later: Sequence[Roster], mark: str, principal: str, *, backdated: bool
) -> list[Line]:
    """The lines of a key in the roster in force, with the ends that were told later.

    With *backdated* only those that lie before the roster that told them: a compromise.
    """
    out = []
    for line in in_force.lines_of(mark, principal):
        told, last = line, line
        for roster in later:
            same = (x for x in roster.lines_of(mark, principal) if x.after == line.after)
            now = next(same, last)  # that none is dropped is told by the succession
            new = now.before is not None and now.before != last.before
            if new and (not backdated or str(now.before) < roster.signed_at):
                told = now
            last = now
        out.append(told)
    return out


def _span(after: str | None, before: str | None) -> str:
    if after is None and before is None:
        return "at all times"
    return " ".join(f"{word} {at}" for word, at in (("from", after), ("until", before)) if at)


def time_of(statement: Attestation, in_force: Roster, proven: str | None) -> Time:
    """The time by which a statement's key is judged."""
    if proven is not None:
        return Time(proven, proven=True)
    return Time(max(str(statement.predicate["signedAt"]), in_force.signed_at), proven=False)


def judge(
    statement: Attestation, rosters: Sequence[Roster], known: Sequence[Roster], proven: str | None
) -> Time | None:
    """The time of *statement*, and whether it is void by it; None without a roster.

    *rosters* are those before it in the log, *known* these and all that came later. Raises
    VerificationFailed with the reason for what its signer might not sign when it was logged; what
    fell later, by its claimed time or by the proven one, is void. A statement may
    name an earlier roster than the one in force, for its signer may not have seen the newest, but
    none that is not in the log; only the
    enrolment of a newcomer, who has seen none yet, names none.
    """
    named = statement.predicate["rosterDigest"]
    if not rosters:
        if named is not None:
            raise VerificationFailed("it names a roster that is not in the log before it")
        return None
    # somebody new proves possession of a key before they know of any roster
    new = statement.kind == "enrolment" and named is None
    if named not in {roster.name for roster in rosters} and not new:
        raise VerificationFailed(
            "it names no roster, though one is in force" if named is None
            else "it names a roster that is not in the log before it"
        )  # fmt: skip
    in_force = rosters[-1]
    time = time_of(statement, in_force, proven)
    if statement.kind == "enrolment":  # of a key that is not listed yet: it proves possession
        return time
    principal = str(statement.predicate["principal"])
    claimed = time_of(statement, in_force, None)
    kind = "emergency" if is_emergency(statement) else statement.kind
    for mark in statement.signers:
        if why := may_sign(in_force, (), principal, mark, claimed, kind):
            raise VerificationFailed(why)
    check_pins(in_force, statement)
    later = known[len(rosters) :]
    void = [
        why for at in dict.fromkeys((claimed, time)) for mark in statement.signers
        if (why := may_sign(in_force, later, principal, mark, at, kind))
    ]  # fmt: skip
    if void and statement.kind not in CAN_FALL:
        raise VerificationFailed(void[0])
    return time._replace(void=void[0]) if void else time


class Replay:
    """A walk through a log in its order, with the rosters that were met."""

    def __init__(self, known: Sequence[Roster], proven: Proven = lambda _: None) -> None:
        """*known* are all rosters of the log, which need not be verified yet."""
        self.rosters: list[Roster] = []
        self.claimed = 0
        """Statements that were judged by a time that is only claimed."""
        self.void: dict[int, str] = {}
        """Index → why the statement there counts for nothing."""
        self._known, self._proven = known, proven

    def take_roster(self, envelope: bytes, text: bytes) -> Roster:
        """The next version; VerificationFailed when it may not follow."""
        new = succeed(envelope, text, self.rosters[-1] if self.rosters else None)
        self.rosters.append(new)
        return new

    def take(self, index: int, statement: Attestation) -> Time | None:
        """Judge any other statement, which stands at *index*."""
        time = judge(statement, self.rosters, self._known, self._proven(index))
        self.claimed += time is not None and not time.proven
        if time is not None and time.void:
            self.void[index] = time.void
        return time
