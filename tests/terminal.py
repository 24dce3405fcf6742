"""A terminal for tests: a program in a pty of a given size, and what then stands where.

It answers the questions that a modern terminal answers (synchronised output, cursor position,
device attributes) and keeps a model of the screen (pyte), so that a test can ask for text, styles
and the cursor. `watch=False` leaves the model out, for measurements. No assertion is made on time:
waits have an end only so that a failure ends.
"""

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pyte

PATIENCE_S = 30.0
"""How long anything is waited for before the test is a failure."""
_ANSWERS = (
    (b"\x1b[?2026$p", b"\x1b[?2026;2$y"),  # synchronised output: known, and off now
    (b"\x1b[6n", b"\x1b[1;1R"),
    (b"\x1b[c", b"\x1b[?62;22c"),
)
KEYS = {
    "down": b"\x1b[B", "up": b"\x1b[A", "right": b"\x1b[C", "left": b"\x1b[D", "home": b"\x1b[H",
    "end": b"\x1b[F", "pagedown": b"\x1b[6~", "pageup": b"\x1b[5~", "enter": b"\r",
    "escape": b"\x1b", "tab": b"\t", "space": b" ", "backspace": b"\x7f", "ctrl+q": b"\x11",
    "ctrl+u": b"\x15",
}  # fmt: skip
_TICKS = os.sysconf("SC_CLK_TCK")


class Stroke(NamedTuple):
    """What one key press led to."""

    first_ms: float
    last_ms: float
    size: int
    """Bytes."""


class Terminal:
    """A program and the terminal that it runs in."""

    def __init__(
        self, command: Sequence[str], *, rows: int = 24, columns: int = 80,
        env: Mapping[str, str] | None = None, watch: bool = True,
    ) -> None:  # fmt: skip
        self._main, side = os.openpty()
        self._set_size(rows, columns)
        self.size = (rows, columns)
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen) if watch else None
        self.sent = bytearray()
        self.before = termios.tcgetattr(self._main)
        """The terminal's modes before the program ran."""
        self._side = os.dup(side)  # kept, so that the modes can still be asked for after its end
        base = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=side, stdout=side, stderr=side, start_new_session=True,
            env={**base, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8",
                 **(env or {})},
            preexec_fn=_take_terminal,  # noqa: PLW1509 - there is no other way to a terminal of its own
        )  # fmt: skip
        os.close(side)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for end in (self._main, self._side):
            with contextlib.suppress(OSError):
                os.close(end)

    # reading

    def read(self, seconds: float) -> bytes:
        """What comes within *seconds*, put on the screen; nothing from a program that is gone."""
        data = self._receive(seconds)
        if self._stream is not None:
            self._stream.feed(data)
        return data

    def _receive(self, seconds: float) -> bytes:
        if not select.select([self._main], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self._main, 1 << 18)
        except OSError:
            return b""
        self.sent += data
        for question, answer in _ANSWERS:
            if question in data:
                os.write(self._main, answer)
        return data

    def until(self, met: Callable[[], bool], what: str = "") -> Self:
        """Read until *met*; an AssertionError with the screen when that never comes."""
        ends = time.monotonic() + PATIENCE_S
        while not met():
            ended = self.process.poll() is not None
            if not self.read(0.1) and (ended or time.monotonic() > ends):
                if met():
                    break
                raise AssertionError(f"waited in vain for {what or met}; on the screen:\n{self}")
        return self

    def until_sent(self, data: bytes) -> tuple[float, float]:
        """Receive until *data* has been sent; seconds since the start, and CPU seconds, by then.

        What was received is drawn afterwards: the model is slow, and the program would go on.
        """
        ends, at = time.monotonic() + PATIENCE_S, len(self.sent)
        while data not in self.sent:
            if not self._receive(0.1) and time.monotonic() > ends:
                raise AssertionError(f"waited in vain for {data!r}; what came: {self.sent!r}")
        found = time.perf_counter() - self.began, self.cpu_s
        if self._stream is not None:
            self._stream.feed(bytes(self.sent[at:]))
        return found

    def wait_for(self, text: str) -> Self:
        """Read until *text* stands on the screen."""
        return self.until(lambda: text in str(self), repr(text))

    def wait_without(self, text: str) -> Self:
        """Read until *text* no longer stands on the screen."""
        return self.until(lambda: text not in str(self), f"{text!r} to go")

    def settle(self, quiet_s: float = 0.3) -> Self:
        """Read until nothing has come for a while."""
        ends = time.monotonic() + PATIENCE_S
        while self.read(quiet_s) and time.monotonic() < ends:
            pass
        return self

    def finish(self) -> int:
        """Read until the program has ended; its exit code."""
        ends = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            self.read(0.05)
            if time.monotonic() > ends:
                raise AssertionError(f"it does not end; on the screen:\n{self}")
        while self.read(0.05):
            pass
        return self.process.wait()

    # writing

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        os.write(self._main, data)

    def press(self, *keys: str) -> Self:
        """Send keys, by name or as themselves; does not wait for anything."""
        for key in keys:
            self.write(KEYS.get(key, key.encode()))
        return self

    def paste(self, data: bytes) -> Self:
        """Paste in brackets, as a terminal does."""
        self.write(b"\x1b[200~" + data + b"\x1b[201~")
        return self

    def stroke(self, key: str, quiet_s: float = 0.025) -> Stroke:
        """Press *key* and time what comes, until nothing has come for *quiet_s*."""
        began = time.perf_counter()
        self.press(key)
        first = last = 0.0
        came = b""
        while data := self._receive(quiet_s if came else PATIENCE_S):
            last = time.perf_counter()
            first = first or last
            came += data
        if not came:
            raise AssertionError(f"{key} led to nothing; on the screen:\n{self}")
        if self._stream is not None:  # only now: the model is slow
            self._stream.feed(came)
        return Stroke((first - began) * 1e3, (last - began) * 1e3, len(came))

    def resize(self, rows: int, columns: int) -> Self:
        """Give the terminal another size; the program is told by SIGWINCH, as in real life."""
        self.size = (rows, columns)
        self.screen.resize(rows, columns)
        self._set_size(rows, columns)
        return self

    def _set_size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def kill(self, number: signal.Signals) -> Self:
        """Send the program a signal."""
        self.process.send_signal(number)
        return self

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self._side)
        os.close(self._main)

    # what stands where

    def __str__(self) -> str:
        return "\n".join(self.screen.display)

    def row(self, text: str) -> int:
        """The first row in which *text* stands."""
        for number, line in enumerate(self.screen.display):
            if text in line:
                return number
        raise AssertionError(f"{text!r} is not on the screen:\n{self}")

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column of the terminal's own cursor."""
        return self.screen.cursor.y, self.screen.cursor.x

    @property
    def modes(self) -> dict[str, bool]:
        """Private modes by number, as last set or reset; `kitty` when its keys are on."""
        found = {}
        for numbers, final in re.findall(rb"\x1b\[\?([\d;]+)([hl])", self.sent):
            found.update(dict.fromkeys(numbers.decode().split(";"), final == b"h"))
        pushed = len(re.findall(rb"\x1b\[>\d+u", self.sent))
        found["kitty"] = pushed > len(re.findall(rb"\x1b\[<\d*u", self.sent))
        return found

    @property
    def attributes(self) -> object:
        """The line discipline's modes now, to be compared with `before`."""
        return termios.tcgetattr(self._side)

    # what it costs

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the program so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / _TICKS

    @property
    def rss_mib(self) -> float:
        """Resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(r"VmRSS:\s+(\d+)", status)
        assert match
        return int(match[1]) / 1024


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
