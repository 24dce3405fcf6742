"""How a key comes into the log before it is on the roster, and how the roster begins.

An invitation, or a token of the company's identity provider, lets one enrolment in: a statement by
which a key proves that somebody holds it. It gives nobody access: a registrar lists the key in the
next roster. The very first invitation brings the first roster with it, signed by the key that it
enrols; from then on the server has no say in who is listed.

The invitation is used up in the transaction that logs the enrolment: both happen, or neither.
"""

from typing import NamedTuple

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from passmuster import central, roster
from passmuster.central import Result
from passmuster.errors import VerificationFailed
from passmuster.roster import Roster
from passmuster.server import _access, _blobs, _dpop, _invites, _oidc
from passmuster.server._central import Central, central_of
from passmuster.server._http import Problem, answer, log, read
from passmuster.server._sequencer import rosters
from passmuster.server._store import Tx
from passmuster.text import epoch

FOUNDERS = ("registrar", "owner", "reviewer")
"""Roles of the first invitation: whoever uses it begins the roster."""


class Invite(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST /v1/invites`."""

    principal: str
    roles: list[str] = []


class Enrolment(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST /v1/enrolments`."""

    envelope: str
    invite: str | None = None
    roster: str | None = None
    allowed_signers: str | None = None


class Wanted(NamedTuple):
    """An enrolment that somebody sent, once its key has signed it."""

    line: bytes
    leaf: str
    asked: roster.Request


async def enrol(request: Request) -> Response:
    """`POST /v1/enrolments`: by an invitation, or by a token of the identity provider."""
    sent, here = await read(request, Enrolment), central_of(request)
    wanted, now = _wanted(sent.envelope), here.clock()
    vouched = None
    if sent.invite is None:
        vouched = await run_in_threadpool(_vouched, here, _access.asked(request), wanted)
    first = await here.read(lambda tx: _first(tx, here, sent, wanted, now))
    if first is not None:
        await here.write(lambda tx: _blobs.keep(tx, first[1], now))

    def also(tx: Tx, results: list[Result]) -> None:
        for result in results:
            if result.status == "rejected":
                raise Problem(str(result.code), result.detail)
        if sent.invite is None:
            used, via = _invites.Used((), str(vouched)), "oidc"
        else:
            used = _invites.use(tx, sent.invite, wanted.asked.principal, wanted.leaf, now)
            via = "invite"
        _invites.admit(tx, _invites.Admission(
            wanted.leaf, wanted.asked.principal, wanted.asked.fingerprint, used.roles, via,
            used.made_by,
        ), now)  # fmt: skip

    lines = [wanted.line] if first is None else [wanted.line, first[0]]
    results, _ = await here.sequencer.submit(lines, invited=True, also=also)
    log("enrolment", principal=wanted.asked.principal, fingerprint=wanted.asked.fingerprint,
        leaf=wanted.leaf, issuer=vouched)  # fmt: skip
    known = await here.read(lambda tx: rosters(tx, here))
    return answer({"leaf": wanted.leaf, "index": results[0].place,
                   "roster": known[0].name if known else None}, 201)  # fmt: skip


def _wanted(envelope: str) -> Wanted:
    line = envelope.encode()
    try:
        record = central.read(line)
        asked = roster.possession(line)
    except VerificationFailed as error:
        raise Problem("bad-signature", str(error)) from None
    return Wanted(line, record.leaf.hex(), asked)


def _vouched(here: Central, said: _access.Asked, wanted: Wanted) -> str:
    """The issuer that says who they are; Problem when it says nothing, or somebody else."""
    settings, now = here.settings.oidc, epoch(here.clock())
    if settings is None:
        raise Problem("invite", "this server takes invitations only: ask a registrar for one")
    try:
        proof = _dpop.check(said.proof, said.method, said.url, now, said.token)
        provider = _oidc.Provider(**settings)
        principal = _oidc.principal(provider, said.token, proof.thumbprint, now)
    except VerificationFailed as error:
        raise _access.unauthorized(str(error)) from None
    with here.store.transaction() as tx:
        if not rosters(tx, here):
            raise Problem("forbidden", _access.NO_ROSTER)
        _access.once(tx, proof, now)
    if principal.casefold() != wanted.asked.principal.casefold():
        raise Problem(
            "forbidden", f"you logged in as {principal}, and the key is for "
            f"{wanted.asked.principal}: make one with MUSTER_ME={principal}",
        )  # fmt: skip
    return provider.issuer


# --- the first roster


def _first(
    tx: Tx, here: Central, sent: Enrolment, wanted: Wanted, now: str
) -> tuple[bytes, bytes] | None:
    """The first roster that comes with an enrolment, and its file; None where there is one.

    Whether the invitation is good is seen here, before anything is written. Nobody enrols before
    there is a roster but whoever brings it: others would not be told with which one the log begins.
    """
    if sent.invite is None:
        return None
    said = _invites.look(tx, sent.invite, wanted.asked.principal, wanted.leaf, now)
    if rosters(tx, here):
        return None
    if "registrar" not in said.roles or sent.roster is None or sent.allowed_signers is None:
        raise Problem("forbidden", _access.NO_ROSTER)
    line, text = sent.roster.encode(), sent.allowed_signers.encode()
    try:
        found = roster.succeed(line, text, None)
    except VerificationFailed as error:
        raise Problem("roster-order", str(error)) from None
    if not _is_theirs(found, wanted):
        raise Problem("roster-order", "the first roster has the key that is enrolled with it, "
                      "of a registrar")  # fmt: skip
    return line, text


def _is_theirs(found: Roster, wanted: Wanted) -> bool:
    person, mark = found.person(wanted.asked.principal), wanted.asked.fingerprint
    return (
        person is not None and "registrar" in person.roles
        and bool(found.lines_of(mark, wanted.asked.principal))
    )  # fmt: skip


# --- what registrars see


async def pending(request: Request) -> Response:
    """`GET /v1/enrolments`: who enrolled and is not on the roster yet."""
    member = await _access.who(request)
    member.needs("registrar", "auditor")
    here = central_of(request)

    def ask(tx: Tx) -> list[dict[str, object]]:
        known = rosters(tx, here)
        return _invites.pending(tx, known[-1] if known else None)

    return answer(await here.read(ask))


def invitation(
    here: Central, url: str | None, principal: str, roles: tuple[str, ...]
) -> str:  # fmt: skip
    """An invitation made on the server's machine, as one string to paste; without *url* it does
    not say where to go. Raises UsageError for what is no address, or no role.

    With `ANYBODY` and `FOUNDERS` it is the one that begins the roster.
    """
    now = here.clock()
    with here.store.transaction() as tx:
        known = rosters(tx, here)
        if principal == _invites.ANYBODY:
            made = _invites.make(tx, principal, roles, _invites.SERVER, now)
        else:
            roster.check_principal(principal)
            given = roster.given_roles(roles)
            made = _access.invite(tx, principal, given, _invites.SERVER, now)
    return str(central.Invitation(
        central.address(url) if url else None, made.token, central.pin_of(str(here.key.verifier)),
        known[0].name if known else None,
    ))  # fmt: skip
