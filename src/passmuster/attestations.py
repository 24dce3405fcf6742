"""Statements and envelopes: the bytes that are signed. They are a contract.

A statement is an in-toto Statement v1 in canonical JSON; it is named by the SHA-256 of its
bytes. It travels in a DSSE 1.0.2 envelope, itself one canonical JSON line without a newline,
which is the leaf of the log. Bytes are verified as they came and then parsed, never re-encoded.

One key signs in up to two forms over the same bytes: raw Ed25519, which openssl and every DSSE
tool check, and SSHSIG, which ssh-keygen checks and which any SSH key can make. Only a statement
that several people must agree on carries signatures of several keys.

A change to what `statement` writes is a new version of the predicate; golden files hold v1.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from passmuster import __version__, sshsig
from passmuster.errors import UnknownKind, VerificationFailed
from passmuster.model import DOMAIN, SSH_KEYID, SSH_NAMESPACE
from passmuster.text import Json, canonical, sha256, strict_json

if TYPE_CHECKING:
    from passmuster.keys import SigningKey

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATES = (
    "enrolment", "roster", "campaign", "decisions", "own", "countersign", "remediation", "close",
    "pack", "chain", "acknowledgement", "publication",
)  # fmt: skip
RESERVED = ("delegation", "exception", "resolution", "assurance")
SEVERAL = frozenset({"roster"})
"""Kinds that several keys sign together; everything else speaks for one person."""


def predicate_type(kind: str) -> str:
    """The URI of predicate *kind* (one of `PREDICATES`), version 1."""
    if kind not in PREDICATES:
        raise ValueError(f"no predicate {kind!r}")
    return f"https://{DOMAIN}/attestation/{kind}/v1"


_KINDS = {predicate_type(kind): kind for kind in PREDICATES}


@dataclass(frozen=True, slots=True)
class Link:
    """Where a statement stands in its device's chain; dropping and reordering show by it."""

    device: str
    seq: int
    prev: str | None
    """SHA-256 of the payload before it, None for the first."""
    roster: str | None = None
    """SHA-256 of the roster that is in force for it, None while there is none."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of an envelope."""

    fingerprint: str
    """Of the key, as the envelope names it."""
    form: Literal["raw", "ssh"]
    data: bytes
    """64 bytes of Ed25519, or the armored SSHSIG file."""

    @property
    def keyid(self) -> str:
        """Its name in the envelope; no two signatures of one envelope share it."""
        return self.fingerprint if self.form == "raw" else SSH_KEYID + self.fingerprint


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
    payload: bytes
    pae: bytes
    signatures: tuple[Signature, ...]

    @property
    def signers(self) -> tuple[str, ...]:
        """Fingerprints of the keys that signed, each once."""
        return tuple(dict.fromkeys(s.fingerprint for s in self.signatures))

    @property
    def keyid(self) -> str:
        """Fingerprint of the key that signed; of the first where several did."""
        return self.signatures[0].fingerprint

    def signature(self, form: Literal["raw", "ssh"]) -> bytes | None:
        """The first signature in this form, None where the key cannot make it."""
        return next((s.data for s in self.signatures if s.form == form), None)


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
        "rosterDigest": link.roster,
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


def sign(payload: bytes, *keys: "SigningKey") -> bytes:
    """The envelope of *payload*, signed by each of *keys*, as one canonical JSON line."""
    from securesystemslib.dsse import Envelope

    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    for key in keys:
        for signer in key.signers:
            envelope.sign(signer)
    return canonical(envelope.to_dict())


