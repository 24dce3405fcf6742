"""Signing by `ssh-keygen -Y sign`: the one way that works for files, agents and hardware alike.

It runs in a session of its own, without a terminal. What it asks comes to us by `askpass`; what it
says on stderr ("Confirm user presence …") is told while it waits. Going back, a time-out and
Ctrl-C end it. POSIX only: the questions come over a Unix socket.
"""

import contextlib
import os
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from passmuster import sshsig
from passmuster.errors import KeyUnavailable, VerificationFailed, WrongPassphrase
from passmuster.keys._key import CALLED_OFF, Talk
from passmuster.model import SSH_NAMESPACE
from passmuster.text import visible

SILENCE_S = 120.0
"""Seconds without a word from ssh-keygen or an answer from the person until it is ended."""
TICK_S = 0.1
TOUCH = "touch your key: it waits until you do"
_NOISE = ("Signing data on ", "Write signature to ")
_PRESENCE = "Confirm user presence"
_UNOPENED = "Load key "
"""Said before it ends: `_why` has it."""


class Keygen:
    """Runs ssh-keygen for one key; what opened it once is not asked for again."""

    def __init__(self, public: str, key: Path | None, talk: Talk) -> None:
        """*key* is the private key's file, None for a key in the agent."""
        self.public, self.key, self.talk = public, key, talk
        self._opened: dict[str, bytes] = {}

    def sign(self, data: bytes) -> bytes:
        """The signature file over *data*, checked; raises KeyUnavailable."""
        tool = shutil.which("ssh-keygen")
        if tool is None or os.name != "posix":
            raise KeyUnavailable("ssh-keygen is not here: install OpenSSH 8.1 or later")
        self._answered: dict[str, bytes] = {}
        if self.key is None and sshsig.is_hardware(self.public):
            self.talk.tell(TOUCH)  # the agent does not say it through ssh-keygen
        with _private_folder() as folder:
            key = self.key
            if key is None:
                key = folder / "key.pub"
                key.write_text(self.public + "\n")
            words = [tool, "-Y", "sign", "-n", SSH_NAMESPACE, "-f", str(key)]
            armor = self._run(words, folder, data)
        try:
            sshsig.verify(armor, self.public, SSH_NAMESPACE, data)
        except VerificationFailed as error:
            raise KeyUnavailable(f"what the key signed is not used: {error}") from None
        self._opened |= self._answered
        return armor

    def _run(self, words: list[str], folder: Path, data: bytes) -> bytes:
        with _door(folder) as door, tempfile.TemporaryFile(dir=folder) as given:
            given.write(data)
            given.seek(0)
            process = subprocess.Popen(  # noqa: S603 - words of ours, no shell
                words, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=_environment(folder, agent=self.key is None), start_new_session=True,
            )  # fmt: skip
            try:
                out, said = self._listen(process, door)
                code = process.wait(timeout=SILENCE_S)
            finally:
                _end(process)
        if code:
            raise _why(said, self.key)
        return out

    def _listen(
        self, process: "subprocess.Popen[bytes]", door: socket.socket
    ) -> tuple[bytes, list[str]]:
        """Read and answer until it has said everything; (stdout, the lines of stderr)."""
        assert process.stdout is not None
        assert process.stderr is not None
        out, errors = process.stdout.fileno(), process.stderr.fileno()
        heard = {out: b"", errors: b""}
        told = 0
        with selectors.DefaultSelector() as selector:
            for number in (out, errors, door.fileno()):
                selector.register(number, selectors.EVENT_READ)
            while len(selector.get_map()) > 1:  # the door alone is left when both have ended
                ready = self._wait(selector, process)
                if not ready:
                    break
                for number in ready:
                    if number not in heard:
                        self._answer(door)
                        continue
                    piece = os.read(number, 65_536)
                    heard[number] += piece
                    if not piece:
                        selector.unregister(number)
                *lines, _ = _lines(heard[errors])
                self._tell(lines[told:])
                told = len(lines)
        return heard[out], _lines(heard[errors])

    def _wait(
        self, selector: selectors.BaseSelector, process: "subprocess.Popen[bytes]"
    ) -> list[int]:
        """What can be read from now; nothing when it has ended and its helpers alone are left."""
        until = time.monotonic() + SILENCE_S
        while time.monotonic() < until:
            ready = [key.fd for key, _ in selector.select(TICK_S)]
            if self.talk.called_off():
                raise KeyUnavailable(CALLED_OFF)
            if ready or process.poll() is not None:
                return ready
        raise KeyUnavailable(f"the key did not sign in {SILENCE_S:g} s: try again")

    def _tell(self, lines: list[str]) -> None:
        for line in filter(None, lines):
            if line.startswith(_PRESENCE):
                self.talk.tell(TOUCH)
            elif not line.startswith((*_NOISE, _UNOPENED)):
                self.talk.tell(visible(line))

    def _answer(self, door: socket.socket) -> None:
        """Take one question from askpass, and answer it."""
        with contextlib.suppress(OSError), door.accept()[0] as caller:
            caller.settimeout(SILENCE_S)
            asked = b""
            while piece := caller.recv(4096):
                asked += piece
            kind, _, prompt = asked.decode(errors="replace").partition("\n")
            if kind == "none":
                self._tell([prompt])
                caller.sendall(b"+")
            elif not kind:
                secret = self._opened.get(prompt)
                if secret is None:
                    secret = self.talk.ask(self._question(prompt))
                self._answered[prompt] = secret
                caller.sendall(b"+" + secret)
            # a confirmation is refused: nothing that we ask for needs one

    def _question(self, prompt: str) -> str:
        """*prompt*, with the file that a passphrase is of."""
        if self.key is not None and prompt.startswith("Enter passphrase"):
            return visible(f"passphrase of {self.key}")
        return visible(prompt).strip().rstrip(":")


