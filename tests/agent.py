"""SSH keys and a real ssh-agent for tests; made once per kind and process, they cost time."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

TOOLS = ("ssh-keygen", "ssh-agent", "ssh-add")
needs_ssh = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in TOOLS), reason=f"not here: one of {TOOLS}"
)
PASSPHRASE = "correct horse"
KINDS = {"ed25519": (), "ecdsa": ("-b", "256"), "rsa": ("-b", "2048")}


def ssh_key(path: Path, kind: str = "ed25519", passphrase: str = "", *more: str) -> Path:
    """A new key at *path*, its public half beside it."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, *KINDS[kind], "-N", passphrase, "-f", str(path), *more],
        check=True, stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    return path


@contextlib.contextmanager
def running_agent(patch: pytest.MonkeyPatch, *held: Path) -> Iterator[None]:
    """An agent that holds these unencrypted keys, and that SSH_AUTH_SOCK names."""
    with tempfile.TemporaryDirectory(prefix="agent-") as folder:  # a socket's path must be short
        socket = f"{folder}/s"
        said = subprocess.run(
            ["ssh-agent", "-s", "-a", socket], check=True, capture_output=True, text=True
        ).stdout
        pid = int(said.split("SSH_AGENT_PID=")[1].split(";")[0])
        patch.setenv("SSH_AUTH_SOCK", socket)
        try:
            for path in held:
                subprocess.run(["ssh-add", "-q", str(path)], check=True, capture_output=True,
                               env={**os.environ, "SSH_AUTH_SOCK": socket})  # fmt: skip
            yield
        finally:
            os.kill(pid, signal.SIGTERM)
