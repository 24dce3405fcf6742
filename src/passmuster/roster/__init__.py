"""Who may sign: people with roles, their keys in an `allowed_signers`, and who says so.

A roster is a statement about an `allowed_signers` that enough registrars signed. Its versions are
a chain; each needs the registrars of the one before and its own (TUF's root rule), counted as
human beings. Statements are judged by the version in force at their place in the log. Without a
roster a workspace is one person's, and everything is as if this module were not there.

It asks `attestations` and reads the log's table; it writes nothing but the file of the draft.
"""

from passmuster.roster._allowed import (
    FILE,
    Line,
    check_key,
    check_principal,
    parsed,
    stamp,
    written,
)
from passmuster.roster._draft import (
    DRAFT,
    MAX_BYTES,
    Draft,
    as_draft,
    base_of,
    carried,
    change,
    check_signatures,
    draft,
    drop,
    ended,
    first,
    given_roles,
    joined,
    keep,
    lacking,
    opened,
    ready,
    signed,
    with_person,
)  # fmt: skip
from passmuster.roster._enrolment import Request, possession
from passmuster.roster._history import (
    alarm,
    current,
    current_name,
    envelopes,
    history,
    in_force,
    mine,
    signers_of,
    strange_keys,
)  # fmt: skip
from passmuster.roster._judging import CAN_FALL, Proven, Replay, Time, judge, may_sign, time_of
from passmuster.roster._model import FOR, KINDS, ROLES, Kind, Person, Role, Roster, body, read
from passmuster.roster._people import is_robot, person_of, same_person, signer
from passmuster.roster._succession import missing, signed_by, succeed

__all__ = [
    "CAN_FALL", "DRAFT", "FILE", "FOR", "KINDS", "MAX_BYTES", "ROLES", "Draft", "Kind", "Line",
    "Person", "Proven", "Replay", "Request", "Role", "Roster", "Time", "alarm", "as_draft",
    "base_of", "body", "carried", "change", "check_key", "check_principal", "check_signatures",
    "current", "current_name", "draft", "drop", "ended", "envelopes", "first", "given_roles",
    "history", "in_force", "is_robot", "joined", "judge", "keep", "lacking", "may_sign", "mine",
    "missing", "opened", "parsed", "person_of", "possession", "read", "ready", "same_person",
    "signed", "signed_by", "signer", "signers_of", "stamp", "strange_keys", "succeed", "time_of",
    "with_person", "written",
]  # fmt: skip
