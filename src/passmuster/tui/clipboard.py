"""Copying, by whatever way this terminal has, and saying which one it was.

OSC 52 first: it reaches the clipboard of the person's own machine through SSH. A terminal does
not answer it, so what is said is that it was *sent*. Then a tool of the desktop, then a private
file. Nothing of the text goes to the terminal but as base64, and no control character reaches the
clipboard either: it may be pasted into a shell.
"""

import base64
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from passmuster.text import visible

MOST_BYTES = 74_994
"""What terminals take by OSC 52: 100,000 bytes of sequence, a third of it for base64."""
SCREEN_CHUNK = 512
"""GNU screen drops a longer string, in bytes."""
TOOL_TIMEOUT_S = 2.0
FILE = "copied.txt"
_NO_OSC = ("linux", "dumb", "")
_TOOLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # needs this variable: the tool and its words
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
    ("DISPLAY", ("xsel", "--clipboard", "--input")),
    ("WSL_DISTRO_NAME", ("clip.exe",)),
)


class Copied(NamedTuple):
    """Where the text went."""

    how: str
    """osc52, a tool's name, file, or nothing when it went nowhere."""
    words: str
    """One line for the person."""


def copy(
    text: str, write: Callable[[str], object], choice: str, folder: Path,
    env: Mapping[str, str] | None = None,
) -> Copied:  # fmt: skip
    """Copy *text* as the setting *choice* (auto, osc52, native, file) has it.

    *write* sends to the terminal; *folder* is the workspace, for the file.
    """
    env = os.environ if env is None else env
    data = "\n".join(visible(line) for line in text.split("\n")).encode()
    ways = {"auto": (_osc52, _native, _file), "osc52": (_osc52,), "native": (_native,),
            "file": (_file,)}[choice]  # fmt: skip
    why = ""
    for way in ways:
        found = way(data, write, folder, env)
        if found.how:
            return found
        why = why or found.words
    return Copied("", f"not copied: {why}")


def sequence(data: bytes, env: Mapping[str, str]) -> str:
    """What puts *data* on the clipboard of the terminal, through tmux or screen where needed."""
    plain = f"\x1b]52;c;{base64.b64encode(data).decode('ascii')}\x07"
    if env.get("TMUX"):
        # tmux takes the first itself (set-clipboard on), or hands the second on (allow-passthrough)
        return plain + "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if env.get("STY"):
        chunks = (plain[i : i + SCREEN_CHUNK] for i in range(0, len(plain), SCREEN_CHUNK))
        return "".join(f"\x1bP{chunk}\x1b\\" for chunk in chunks)
    return plain


def _osc52(
    data: bytes, write: Callable[[str], object], _folder: Path, env: Mapping[str, str]
) -> Copied:
    if len(data) > MOST_BYTES:
        size = f"{-(-len(data) // 1000):,} kB"
        return Copied("", f"{size} are more than a terminal takes ({MOST_BYTES // 1000} kB)")
    if env.get("TERM", "") in _NO_OSC:
        return Copied("", "this terminal has no clipboard")
    write(sequence(data, env))
    through = ""
    if env.get("TMUX"):
        through = " through tmux (set-clipboard or allow-passthrough on)"
    elif env.get("STY"):
        through = " through screen"
    return Copied("osc52", f"sent to your terminal's clipboard{through}")


def _native(
    data: bytes, _write: Callable[[str], object], _folder: Path, env: Mapping[str, str]
) -> Copied:
    """A program of the desktop, only where there is one to put it on."""
    for command in _tools(env):
        path = shutil.which(command[0], path=env.get("PATH"))
        if path is None:
            continue
        given = data.decode().encode("utf-16") if command[0] == "clip.exe" else data
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(  # noqa: S603 - one of the names above
                [path, *command[1:]], input=given, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=TOOL_TIMEOUT_S, check=False, env=dict(env),
            )  # fmt: skip
            if done.returncode == 0:
                return Copied(command[0], f"copied by {command[0]}")
    return Copied("", "no desktop here with wl-copy, xclip, xsel, pbcopy or clip.exe")


def _tools(env: Mapping[str, str]) -> list[tuple[str, ...]]:
    if sys.platform == "darwin":
        return [("pbcopy",)]
    if sys.platform == "win32":
        return [("clip.exe",)]
    return [command for needs, command in _TOOLS if env.get(needs)]


def _file(
    data: bytes, _write: Callable[[str], object], folder: Path, _env: Mapping[str, str]
) -> Copied:
    path = folder / FILE
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, flags, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
    except OSError as error:
        return Copied("", f"{path}: {error.strerror}")
    return Copied("file", f"kept in {path}, which only you can read")
