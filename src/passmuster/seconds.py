"""The two-person rule: which items need a second person, and who that may be. Pure.

A campaign freezes its policy when it is opened; everything here follows from that policy and the
frozen dossier alone, so that laptop, server and auditor come to the same. Only ASCII letters are
folded, as `ascii_downcase` of jq does it: addresses of another form are refused when the policy
is made, and no other name can then be taken for one of them.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from passmuster.errors import UsageError
from passmuster.text import Json, nearest

PRIVILEGED, EVERY, RISK = "privileged", "all", "risk:"
WORDS = (PRIVILEGED, EVERY, f"{RISK}70")
"""What `when` may be; the number is a risk from 1 to 100."""
CALLED = {"approve": "the approval", "revoke": "the revocation", "disable": "the switching off",
          "abstain": "the abstention"}  # fmt: skip
"""What a decision is called when somebody concurs with it or objects to it."""
_ADDRESS = re.compile(r"[!-+\--.0-\[\]-~]+@[!-+\--.0-\[\]-~]+")
"""Printable ASCII without space, comma, slash and backslash: it stands in tables between tabs."""
_ITSELF = ("uid", "uid_alt", "external_id", "display_name")


class Signer(NamedTuple):
    """Who signed something: whom the key speaks for, and the key."""

    principal: str
    fingerprint: str = ""
    """Empty where it is not known yet: a draft has no key."""
    person: str = ""
    """Who it is by the roster, where there is one (`roster.Person`); empty where nobody says so."""
    is_robot: bool = False
    """The roster says that it is no person."""


class Known(NamedTuple):
    """What the registers said of a person when the campaign was opened."""

    uids: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    """Teams that the person is in charge of."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The two-person rule of one campaign."""

    when: str
    by: tuple[str, ...]
    """Addresses in lower case of those who may countersign."""
    persons: Mapping[str, Known] = field(default_factory=dict)

    def as_json(self) -> Json:
        """As it stands in the definition and in the campaign statement."""
        return {
            "when": self.when, "by": list(self.by),
            "persons": {
                email: {"uids": list(known.uids), "teams": list(known.teams)}
                for email, known in self.persons.items()
            },
        }  # fmt: skip


def parse(value: Json | None) -> Policy | None:
    """The policy of a signed document; ValueError when it has any other form than `as_json`."""
    if value is None:
        return None
    if value.keys() != {"when", "by", "persons"} or value["persons"].keys() != set(value["by"]):
        raise ValueError("a two-person rule of another form")
    try:
        check_when(value["when"])
        by = tuple(map(address, value["by"]))
    except UsageError as error:
        raise ValueError(str(error)) from None
    persons = {}
    for email, known in value["persons"].items():
        if known.keys() != {"uids", "teams"}:
            raise ValueError("a two-person rule of another form")
        persons[email] = Known(tuple(known["uids"]), tuple(known["teams"]))
    found = Policy(value["when"], by, persons)
    if found.as_json() != value or not by or len(set(by)) != len(by):
        raise ValueError("a two-person rule of another form")
    return found


def check_when(when: str) -> None:
    """Raise UsageError unless *when* says which items need a second person."""
    number = when.removeprefix(RISK)
    risk = when.startswith(RISK) and re.fullmatch(r"[1-9][0-9]?|100", number)
    if not risk and when not in (PRIVILEGED, EVERY):
        raise UsageError(
            f"--second-when takes privileged, all or risk:70, not {when!r}{nearest(when, WORDS)}"
        )


def address(typed: str) -> str:
    """An e-mail address in lower case; UsageError for what could be taken for another one."""
    if not _ADDRESS.fullmatch(typed.strip()):
        raise UsageError(f"--second takes e-mail addresses, not {typed!r}")
    return typed.strip().lower()


def needs(policy: Policy, dossier: Json) -> bool:
    """Whether an approval of this item needs a second person."""
    if policy.when == EVERY:
        return True
    if policy.when == PRIVILEGED:
        return bool(dossier["identity"]["is_privileged"] != 0)  # null too: not known to be none
    return bool(dossier["risk"] >= int(policy.when.removeprefix(RISK)))


def may(policy: Policy, dossier: Json) -> tuple[str, ...]:
    """Who of those named may countersign it, whoever decides it: not an owner, not the account's
    own person.

    An owner is anybody in the dossier's list, in whatever role; of a team it is the person in
    charge. `counts` takes the one out who decided.
    """
    owners, identity = dossier["owners"], dossier["identity"]
    names = {_folded(o["handle"]) for o in owners}
    names |= {_folded(identity[n]) for n in _ITSELF if identity[n]}
    uids = {o["person_uid"] for o in owners if o["person_uid"] is not None}
    teams = {o["team"] for o in owners if o["team"] is not None}
    return tuple(
        email for email in policy.by
        if email not in names
        and not uids & set(policy.persons[email].uids)
        and not teams & set(policy.persons[email].teams)
    )  # fmt: skip


def _folded(name: str) -> str:
    return name.lower() if name.isascii() else name


def same_person(one: Signer, other: Signer) -> bool:
    """Whether two signers are one person: by address in whatever case, by key, or by the roster.

    The one place that says so. Two addresses of one person with a key each are told to be one by
    nothing but a roster's `person_uid`, which `roster.signer` gives a `Signer`.
    """
    if one.fingerprint and one.fingerprint == other.fingerprint:
        return True
    if one.person and one.person == other.person:
        return True
    return one.principal.lower() == other.principal.lower()


def counts(second: Signer, decider: Signer, allowed: Collection[str]) -> bool:
    """Whether a countersignature by *second* on a row of *decider* counts; *allowed* is `may`.

    Two persons are asked for and a robot is none, whichever of the two it is.
    """
    if second.is_robot or decider.is_robot:
        return False
    return second.principal.lower() in allowed and not same_person(second, decider)
