"""SSHSIG, the signature that `ssh-keygen -Y sign` makes: read, check, and build one.

Pure; the form is PROTOCOL.sshsig of OpenSSH. We check what stock ssh-keygen does not: that a
hardware key was touched for this signature (it accepts one made without), and where asked that its
PIN was given. Namespace, key and hash are compared, never taken from the signature. A key in
another writing than the one canonical, or of small order, is refused: it would have two names, or
its signature would fit every message. The WebAuthn form of signature is not supported.
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from passmuster.errors import VerificationFailed

MAGIC = b"SSHSIG"
BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
HASHES = ("sha256", "sha512")
WIDTH = 70
"""Characters of base64 in a line, as ssh-keygen writes it."""
TOUCHED, PIN_GIVEN = 1, 4
"""Bits of a hardware key's flags: user presence, user verification (WebAuthn §6.1)."""
P25519 = 2**255 - 19
_ORDER_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
SMALL_ORDER = frozenset({0, 1, P25519 - 1, _ORDER_8, P25519 - _ORDER_8})
"""The y of Ed25519's points of order 1, 2, 4 and 8: under such a key anybody can sign."""
MAX_RSA_BITS = 16_384
"""As OpenSSH has it; verifying with a longer one is a way to keep us busy."""
ECDSA = {"nistp256": "sha256", "nistp384": "sha384", "nistp521": "sha512"}


@dataclass(frozen=True, slots=True)
class SshSignature:
    """An SSHSIG taken apart; nothing in it is checked yet."""

    key: bytes
    """The public key's blob, as in the middle of an OpenSSH line."""
    namespace: str
    hash: str
    kind: str
    """The signature's type, such as `ssh-ed25519`."""
    signature: bytes
    flags: int | None
    """What a hardware key says of touch and PIN; None for other keys."""
    counter: int | None


