"""Whose login a platform is asked with: the engineer's own, lent for one run and never kept.

A tool that preaches short-lived credentials keeps no long-lived one. So a token comes from the
vendor's own command, with which the engineer is logged in; where that cannot give one, from the
operating system's keyring, if a person put it there. A server has no keyring that anybody could
unlock: there the `secret_command` of the source's settings prints it (a password manager, a file
that systemd or a vault lays out), and then nothing else is asked. It is in no setting, no file and
no log, and what the command says on its way out is shown in one line without what it printed as
the token.
"""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from passmuster import keys
from passmuster.config import SECRET_COMMAND, Settings
from passmuster.connectors import Where, holds_secret
from passmuster.errors import KeyUnavailable, NoLogin, UsageError
from passmuster.text import visible

ANSWER_S = 30.0
"""Seconds for the vendor's command: some ask the network for a fresh token."""
MAX_BYTES = 64 * 1024
MAX_WHY = 200
SERVICE = "passmuster:"
"""In the keyring, before the source; the user is the name of the secret."""


def where(settings: Settings, source_id: str) -> Where:
    """How to reach *source_id* (`platform:tenant`) live, with the login of whoever runs this."""
    given = dict(settings.sources.get(source_id, {}))
    own = given.pop(SECRET_COMMAND, None)

    def secret(name: str, command: Sequence[str]) -> str:
        if own is not None:
            return _by_own_command(source_id, own)
        return login(source_id, name, command, settings.keyring_timeout_s)

    return Where(source_id, given, secret)


def login(source_id: str, name: str, command: Sequence[str], keyring_timeout_s: float) -> str:
    """The secret called *name*: what *command* prints, else what the keyring has.

    Raises NoLogin, which says what to run, where there is neither.
    """
    found, why = _said_by(command)
    if found is None:
        found, why_not = _kept(source_id, name, keyring_timeout_s)
        why = f"{why}; {why_not}"
    if found is None:
        log_in = f"log in with the vendor's tool so that `{shlex.join(command)}` works, or " * bool(
            command
        )
        raise NoLogin(
            f"no login at {visible(source_id)} ({why}): {log_in}"
            f"run: keyring set {shlex.quote(SERVICE + source_id)} {shlex.quote(name)}; "
            f'on a server without a keyring: [sources."{visible(source_id)}"] '
            'secret_command = "a command that prints it"'
        )
    return found


def _by_own_command(source_id: str, words: str) -> str:
    """What the command of the settings prints; no shell reads it. Where it fails nothing else is
    asked: another login than the one that was meant is worse than none.
    """
    try:
        command = shlex.split(words)
    except ValueError as error:
        raise UsageError(f"{visible(source_id)}: secret_command: {error}") from None
    found, why = _said_by(command) if command else (None, "it is empty")
    if found is None:
        raise NoLogin(f"no login at {visible(source_id)}: secret_command: {why}")
    return found


def _said_by(command: Sequence[str]) -> tuple[str | None, str]:
    """What the vendor's command prints on stdout, or why there is nothing."""
    tool = shutil.which(command[0]) if command else None
    if tool is None:
        missing = f"{visible(command[0])} is not here" if command else ""
        return None, missing or "the vendor has no command for it"
    shown = visible(command[0])
    try:
        done = subprocess.run(  # noqa: S603 - words of the connector, no shell
            [tool, *command[1:]], stdin=subprocess.DEVNULL, capture_output=True, timeout=ANSWER_S,
            check=False, start_new_session=os.name == "posix",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"{shown} did not answer in {ANSWER_S:g} s"
    except OSError as error:
        return None, f"{shown} cannot be run: {error.strerror}"
    if done.returncode:
        return None, f"{shown} ended with {done.returncode}{_why(done.stderr)}"
    token = _one_line(done.stdout[: MAX_BYTES + 1].decode("utf-8", "replace").rstrip("\r\n"))
    if not token.strip() or len(done.stdout) > MAX_BYTES or not token.isprintable():
        return None, f"{shown} printed no token"
    return token, ""


def _one_line(printed: str) -> str:
    """A JSON object of several lines, as plug-ins of kubectl print it, is one token too."""
    if printed.lstrip().startswith("{"):
        with suppress(ValueError, RecursionError):
            return json.dumps(json.loads(printed))
    return printed


def _why(stderr: bytes) -> str:
    """The last line of what it complained of; nothing that looks like a secret."""
    lines = stderr[-MAX_BYTES:].decode("utf-8", "replace").strip().splitlines()
    line = visible(lines[-1].strip())[:MAX_WHY] if lines else ""
    return f": {line}" if line and not holds_secret(line) else ""


def _kept(source_id: str, name: str, timeout_s: float) -> tuple[str | None, str]:
    try:
        found = keys.kept_secret(SERVICE + source_id, name, timeout_s)
    except KeyUnavailable as error:
        return None, str(error)
    return found, "" if found else "the keyring has none"
