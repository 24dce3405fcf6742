"""Who asks: a person with a session, by their roles on the roster that is in force now.

A session is begun by one signature of a listed key, which names a short-lived key; the answer is a
token of ten minutes that this short-lived key alone can use. Each request carries a proof of its
own, good once on all replicas together. Whoever is listed no more has no access from the next
request on, whatever their token says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from passmuster import central, roster
from passmuster.central import LIMITS, PROBLEMS
from passmuster.errors import UsageError, VerificationFailed
from passmuster.roster import Roster, Time
from passmuster.server import _dpop, _invites
from passmuster.server._central import Central, central_of
from passmuster.server._http import Problem, answer, body, log, read
from passmuster.server._store import Tx
from passmuster.text import epoch

ANY_KIND = "acknowledgement"
"""Of the roster's kinds of statement one that everybody may sign whose key is good now."""
NO_ROSTER = ("there is no roster in the log yet: the first person enrols with the invitation that "
             "the server printed at its start")  # fmt: skip
MAX_NONCE = 128
WRITERS = ("reviewer", "second", "oncall", "owner", "registrar")
"""Roles whose statements name bytes; an auditor's do not, and so they send none."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a session."""

    principal: str
    roles: tuple[str, ...]

    def needs(self, *roles: str) -> None:
        """Raise Problem `forbidden` unless they have one of *roles*."""
        if not set(roles) & set(self.roles):
            raise Problem("forbidden", f"that is for a {' or '.join(roles)}; you are "
                          f"{', '.join(self.roles) or 'none of all'} on the roster")  # fmt: skip


class Asked(NamedTuple):
    """What a request says of whoever sends it."""

    token: str
    proof: str
    method: str
    url: str


def asked(request: Request) -> Asked:
    """The token and the proof of a request; Problem `unauthorized` without."""
    tokens, proofs = (request.headers.getlist(n) for n in ("authorization", "dpop"))
    if len(tokens) != 1 or len(proofs) != 1:  # RFC 9449 §4.3: not more than one
        raise unauthorized(PROBLEMS["unauthorized"])
    kind, _, token = tokens[0].partition(" ")
    if kind.lower() != "dpop" or not token:
        raise unauthorized("a token is sent as `Authorization: DPoP …`, with its proof")
    return Asked(token, proofs[0], request.method, address_of(request))


def address_of(request: Request) -> str:
    """The address that a client has called, as far as that can be known here."""
    told = central_of(request).settings.url
    return f"{told}{request.url.path}" if told else str(request.url)


def unauthorized(why: str) -> Problem:
    """An answer that says how to ask (RFC 9449 §7.1)."""
    return Problem("unauthorized", why, WWW_Authenticate='DPoP algs="EdDSA"')


async def who(request: Request) -> Member:
    """Who asks. Raises Problem `unauthorized`."""
    member = await run_in_threadpool(_member, central_of(request), asked(request))
    request.state.principal = member.principal
    return member


def _member(here: Central, said: Asked) -> Member:
    from passmuster.server._sequencer import rosters

    now = here.clock()
    try:
        token = _dpop.opened(here.key.private.public_key(), here.key.origin, said.token, epoch(now))
        proof = _dpop.check(said.proof, said.method, said.url, epoch(now), said.token)
    except VerificationFailed as error:
        raise unauthorized(str(error)) from None
    if proof.thumbprint != token.thumbprint:
        raise unauthorized("the proof was made with another key than the token is for")
    with here.store.transaction() as tx:
        known = rosters(tx, here)
        if not known:
            raise unauthorized(NO_ROSTER)
        member = _listed(known[-1], token.principal, token.fingerprint, now)
        once(tx, proof, epoch(now))
    return member


def once(tx: Tx, proof: _dpop.Proof, now: int) -> None:
    """Take a proof; Problem `unauthorized` when it was taken before, on any replica."""
    if not _invites.spend(tx, f"proof {proof.name}", proof.until, now):
        raise unauthorized("this proof was used before: each request needs one of its own")


def _listed(in_force: Roster, principal: str, mark: str, now: str) -> Member:
    """Somebody whose key is good now by the roster in force."""
    time = Time(now, proven=True)
    if why := roster.may_sign(in_force, (), principal, mark, time, ANY_KIND):
        raise unauthorized(f"{why}: a registrar has to list your key; tell them its fingerprint")
    person = in_force.person(principal)
    assert person is not None
    return Member(principal, tuple(person.roles))


# --- routes


async def new_session(request: Request) -> Response:
    """`POST /v1/sessions`: a token for whoever holds a listed key."""
    here, said = central_of(request), await body(request)
    token = await run_in_threadpool(_new_session, here, said)
    return answer({"access_token": token, "token_type": "DPoP", "expires_in": LIMITS.session_s})


def _new_session(here: Central, said: bytes) -> str:
    from passmuster.server._sequencer import rosters

    now = here.clock()
    with here.store.transaction() as tx:
        known = rosters(tx, here)
        if not known:
            raise unauthorized(NO_ROSTER)
        try:
            found = central.check(
                said, known[-1].keys, here.key.origin, now, known[-1].pins
            )  # fmt: skip
        except VerificationFailed as error:
            listed = " on the roster: a registrar has to admit you; tell them this fingerprint"
            raise unauthorized(str(error).replace(" a listed key", listed)) from None
        _listed(known[-1], found.principal, found.fingerprint, now)
        until = epoch(now) + 2 * LIMITS.skew_s + 1
        if not 16 <= len(found.nonce) <= MAX_NONCE or not _invites.spend(
            tx, f"session {found.fingerprint} {found.nonce}", until, epoch(now)
        ):
            raise unauthorized("this request for a session was sent before: make a new one")
    log("session", principal=found.principal, fingerprint=found.fingerprint)
    token = _dpop.Token(found.principal, found.fingerprint, found.thumbprint)
    return _dpop.issue(here.key.private, here.key.origin, token, epoch(now), found.nonce)


async def new_invite(request: Request) -> Response:
    """`POST /v1/invites`: a registrar lets somebody enrol."""
    from passmuster.server._enrolling import Invite

    member = await who(request)
    member.needs("registrar")
    wanted = await read(request, Invite)
    here = central_of(request)
    made = await here.write(
        lambda tx: invite(tx, wanted.principal, wanted.roles, member.principal, here.clock())
    )
    return answer({"token": made.token, "expires_at": made.ends_at}, 201)


def invite(tx: Tx, principal: str, roles: Sequence[str], by: str, now: str) -> _invites.Made:
    """An invitation, for one e-mail address; Problem `bad-request` for what is no such thing."""
    try:
        roster.check_principal(principal)
        given = roster.given_roles(roles)
    except UsageError as error:
        raise Problem("bad-request", str(error)) from None
    made = _invites.make(tx, principal, given, by, now)
    log("invite", principal=principal, roles=list(given), by=by, until=made.ends_at)
    return made


def routes() -> list[BaseRoute]:
    """The routes of sessions, invitations and enrolments."""
    from passmuster.server import _enrolling

    return [
        Route("/v1/sessions", new_session, methods=["POST"]),
        Route("/v1/invites", new_invite, methods=["POST"]),
        Route("/v1/enrolments", _enrolling.enrol, methods=["POST"]),
        Route("/v1/enrolments", _enrolling.pending, methods=["GET"]),
    ]
