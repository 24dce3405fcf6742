"""Proof that somebody holds a listed key, for one session of ten minutes.

The signing key signs once which short-lived key speaks for it (RFC 7638 thumbprint), to which log
and when; requests are then proved with that key (DPoP, RFC 9449). So a hardware key is touched once
a session, and nobody keeps a long-lived secret for the network. The text is signed under a payload
type of its own: it never passes for a statement, and no statement passes for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from passmuster import attestations, sshsig
from passmuster.attestations import Signature
from passmuster.central._wire import LIMITS
from passmuster.errors import VerificationFailed
from passmuster.keys import SigningKey
from passmuster.model import SSH_KEYID, SSH_NAMESPACE
from passmuster.text import canonical, epoch, strict_json

PAYLOAD_TYPE = "application/vnd.passmuster.session+json"


@dataclass(frozen=True, slots=True)
class Session:
    """Who asks for a session, once their signature holds."""

    principal: str
    fingerprint: str
    thumbprint: str
    """Of the short-lived key: what `cnf.jkt` of the access token will be."""
    nonce: str
    """Random: taken once."""


def ask(key: SigningKey, origin: str, thumbprint: str, nonce: str, now: str) -> bytes:
    """The body of `POST /v1/sessions`, signed by *key* for the log *origin*."""
    payload = canonical({
        "log": origin, "principal": key.principal, "fingerprint": key.fingerprint,
        "thumbprint": thumbprint, "nonce": nonce, "at": now,
    }).decode()  # fmt: skip
    made = key.signers[0].sign(attestations.pae(payload.encode(), PAYLOAD_TYPE))
    return canonical({"payload": payload, "keyid": made.keyid, "sig": made.signature})


def check(
    body: bytes, keys: Mapping[str, str], origin: str, now: str,
    pins: frozenset[str] = frozenset(),
) -> Session:  # fmt: skip
    """Who asks. *keys* has the public line of every listed key by its fingerprint; of those in
    *pins* the PIN must have been given.

    Raises VerificationFailed; that the nonce is new, and that the roster lets the key sign now, is
    for the caller to see.
    """
    try:
        outer = strict_json(body)
        said = strict_json(outer["payload"].encode())
        mark = str(outer["keyid"]).removeprefix(SSH_KEYID)
        form = "ssh" if str(outer["keyid"]).startswith(SSH_KEYID) else "raw"
        signature = Signature(mark, form, bytes.fromhex(outer["sig"]))  # type: ignore[arg-type]
        if said.keys() != {"log", "principal", "fingerprint", "thumbprint", "nonce", "at"}:
            raise ValueError("other fields than a request for a session")
        apart = abs(epoch(said["at"]) - epoch(now))
        found = Session(*(str(said[n]) for n in ("principal", "fingerprint", "thumbprint",
                                                 "nonce")))  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise VerificationFailed(f"not a request for a session: {error}") from None
    if said["log"] != origin:
        raise VerificationFailed("the session is asked of another log")
    if apart > LIMITS.skew_s:
        raise VerificationFailed(f"your clock is {apart} s off the server's: set it")
    if mark not in keys or mark != found.fingerprint:
        raise VerificationFailed(f"{mark} is not a listed key")
    data = attestations.pae(outer["payload"].encode(), PAYLOAD_TYPE)
    attestations.check_signature(keys[mark], signature, data)
    if mark in pins:
        sshsig.verify(signature.data, keys[mark], SSH_NAMESPACE, data, pin=True)
    return found
