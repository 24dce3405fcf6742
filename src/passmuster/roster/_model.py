"""One version of the roster: its people, its keys, and what no version may say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from passmuster.attestations import Attestation
from passmuster.errors import VerificationFailed
from passmuster.roster._allowed import FILE, Line, parsed
from passmuster.text import Json, plural, sha256, utc

Kind = Literal["person", "robot"]
Role = Literal["reviewer", "second", "oncall", "owner", "registrar", "auditor"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ROLES: tuple[Role, ...] = get_args(Role)
MAX_VERSION = 1_000_000
FOR: Mapping[str, tuple[Role, ...]] = {
    "enrolment": (), "chain": (), "acknowledgement": (),
    "campaign": ("owner",), "publication": ("owner",), "close": ("owner",), "pack": ("owner",),
    "decisions": ("reviewer", "oncall"), "own": ("reviewer", "oncall"), "countersign": ("second",),
    "emergency": ("oncall",), "remediation": ("oncall", "owner"), "roster": ("registrar",),
}  # fmt: skip
"""Kind of statement → the roles of which its signer needs one; none: whoever is listed.

A kind that does not stand here is refused. `emergency` is a decision outside any campaign
(`attestations.is_emergency`).
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Who may sign, or what: a robot never counts as one of several people."""

    principal: str
    kind: Kind
    roles: tuple[Role, ...]
    """In the order of `ROLES`."""
    person_uid: str | None = None
    """The human being, where the registers have a number: two principals with one are one."""

    @property
    def who(self) -> str:
        """The human being behind the principal; people are counted by this alone."""
        return (self.person_uid or self.principal).casefold()

    def as_json(self) -> Json:
        """As it stands in the statement."""
        return {"principal": self.principal, "kind": self.kind, "roles": list(self.roles),
                "person_uid": self.person_uid}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Roster:
    """A version of the roster. Only `_succession` says whether it is signed as it must be."""

    name: str
    """SHA-256 of the statement."""
    device: str
    """Of its chain: the rosters of a team are a chain of their own, whoever drafts them."""
    version: int
    previous: str | None
    threshold: int
    people: tuple[Person, ...]
    lines: tuple[Line, ...]
    pins: frozenset[str]
    """Fingerprints of hardware keys whose PIN must have been given."""
    signed_at: str
    text: bytes
    """`allowed_signers`."""

    def person(self, principal: str) -> Person | None:
        """Who is listed under exactly this principal."""
        return next((p for p in self.people if p.principal == principal), None)

    def lines_of(self, mark: str, principal: str | None = None) -> list[Line]:
        """The lines of a key, or of it under one principal."""
        return [
            line for line in self.lines
            if line.fingerprint == mark and principal in (None, line.principal)
        ]  # fmt: skip

    @property
    def keys(self) -> dict[str, str]:
        """Fingerprint → public line of every key that was ever listed."""
        return {line.fingerprint: line.public for line in self.lines}

    def registrars(self, at: str) -> set[str]:
        """The human beings who may sign the next version at *at*."""
        return {
            p.who for p in self.people
            if p.kind == "person" and "registrar" in p.roles
            and any(line.principal == p.principal and line.holds_at(at) for line in self.lines)
        }  # fmt: skip


def body(
    version: int, previous: str | None, threshold: int, people: tuple[Person, ...],
    pins: frozenset[str],
) -> Json:  # fmt: skip
    """What a roster statement says beside its subject, version 1: a contract."""
    return {
        "version": version, "previous": previous, "threshold": threshold,
        "people": [person.as_json() for person in people],
        "pinRequired": sorted(pins),
    }  # fmt: skip


def read(statement: Attestation, text: bytes) -> Roster:
    """The roster of a statement and its `allowed_signers`; VerificationFailed says what is wrong.

    Signatures are not looked at.
    """
    said = statement.predicate
    if statement.kind != "roster" or statement.subject != ((FILE, sha256(text)),):
        raise VerificationFailed(f"{FILE} is not the file that the roster is about")
    try:
        roster = _read(statement, said, text)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise VerificationFailed(f"not a roster of a form known here: {error!r}") from None
    _check(roster)
    return roster


def _read(statement: Attestation, said: Json, text: bytes) -> Roster:
    version, threshold, previous = said["version"], said["threshold"], said["previous"]
    if not _is_count(version) or not _is_count(threshold) or version > MAX_VERSION:
        raise ValueError("its version or threshold is no number from 1 up")
    place = (said["seq"], said["prev"], said["rosterDigest"])
    if place != (version, previous, previous) or (previous is None) != (version == 1):
        raise ValueError("its version and its place in the chain of rosters differ")
    if utc(said["signedAt"]) != said["signedAt"]:
        raise ValueError("its time is not of our form")
    people = tuple(map(_person, said["people"]))
    pins = said["pinRequired"]
    found = Roster(
        statement.name, said["device"], version, previous, threshold, people, parsed(text),
        frozenset(map(str, pins)), said["signedAt"], text,
    )  # fmt: skip
    again = body(version, previous, threshold, people, found.pins)
    if {key: said[key] for key in again} != again:
        raise ValueError("it is not written in the one way")
    return found


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _person(given: Json) -> Person:
    if given.keys() != {"principal", "kind", "roles", "person_uid"}:
        raise ValueError("a person has other fields")
    unknown = set(given["roles"]) - set(ROLES)
    if given["kind"] not in KINDS or unknown:
        raise ValueError(f"a kind or role that is not known: {given['kind']!r}, {sorted(unknown)}")
    uid = given["person_uid"]
    if uid is not None and (not isinstance(uid, str) or not uid.strip() or not uid.isascii()):
        raise ValueError("a person_uid that is empty or has other than ASCII characters")
    roles = tuple(role for role in ROLES if role in given["roles"])
    return Person(given["principal"], given["kind"], roles, uid)


def _check(roster: Roster) -> None:
    """What no version may say, whoever signed it."""
    people = {p.principal: p for p in roster.people}
    if len({p.casefold() for p in people}) != len(roster.people):
        raise VerificationFailed("the roster lists a person twice")
    if list(people) != sorted(people):
        raise VerificationFailed("the roster's people are not in order")
    if len({(x.principal, x.public, x.after) for x in roster.lines}) != len(roster.lines):
        raise VerificationFailed(f"{FILE} has a line twice")
    holders = _holders(roster, people)
    for person in roster.people:
        _check_person(roster, person)
    if foreign := roster.pins - holders.keys():
        raise VerificationFailed(f"the roster wants a PIN of {min(foreign)}, which is not listed")
    if (there := len(roster.registrars(roster.signed_at))) < roster.threshold:
        raise VerificationFailed(
            f"the roster needs {plural(roster.threshold, 'registrar')} and has {there} with a valid"
            " key: "
            "the next version could not be signed"
        )


def _holders(roster: Roster, people: Mapping[str, Person]) -> dict[str, tuple[str, str]]:
    """Fingerprint → the one human being, or robot, that it speaks for."""
    holders: dict[str, tuple[str, str]] = {}
    for line in roster.lines:
        if line.principal not in people:
            raise VerificationFailed(f"{FILE} has a key of {line.principal}, who is not listed")
        who = people[line.principal].who, people[line.principal].kind
        if holders.setdefault(line.fingerprint, who) != who:
            raise VerificationFailed(
                f"the roster lists {line.fingerprint} for two people: a key speaks for one"
            )
    return holders


def _check_person(roster: Roster, person: Person) -> None:
    if not any(line.principal == person.principal for line in roster.lines):
        raise VerificationFailed(f"the roster has no key of {person.principal}")
    if person.kind == "robot" and {"registrar", "second"} & set(person.roles):
        raise VerificationFailed(
            f"{person.principal} is a robot: no registrar and no second person"
        )
