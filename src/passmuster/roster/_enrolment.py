"""Proof that somebody holds the key which they ask to be listed with."""

from typing import NamedTuple

from passmuster import attestations
from passmuster.attestations import Attestation
from passmuster.errors import UsageError, VerificationFailed
from passmuster.keys import fingerprint
from passmuster.roster._allowed import check_key, check_principal
from passmuster.text import sha256

ASK = "it takes the file that `muster enroll request --out FILE` wrote"


class Request(NamedTuple):
    """What an enrolment statement asks for, once its signature holds."""

    principal: str
    public: str
    """Type and key, without a comment."""
    fingerprint: str
    statement: Attestation


def possession(envelope: bytes) -> Request:
    """The request in an enrolment statement, once it is signed by the very key that it names.

    VerificationFailed when it is not. Whether the person is who they say is not in it: compare
    the fingerprint with what they tell you by another way.
    """
    try:
        said = attestations.unchecked(envelope)
    except (VerificationFailed, UnicodeDecodeError):
        raise VerificationFailed(f"no request to be listed: {ASK}") from None
    if said.kind != "enrolment":
        raise VerificationFailed(f"a {said.kind} statement, and no request to be listed: {ASK}")
    try:
        line, principal = str(said.predicate["publicKey"]), str(said.predicate["principal"])
        public = " ".join(line.split()[:2])
        check_key(public)
        check_principal(principal)
        mark = fingerprint(public)
        statement = attestations.verify(envelope, {mark: public})
        about = (("key.pub", sha256(f"{line}\n".encode())),)
        if statement.predicate["fingerprint"] != mark or statement.subject != about:
            raise VerificationFailed("the enrolment is about another key than it is signed with")
    except UsageError as error:
        raise VerificationFailed(f"no request to be listed: {error}") from None
    except (KeyError, ValueError, IndexError):
        raise VerificationFailed(f"no request to be listed: {ASK}") from None
    return Request(principal, public, mark, statement)
