"""Signing keys: make, keep, load. Ed25519; the private half never lies anywhere in the clear.

Kept in the operating system's keyring when a real one answers in time, else in an OpenSSH key
file under bcrypt. Which one was used is recorded and said; there is no silent fall-back between
them, and no way to store a key without a passphrase in a file. (PKCS8 encryption is not used: its
builder is fixed at 2,048 PBKDF2 rounds.)
"""

import base64
import hashlib
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from passmuster import sshsig
from passmuster.errors import KeyUnavailable, UsageError
from passmuster.model import SSH_KEYID, SSH_NAMESPACE
from passmuster.store import Database

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from securesystemslib.signer import Signer

BCRYPT_ROUNDS = 100
"""About 0.8 s for one guess of the passphrase on a 2026 machine."""
MIN_PASSPHRASE = 8
"""Characters."""
SERVICE = "passmuster"
# stores that encrypt at rest; keyrings.alt would silently offer plain text files as well
REAL_KEYRINGS = (
    "keyring.backends.SecretService", "keyring.backends.libsecret", "keyring.backends.kwallet",
    "keyring.backends.macOS", "keyring.backends.Windows",
)  # fmt: skip

Passphrase = Callable[[], bytes]
"""Called once, only when a key file must be opened or made."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that can sign now, and the person it speaks for."""

    principal: str
    fingerprint: str
    """`SHA256:…` as ssh-keygen prints it; also the keyid in envelopes."""
    public: str
    """One OpenSSH public-key line."""
    store: str
    """keyring, file or memory."""
    signers: tuple["Signer", ...]
    """One for each form that this key signs in: raw Ed25519, SSHSIG."""


def fingerprint(public: str) -> str:
    """The OpenSSH SHA-256 fingerprint of a public-key line."""
    digest = hashlib.sha256(blob(public)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def blob(public: str) -> bytes:
    """What stands in base64 in a public-key line."""
    return base64.b64decode(public.split()[1])


def in_memory(principal: str) -> SigningKey:
    """A key that is gone when the process ends; for the demo and for tests."""
    return _signing(_generate(), principal, "memory")


def new(
    db: Database, principal: str, where: str, passphrase: Passphrase, now: str, timeout_s: float
) -> SigningKey:
    """Make a key for *principal* and keep it in *where* (`auto`, `keyring`, `file`)."""
    if "@" not in principal or principal != principal.strip() or not principal.isprintable():
        raise UsageError(f"{principal!r} is not an e-mail address; set `me` or MUSTER_ME")
    if where != "file":
        backend, why = real_keyring(timeout_s)
        if backend is None and where == "keyring":
            raise KeyUnavailable(f"no usable keyring: {why}; use --key-store file")
        where = "keyring" if backend is not None else "file"
    private = _generate()
    key = _signing(private, principal, where)
    if where == "keyring":
        seed = base64.b64encode(private.private_bytes_raw()).decode()
        _in_time(lambda: backend.set_password(SERVICE, key.fingerprint, seed), timeout_s)
    else:
        _write_file(_file(db, key.fingerprint), private, passphrase())
    keep(db, key, now)
    return key


def keep(db: Database, key: SigningKey, now: str) -> None:
    """Put the public half of *key* among the keys of this workspace."""
    with db.atomic():
        db.execute(
            "INSERT OR IGNORE INTO signing_key (fingerprint, principal, public, store, made_at)"
            " VALUES (?, ?, ?, ?, ?)",
            (key.fingerprint, key.principal, key.public, key.store, now),
        )


def load(
    db: Database, principal: str | None, passphrase: Passphrase, timeout_s: float
) -> SigningKey:
    """The newest key of *principal*, unlocked.

    Raises KeyUnavailable when there is none or when it cannot be unlocked.
    """
    row = db.one(
        "SELECT fingerprint, principal, store FROM signing_key"
        " WHERE ?1 IS NULL OR principal = ?1 ORDER BY made_at DESC LIMIT 1",
        (principal,),
    )
    if row is None:
        whose = f" for {principal}" if principal else ""
        raise KeyUnavailable(f"no signing key{whose}: make one with `muster key new`")
    mark, owner, store = row
    if store == "keyring":
        private = _from_keyring(mark, timeout_s)
    else:
        private = _read_file(_file(db, mark), passphrase)
    key = _signing(private, owner, store)
    if key.fingerprint != mark:
        raise KeyUnavailable(f"the stored key is not {mark}: the workspace was tampered with")
    return key


def listed(db: Database) -> list[dict[str, str]]:
    """Every key of this workspace, newest first."""
    names = ("fingerprint", "principal", "public", "store", "made_at")
    rows = db.execute(f"SELECT {', '.join(names)} FROM signing_key ORDER BY made_at DESC")
    return [dict(zip(names, row, strict=True)) for row in rows]


def real_keyring(timeout_s: float) -> tuple[Any, str]:
    """The first keyring that encrypts at rest and answers in time, and why there is none.

    Configuration that points keyring elsewhere (`PYTHON_KEYRING_BACKEND`) is not followed: it
    would let a plain-text store in.
    """
    if sys.platform == "linux" and not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return None, "no desktop session (DBUS_SESSION_BUS_ADDRESS is unset)"
    try:
        found = _in_time(_viable_keyrings, timeout_s)
    except KeyUnavailable as error:
        return None, str(error)
    return (found[0], "") if found else (None, "none of the known keyrings runs here")


def _viable_keyrings() -> list[Any]:
    import keyring.backend

    usable = [
        backend
        for backend in keyring.backend.get_all_keyring()
        if type(backend).__module__ in REAL_KEYRINGS
    ]
    return sorted(usable, key=lambda backend: float(backend.priority), reverse=True)


def _in_time(work: Callable[[], T], timeout_s: float) -> T:
    """*work*'s result; a locked keyring may otherwise wait for ever on a prompt nobody sees."""
    box: list[T] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            box.append(work())
        except Exception as error:  # noqa: BLE001 - back ends raise what they like
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if box:
        return box[0]
    why = f"{type(failed[0]).__name__}: {failed[0]}" if failed else f"no answer in {timeout_s:g} s"
    raise KeyUnavailable(f"the keyring failed: {why}")


def _from_keyring(mark: str, timeout_s: float) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    backend, why = real_keyring(timeout_s)
    if backend is None:
        raise KeyUnavailable(f"the key {mark} is in the keyring, which cannot be reached: {why}")
    seed = _in_time(lambda: backend.get_password(SERVICE, mark), timeout_s)
    if seed is None:
        raise KeyUnavailable(f"the keyring no longer has {mark}: make a new key")
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed))


