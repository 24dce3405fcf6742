"""Statements and envelopes: what is signed, and what is refused."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passmuster import attestations
from passmuster.attestations import Link, Signature
from passmuster.errors import VerificationFailed
from passmuster.text import canonical
from tests.conftest import SHARED
from tests.scene import NOW, REV, key

DSSE = SHARED / "vectors" / "dsse" / "spec-v1.0.2-example.json"
RFC8032 = SHARED / "vectors" / "ed25519" / "rfc8032-section-7.1.json"
SIGNER = key(REV, 7)
KEYS = {SIGNER.fingerprint: SIGNER.public}
PAYLOAD = attestations.statement(
    "decisions", {"decisions.jsonl": "a" * 64}, {"count": 1}, Link("d" * 32, 1, None), NOW, REV
)
ENVELOPE = attestations.sign(PAYLOAD, SIGNER)


@pytest.mark.skipif(not DSSE.exists(), reason="the shared vectors are not here")
def test_the_pre_authentication_encoding_of_the_dsse_specification() -> None:
    vector = json.loads(DSSE.read_text())
    pae = attestations.pae(vector["payload"].encode(), vector["payloadType"])
    assert pae == vector["pae"].encode()


@pytest.mark.skipif(not RFC8032.exists(), reason="the shared vectors are not here")
def test_the_signatures_of_rfc_8032() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    for vector in json.loads(RFC8032.read_text()):
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(vector["public"]))
        line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        signature, data = bytes.fromhex(vector["signature"]), bytes.fromhex(vector["message"])
        attestations.check_signature(line, Signature("", "raw", signature), data)
        with pytest.raises(VerificationFailed, match="does not match"):
            attestations.check_signature(line, Signature("", "raw", signature), data + b"x")


def test_an_envelope_verifies_and_comes_apart() -> None:
    found = attestations.verify(ENVELOPE, KEYS)
    assert (found.kind, found.payload, found.keyid) == ("decisions", PAYLOAD, SIGNER.fingerprint)
    assert found.subject == (("decisions.jsonl", "a" * 64),)
    assert found.predicate["ext"] == {}
    assert canonical(json.loads(ENVELOPE)) == ENVELOPE


@settings(max_examples=300)
@given(st.integers(0, len(ENVELOPE) - 1), st.integers(0, 7))
def test_no_bit_of_an_envelope_can_be_changed(at: int, bit: int) -> None:
    bent = bytearray(ENVELOPE)
    bent[at] ^= 1 << bit
    with pytest.raises(VerificationFailed):
        attestations.verify(bytes(bent), KEYS)


def bent(**changes: Any) -> bytes:
    return canonical({**json.loads(ENVELOPE), **changes})


@pytest.mark.parametrize(("envelope", "why"), [
    (b"", "not an envelope"),
    (ENVELOPE + b"\n", "not an envelope"),
    (json.dumps(json.loads(ENVELOPE)).encode(), "not an envelope"),
    (bent(extra=1), "other fields"),
    (bent(payloadType="text/plain"), "payload type"),
    (bent(signatures=[]), "not an envelope"),
    (bent(signatures=json.loads(ENVELOPE)["signatures"] * 2), "not an envelope"),
    (bent(payload=base64.urlsafe_b64encode(b"\xff\xfe\xfd").decode()), "base64"),
    (bent(payload="e30"), "base64"),
    (bent(payload="e31="), "base64"),
    (bent(payload=None), "not an envelope"),
    (b"[" * 100_000, "not an envelope"),
])  # fmt: skip
def test_an_envelope_of_another_form_is_refused(envelope: bytes, why: str) -> None:
    with pytest.raises(VerificationFailed, match=why):
        attestations.verify(envelope, KEYS)


def test_the_keyid_only_selects_and_decides_nothing() -> None:
    stranger = key(REV, 8)
    with pytest.raises(VerificationFailed, match="not among the known keys"):
        attestations.verify(ENVELOPE, {stranger.fingerprint: stranger.public})
    with pytest.raises(VerificationFailed, match="does not match"):
        attestations.verify(ENVELOPE, {SIGNER.fingerprint: stranger.public})


@pytest.mark.parametrize("payload", [
    b"{}", b"not json", b'{"a":1,"a":1}',
    PAYLOAD.replace(b"decisions/v1", b"decisions/v2"),
    PAYLOAD.replace(b"in-toto.io/Statement/v1", b"in-toto.io/Statement/v2"),
    PAYLOAD.replace(b'"_type"', b'"type"'),
])  # fmt: skip
def test_a_well_signed_payload_of_another_form_is_refused(payload: bytes) -> None:
    with pytest.raises(VerificationFailed, match="not a statement of ours"):
        attestations.verify(attestations.sign(payload, SIGNER), KEYS)


def test_a_signature_for_another_protocol_is_refused() -> None:
    """The same bytes signed without the encoding of DSSE."""
    raw = SIGNER.signers[0].sign(PAYLOAD).signature
    sig = base64.b64encode(bytes.fromhex(raw)).decode()
    with pytest.raises(VerificationFailed, match="does not match"):
        attestations.verify(bent(signatures=[{"keyid": SIGNER.fingerprint, "sig": sig}]), KEYS)


def test_a_body_cannot_replace_what_every_statement_has() -> None:
    with pytest.raises(ValueError, match="repeats"):
        attestations.statement("close", {}, {"seq": 1}, Link("d", 1, None), NOW, REV)
    with pytest.raises(ValueError, match="no predicate"):
        attestations.predicate_type("approval")
    for name in attestations.RESERVED:
        with pytest.raises(ValueError, match="no predicate"):
            attestations.predicate_type(name)


def test_other_kinds_of_keys_are_refused() -> None:
    with pytest.raises(VerificationFailed, match="not a public key"):
        attestations.check_signature("ssh-ed25519 AAAA", Signature("", "raw", b""), b"")
    rsa = SHARED / "vectors" / "sshsig" / "rsa.pub"
    if rsa.exists():
        with pytest.raises(VerificationFailed, match="not an Ed25519 key that"):
            attestations.check_signature(rsa.read_text(), Signature("", "raw", b""), b"")
