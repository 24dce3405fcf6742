"""Key files of ours: OpenSSH's format under bcrypt, which ssh-keygen opens and re-keys.

PKCS8 encryption is not used: its builder is fixed at 2,048 PBKDF2 rounds.
"""

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passmuster.errors import KeyUnavailable, UsageError, WrongPassphrase
from passmuster.keys._key import Passphrase
from passmuster.store import Database

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

BCRYPT_ROUNDS = 100
"""About 0.8 s for one guess of the passphrase on a 2026 machine."""
MIN_PASSPHRASE = 8
"""Characters."""


def path_of(db: Database, mark: str) -> Path:
    """Where the file of the key with fingerprint *mark* lies."""
    return db.path.parent / "keys" / hashlib.sha256(mark.encode()).hexdigest()[:16]


def write(path: Path, private: "Ed25519PrivateKey", passphrase: bytes) -> None:
    """Write a new key file, on the disk before this returns."""
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


def read(path: Path, passphrase: Passphrase) -> "Ed25519PrivateKey":
    """The key in a file of ours; raises KeyUnavailable."""
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    if not path.is_file():
        raise KeyUnavailable(f"{path}: the key file is gone: restore it or make a new key")
    refuse_loose(path)
    try:
        key: Any = load_ssh_private_key(path.read_bytes(), passphrase())
    except (ValueError, TypeError):
        raise WrongPassphrase("the passphrase does not open the key file") from None
    return key  # type: ignore[no-any-return]


def refuse_loose(path: Path) -> None:
    """Raise KeyUnavailable where other users may read a private key's file."""
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyUnavailable(f"{path}: other users may read it; run: chmod 600 {path}")