def _generate() -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


def _signing(private: "Ed25519PrivateKey", principal: str, where: str) -> SigningKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from securesystemslib.signer import CryptoSigner, SSlibKey

    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    mark = fingerprint(line)
    public = SSlibKey.from_crypto(private.public_key(), keyid=mark)
    raw = CryptoSigner(private, public)
    ssh = sshsig_signer(SSH_KEYID + mark, lambda data: sshsig.armored(
        line, SSH_NAMESPACE, private.sign, data
    ))  # fmt: skip
    return SigningKey(principal, mark, f"{line} {principal}", where, (raw, ssh))


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


def _file(db: Database, mark: str) -> Path:
    return db.path.parent / "keys" / hashlib.sha256(mark.encode()).hexdigest()[:16]


def _write_file(path: Path, private: "Ed25519PrivateKey", passphrase: bytes) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

    if len(passphrase) < MIN_PASSPHRASE:
        raise UsageError(f"a passphrase needs {MIN_PASSPHRASE} characters or more")
    sealed = private.private_bytes(
        Encoding.PEM,
        PrivateFormat.OpenSSH,
        PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(BCRYPT_ROUNDS).build(passphrase),
    )
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(sealed)
        stream.flush()
        os.fsync(stream.fileno())


def _read_file(path: Path, passphrase: Passphrase) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    if not path.is_file():
        raise KeyUnavailable(f"{path}: the key file is gone: restore it or make a new key")
    try:
        key: Any = load_ssh_private_key(path.read_bytes(), passphrase())
    except (ValueError, TypeError):
        raise KeyUnavailable("the passphrase does not open the key file") from None
    return key  # type: ignore[no-any-return]
