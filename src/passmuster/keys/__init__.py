"""Signing keys: make, keep, load, and sign with keys of other tools.

A key of our own is Ed25519, kept in the operating system's keyring when a real one answers in
time, else in an OpenSSH key file under bcrypt; its private half never lies anywhere in the clear.
Any other SSH key (a file, an agent, a FIDO2 token) signs through `ssh-keygen`. Which store is used
is recorded and said; there is no silent fall-back between them.
"""

from passmuster.keys._agent import AGENT, agent_keys
from passmuster.keys._files import MIN_PASSPHRASE, path_of
from passmuster.keys._forms import allowed_signer, forms
from passmuster.keys._key import (
    CALLED_OFF,
    Passphrase,
    SigningKey,
    Talk,
    blob,
    fingerprint,
    from_private,
    in_memory,
    sshsig_signer,
)  # fmt: skip
from passmuster.keys._keyring import kept_secret, real_keyring
from passmuster.keys._loading import has_passphrase, load, reachable, unsealed
from passmuster.keys._making import SSH, STORES, adopt, choose, new
from passmuster.keys._ssh import SshKey, resolve
from passmuster.keys._table import (
    FOREIGN,
    find,
    keep,
    keep_foreign,
    kept_in,
    listed,
    replace,
    signs_for,
)  # fmt: skip

__all__ = [
    "AGENT", "CALLED_OFF", "FOREIGN", "MIN_PASSPHRASE", "SSH", "STORES", "Passphrase",
    "SigningKey", "SshKey", "Talk", "adopt", "agent_keys", "allowed_signer", "blob", "choose",
    "find", "fingerprint", "forms", "from_private", "has_passphrase", "in_memory", "keep",
    "keep_foreign", "kept_in", "kept_secret", "listed", "load", "new", "path_of", "reachable",
    "real_keyring", "replace", "resolve", "signs_for", "sshsig_signer", "unsealed",
]  # fmt: skip
