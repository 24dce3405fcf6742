"""Verifier keys: `name+id+base64`, as people hand them to each other (c2sp.org/signed-note)."""

import base64
import hashlib
from dataclasses import dataclass

from passmuster.errors import VerificationFailed
from passmuster.model import DOMAIN
from passmuster.note._text import check_name, to_base64, unbase64
from passmuster.text import visible

ED25519, COSIGNATURE, OTHER = 1, 4, 0xFF
"""Signature types: of a log, of a witness, and of kinds that the format has given no number."""
SSHSIG = f"sshsig@{DOMAIN}".encode()
"""What says after `OTHER` that an SSH key follows."""
TYPES = {ED25519: "Ed25519", COSIGNATURE: "cosignature/v1", OTHER: "SSH signature"}


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key, under the one name and for the one use that it is trusted for."""

    name: str
    kind: int
    """`ED25519`, `COSIGNATURE` or `OTHER`."""
    material: bytes
    """The public key: 32 bytes, or for an SSH key `SSHSIG`, a 0 byte and its blob."""

    @property
    def id(self) -> bytes:
        """The four bytes that a signature line names it by."""
        whole = self.name.encode() + b"\n" + bytes([self.kind]) + self.material
        return hashlib.sha256(whole).digest()[:4]

    @property
    def ssh_line(self) -> str:
        """An SSH key as OpenSSH writes it."""
        blob = self.material.removeprefix(SSHSIG + b"\0")
        kind = blob[4 : 4 + int.from_bytes(blob[:4])].decode("ascii", "replace")
        return f"{kind} {base64.b64encode(blob).decode()}"

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{to_base64(bytes([self.kind]) + self.material)}"


def ed25519_key(name: str, public: bytes) -> VerifierKey:
    """A log's key, from its 32 bytes."""
    return _checked(VerifierKey(name, ED25519, public))


def witness_key(name: str, public: bytes) -> VerifierKey:
    """A witness's key, from its 32 bytes."""
    return _checked(VerifierKey(name, COSIGNATURE, public))


def ssh_key(name: str, blob: bytes) -> VerifierKey:
    """A log's key that makes SSH signatures only: on a token, or behind an agent.

    *blob* is what stands in base64 in its public-key line.
    """
    return _checked(VerifierKey(name, OTHER, SSHSIG + b"\0" + blob))


def parse_key(text: str) -> VerifierKey:
    """Read a verifier key; a mistyped one does not match its own id. Raises VerificationFailed."""
    name, plus, rest = text.strip().partition("+")
    mark, more, packed = rest.partition("+")
    if not (plus and more):
        raise VerificationFailed(
            f"not a verifier key (NAME+ID+BASE64, as muster log show and muster witness key print"
            f" it): {visible(text[:60])!r}"
        )
    data = unbase64(packed, "the verifier key")
    if not data:
        raise VerificationFailed("the verifier key is empty")
    key = _checked(VerifierKey(name, data[0], data[1:]))
    if key.id.hex() != mark:
        raise VerificationFailed(f"the verifier key of {visible(name)} is damaged: its id differs")
    return key


def _checked(key: VerifierKey) -> VerifierKey:
    check_name(key.name)
    if key.kind == OTHER:
        fits = key.material.startswith(SSHSIG + b"\0") and len(key.material) > len(SSHSIG) + 20
    else:
        fits = key.kind in TYPES and len(key.material) == 32
    if not fits:
        raise VerificationFailed(
            f"the verifier key of {visible(key.name)} is of a kind that is not known here"
        )
    return key
