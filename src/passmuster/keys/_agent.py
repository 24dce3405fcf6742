"""The keys that an SSH agent holds, as `ssh-add -L` lists them."""

import os
import shutil
import subprocess

from passmuster.errors import KeyUnavailable
from passmuster.sshsig import KEY_TYPES

AGENT = "agent"
"""The place of a key that is in an agent."""
ANSWER_S = 10.0
"""Seconds until an agent that does not answer is given up."""


def agent_keys() -> list[str]:
    """Public-key lines of the agent's keys that may sign here; raises KeyUnavailable."""
    if not os.environ.get("SSH_AUTH_SOCK"):
        raise KeyUnavailable("no SSH agent: SSH_AUTH_SOCK is unset (start one, then ssh-add)")
    tool = shutil.which("ssh-add")
    if tool is None:
        raise KeyUnavailable("ssh-add is not here: install OpenSSH")
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            [tool, "-L"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=ANSWER_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise KeyUnavailable(f"the SSH agent did not answer in {ANSWER_S:g} s") from None
    if done.returncode > 1:  # 1: it holds no keys
        raise KeyUnavailable("the SSH agent at SSH_AUTH_SOCK cannot be reached")
    words = [line.split() for line in done.stdout.splitlines()]
    return [f"{w[0]} {w[1]}" for w in words if len(w) > 1 and w[0] in KEY_TYPES]
