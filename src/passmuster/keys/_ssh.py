"""Keys of the person's own SSH: a file, an agent's, a FIDO2 token's. Only public parts are read."""

import base64
import struct
from dataclasses import dataclass
from pathlib import Path

from passmuster import sshsig
from passmuster.errors import KeyUnavailable, UsageError, VerificationFailed
from passmuster.keys._agent import AGENT, agent_keys
from passmuster.keys._files import refuse_loose
from passmuster.keys._key import SigningKey, Talk, fingerprint
from passmuster.keys._keygen import Keygen
from passmuster.model import SSH_KEYID

MAX_SIZE = 65_536
"""Bytes of a key file; an RSA key of 16,384 bits has 13,000."""
_MAGIC = b"openssh-key-v1\0"
_BEGIN, _END = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class SshKey:
    """An SSH key that is there, not yet used."""

    public: str
    """Type and base64, without a comment."""
    place: str
    """The path of the private key's file, or `agent`."""
    encrypted: bool | None
    """Whether the file needs a passphrase; None in an agent, or where it cannot be told."""

    @property
    def warning(self) -> str:
        """What the person should know of how it is kept; empty where nothing is wrong."""
        if self.encrypted is not False or sshsig.is_hardware(self.public):
            return ""
        return (
            f"{self.place} has no passphrase: whoever reads it signs as you. "
            f"`ssh-keygen -p -f {self.place}` gives it one"
        )

    def signing(self, principal: str, talk: Talk) -> SigningKey:
        """The key as one that signs, by ssh-keygen and in the SSHSIG form alone."""
        from passmuster.keys._key import sshsig_signer

        mark = fingerprint(self.public)
        path = None if self.place == AGENT else Path(self.place)
        signer = sshsig_signer(SSH_KEYID + mark, Keygen(self.public, path, talk).sign)
        line = f"{self.public} {principal}"
        return SigningKey(principal, mark, line, "ssh", (signer,), self.place)


def resolve(given: str) -> SshKey:
    """The key that *given* names: a file, a fingerprint in the agent, or `agent` for its only one.

    Raises UsageError or KeyUnavailable, saying what to do.
    """
    if given == AGENT:
        found = agent_keys()
        if not found:
            raise UsageError("the SSH agent holds no key: put one there with ssh-add")
        if len(found) > 1:
            marks = ", ".join(map(fingerprint, found))
            raise UsageError(f"the SSH agent holds {len(found)} keys, name one: {marks}")
        key = SshKey(found[0], AGENT, None)
    elif given.startswith("SHA256:"):
        key = from_agent(given)
    else:
        key = _from_path(Path(given).expanduser().absolute())
    try:
        sshsig.check_key(key.public)
    except VerificationFailed as error:
        raise UsageError(f"{given}: {error}") from None
    return key


def from_agent(mark: str) -> SshKey:
    """The agent's key with that fingerprint."""
    for public in agent_keys():
        if fingerprint(public) == mark:
            return SshKey(public, AGENT, None)
    raise KeyUnavailable(f"{mark} is not in your SSH agent: put it there with ssh-add")


def _from_path(path: Path) -> SshKey:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise UsageError(f"{path}: {what} (an SSH key is a path, SHA256:… or agent)")
    if path.stat().st_size > MAX_SIZE:
        raise UsageError(f"{path}: not an SSH key")
    text = path.read_bytes().decode("ascii", errors="replace").strip()
    if text.startswith(sshsig.KEY_TYPES):
        try:
            return from_agent(fingerprint(text))
        except KeyUnavailable as error:
            private = path.with_suffix("")
            other = f", or give {private}" if path.suffix == ".pub" and private.is_file() else ""
            raise KeyUnavailable(f"{error}{other}") from None
        except (ValueError, IndexError):
            raise UsageError(f"{path}: not a public key") from None
    return from_file(path)


def from_file(path: Path) -> SshKey:
    """The private key's file at *path*, of which only the public part is read."""
    if not path.is_file():
        raise KeyUnavailable(f"{path}: the SSH key is gone: put it back, or make a new key")
    text = path.read_bytes()[:MAX_SIZE].decode("ascii", errors="replace").strip()
    if "PRIVATE KEY-----" not in text:
        raise UsageError(f"{path}: not an SSH private key")
    refuse_loose(path)  # only of a key: of another file that would be wrong advice
    if not text.startswith(_BEGIN):  # an older form, whose public part lies beside it
        beside = path.with_name(path.name + ".pub")
        if not beside.is_file():
            raise UsageError(f"{path}: its public half {beside} is missing: ssh-keygen -y makes it")
        words = beside.read_text("utf-8", errors="replace").split()
        return SshKey(" ".join(words[:2]), str(path), "ENCRYPTED" in text)
    try:
        cipher, blob = _header(base64.b64decode(text.removeprefix(_BEGIN).removesuffix(_END)))
        kind = blob[4 : 4 + struct.unpack(">I", blob[:4])[0]].decode("ascii")
    except (ValueError, struct.error):
        raise UsageError(f"{path}: not an SSH private key, or a damaged one") from None
    return SshKey(f"{kind} {base64.b64encode(blob).decode()}", str(path), cipher != b"none")


def _header(data: bytes) -> tuple[bytes, bytes]:
    """(cipher, public blob): what stands in the clear (PROTOCOL.key of OpenSSH)."""
    if not data.startswith(_MAGIC):
        raise ValueError("another format")
    at, fields = len(_MAGIC), list[bytes]()
    for number in range(4):  # cipher, key derivation, its options; then how many; the public key
        if number == 3:
            if struct.unpack(">I", data[at : at + 4])[0] != 1:
                raise ValueError("several keys in one file")
            at += 4
        size = struct.unpack(">I", data[at : at + 4])[0]
        fields.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return fields[0], fields[3]
