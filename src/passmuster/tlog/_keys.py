"""What a person's key is called when it signs for a log or as a witness, and how it signs."""

from passmuster import keys, note
from passmuster.errors import KeyUnavailable
from passmuster.keys import SigningKey
from passmuster.model import SSH_KEYID
from passmuster.note import VerifierKey

ED25519_BLOB = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"
"""What the 32 bytes of an Ed25519 key follow in its public-key line (RFC 8709 §4)."""


def forms(public: str, name: str) -> list[VerifierKey]:
    """The verifier keys of a public-key line: an Ed25519 key may sign raw, any as SSH does."""
    blob = keys.blob(public)
    found = [note.ssh_key(name, blob)]
    if (raw := _raw(blob)) is not None:
        found.insert(0, note.ed25519_key(name, raw))
    return found


def as_witness(public: str, name: str) -> VerifierKey:
    """The verifier key under which a key cosigns. Raises KeyUnavailable when it cannot."""
    raw = _raw(keys.blob(public))
    if raw is None:
        raise KeyUnavailable("a witness signs with an Ed25519 key: make one with `muster key new`")
    return note.witness_key(name, raw)


def signature(key: SigningKey, data: bytes) -> tuple[bytes, bool]:
    """A signature of *key* over *data*, and whether it is a raw one."""
    made = key.signers[0].sign(data)
    return bytes.fromhex(made.signature), not made.keyid.startswith(SSH_KEYID)


def raw_signature(key: SigningKey, data: bytes) -> bytes:
    """A raw signature of *key*, which a witness needs."""
    made, is_raw = signature(key, data)
    if not is_raw:
        raise KeyUnavailable(
            "this key makes SSH signatures only, and a witness's is a raw one: cosign with a "
            "key of `muster key new`"
        )
    return made


def _raw(blob: bytes) -> bytes | None:
    fits = blob.startswith(ED25519_BLOB) and len(blob) == len(ED25519_BLOB) + 32
    return blob[len(ED25519_BLOB) :] if fits else None
