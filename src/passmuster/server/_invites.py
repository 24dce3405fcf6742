"""Invitations, the enrolments that they let in, and everything else that is good once.

Of an invitation the server keeps a hash. Using one is a single UPDATE that finds it unused, in the
database that all replicas share; it is then bound to the leaf of the enrolment that used it, so
that whoever did not get the answer may send the very same enrolment again, and nobody another.
Rows are never deleted: they say who invited whom, and when which enrolment came of it.
"""

import hashlib
import secrets
from typing import NamedTuple

from passmuster.central import LIMITS
from passmuster.roster import Roster
from passmuster.server._http import Problem
from passmuster.server._store import Tx
from passmuster.text import Json, epoch, from_epoch

ANYBODY = ""
"""For whom the first invitation is: whoever holds it."""
SERVER = "the server's machine"
"""Who made an invitation that no registrar made."""


class Made(NamedTuple):
    """A new invitation; its token is told once and not kept."""

    token: str
    ends_at: str


class Used(NamedTuple):
    """What an invitation that was used says."""

    roles: tuple[str, ...]
    made_by: str


def make(tx: Tx, principal: str, roles: tuple[str, ...], by: str, now: str) -> Made:
    """Make an invitation for *principal*; *roles* are advice to whoever admits them."""
    made = Made(secrets.token_urlsafe(24), from_epoch(epoch(now) + LIMITS.invite_s))
    tx.execute(
        "INSERT INTO invite (hash, principal, roles, made_by, made_at, ends_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (_hash(made.token), principal.casefold(), " ".join(roles), by, now, made.ends_at),
    )
    return made


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def look(tx: Tx, token: str, principal: str, leaf: str, now: str) -> Used:
    """What an invitation says, if the enrolment *leaf* of *principal* may use it, or has used it.

    Raises Problem when it is unknown, for somebody else, ended, or used for another enrolment.
    """
    found = tx.one(
        "SELECT principal, roles, made_by, ends_at, used_at, leaf FROM invite WHERE hash = ?",
        (_hash(token),),
    )
    if found is None:
        raise Problem("invite", "this invitation is not known here: ask for a new one")
    whom, roles, made_by, ends_at, used_at, used_by = found
    if whom not in (ANYBODY, principal.casefold()):
        raise Problem("invite", f"this invitation is for {whom}, not for {principal}")
    if used_by == leaf:
        return Used(tuple(roles.split()), made_by)
    if used_by is not None:
        raise Problem("invite", f"this invitation was used at {used_at}: ask for a new one; if "
                      "that was not you, tell a registrar")  # fmt: skip
    if ends_at <= now:
        raise Problem("invite", f"this invitation ended at {ends_at}: ask for a new one")
    return Used(tuple(roles.split()), made_by)


def use(tx: Tx, token: str, principal: str, leaf: str, now: str) -> Used:
    """`look`, and from now on no other enrolment may use it."""
    used = look(tx, token, principal, leaf, now)
    if not tx.change(
        "UPDATE invite SET used_at = coalesce(used_at, ?), leaf = ? WHERE hash = ?"
        " AND (leaf IS NULL OR leaf = ?)",
        (now, leaf, _hash(token), leaf),
    ):
        raise Problem("invite", "this invitation was used just now: ask for a new one")
    return used


def invites(tx: Tx) -> list[Json]:
    """Every invitation that was ever made, the newest first: for the audit, without its hash."""
    names = "principal", "roles", "made_by", "made_at", "ends_at", "used_at", "leaf"
    rows = tx.execute(f"SELECT {', '.join(names)} FROM invite ORDER BY made_at DESC, principal")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [{**row, "principal": row["principal"] or "whoever holds it"} for row in found]


# --- enrolments


class Admission(NamedTuple):
    """On whose word an enrolment may be logged."""

    leaf: str
    principal: str
    fingerprint: str
    roles: tuple[str, ...]
    via: str
    """invite or oidc."""
    by: str
    """Who invited, or which issuer vouched."""


def admit(tx: Tx, it: Admission, now: str) -> None:
    """Let an enrolment into the log; admitting it again changes nothing."""
    tx.execute(
        "INSERT INTO admission (leaf, principal, fingerprint, roles, via, said_by, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (it.leaf, it.principal, it.fingerprint, " ".join(it.roles), it.via, it.by, now),
    )


def pending(tx: Tx, in_force: Roster | None) -> list[Json]:
    """Who enrolled and is not on the roster yet, in the order in which they came."""
    rows = tx.execute(
        "SELECT leaf, principal, fingerprint, roles, via, said_by, at FROM admission"
        " ORDER BY at, leaf"
    )
    return [
        {"leaf": leaf, "principal": principal, "fingerprint": mark, "roles": roles.split(),
         "invited_by": None if via == "oidc" else by, "issuer": by if via == "oidc" else None,
         "at": at}
        for leaf, principal, mark, roles, via, by, at in rows
        if in_force is None or not in_force.lines_of(mark, principal)
    ]  # fmt: skip


# --- what is good once


def spend(tx: Tx, what: str, until: int, now: int) -> bool:
    """Take something that is good once; False when it was taken before, on any replica.

    Nobody asks for it after *until*, so it is forgotten then.
    """
    tx.execute("DELETE FROM spent WHERE until < ?", (now,))
    return bool(tx.change("INSERT INTO spent VALUES (?, ?) ON CONFLICT DO NOTHING", (what, until)))
