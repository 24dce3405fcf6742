"""Public keys and certificates of OpenSSH, from their own bytes (RFC 4253 §6.6, PROTOCOL.certkeys).

Our own, because `cryptography` 46 reads no certificate of a hardware key (sk-*), and a format of
strings and numbers needs no library.
"""

import base64
import binascii
import hashlib
import struct
from typing import NamedTuple

from passmuster.sshsig import Reader

LINES_BYTES = 1 << 16
"""Of a file read at a time: such lines are short, and many at once would weigh."""
CERT = "-cert-v01@openssh.com"
FOREVER = 2**64 - 1
# how many strings of the key itself stand before the certificate's own fields
_KEY_FIELDS = {
    "ssh-ed25519": 1, "ssh-rsa": 2, "ssh-dss": 4, "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2, "ecdsa-sha2-nistp521": 2, "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
}  # fmt: skip
KEY_TYPES = frozenset(_KEY_FIELDS)


class Key(NamedTuple):
    """A public key as sshd's log and `ssh-keygen -l` name it."""

    algorithm: str
    fingerprint: str
    bits: int | None
    """Of RSA and DSA; the others have one size each."""


class Certificate(NamedTuple):
    """What a signing authority says of a key; the signature is not checked here."""

    key: Key
    is_host: bool
    serial: int
    key_id: str
    principals: tuple[str, ...]
    begins: int
    ends: int
    """Seconds since 1970; `FOREVER` where it never ends."""
    critical: tuple[tuple[str, str], ...]
    extensions: tuple[str, ...]
    authority: Key
    digest: str
    """sha256 of the whole certificate, in hexadecimal."""


def fingerprint(blob: bytes) -> str:
    """`SHA256:…` of a key's blob."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def blob_of(algorithm: str, encoded: str) -> bytes:
    """The bytes of the base64 of a key's line; ValueError where they are of another type."""
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise ValueError("broken base64") from None
    if Reader(blob).string() != algorithm.encode():
        raise ValueError(f"it says {algorithm[:40]} and holds another type of key")
    return blob


def key_of(blob: bytes) -> Key:
    """The key whose blob that is; ValueError where it is none that OpenSSH knows."""
    reader = Reader(blob)
    algorithm = reader.string().decode("ascii", "replace")
    if algorithm not in _KEY_FIELDS:
        raise ValueError(f"{algorithm[:40]}: no type of key that muster knows")
    fields = reader.strings()
    if len(fields) != _KEY_FIELDS[algorithm]:
        raise ValueError(f"it is no whole {algorithm} key")
    number = {"ssh-rsa": 1, "ssh-dss": 0}.get(algorithm)
    bits = None if number is None else int.from_bytes(fields[number]).bit_length()
    return Key(algorithm, fingerprint(blob), bits)


def certificate_of(blob: bytes) -> Certificate:
    """The certificate whose blob that is; ValueError where it is none."""
    reader = Reader(blob)
    kind = reader.string().decode("ascii", "replace")
    algorithm = kind.removesuffix(CERT)
    # the hardware kinds are called sk-ssh-ed25519-cert-v01@… and their keys sk-ssh-ed25519@…
    algorithm = f"{algorithm}@openssh.com" if algorithm.startswith("sk-") else algorithm
    if not kind.endswith(CERT) or algorithm not in _KEY_FIELDS:
        raise ValueError(f"{kind[:40]}: no type of certificate that muster knows")
    reader.string()  # the nonce
    fields = [reader.string() for _ in range(_KEY_FIELDS[algorithm])]
    plain = b"".join(struct.pack(">I", len(f)) + f for f in (algorithm.encode(), *fields))
    serial, role = reader.number(">Q"), reader.number()
    key_id = reader.string()
    principals = Reader(reader.string()).strings()
    begins, ends = reader.number(">Q"), reader.number(">Q")
    critical = Reader(reader.string()).strings()
    extensions = Reader(reader.string()).strings()
    reader.string()  # reserved
    authority = key_of(reader.string())
    if role not in (1, 2) or len(critical) % 2 or len(extensions) % 2:
        raise ValueError("it is neither for users nor for hosts, or its options are cut")
    return Certificate(
        key_of(plain), role == 2, serial, _words(key_id), tuple(map(_words, principals)),
        begins, ends,
        tuple((_words(n), _value(v)) for n, v in zip(critical[::2], critical[1::2], strict=True)),
        tuple(map(_words, extensions[::2])), authority, hashlib.sha256(blob).hexdigest(),
    )  # fmt: skip


def _words(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _value(data: bytes) -> str:
    return _words(Reader(data).string()) if data else ""
