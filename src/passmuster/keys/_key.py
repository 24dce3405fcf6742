"""The signing key itself: who it speaks for, and in which forms it signs."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from passmuster import sshsig
from passmuster.model import SSH_KEYID, SSH_NAMESPACE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from securesystemslib.signer import Signer

Passphrase = Callable[[], bytes]
"""Called once, only when a key file must be opened or made. A `Talk` is one as well."""
CALLED_OFF = "called off: nothing was signed"
QUESTION = "passphrase of your signing key"


@dataclass(frozen=True, slots=True)
class Talk:
    """How a key speaks with its person while it signs."""

    ask: Callable[[str], bytes]
    """Takes the question (a passphrase, a PIN); raises KeyUnavailable when the person goes back."""
    tell: Callable[[str], None] = lambda _: None
    """Takes what the person should know now: `touch your key`."""
    called_off: Callable[[], bool] = lambda: False
    """Asked ten times a second while a key waits; true ends the wait."""

    def __call__(self) -> bytes:
        return self.ask(QUESTION)

    @classmethod
    def of(cls, passphrase: Passphrase) -> "Talk":
        """*passphrase* itself, or a talk of nothing but it."""
        return passphrase if isinstance(passphrase, Talk) else cls(lambda _: passphrase())


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that can sign now, and the person it speaks for."""

    principal: str
    fingerprint: str
    """`SHA256:…` as ssh-keygen prints it; also the keyid in envelopes."""
    public: str
    """One OpenSSH public-key line."""
    store: str
    """keyring, file, ssh or memory."""
    signers: tuple["Signer", ...]
    """One for each form that this key signs in: raw Ed25519, SSHSIG."""
    place: str | None = None
    """Of an SSH key: the path of its file, or `agent`."""

    @property
    def kind(self) -> str:
        """`software` (a key of ours), `ssh` or `hardware`, as an enrolment says it."""
        return kind_of(self.store, self.public)


def kind_of(store: str, public: str) -> str:
    """`software` (a key of ours), `ssh` or `hardware`."""
    if sshsig.is_hardware(public):
        return "hardware"
    return "ssh" if store == "ssh" else "software"


def blob(public: str) -> bytes:
    """What stands in base64 in a public-key line."""
    return base64.b64decode(public.split()[1])


@lru_cache(maxsize=65_536)  # a roster of hundreds asks for each of its keys with each record
def fingerprint(public: str) -> str:
    """The OpenSSH SHA-256 fingerprint of a public-key line."""
    digest = hashlib.sha256(blob(public)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def generate() -> "Ed25519PrivateKey":
    """A new key of ours."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def in_memory(principal: str) -> SigningKey:
    """A key that is gone when the process ends; for the demo and for tests."""
    return from_private(generate(), principal, "memory")


def from_private(private: "Ed25519PrivateKey", principal: str, store: str) -> SigningKey:
    """The signing key of *private*, which signs in both forms."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from securesystemslib.signer import CryptoSigner, SSlibKey

    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    mark = fingerprint(line)
    public = SSlibKey.from_crypto(private.public_key(), keyid=mark)
    raw = CryptoSigner(private, public)
    ssh = sshsig_signer(SSH_KEYID + mark, lambda data: sshsig.armored(
        line, SSH_NAMESPACE, private.sign, data
    ))  # fmt: skip
    return SigningKey(principal, mark, f"{line} {principal}", store, (raw, ssh))


def sshsig_signer(keyid: str, make: Callable[[bytes], bytes]) -> "Signer":
    """A signer of the DSSE library whose signatures are the armored SSHSIG files of *make*."""
    from securesystemslib.signer import Key, Signature, Signer

    class SshsigSigner(Signer):
        def sign(self, payload: bytes) -> Signature:
            return Signature(keyid, make(payload).hex())

        @property
        def public_key(self) -> Key:
            raise NotImplementedError("verification is attestations.verify")

        @classmethod
        def from_priv_key_uri(cls, *_args: Any, **_kwargs: Any) -> Signer:
            raise NotImplementedError("keys are loaded by keys.load")

    return SshsigSigner()
