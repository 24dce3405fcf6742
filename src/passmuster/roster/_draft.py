"""The next version while it is being made: one draft in a workspace, a file that can be carried.

`roster.draft.json` holds the statement and its `allowed_signers`; each change makes the statement
anew and drops the signatures that were on it. A file for another registrar is the same, one line
for each version: those in force, then the draft, so that it can be judged by whoever has nothing.
"""

import base64
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from passmuster import attestations
from passmuster.attestations import Attestation, Link
from passmuster.errors import NotFound, UsageError, VerificationFailed
from passmuster.keys import SigningKey
from passmuster.roster import _history
from passmuster.roster._allowed import FILE, Line, check_principal, written
from passmuster.roster._model import Person, Role, Roster, body, read
from passmuster.roster._succession import missing, signed_by, succeed, verified
from passmuster.store import Database
from passmuster.text import canonical, sha256, strict_json

DRAFT = "roster.draft.json"
MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Draft:
    """A version that is not in force yet."""

    roster: Roster
    statement: Attestation
    """Signed by nobody, by some, or by all who must."""
    envelope: bytes | None
    """None while nobody has signed it."""

    @property
    def line(self) -> bytes:
        """As it stands in a file."""
        return carried(self.envelope or _unsigned(self.statement.payload), self.roster.text)


def carried(envelope: bytes, text: bytes) -> bytes:
    """One version in a file, as one line."""
    both = {"allowedSigners": text.decode(), "envelope": strict_json(envelope)}
    return canonical(both) + b"\n"


def opened(data: bytes) -> list[tuple[bytes, bytes]]:
    """(envelope, `allowed_signers`) of every line of a file; VerificationFailed if it is none."""
    found = []
    for line in data.splitlines():
        try:
            both = strict_json(line)
            if both.keys() != {"allowedSigners", "envelope"}:
                raise ValueError("other fields")
            found.append((canonical(both["envelope"]), str(both["allowedSigners"]).encode()))
        except (ValueError, AttributeError, RecursionError):
            raise VerificationFailed(
                "not a roster file, or a damaged one: muster roster export writes them"
            ) from None
    if not found:
        raise VerificationFailed("not a roster file: it is empty")
    return found


def _unsigned(payload: bytes) -> bytes:
    return canonical({"payload": base64.b64encode(payload).decode(),
                      "payloadType": attestations.PAYLOAD_TYPE, "signatures": []})  # fmt: skip


def as_draft(envelope: bytes, text: bytes) -> Draft:
    """A version that may lack signatures. They are not verified here."""
    payload = _payload_of_unsigned(envelope)
    if payload is None:
        statement = attestations.unchecked(envelope)
        return Draft(read(statement, text), statement, envelope)
    statement = attestations.unsigned(payload)
    return Draft(read(statement, text), statement, None)


def _payload_of_unsigned(envelope: bytes) -> bytes | None:
    outer = strict_json(envelope)
    if not isinstance(outer, dict) or outer.get("signatures") != []:
        return None
    try:
        payload = base64.b64decode(str(outer.get("payload")), validate=True)
    except ValueError:
        raise VerificationFailed("not a roster file: base64 that does not decode") from None
    if _unsigned(payload) != envelope:
        raise VerificationFailed("not a roster file: its draft has another form")
    return payload


def draft(db: Database) -> Draft | None:
    """The draft of this workspace, None when there is none."""
    try:
        data = _path(db).read_bytes()
    except FileNotFoundError:
        return None
    try:
        ((envelope, text),) = opened(data)
        return as_draft(envelope, text)
    except (VerificationFailed, ValueError) as error:
        raise VerificationFailed(f"{DRAFT}: {error}: `muster roster drop` throws it away") from None