class Reader:
    """The strings and numbers of the SSH wire format (RFC 4251 §5)."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, size: int) -> bytes:
        """The next bytes; ValueError where there are not so many."""
        if len(self._data) < size:
            raise ValueError("it is cut off")
        found, self._data = self._data[:size], self._data[size:]
        return found

    def number(self, form: str = ">I") -> int:
        """A number of the form that `struct` calls *form*."""
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def string(self) -> bytes:
        """The next string."""
        return self.take(self.number())

    def strings(self) -> list[bytes]:
        """All strings up to the end."""
        found = []
        while self._data:
            found.append(self.string())
        return found

    def end(self) -> None:
        """Raise ValueError where something is left."""
        if self._data:
            raise ValueError("there is more than belongs there")


KEY_TYPES = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
    "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
)  # fmt: skip
"""Keys that may sign. No DSA, no certificates; ML-DSA is too new for the tools of an auditor."""


def string(data: bytes) -> bytes:
    """*data* as an SSH string: its length in four bytes before it (RFC 4251 §5)."""
    return struct.pack(">I", len(data)) + data


def public_blob(line: str) -> bytes:
    """The blob in an OpenSSH public-key line; ValueError when it is none."""
    words = line.split()
    if len(words) < 2:
        raise ValueError("not a public-key line")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        raise ValueError("not a public-key line") from None
    if Reader(blob).string() != words[0].encode():
        raise ValueError("a public-key line of two types")
    return blob


def is_hardware(public: str) -> bool:
    """Whether a public-key line is of a FIDO2 key."""
    return public.startswith("sk-")


def check_key(public: str) -> None:
    """Raise VerificationFailed unless the line *public* is of a key that may sign here.

    That is: of a known type, in its one canonical writing, of no small order.
    """
    try:
        blob = public_blob(public)
        _check_key(blob)
    except (ValueError, UnicodeDecodeError) as error:
        raise VerificationFailed(f"not a key that may sign: {error}") from None


def _check_key(blob: bytes) -> None:
    reader = Reader(blob)
    kind = reader.string().decode("ascii")
    plain = kind.removeprefix("sk-").removesuffix("@openssh.com")
    if kind not in KEY_TYPES:
        raise ValueError(f"its type {kind!r} is not one of {', '.join(KEY_TYPES)}")
    if kind == "ssh-rsa":
        numbers = [int.from_bytes(reader.string(), "big") for _ in range(2)]
        if b"".join(map(string, (kind.encode(), *map(_mpint, numbers)))) != blob:
            raise ValueError("its numbers are not in their canonical writing")
        exponent, modulus = numbers
        if not 2048 <= modulus.bit_length() <= MAX_RSA_BITS or exponent < 3 or not exponent % 2:
            raise ValueError("an RSA key has 2,048 bits or more, and an odd exponent from 3 up")
    elif plain == "ssh-ed25519":
        y = int.from_bytes(point := reader.string(), "little") & ~(1 << 255)
        if len(point) != 32 or y >= P25519:
            raise ValueError("its point is not in its canonical writing")
        if y in SMALL_ORDER:
            raise ValueError("its point is of small order: anybody could sign with it")
    else:
        curve, point = reader.string().decode("ascii"), reader.string()
        size = 2 * ((int(curve[5:]) + 7) // 8) + 1 if curve in ECDSA else 0
        if plain != f"ecdsa-sha2-{curve}" or len(point) != size or point[0] != 4:
            raise ValueError("its point is not in its canonical writing")
    if kind.startswith("sk-"):
        reader.string()  # the application
    reader.end()


def _mpint(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def signed_data(namespace: str, message: bytes, digest: str = "sha512") -> bytes:
    """What the key signs: magic, namespace, hash name and hash of *message*."""
    hashed = hashlib.new(digest, message).digest()
    return b"".join((MAGIC, *map(string, (namespace.encode(), b"", digest.encode(), hashed))))


def armored(public: str, namespace: str, sign: Callable[[bytes], bytes], message: bytes) -> bytes:
    """The signature file of an Ed25519 key; *sign* makes its 64 raw bytes."""
    inner = string(b"ssh-ed25519") + string(sign(signed_data(namespace, message)))
    return file_of(public_blob(public), namespace, inner)


def file_of(blob: bytes, namespace: str, inner: bytes) -> bytes:
    """The signature file around *inner*, what a key with that public *blob* made over the
    `signed_data` of a message under SHA-512.
    """
    body = b"".join((
        MAGIC, struct.pack(">I", 1),
        *map(string, (blob, namespace.encode(), b"", b"sha512", inner)),
    ))  # fmt: skip
    return _armor(body)


def _armor(body: bytes) -> bytes:
    text = base64.b64encode(body).decode()
    rows = [text[at : at + WIDTH] for at in range(0, len(text), WIDTH)]
    return "\n".join((BEGIN, *rows, END, "")).encode()


def parse(armor: bytes) -> SshSignature:
    """A signature file taken apart; VerificationFailed when it is not exactly one."""
    try:
        return _parse(armor)
    except (ValueError, UnicodeDecodeError) as error:
        raise VerificationFailed(f"not an SSH signature: {error}") from None


def _parse(armor: bytes) -> SshSignature:
    rows = armor.decode("ascii").split("\n")
    if rows[0] != BEGIN or rows[-2:] != [END, ""]:
        raise ValueError("it has other lines before or after it")
    data = base64.b64decode("".join(rows[1:-2]), validate=True)
    if _armor(data) != armor:
        raise ValueError("it is written in another way than ssh-keygen does")
    reader = Reader(data)
    if reader.take(len(MAGIC)) != MAGIC or reader.number() != 1:
        raise ValueError("another version than 1")
    key, namespace, reserved = reader.string(), reader.string(), reader.string()
    digest, inner = reader.string().decode("ascii"), Reader(reader.string())
    reader.end()
    if reserved or digest not in HASHES:
        raise ValueError(f"a reserved field is filled, or its hash is {digest!r}")
    kind, signature = inner.string().decode("ascii"), inner.string()
    if kind.startswith("webauthn-"):
        raise ValueError("it is of the WebAuthn form, which is not supported")
    hardware = kind.startswith("sk-")
    flags, counter = (inner.take(1)[0], inner.number()) if hardware else (None, None)
    inner.end()
    return SshSignature(key, namespace.decode(), digest, kind, signature, flags, counter)


def verify(armor: bytes, public: str, namespace: str, message: bytes, *, pin: bool = False) -> None:
    """Raise VerificationFailed unless *armor* is by the key of the line *public* over *message*.

    A hardware key must have been touched; with *pin* its PIN must have been given as well.
    """
    found = parse(armor)
    check_key(public)
    blob = public_blob(public)
    if found.key != blob:
        raise VerificationFailed("the signature names another key")
    if found.namespace != namespace:
        raise VerificationFailed(f"it was signed for {found.namespace!r}, not for {namespace!r}")
    _touch(found.flags, pin=pin)
    try:
        _check(found, blob, signed_data(namespace, message, found.hash))
    except (ValueError, TypeError) as error:
        raise VerificationFailed(f"not a signature of its key: {error}") from None


def _touch(flags: int | None, *, pin: bool) -> None:
    """What a hardware key's *flags* must say; stock ssh-keygen does not mind."""
    if flags is None:
        return
    if not flags & TOUCHED:
        raise VerificationFailed("the hardware key was not touched for this signature")
    if pin and not flags & PIN_GIVEN:
        raise VerificationFailed("the hardware key's PIN was not given for this signature")