def _lines(data: bytes) -> list[str]:
    return [line.strip() for line in data.decode(errors="replace").split("\n")]


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder for one signature, 0700, with the program that asks in it."""
    with tempfile.TemporaryDirectory(prefix="muster-") as name:
        folder = Path(name)
        asker = folder / "askpass"
        ours = Path(__file__).with_name("askpass.py")
        command = map(shlex.quote, (sys.executable, "-I", "-S", "-B", str(ours), f"{name}/door"))
        asker.write_text(f'#!/bin/sh\nexec {" ".join(command)} "$@"\n')
        asker.chmod(0o700)
        if not os.access(asker, os.X_OK):
            raise KeyUnavailable(
                f"no program may run in {folder.parent} (noexec): set TMPDIR to a folder of yours"
            )
        yield folder


@contextlib.contextmanager
def _door(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as door:
        try:
            door.bind(str(folder / "door"))
        except OSError as error:
            raise KeyUnavailable(f"{folder}: {error}: set TMPDIR to a shorter path") from None
        door.listen()
        yield door


def _environment(folder: Path, *, agent: bool) -> dict[str, str]:
    """What ssh-keygen is told: to ask by our program alone, and whether to use the agent.

    A key file is never signed with through an agent that holds the same key: an agent without a
    display refuses keys with a PIN, and which of the two signed would not be known.
    """
    found = {**os.environ, "SSH_ASKPASS": str(folder / "askpass"), "SSH_ASKPASS_REQUIRE": "force"}
    found.setdefault("DISPLAY", ":0")  # OpenSSH before 8.4 asks by a program only where it is set
    if not agent:
        found.pop("SSH_AUTH_SOCK", None)
    return found


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it and its helpers, if it has not ended by itself."""
    if process.poll() is None:
        for how in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2)
                break
    streams: tuple[IO[bytes] | None, ...] = (process.stdout, process.stderr)
    for stream in filter(None, streams):
        stream.close()


def _why(said: list[str], key: Path | None) -> KeyUnavailable:
    """What ssh-keygen's last words mean."""
    words = [line for line in said if line and not line.startswith((*_NOISE, _PRESENCE))]
    text = " ".join(words)
    if "incorrect passphrase" in text:
        return WrongPassphrase(f"the passphrase or PIN does not open {key or 'the key'}")
    if "agent refused" in text:
        return KeyUnavailable(
            "the SSH agent refused to sign: it may want a confirmation or a PIN where it runs; "
            "for a key with a PIN give its file instead of the agent"
        )
    if "nknown option" in text or "usage:" in text:
        return KeyUnavailable("ssh-keygen is too old: signing needs OpenSSH 8.1 or later")
    last = visible(words[-1]) if words else "it did not say why"
    return KeyUnavailable(f"ssh-keygen could not sign: {last}")
