"""How this workspace comes to a central log, and how a registrar lets others in.

The log's key is compared with a pin that came another way than from the server (in an invitation,
or read to the person) before anything is sent; it is kept only once the server has taken the
enrolment. The digest of the first roster is kept beside it: who may sign in this log is said by
the registrars from there on, never by the server.
"""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from passmuster import central, keys, merkle, note, roster, store, tlog
from passmuster.central import Invitation
from passmuster.errors import (
    Conflict,
    KeyUnavailable,
    Unreachable,
    VerificationFailed,
)
from passmuster.keys import SigningKey
from passmuster.store import Database
from passmuster.sync._device import Provider
from passmuster.text import Json
from passmuster.transport import Caller

FIRST_ROSTER = "sync.first_roster"
"""Key in the workspace's own facts: the digest of the roster that the log must begin with."""
OCTETS = "application/octet-stream"
FOUNDS = ("registrar", "owner", "reviewer")
"""What whoever enrols first may do."""


class About(NamedTuple):
    """What a server says of itself before anybody trusts it."""

    origin: str
    key: str
    """Verifier key of its log."""
    oidc: Provider | None

    @property
    def pin(self) -> str:
        """To be compared by another way than this network."""
        return central.pin_of(self.key)


class Enrolled(NamedTuple):
    """What became of it."""

    principal: str
    fingerprint: str
    place: int
    """Of the enrolment in the central log."""
    roster: str
    """Digest of the first roster of the log."""
    founded: bool
    """Whether that roster came with this enrolment."""
    is_listed: bool
    """Whether the key may sign already, as far as is known here."""


class Waiting(NamedTuple):
    """Somebody who enrolled and is not on the roster yet."""

    leaf: str
    principal: str
    fingerprint: str
    roles: tuple[str, ...]
    """Advice of whoever invited them."""
    by: str
    """Who invited them, or which identity provider vouched for their address."""
    at: str


def about(caller: Caller) -> About:
    """What the server says of itself. Raises Unreachable when that has another form."""
    said = caller.call("GET", "/v1/about").json()
    try:
        key = note.parse_key(str(said["key"]))
        if key.name != said["origin"] or key.kind != note.ED25519:
            raise VerificationFailed("its key is of another log")
        oidc = None if said["oidc"] is None else Provider(**said["oidc"])
        return About(key.name, str(key), oidc)
    except (KeyError, TypeError, AttributeError, VerificationFailed) as error:
        raise Unreachable(f"the server does not say what its log is: {error}") from None


def check_pin(found: About, pin: str, url: str) -> None:
    """Raise VerificationFailed when a server is another than the one that a person was told of."""
    if pin.strip() != found.pin:
        raise VerificationFailed(
            f"{url} has the key {found.pin}, not {pin.strip()[:60]}: it is another server than the "
            "one you were invited to, or somebody is between; nothing was sent: ask the registrar"
        )


def enrol(
    db: Database, caller: Caller, found: About, me: str, now: str, *,
    key: Callable[[], SigningKey], by: Invitation | None = None,
) -> Enrolled:  # fmt: skip
    """Enrol my key in the log that *found* names, by an invitation or by the token that *caller*
    proves, and pin the log. Doing it again with the same invitation changes nothing.

    *key* is asked for when a first roster has to be signed. Raises Declined with the reason.
    """
    row = keys.signs_for(db, me)
    if row is None:
        raise KeyUnavailable(f"no key of {me} to enrol: make one with `muster key new`")
    held = tlog.central(db)
    if held is not None and (held.origin, str(held.key)) != (found.origin, found.key):
        raise VerificationFailed(
            f"this workspace belongs to the log {held.origin} already: use another workspace for "
            f"this one (--workspace DIR)"
        )
    line = tlog.enrolment(db, row["fingerprint"])
    body: Json = {"envelope": line.decode()}
    own = None
    if by is not None:
        body["invite"] = by.token
        own = _own_roster(db, key, now) if by.roster is None else None
        if own is not None:
            assert own.envelope is not None
            body |= {"roster": own.envelope.decode(), "allowed_signers": own.roster.text.decode()}
    said = _answer(caller.call("POST", "/v1/enrolments", json.dumps(body).encode()).json(), line)
    first = _first_roster(db, said["roster"], by)
    with db.atomic():
        tlog.pin(db, caller.base, found.origin, found.key, now)
        store.remember(db, FIRST_ROSTER, first)
        founded = own is not None and own.roster.name == first
        if founded and own is not None and roster.current(db) is None:
            tlog.append_roster(db, own, now)
    if founded and roster.draft(db) is not None:
        roster.drop(db)
    in_force = roster.current(db)
    listed = in_force is not None and bool(in_force.lines_of(row["fingerprint"], row["principal"]))
    return Enrolled(row["principal"], row["fingerprint"], said["index"], first, founded, listed)


