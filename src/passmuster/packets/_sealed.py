"""Encryption of a packet to those who shall read it, by age (`age-encryption.org/v1`).

Not ours: the format and the library are age's (extra `passmuster[packet]`), the keys are the SSH
keys that people sign with and that the roster lists. It hides; it proves nothing, and nothing that
is proved about a packet depends on it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from passmuster.errors import NotFound, UsageError, VerificationFailed

HEAD = b"age-encryption.org/v1\n"
TYPES = ("ssh-ed25519", "ssh-rsa")
"""Kinds of SSH keys that age can encrypt to; a key inside of hardware cannot decrypt."""


def is_sealed(path: Path) -> bool:
    """Whether a file is encrypted by age; NotFound where there is no file."""
    if not path.is_file():
        why = "is a folder: a packet is one file" if path.is_dir() else "no such file"
        raise NotFound(f"{path}: {why}")
    with path.open("rb") as stream:
        return stream.read(len(HEAD)) == HEAD


def _age() -> Any:
    try:
        import pyrage
    except ImportError:
        raise UsageError(
            "encryption needs age: pip install 'passmuster[packet]', or run age itself: "
            "age -R KEY.pub -o PACKET.age PACKET, and age -d -i KEY PACKET.age > PACKET"
        ) from None
    return pyrage


def seal(source: Path, target: Path, keys: Sequence[str]) -> None:
    """Encrypt *source* to all of *keys* (public-key lines of OpenSSH) that can decrypt."""
    usable = [key for key in keys if key.split()[0] in TYPES]
    if not usable:
        raise UsageError(
            "none of their keys can decrypt (a key inside of hardware signs, and that is all): "
            "hand the packet over in person, or encrypt it by what you both have"
        )
    age = _age()
    to = [age.ssh.Recipient.from_str(" ".join(key.split()[:2])) for key in usable]
    with source.open("rb") as plain, target.open("wb") as sealed:
        age.encrypt_io(plain, sealed, to)


def unseal(source: Path, target: Path, private: bytes) -> None:
    """Decrypt *source* with an OpenSSH private key that has no passphrase.

    Raises VerificationFailed when it is for somebody else, or damaged.
    """
    age = _age()
    try:
        mine = age.ssh.Identity.from_buffer(private)
        with source.open("rb") as sealed, target.open("wb") as plain:
            age.decrypt_io(sealed, plain, [mine])
    except (age.DecryptError, age.IdentityError, OSError) as error:
        raise VerificationFailed(f"{source}: it cannot be decrypted: {error}") from None