def _check(found: SshSignature, blob: bytes, data: bytes) -> None:
    """The signature itself; the key fixes what kind it must be."""
    reader = Reader(blob)
    kind = reader.string().decode("ascii")
    if kind == "ssh-rsa":
        if found.kind not in ("rsa-sha2-256", "rsa-sha2-512"):
            raise ValueError(f"a signature of type {found.kind} by a key of type {kind}")
        exponent, modulus = (int.from_bytes(reader.string(), "big") for _ in range(2))
        return _rsa(modulus, exponent, found, data)
    if found.kind != kind:
        raise ValueError(f"a signature of type {found.kind} by a key of type {kind}")
    plain = kind.removeprefix("sk-").removesuffix("@openssh.com")
    if plain == "ssh-ed25519":
        point = reader.string()
        return _ed25519(point, found.signature, _for_hardware(found, reader, data))
    if plain.startswith("ecdsa-sha2-"):
        curve, point = reader.string().decode("ascii"), reader.string()
        if curve not in ECDSA or plain != f"ecdsa-sha2-{curve}":
            raise ValueError(f"an unknown curve {curve!r}")
        return _ecdsa(curve, point, found.signature, _for_hardware(found, reader, data))
    raise ValueError(f"a key of type {kind}, which is not known here")


def _for_hardware(found: SshSignature, key: Reader, data: bytes) -> bytes:
    """What the key signed: for a hardware key (PROTOCOL.u2f) hashes, flags and counter."""
    if found.flags is None or found.counter is None:
        key.end()
        return data
    application = hashlib.sha256(key.string()).digest()
    key.end()
    rest = struct.pack(">BI", found.flags, found.counter)
    return application + rest + hashlib.sha256(data).digest()


def _ed25519(point: bytes, signature: bytes, data: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    _ours(lambda: Ed25519PublicKey.from_public_bytes(point).verify(signature, data))


def _ecdsa(curve: str, point: bytes, signature: bytes, data: bytes) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    curves: dict[str, Any] = {
        "nistp256": ec.SECP256R1, "nistp384": ec.SECP384R1, "nistp521": ec.SECP521R1,
    }  # fmt: skip
    key = ec.EllipticCurvePublicKey.from_encoded_point(curves[curve](), point)
    reader = Reader(signature)
    r, s = (int.from_bytes(reader.string(), "big") for _ in range(2))
    reader.end()
    digest = getattr(hashes, ECDSA[curve].upper())()
    _ours(lambda: key.verify(encode_dss_signature(r, s), data, ec.ECDSA(digest)))


def _rsa(modulus: int, exponent: int, found: SshSignature, data: bytes) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    digest = hashes.SHA512() if found.kind == "rsa-sha2-512" else hashes.SHA256()
    key = RSAPublicNumbers(exponent, modulus).public_key()
    _ours(lambda: key.verify(found.signature, data, padding.PKCS1v15(), digest))


def _ours(check: Callable[[], None]) -> None:
    from cryptography.exceptions import InvalidSignature

    try:
        check()
    except InvalidSignature:
        raise VerificationFailed("the signature does not match the bytes") from None
