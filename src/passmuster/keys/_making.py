"""A new key: where it goes, and why there."""

import re

from passmuster.errors import KeyUnavailable, UsageError
from passmuster.keys import _files, _keyring
from passmuster.keys._key import Passphrase, SigningKey, Talk, from_private, generate
from passmuster.keys._ssh import SshKey
from passmuster.keys._table import keep
from passmuster.store import Database

STORES = ("auto", "keyring", "file")
"""Where a key of ours may be asked to go."""
SSH = "ssh"
"""The store of a key that another tool holds."""
# what has a meaning in an allowed_signers file (ssh-keygen(1): patterns, lists, quotes, comments)
_PRINCIPAL = re.compile(r'[^\s,*?!"#\\@]+@[^\s,*?!"#\\@]+')


def check_principal(principal: str) -> None:
    """Raise UsageError unless *principal* is an address that no file of signers reads otherwise."""
    if not _PRINCIPAL.fullmatch(principal) or not principal.isprintable():
        raise UsageError(f"{principal!r} is not an e-mail address; set `me` or MUSTER_ME")


def choose(where: str, timeout_s: float) -> tuple[str, str]:
    """The store that a new key goes to when *where* is asked for, and why it is that one.

    Raises KeyUnavailable where the keyring was asked for and there is none.
    """
    if where == "file":
        return "file", "as you asked"
    unseen = _keyring.headless() if where == "auto" else ""
    backend, why = (None, unseen) if unseen else _keyring.real_keyring(timeout_s)
    if backend is not None:
        return "keyring", f"{_keyring.name_of(backend)} encrypts it and answers"
    if where == "keyring":
        raise KeyUnavailable(f"no usable keyring: {why}; use --key-store file")
    return "file", f"no usable keyring: {why}"


def new(
    db: Database, principal: str, where: str, passphrase: Passphrase, now: str, timeout_s: float
) -> SigningKey:
    """Make a key for *principal* and keep it in *where* (`auto`, `keyring`, `file`)."""
    check_principal(principal)
    where, _ = choose(where, timeout_s)
    private = generate()
    key = from_private(private, principal, where)
    if where == "keyring":
        backend, why = _keyring.real_keyring(timeout_s)
        if backend is None:
            raise KeyUnavailable(f"no usable keyring: {why}; use --key-store file")
        _keyring.put(backend, key.fingerprint, private, timeout_s)
    else:
        _files.write(_files.path_of(db, key.fingerprint), private, passphrase())
    keep(db, key, now)
    return key


def adopt(found: SshKey, principal: str, passphrase: Passphrase) -> SigningKey:
    """An SSH key as the signing key of *principal*.

    Nothing is kept yet: that is done when its first signature, the enrolment, has been made.
    """
    check_principal(principal)
    return found.signing(principal, Talk.of(passphrase))