def keep(db: Database, made: Draft) -> None:
    """Keep a draft in place of the one that is there, whole or not at all."""
    path = _path(db)
    beside = path.with_name(f".{DRAFT}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(made.line)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)


def drop(db: Database) -> None:
    """Throw the draft away; NotFound when there is none."""
    try:
        _path(db).unlink()
    except FileNotFoundError:
        raise NotFound("there is no draft of a roster here") from None


def _path(db: Database) -> Path:
    return db.path.parent / DRAFT


# --- making one


def first(db: Database, me: Person, line: Line, now: str, device: str) -> Draft:
    """Draft version 1, with one registrar; *device* names the chain of these rosters."""
    if _history.current(db) is not None:
        raise UsageError("there is a roster already: `muster roster show`")
    check_principal(me.principal)
    return _made(None, device, (me,), (line,), 1, frozenset(), me.principal, now)


def change(
    db: Database, by: str, now: str, *, people: Iterable[Person] | None = None,
    lines: Sequence[Line] | None = None, threshold: int | None = None,
    pins: Iterable[str] | None = None,
) -> Draft:  # fmt: skip
    """The draft of this workspace, or one that follows the roster in force, with a change.

    What is not given stays. *by* drafts it; signatures on the draft that was there are dropped,
    since they were for other bytes.
    """
    before, base = _history.current(db), base_of(db)
    return _made(
        before, base.device,
        tuple(sorted(base.people if people is None else people, key=lambda p: p.principal)),
        base.lines if lines is None else tuple(lines),
        base.threshold if threshold is None else threshold,
        base.pins if pins is None else frozenset(pins), by, now,
    )  # fmt: skip


def base_of(db: Database) -> Roster:
    """What a change is made to: the draft, else the roster in force."""
    before, there = _history.current(db), draft(db)
    if there is not None and there.roster.previous != (before.name if before else None):
        raise UsageError(
            f"the draft follows another version than the one in force: `muster roster drop`, then "
            f"change version {before.version if before else 0} again"
        )
    base = there.roster if there else before
    if base is None:
        raise NotFound("there is no roster: make one with `muster roster init`")
    return base


def _made(
    before: Roster | None, device: str, people: tuple[Person, ...], lines: tuple[Line, ...],
    threshold: int, pins: frozenset[str], by: str, now: str,
) -> Draft:  # fmt: skip
    text = written(lines)
    version, previous = (before.version + 1, before.name) if before else (1, None)
    link = Link(device, version, previous, before.name if before else None)
    payload = attestations.statement(
        "roster", {FILE: sha256(text)}, body(version, previous, threshold, people, pins), link,
        now, by,
    )  # fmt: skip
    statement = attestations.unsigned(payload)
    return Draft(read(statement, text), statement, None)


def with_person(roster: Roster, person: Person) -> tuple[Person, ...]:
    """The people of *roster* with this one in place of whoever had the principal."""
    rest = [p for p in roster.people if p.principal.casefold() != person.principal.casefold()]
    return (*rest, person)


def ended(roster: Roster, which: str, at: str) -> tuple[Line, ...]:
    """The lines of *roster*, those of a principal or a fingerprint ended at *at*.

    A line that ends earlier stays as it is. UsageError when none is left to end.
    """

    def meant(line: Line) -> bool:
        return which in (line.principal, line.fingerprint)

    if not any(map(meant, roster.lines)):
        raise NotFound(f"nobody and no key on the roster is called {which}")
    out = tuple(
        replace(line, before=at)
        if meant(line) and (line.before is None or line.before > at) else line
        for line in roster.lines
    )  # fmt: skip
    if out == roster.lines:
        raise UsageError(f"{which} has ended already, at the same time or earlier")
    if late := [x for x in out if meant(x) and x.after is not None and x.after >= at]:
        raise UsageError(
            f"{late[0].fingerprint} is valid from {late[0].after} on: it can only end later"
        )
    return out


def signed(db: Database, made: Draft, key: SigningKey) -> Draft:
    """The draft with one more signature; UsageError when it would count for nothing."""
    envelope = attestations.sign(made.statement.payload, key)
    alone = attestations.unchecked(envelope)
    before = _history.current(db)
    if not any(signed_by(alone, r, made.roster.signed_at) for r in (before, made.roster) if r):
        raise UsageError(
            f"{key.fingerprint} of {key.principal} is not the key of a registrar, on the roster "
            "in force or on this one: the signature would count for nothing"
        )
    if made.envelope is not None:
        envelope = attestations.join([made.envelope, envelope])
    return as_draft(envelope, made.roster.text)


def joined(mine: Draft, other: Draft) -> Draft:
    """Two copies of one draft, with the signatures of both."""
    both = [d.envelope for d in (mine, other) if d.envelope is not None]
    return as_draft(attestations.join(both), mine.roster.text) if both else mine


def lacking(db: Database, made: Draft) -> str:
    """Whose signatures a draft lacks, in words; empty when it has all."""
    return missing(made.statement, made.roster, _history.current(db))


def ready(db: Database) -> Draft | None:
    """The draft, when it has every signature and follows the roster in force: where there is a
    central log it waits to be sent there. What is wrong with one is told where it is shown.
    """
    try:
        made = draft(db)
        if made is None or made.envelope is None:
            return None
        succeed(made.envelope, made.roster.text, _history.current(db))
    except VerificationFailed:
        return None
    return made


def check_signatures(made: Draft, before: Roster | None) -> None:
    """Raise VerificationFailed unless every signature that a draft has so far holds."""
    if made.envelope is not None:
        verified(made.envelope, made.roster, before)


def given_roles(names: Sequence[str]) -> tuple[Role, ...]:
    """Roles as they are written on the command line, in their order."""
    from passmuster.roster._model import ROLES
    from passmuster.text import nearest

    for name in names:
        if name not in ROLES:
            raise UsageError(f"no role {name!r}{nearest(name, ROLES)}")
    return tuple(role for role in ROLES if role in names)
