"""A real sshd on a port of this machine, with a list of revoked keys and one account: our own."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from passmuster.connectors import Where

CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/keys/%u
TrustedUserCAKeys {folder}/ca.pub
RevokedKeys {folder}/revoked
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
LogLevel VERBOSE
"""


@dataclass
class Sshd:
    """Where its files are, and how muster is told of it."""

    folder: Path
    port: int
    user: str

    @property
    def keys(self) -> Path:
        return self.folder / "keys" / self.user

    @property
    def where(self) -> Where:
        return Where(f"ssh:{socket.gethostname()}", {
            "endpoint": f"ssh://127.0.0.1:{self.port}", "ca": str(self.folder / "known_hosts"),
            "profile": str(self.folder / "sshd_config"),
        })  # fmt: skip

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def secret(self, name: str) -> str:
        """A private key, as somebody has it at hand."""
        return (self.folder / name).read_text()

    def key(self, name: str, comment: str = "ci@example.com") -> str:
        """Make a key; its fingerprint."""
        keygen("-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(self.folder / name))
        return keygen("-lf", str(self.folder / f"{name}.pub")).split()[1]


def keygen(*words: str) -> str:
    return subprocess.run(
        ["ssh-keygen", *words], check=True, capture_output=True, timeout=30, text=True
    ).stdout


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    binary = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if binary is None or shutil.which("ssh") is None:
        pytest.skip("sshd is not here")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    found = Sshd(folder, port, pwd.getpwuid(os.getuid()).pw_name)
    (folder / "keys").mkdir()
    for name in ("host", "ca"):
        keygen("-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
    host = (folder / "host.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}")
    (folder / "revoked").touch(0o644)
    (folder / "sshd_config").write_text(CONFIG.format(folder=folder, port=port))
    process = subprocess.Popen(
        [binary, "-D", "-E", str(folder / "log"), "-f", str(folder / "sshd_config")]
    )
    try:
        _wait(port, process)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("sshd does not start")
