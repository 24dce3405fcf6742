"""The key that signs for somebody, unlocked."""

from pathlib import Path
from typing import Any

from passmuster.errors import KeyUnavailable, MusterError, WrongPassphrase
from passmuster.keys import _files, _keyring
from passmuster.keys._agent import AGENT
from passmuster.keys._key import Passphrase, SigningKey, Talk, fingerprint, from_private
from passmuster.keys._ssh import SshKey, from_agent, from_file
from passmuster.keys._table import signs_for
from passmuster.store import Database


def load(
    db: Database, principal: str | None, passphrase: Passphrase, timeout_s: float
) -> SigningKey:
    """The key that signs for *principal*, unlocked; an SSH key asks only when it signs.

    Raises KeyUnavailable when there is none or when it cannot be unlocked.
    """
    row = signs_for(db, principal)
    if row is None:
        whose = f" for {principal}" if principal else ""
        raise KeyUnavailable(f"no signing key{whose}: make one with `muster key new`")
    mark, owner, store = row["fingerprint"], row["principal"], row["store"]
    if store == "ssh":
        return _ssh(row).signing(owner, Talk.of(passphrase))
    if store == "keyring":
        private = _keyring.get(mark, timeout_s)
    else:
        private = _files.read(_files.path_of(db, mark), passphrase)
    key = from_private(private, owner, store)
    if key.fingerprint != mark:
        raise KeyUnavailable(f"the stored key is not {mark}: the workspace was tampered with")
    return key


def unsealed(
    db: Database, principal: str | None, passphrase: Passphrase, timeout_s: float
) -> bytes:
    """The private half of the key that signs for *principal*, as an OpenSSH file without a
    passphrase: for decryption, in memory alone.

    Raises KeyUnavailable for a key that is in an agent or in hardware: it only signs.
    """
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_ssh_private_key,
    )

    row = signs_for(db, principal)
    if row is None:
        raise KeyUnavailable("no signing key: make one with `muster key new`")
    mark, store = row["fingerprint"], row["store"]
    private: Any
    if store == "keyring":
        private = _keyring.get(mark, timeout_s)
    elif store == "file":
        private = _files.read(_files.path_of(db, mark), passphrase)
    elif store == "ssh" and row["place"] != AGENT:
        found = _ssh(row)
        try:
            private = load_ssh_private_key(
                Path(row["place"]).read_bytes(), passphrase() if found.encrypted else None
            )
        except (ValueError, TypeError):
            raise WrongPassphrase(f"{row['place']} is not opened by that passphrase") from None
    else:
        raise KeyUnavailable("your key is in an agent or in hardware: it signs, and cannot decrypt")
    data: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return data


def _ssh(row: dict[str, str]) -> SshKey:
    if row["place"] == AGENT:
        return from_agent(row["fingerprint"])
    found = from_file(Path(row["place"]))
    if fingerprint(found.public) != row["fingerprint"]:
        raise KeyUnavailable(f"{row['place']} holds another key now than {row['fingerprint']}")
    return found


def reachable(db: Database, row: dict[str, str], timeout_s: float) -> str:
    """Why a listed key could not sign now; empty when it could. Asks for no passphrase."""
    try:
        if row["store"] == "ssh":
            _ssh(row)
        elif row["store"] == "keyring":
            _keyring.get(row["fingerprint"], timeout_s)
        elif row["store"] == "file":
            path = _files.path_of(db, row["fingerprint"])
            if not path.is_file():
                return f"{path}: the key file is gone: restore it or make a new key"
            _files.refuse_loose(path)
        else:
            return "it was kept in memory and is gone"
    except MusterError as error:
        return str(error)
    return ""


def has_passphrase(row: dict[str, str]) -> bool:
    """Whether the file of a listed key needs one (a hardware key's PIN is another thing)."""
    if row["store"] != "ssh" or row["place"] == AGENT:
        return row["store"] == "file"
    try:
        return bool(_ssh(row).encrypted)
    except MusterError:
        return False
