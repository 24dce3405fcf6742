"""The public forms of a key: for ssh-keygen, for openssl, for a file of signers. Never private."""

from passmuster.model import SSH_NAMESPACE
from passmuster.sshsig import is_hardware


def allowed_signer(principal: str, public: str) -> str:
    """A line of an allowed_signers file: good for our namespace alone."""
    return f'{principal} namespaces="{SSH_NAMESPACE}" {" ".join(public.split()[:2])}'


def forms(principal: str, public: str) -> dict[str, str | None]:
    """The forms by name, each with its newline; PEM is None for hardware keys, which have none."""
    line = " ".join(public.split()[:2])
    return {
        "openssh": f"{line} {principal}\n",
        "pem": None if is_hardware(public) else _pem(line),
        "allowed-signers": f"{allowed_signer(principal, public)}\n",
    }


def _pem(line: str) -> str:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_ssh_public_key,
    )

    key = load_ssh_public_key(line.encode())
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
