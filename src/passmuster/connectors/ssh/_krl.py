"""sshd's list of revoked keys (RevokedKeys), as a KRL (PROTOCOL.krl) or as lines of public keys.

ssh-keygen adds to a KRL, and has no way to take one key out again: that is done here, and every
other section stays byte for byte. A signed KRL is left alone: it would not be signed any more.
"""

import base64
import hashlib
import struct
from collections.abc import Iterator

from passmuster.connectors.ssh._authorized import split
from passmuster.connectors.ssh._wire import fingerprint
from passmuster.errors import Declined

_MAGIC = b"SSHKRL\n\0"
_HEAD = struct.Struct(">8sIQQQ")
_KEYS, _SHA1, _SIGNATURE, _SHA256 = 2, 3, 4, 5


def is_krl(data: bytes) -> bool:
    """Whether it is a KRL and not a list of public keys in lines."""
    return data.startswith(_MAGIC)


def revoked(data: bytes, key: str, blob: bytes | None = None) -> bool:
    """Whether *data* lists the key with that fingerprint; its *blob* matters for SHA-1 alone."""
    if not is_krl(data):
        return any(print_ == key for print_, _ in _lines(data))
    digest = _digest(key)
    sha1 = hashlib.sha1(blob).digest() if blob else None  # noqa: S324 - a form of old KRLs
    for kind, entries in _sections(data):
        for entry in _entries(entries) if kind in (_KEYS, _SHA1, _SHA256) else ():
            if entry == (sha1 if kind == _SHA1 else digest) or (
                kind == _KEYS and fingerprint(entry) == key
            ):
                return True
    return False


def without(data: bytes, key: str, now: int) -> bytes:
    """*data* without that key; *now* is the KRL's new time of making."""
    if not is_krl(data):
        gone = {line for print_, line in _lines(data) if print_ == key}
        return b"".join(r for r in data.splitlines(keepends=True) if r.strip() not in gone)
    digest, out = _digest(key), bytearray()
    for kind, body in _sections(data):
        if kind == _SIGNATURE:
            raise Declined("the KRL is signed: make a new one with its signing key", "signed", 409)
        kept = body
        if kind in (_KEYS, _SHA256):
            left = [
                entry for entry in _entries(body)
                if entry != digest and not (kind == _KEYS and fingerprint(entry) == key)
            ]  # fmt: skip
            kept = b"".join(map(_string, left))
        if kept or kind not in (_KEYS, _SHA256):
            out += bytes([kind]) + _string(kept)
    magic, version, number, _, flags = _HEAD.unpack_from(data)
    rest = data[_HEAD.size : _body(data)]
    return _HEAD.pack(magic, version, number + 1, now, flags) + rest + bytes(out)


def _digest(key: str) -> bytes:
    return base64.b64decode(key.removeprefix("SHA256:") + "=")


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _cut() -> Declined:
    return Declined("the KRL is cut off, so sshd refuses every key; make it again", "broken", 409)


def _take(data: bytes, at: int) -> tuple[bytes, int]:
    if len(data) < at + 4:
        raise _cut()
    (size,) = struct.unpack_from(">I", data, at)
    if len(data) < at + 4 + size:
        raise _cut()
    return data[at + 4 : at + 4 + size], at + 4 + size


def _body(data: bytes) -> int:
    """Where the sections begin: after the head, a reserved string and a comment."""
    if len(data) < _HEAD.size or _HEAD.unpack_from(data)[1] != 1:
        raise Declined("a KRL of a version that muster does not know", "version", 409)
    _, at = _take(data, _HEAD.size)
    return _take(data, at)[1]


def _sections(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = _body(data)
    while at < len(data):
        kind = data[at]
        body, at = _take(data, at + 1)
        yield kind, body


def _entries(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        entry, at = _take(body, at)
        yield entry


def _lines(data: bytes) -> Iterator[tuple[str, bytes]]:
    for raw in data.splitlines():
        line = raw.strip()
        if line and not line.startswith(b"#"):
            try:
                yield split(line.decode("utf-8", "replace")).key.fingerprint, line
            except ValueError:
                continue
