"""A FIDO2 key in software, for tests: the bytes that a hardware key makes, with flags to choose.

Stock ssh-keygen verifies what it signs (PROTOCOL.u2f, PROTOCOL.sshsig of OpenSSH).
"""

import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from passmuster import keys, sshsig
from passmuster.keys import SigningKey
from passmuster.model import SSH_KEYID, SSH_NAMESPACE

TYPE = b"sk-ssh-ed25519@openssh.com"
APPLICATION = b"ssh:"
TOUCH, TOUCH_AND_PIN, NO_TOUCH = 1, 5, 0


class Token:
    """The key: *flags* say what its holder did for each signature."""

    def __init__(self, seed: int = 1, flags: int = TOUCH) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.flags, self.counter = flags, 7
        point = self._private.public_key().public_bytes_raw()
        self.blob = b"".join(map(sshsig.string, (TYPE, point, APPLICATION)))
        self.public = f"{TYPE.decode()} {_base64(self.blob)}"

    def signature(self, data: bytes) -> bytes:
        """The signature's inner form over *data*."""
        rest = struct.pack(">BI", self.flags, self.counter)
        signed = hashlib.sha256(APPLICATION).digest() + rest + hashlib.sha256(data).digest()
        return b"".join(map(sshsig.string, (TYPE, self._private.sign(signed)))) + rest

    def sign(self, message: bytes, namespace: str = SSH_NAMESPACE) -> bytes:
        """The signature file over *message*."""
        return sshsig.file_of(
            self.blob, namespace, self.signature(sshsig.signed_data(namespace, message))
        )

    def key(self, principal: str) -> SigningKey:
        """As a signing key of ours."""
        mark = keys.fingerprint(self.public)
        signer = keys.sshsig_signer(SSH_KEYID + mark, self.sign)
        return SigningKey(principal, mark, f"{self.public} {principal}", "ssh", (signer,))


def _base64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()
