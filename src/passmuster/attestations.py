"""Statements and envelopes: the bytes that are signed. They are a contract.

A statement is an in-toto Statement v1 in canonical JSON; it is named by the SHA-256 of its
bytes. It travels in a DSSE 1.0.2 envelope, itself one canonical JSON line without a newline,
which is the leaf of the log. Bytes are verified as they came and then parsed, never re-encoded.

A change to what `statement` writes is a new version of the predicate; golden files hold v1.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from passmuster import __version__
from passmuster.errors import VerificationFailed
from passmuster.text import Json, canonical, sha256, strict_json

if TYPE_CHECKING:
    from passmuster.keys import SigningKey

DOMAIN = "passmuster.example"
"""A placeholder until the project owns a domain; in predicate types and signature namespaces."""
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATES = (
    "enrolment", "roster", "campaign", "decisions", "own", "countersign", "remediation", "close",
    "pack", "chain",
)  # fmt: skip
RESERVED = ("delegation", "exception", "resolution", "acknowledgement", "assurance")


def predicate_type(kind: str) -> str:
    """The URI of predicate *kind* (one of `PREDICATES`), version 1."""
    if kind not in PREDICATES:
        raise ValueError(f"no predicate {kind!r}")
    return f"https://{DOMAIN}/attestation/{kind}/v1"


@dataclass(frozen=True, slots=True)
class Link:
    """Where a statement stands in its device's chain; dropping and reordering show by it."""

    device: str
    seq: int
    prev: str | None
    """SHA-256 of the payload before it, None for the first."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """A verified envelope, taken apart."""

    kind: str
    """The predicate's short name."""
    name: str
    """SHA-256 of the payload."""
    subject: tuple[tuple[str, str], ...]
    """(name, sha256) of what it is about."""
    predicate: Json
    keyid: str
    payload: bytes
    pae: bytes
    signature: bytes


def statement(
    kind: str, subject: Mapping[str, str], body: Json, link: Link, signed_at: str,
    principal: str, ext: Json | None = None,
) -> bytes:  # fmt: skip
    """The payload of a statement of *kind* about *subject* (name → sha256).

    The fields that every predicate has are added here; *body* may not repeat them. *ext* holds
    what later releases add to a version.
    """
    common = {
        "device": link.device,
        "seq": link.seq,
        "prev": link.prev,
        "seenCheckpoint": None,
        "rosterDigest": None,
        "principal": principal,
        "signedAt": signed_at,
        "tool": {"name": "passmuster", "version": __version__},
        "ext": ext or {},
    }
    if repeated := common.keys() & body.keys():
        raise ValueError(f"the body repeats {sorted(repeated)}")
    return canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": n, "digest": {"sha256": d}} for n, d in subject.items()],
            "predicateType": predicate_type(kind),
            "predicate": {**common, **body},
        }
    )


def sign(payload: bytes, key: "SigningKey") -> bytes:
    """The envelope of *payload*, signed by *key*, as one canonical JSON line."""
    from securesystemslib.dsse import Envelope

    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(key.signer)
    return canonical(envelope.to_dict())


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """DSSE's pre-authentication encoding of *payload* (DSSE 1.0.2 protocol.md)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def verify(envelope: bytes, keys: Mapping[str, str]) -> Attestation:
    """Check *envelope* against *keys* (fingerprint → OpenSSH public line) and take it apart.

    The fingerprint in the envelope only selects the key; the mapping must be derived from the
    keys themselves. Raises VerificationFailed.
    """
    keyid, payload, signature = _open(envelope)
    if keyid not in keys:
        raise VerificationFailed(f"signed by {keyid}, which is not among the known keys")
    check_signature(keys[keyid], signature, pae(payload))
    return _take_apart(keyid, payload, signature)


def unchecked(envelope: bytes) -> Attestation:
    """*envelope* taken apart without asking who signed it: for lists, never for evidence."""
    return _take_apart(*_open(envelope))


def check_signature(public: str, signature: bytes, data: bytes) -> None:
    """Raise VerificationFailed unless *signature* over *data* is by the key of *public*."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        key = load_ssh_public_key(public.encode())
    except Exception as error:  # noqa: BLE001 - the library raises several kinds
        raise VerificationFailed(f"not a public key: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise VerificationFailed("not an Ed25519 key")
    try:
        key.verify(signature, data)
    except InvalidSignature:
        raise VerificationFailed("the signature does not match the bytes") from None


def _open(envelope: bytes) -> tuple[str, bytes, bytes]:
    """(keyid, payload, signature) of an envelope that has exactly our form."""
    try:
        outer = strict_json(envelope)
        if outer.keys() != {"payload", "payloadType", "signatures"}:
            raise ValueError("it has other fields than an envelope")
        if outer["payloadType"] != PAYLOAD_TYPE:
            raise ValueError("it has another payload type")
        (signature,) = outer["signatures"]
        if signature.keys() != {"keyid", "sig"}:
            raise ValueError("its signature has other fields")
        return str(signature["keyid"]), _base64(outer["payload"]), _base64(signature["sig"])
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise VerificationFailed(f"not an envelope of ours: {error}") from None


def _base64(text: str) -> bytes:
    """Standard base64 with canonical padding; two texts for one value are refused."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise ValueError("base64 that does not decode") from None
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 that is not canonical")
    return data


def _take_apart(keyid: str, payload: bytes, signature: bytes) -> Attestation:
    try:
        body: Any = strict_json(payload)
        if body.keys() != {"_type", "subject", "predicateType", "predicate"}:
            raise ValueError("other fields than a statement")
        if body["_type"] != STATEMENT_TYPE:
            raise ValueError("another statement type")
        kinds = {predicate_type(kind): kind for kind in PREDICATES}
        if body["predicateType"] not in kinds:
            raise ValueError(f"an unknown predicate {body['predicateType']!r}")
        subject = tuple((s["name"], s["digest"]["sha256"]) for s in body["subject"])
        return Attestation(
            kinds[body["predicateType"]], sha256(payload), subject, body["predicate"], keyid,
            payload, pae(payload), signature,
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise VerificationFailed(f"not a statement of ours: {error}") from None
