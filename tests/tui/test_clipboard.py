"""Copying: what bytes are sent, which way is taken, and what is said of it."""

import base64
import os
import re
import stat
from pathlib import Path

import pytest

from passmuster.tui.clipboard import FILE, MOST_BYTES, copy, sequence

HOSTILE = "evil\x1b]52;c;aGk=\x07\x9b2J\u202egnp.exe\r\nrm -rf ~\n"
XTERM = {"TERM": "xterm-256color", "PATH": ""}


def sent(text: str, env: dict[str, str], folder: Path, choice: str = "auto") -> tuple[str, str]:
    """What went to the terminal, and how."""
    out: list[str] = []
    done = copy(text, out.append, choice, folder, env)
    return "".join(out), done.how


def decoded(seq: str) -> str:
    found = re.fullmatch(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", seq)
    assert found is not None, seq[:60]
    return base64.b64decode(found[1]).decode()


def test_a_text_goes_to_the_terminal_as_base64_and_nothing_else(tmp_path: Path) -> None:
    bytes_, how = sent("arn:aws:iam::1:user/büro", XTERM, tmp_path)
    assert how == "osc52"
    assert decoded(bytes_) == "arn:aws:iam::1:user/büro"
    assert not (tmp_path / FILE).exists()


def test_no_control_character_reaches_the_terminal_or_the_clipboard(tmp_path: Path) -> None:
    text = decoded(sent(HOSTILE, XTERM, tmp_path)[0])
    assert text.replace("\n", "").isprintable()
    assert text.count("\n") == 2
    assert "\\x1b]52;c;aGk=\\x07" in text


def test_tmux_is_given_it_for_itself_and_to_hand_on(tmp_path: Path) -> None:
    bytes_, _ = sent("x", {**XTERM, "TMUX": "/tmp/tmux-0/default,1,0"}, tmp_path)
    own, _, rest = bytes_.partition("\x1bPtmux;")
    assert decoded(own) == "x"
    assert rest.startswith("\x1b\x1b]52;c;")
    assert rest.endswith("\x07\x1b\\")
    assert decoded(rest.removesuffix("\x1b\\").replace("\x1b\x1b", "\x1b")) == "x"


def test_screen_is_given_pieces_that_it_does_not_drop() -> None:
    text = "y" * 5_000
    bytes_ = sequence(text.encode(), {"TERM": "screen", "STY": "1.tty"})
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", bytes_, re.DOTALL)
    assert "".join(f"\x1bP{p}\x1b\\" for p in pieces) == bytes_
    assert max(map(len, pieces)) <= 512
    assert decoded("".join(pieces)) == text


def test_more_than_a_terminal_takes_goes_to_a_private_file(tmp_path: Path) -> None:
    assert sent("z" * MOST_BYTES, XTERM, tmp_path)[1] == "osc52"
    assert sent("z" * (MOST_BYTES + 1), XTERM, tmp_path) == ("", "file")
    path = tmp_path / FILE
    assert path.read_text() == "z" * (MOST_BYTES + 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_is_new_each_time_and_never_somebody_elses(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    (tmp_path / FILE).symlink_to(elsewhere)
    assert sent("secret", XTERM, tmp_path, "file") == ("", "file")
    assert elsewhere.read_text() == "kept"
    assert not (tmp_path / FILE).is_symlink()


def tool(folder: Path, name: str, code: int = 0) -> dict[str, str]:
    """A program of that name, which keeps what it is given."""
    path = folder / name
    path.write_text(f'#!/bin/sh\ncat > "{folder}/{name}.got"\nexit {code}\n')
    path.chmod(0o700)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "TERM": "linux"}


def test_a_desktop_tool_is_taken_only_where_there_is_a_desktop(tmp_path: Path) -> None:
    env = tool(tmp_path, "xsel")
    assert sent("t", env, tmp_path)[1] == "file"
    assert sent("t", {**env, "DISPLAY": ":0"}, tmp_path) == ("", "xsel")
    assert (tmp_path / "xsel.got").read_text() == "t"


def test_a_tool_that_fails_gives_way_to_the_file(tmp_path: Path) -> None:
    env = {**tool(tmp_path, "wl-copy", 1), "WAYLAND_DISPLAY": "w"}
    assert sent("t", env, tmp_path)[1] == "file"


@pytest.mark.parametrize(("choice", "env", "said"), [
    ("osc52", {"TERM": "dumb"}, "not copied: this terminal has no clipboard"),
    ("native", XTERM, "not copied: no desktop here with wl-copy"),
    ("osc52", XTERM, "sent to your terminal's clipboard"),
    ("osc52", {**XTERM, "TMUX": "1"}, "through tmux"),
    ("file", XTERM, "kept in "),
])  # fmt: skip
def test_one_line_says_which_way_it_went(
    tmp_path: Path, choice: str, env: dict[str, str], said: str
) -> None:
    done = copy("t", lambda _: None, choice, tmp_path, env)
    assert said in done.words
    assert bool(done.how) != done.words.startswith("not copied")


def test_a_choice_that_cannot_be_is_said_and_not_replaced(tmp_path: Path) -> None:
    """Who wants only OSC 52 may not want a copy on the disk."""
    done = copy("z" * (MOST_BYTES + 1), lambda _: None, "osc52", tmp_path, XTERM)
    assert done == ("", "not copied: 75 kB are more than a terminal takes (74 kB)")
    assert not (tmp_path / FILE).exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    done = copy("t", lambda _: None, "file", tmp_path / "missing", XTERM)
    assert done.how == ""
    assert "No such file" in done.words
