"""A `muster` command as a process of its own beside the screen: what it says is shown as it comes.

For what is Python for each row (an import, the freezing of a campaign): in this process it would
make every key wait. A secret goes through a pipe, never onto a command line.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from textual import work

from passmuster.tui.screens._list import ListScreen

DATA = ("[", "{", "]")
"""How a line of `--json` begins, which is not shown to anybody."""
KEPT_LINES = 12
"""Lines of what a command says that are kept."""
Done = Callable[[int, list[str]], None]
"""Takes the exit code and the last lines."""


class WithChild(ListScreen):
    """A screen that runs one command at a time."""

    running = ""
    """What runs now, in words."""

    def run_muster(
        self, words: Sequence[str], what: str, done: Done, secret: bytes | None = None
    ) -> None:
        """Run `muster WORDS…` on this workspace; *secret* is the signing key's passphrase."""
        self.running = what
        self.say(f"{what} …")
        self._run_muster(list(words), done, secret)

    @work(thread=True, group="child")
    def _run_muster(self, words: list[str], done: Done, secret: bytes | None) -> None:
        command = [sys.executable, "-m", "passmuster", "--workspace", str(self.desk.folder),
                   "--no-input", *words]  # fmt: skip
        out = None
        if secret is not None:
            out, into = os.pipe()
            os.write(into, secret)  # far less than a pipe holds
            os.close(into)
            end = command.index("--") if "--" in command else len(command)
            command[end:end] = ["--passphrase-fd", str(out)]
        said: list[str] = []
        with subprocess.Popen(  # noqa: S603 - our own program, no shell between
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", pass_fds=() if out is None else (out,),
        ) as process:  # fmt: skip
            if out is not None:
                os.close(out)
            self.muster.processes.add(process)
            assert process.stdout is not None
            for line in process.stdout:
                said = [*said, line.rstrip()][-KEPT_LINES:]
                if self.is_attached and not said[-1].startswith(DATA):
                    self.app.call_from_thread(self.say, said[-1])
        self.muster.processes.discard(process)
        if self.is_attached:
            self.app.call_from_thread(self._ran, process.returncode, said, done)

    def _ran(self, code: int, said: list[str], done: Done) -> None:
        self.running = ""
        done(code, [line for line in said if line])