def join(envelopes: Sequence[bytes]) -> bytes:
    """One envelope with the signatures of all *envelopes*, which must be about the same payload.

    For statements that several people sign at different times; verify the result.
    """
    opened = [_open(envelope) for envelope in envelopes]
    if len({payload for payload, _ in opened}) != 1:
        raise VerificationFailed("the envelopes are about different statements")
    found = {s.keyid: s for _, signatures in opened for s in signatures}
    return canonical({
        "payload": base64.b64encode(opened[0][0]).decode(), "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {"keyid": keyid, "sig": base64.b64encode(s.data).decode()} for keyid, s in found.items()
        ],
    })  # fmt: skip


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """DSSE's pre-authentication encoding of *payload* (DSSE 1.0.2 protocol.md)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def verify(envelope: bytes, keys: Mapping[str, str]) -> Attestation:
    """Check *envelope* against *keys* (fingerprint → OpenSSH public line) and take it apart.

    The fingerprint in the envelope only selects the key; the mapping must be derived from the
    keys themselves. Every signature must hold. Raises VerificationFailed.
    """
    payload, signatures = _open(envelope)
    _check_all(signatures, pae(payload), keys)
    return _take_apart(payload, signatures)


def check(statement: Attestation, keys: Mapping[str, str]) -> None:
    """The same for an envelope that was taken apart by `unchecked` already, from its own bytes."""
    _check_all(statement.signatures, statement.pae, keys)


def _check_all(signatures: Sequence[Signature], data: bytes, keys: Mapping[str, str]) -> None:
    if not signatures:
        raise VerificationFailed("nobody signed it")
    for signature in signatures:
        if signature.fingerprint not in keys:
            raise VerificationFailed(
                f"signed by {signature.fingerprint}, which is not among the known keys"
            )
        check_signature(keys[signature.fingerprint], signature, data)


def unchecked(envelope: bytes) -> Attestation:
    """*envelope* taken apart without asking who signed it: for lists, never for evidence."""
    return _take_apart(*_open(envelope))


def unsigned(payload: bytes) -> Attestation:
    """A statement that nobody has signed yet, taken apart."""
    return _take_apart(payload, ())


def is_emergency(statement: Attestation) -> bool:
    """Whether it is a decision outside any campaign: its basis is an emergency."""
    basis = statement.predicate.get("basis")
    return statement.kind == "decisions" and isinstance(basis, dict) and "emergency" in basis


def check_basis(statement: Attestation) -> None:
    """Raise VerificationFailed for decisions on another basis than just one campaign, or one
    emergency with its reason.
    """
    if statement.kind != "decisions":
        return
    basis = statement.predicate["basis"]
    said = [basis.get(name) for name in ("campaign", "emergency", "ticket")]
    named = basis.keys() in ({"campaign"}, {"emergency"}, {"emergency", "ticket"})
    if not named or not all(isinstance(w, str) and w for w in said if w is not None):
        raise VerificationFailed("its basis is neither one campaign nor an emergency with a reason")


def check_signature(public: str, signature: Signature, data: bytes) -> None:
    """Raise VerificationFailed unless *signature* over *data* is by the key of *public*."""
    if signature.form == "ssh":
        sshsig.verify(signature.data, public, SSH_NAMESPACE, data)
    else:
        _check_raw(public, signature.data, data)


def _check_raw(public: str, signature: bytes, data: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        key = load_ssh_public_key(public.encode())
    except Exception as error:  # noqa: BLE001 - the library raises several kinds
        raise VerificationFailed(f"not a public key: {error}") from None
    # the library hands out a hardware key as a plain one, and forgets touch and PIN by it
    if not isinstance(key, Ed25519PublicKey) or sshsig.is_hardware(public):
        raise VerificationFailed("not an Ed25519 key that signs in the raw form")
    sshsig.check_key(public)
    try:
        key.verify(signature, data)
    except InvalidSignature:
        raise VerificationFailed("the signature does not match the bytes") from None


def _open(envelope: bytes) -> tuple[bytes, tuple[Signature, ...]]:
    """(payload, signatures) of an envelope that has exactly our form."""
    try:
        outer = strict_json(envelope)
        if outer.keys() != {"payload", "payloadType", "signatures"}:
            raise ValueError("it has other fields than an envelope")
        if outer["payloadType"] != PAYLOAD_TYPE:
            raise ValueError("it has another payload type")
        signatures = tuple(map(_signature, outer["signatures"]))
        if not signatures or len({s.keyid for s in signatures}) != len(signatures):
            raise ValueError("it has no signature, or two under one name")
        return _base64(outer["payload"]), signatures
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise VerificationFailed(f"not an envelope of ours: {error}") from None


def _signature(given: Json) -> Signature:
    if given.keys() != {"keyid", "sig"}:
        raise ValueError("its signature has other fields")
    keyid = str(given["keyid"])
    form: Literal["raw", "ssh"] = "ssh" if keyid.startswith(SSH_KEYID) else "raw"
    return Signature(keyid.removeprefix(SSH_KEYID), form, _base64(given["sig"]))


def _base64(text: str) -> bytes:
    """Standard base64 with canonical padding; two texts for one value are refused."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise ValueError("base64 that does not decode") from None
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 that is not canonical")
    return data


def _take_apart(payload: bytes, signatures: tuple[Signature, ...]) -> Attestation:
    try:
        body: Any = strict_json(payload)
        if body.keys() != {"_type", "subject", "predicateType", "predicate"}:
            raise ValueError("other fields than a statement")
        if body["_type"] != STATEMENT_TYPE:
            raise ValueError("another statement type")
        if body["predicateType"] not in _KINDS:
            raise UnknownKind(
                f"not a statement of ours: an unknown predicate {body['predicateType']!r}"
            )
        subject = tuple((s["name"], s["digest"]["sha256"]) for s in body["subject"])
        found = Attestation(
            _KINDS[body["predicateType"]], sha256(payload), subject, body["predicate"], payload,
            pae(payload), signatures,
        )  # fmt: skip
        if len(found.signers) > 1 and found.kind not in SEVERAL:
            raise ValueError(f"several keys signed a {found.kind} statement")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise VerificationFailed(f"not a statement of ours: {error}") from None
    return found