def _answer(said: Json, line: bytes) -> Json:
    """The answer, once it is about the enrolment that was sent."""
    try:
        fits = said["leaf"] == merkle.leaf_hash(line).hex() and type(said["index"]) is int
        if not fits or not isinstance(said["roster"], str):
            raise TypeError
    except (KeyError, TypeError):
        raise Unreachable("the server's answer is not about this enrolment") from None
    return said


def _first_roster(db: Database, said: str, by: Invitation | None) -> str:
    """The digest that the log's first roster must have; VerificationFailed when it has another."""
    told = by.roster if by is not None else None
    if told not in (None, said):
        raise VerificationFailed(
            f"the server's log begins with the roster {said}, and your invitation names {told}: do "
            "not use this server, and tell the registrar who invited you"
        )
    here = next((version.name for version in roster.history(db)), None)
    if here not in (None, said):
        raise VerificationFailed(
            f"the server's log begins with the roster {said}, and this workspace with {here}: use "
            "another workspace for it (--workspace DIR)"
        )
    return said


def trusted_roster(db: Database) -> str | None:
    """The digest of the roster with which the central log must begin; None where none is known."""
    found = db.value("SELECT value FROM workspace WHERE key = ?", (FIRST_ROSTER,))
    return None if found is None else str(found)


def _own_roster(db: Database, key: Callable[[], SigningKey], now: str) -> roster.Draft | None:
    """The first roster of this workspace, signed; a new one, with me alone, where there is none.

    It is kept as the draft until the server has answered, so that trying again sends the same.
    """
    import secrets

    if there := next(iter(roster.envelopes(db)), None):
        return roster.as_draft(*there)
    made = roster.draft(db)
    if made is None:
        mine = key()
        me = roster.Person(mine.principal, "person", roster.given_roles(FOUNDS))
        line = roster.Line(mine.principal, " ".join(mine.public.split()[:2]), now)
        made = roster.signed(
            db, roster.first(db, me, line, now, secrets.token_hex(16)), mine
        )  # fmt: skip
        roster.keep(db, made)
    if made.roster.version != 1 or made.envelope is None or roster.lacking(db, made):
        raise Conflict(
            "there is a draft of a roster here that is not signed: `muster roster sign`, or "
            "`muster roster drop`, then try again"
        )
    return made


# --- what a registrar does


def invite(db: Database, caller: Caller, principal: str, roles: Sequence[str]) -> tuple[str, str]:
    """(invitation as one string, when it ends) for *principal*; *roles* are what they ask for."""
    pinned = tlog.pinned(db)
    body = json.dumps({"principal": principal, "roles": list(roles)}).encode()
    said = caller.call("POST", "/v1/invites", body).json()
    first = trusted_roster(db) or next((r.name for r in roster.history(db)), None)
    try:
        made = Invitation(
            pinned.url, str(said["token"]), central.pin_of(str(pinned.key)), first
        )  # fmt: skip
        return str(made), str(said["expires_at"])
    except (KeyError, TypeError):
        raise Unreachable("the server's answer is no invitation") from None


def waiting(caller: Caller) -> list[Waiting]:
    """Who enrolled and is not on the roster yet, the first one first."""
    try:
        return [
            Waiting(str(row["leaf"]), str(row["principal"]), str(row["fingerprint"]),
                    tuple(map(str, row["roles"])), str(row["invited_by"] or row["issuer"]),
                    str(row["at"]))
            for row in caller.call("GET", "/v1/enrolments").json()
        ]  # fmt: skip
    except (KeyError, TypeError):
        raise Unreachable("the server's list of enrolments has another form") from None


def asked(caller: Caller, who: Waiting) -> roster.Request:
    """The enrolment of somebody who waits, checked here: the key holds, and is the one named."""
    line = caller.call("GET", f"/v1/records/{who.leaf}").body
    if merkle.leaf_hash(line).hex() != who.leaf:
        raise VerificationFailed(f"the server gives another enrolment than {who.leaf}")
    found = roster.possession(line)
    if (found.principal, found.fingerprint) != (who.principal, who.fingerprint):
        raise VerificationFailed(
            f"the server says that {who.principal} enrolled {who.fingerprint}, and the enrolment "
            f"is of {found.principal} with {found.fingerprint}: tell your auditor"
        )
    return found


def list_them(
    db: Database, them: Sequence[tuple[roster.Request, roster.Person]], by: str, now: str
) -> roster.Draft:  # fmt: skip
    """Draft the next version of the roster with these people and their keys, and keep the draft."""
    base = roster.base_of(db)
    people, lines = list(base.people), list(base.lines)
    for found, person in them:
        people = [p for p in people if p.principal.casefold() != person.principal.casefold()]
        people.append(person)
        if not base.lines_of(found.fingerprint, found.principal):
            lines.append(roster.Line(found.principal, found.public, now))
    made = roster.change(db, by, now, people=people, lines=lines)
    roster.keep(db, made)
    return made
