"""`muster config`, `muster theme`, `muster info` and the flags of the workstation."""

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from passmuster import config
from passmuster.store import Database
from tests.conftest import ME, REPOSITORY, Muster
from tests.estates import opened
from tests.terminal import Terminal
from tests.test_house import loaded

SHIPPED = {
    "ansi", "mono", "muster-dark", "muster-deuteranopia", "muster-high-contrast", "muster-light",
    "muster-tritanopia",
}  # fmt: skip
FAINT = """
primary = "#777777"
accent = "#777777"
error = "#ff0000"
foreground = "#ffffff"
background = "#000"
[variables]
muster-dim = "#333333"
"""


def user_file(name: str, text: str) -> Path:
    path = config.user_folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_show_lists_every_setting_with_where_it_comes_from(inside: Muster, folder: Path) -> None:
    mine = user_file("config.toml", "[bulk]\nlow = 10\n")
    rows = json.loads(inside("config", "show", "--json").stdout)
    found = {row["key"]: row for row in rows}
    assert found["bulk.low"] == {
        "key": "bulk.low", "value": 10, "from": "user", "where": str(mine),
        "about": found["bulk.high"]["about"],
    }  # fmt: skip
    assert found["me"]["from"] == "environment"
    assert found["mouse"]["value"] is True
    assert f"bulk.low           10                              {mine}" in (
        inside("config", "show").stdout
    )


def test_validate_names_all_that_is_wrong_one_line_each(
    inside: Muster, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("""
theme = "muster-drak"
mous = true
[keys]
approv = "y"
revoke = "a"
[sections]
mine = "knd:x"
[rules.unusd]
max_days = 3
""")
    done = inside("config", "validate", str(path), code=1)
    told = done.stdout.splitlines()
    assert all(line.startswith(f"{path}: ") for line in told)
    for words in (
        "did you mean mouse?", "did you mean muster-dark?", "did you mean approve?",
        "the key a is for", "sections.mine: no filter knd:", "did you mean unused?",
    ):  # fmt: skip
        assert [words in line for line in told].count(True) == 1, words
    assert len(told) == 6
    assert done.stderr == "muster: 6 troubles with the settings: mend the file\n"
    path.write_text("key_store = 'cloud'\nread_only = 3\n")
    assert len(inside("config", "validate", str(path), code=1).stdout.splitlines()) == 2
    path.write_text('theme = "mono"\n[keys]\n"pane.on" = "L"\n')
    assert inside("config", "validate", str(path)).stdout == ""
    assert "no such file" in inside("config", "validate", "nowhere.toml", code=1).stderr
    user_file("config.toml", "them = 'x'\n")
    assert "did you mean theme?" in inside("config", "validate", code=1).stdout


def test_the_schema_is_one_object_of_json(inside: Muster) -> None:
    assert json.loads(inside("config", "schema").stdout) == config.schema()


def test_a_wrong_setting_of_the_screen_is_told_once_and_stops_no_command(
    inside: Muster, folder: Path
) -> None:
    user_file("config.toml", "them = 'x'\nclipboard = 3\n")
    inside("init")
    for words in (("config", "show", "--json"), ("rules", "list", "--json"), ("theme", "list")):
        done = inside(*words)
        told = [line for line in done.stderr.splitlines() if line.startswith("settings: ")]
        assert len(told) == 2, words
        assert "did you mean theme?" in told[0]


def test_info_tells_the_terminal_the_theme_and_the_troubles_even_with_broken_settings(
    inside: Muster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-kitty")
    monkeypatch.setenv("TMUX", "/tmp/tmux")
    monkeypatch.delenv("COLORTERM", raising=False)
    path = user_file("config.toml", "theme = 'nope'\nclipboard = 'file'\nmous = true\n")
    (facts,) = json.loads(inside("--theme", "muster-light", "info", "--json").stdout)
    assert facts["theme"] == "muster-light"
    (facts,) = json.loads(inside("info", "--json").stdout)
    assert facts["terminal_type"] == "xterm-kitty"
    assert facts["multiplexer"] == "tmux"
    assert facts["colorterm"] is None
    assert facts["no_color"] is False
    assert facts["clipboard"] == "file"
    assert facts["theme"] == "muster-dark"
    assert facts["user_themes"] == str(path.parent / "themes")
    assert facts["settings_read"] == [str(path)]
    assert facts["textual"].startswith("8.")
    assert [t.split(";")[0].split(": ")[-1] for t in facts["troubles"]] == [
        "unknown key 'mous'", "there is no theme 'nope'",
    ]  # fmt: skip
    monkeypatch.setenv("NO_COLOR", "1")
    path.write_text("key_store = 'cloud'\n")
    done = inside("info", "--json")
    (facts,) = json.loads(done.stdout)
    assert facts["theme"] == "mono"
    assert "key_store" in facts["troubles"][0]
    assert done.stderr == ""


def test_theme_list_has_all_that_ship_and_mine_and_says_which_is_in_use(inside: Muster) -> None:
    user_file("themes/pale.toml", FAINT)
    user_file("themes/bad.toml", "accent = 'blurple'\n")
    user_file("config.toml", "theme = 'pale'\n")
    done = inside("theme", "list", "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) == SHIPPED | {"pale"}
    assert [name for name, row in rows.items() if row["in_use"]] == ["pale"]
    assert rows["pale"]["from"] == "yours"
    assert rows["pale"]["faint"] == ["dim text"]
    assert all(row["description"] and not row["faint"] for n, row in rows.items() if n in SHIPPED)
    assert "left out: bad.toml: primary is missing" in done.stderr
    assert "hard to read: pale (dim text)" in done.stderr


def test_theme_check_gives_each_ratio_and_fails_on_what_is_faint(
    inside: Muster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "21.0   no" in inside("theme", "check", "muster-high-contrast").stdout
    inside("theme", "check")
    path = tmp_path / "faint.toml"
    path.write_text(FAINT)
    done = inside("theme", "check", str(path), "--json", code=3)
    rows = {row["text"]: row for row in json.loads(done.stdout)}
    assert rows["dim text"] == {
        "theme": "faint", "text": "dim text", "foreground": "#333333", "background": "#000",
        "ratio": 1.66, "faint": True,
    }  # fmt: skip
    assert rows["accent"]["faint"] is False
    assert done.stderr == "muster: 1 text below 4.5 to 1\n"
    path.write_text("= [")
    assert "cannot be read" in inside("theme", "check", str(path), code=1).stderr
    assert "did you mean muster-dark?" in inside("theme", "check", "muster-drak", code=1).stderr
    assert "terminal's own" in inside("theme", "check", "ansi").stderr
    user_file("themes/bad.toml", "= [")
    assert "bad.toml: cannot be read" in inside("theme", "check", code=1).stderr


def test_read_only_refuses_every_command_that_decides_and_no_other(
    inside: Muster, folder: Path, db: Database, tmp_path: Path
) -> None:
    opened(db, tmp_path, "svc-a")
    item = json.loads(inside("queue", "--json").stdout)[0]["item"]
    deciding = [
        ["decide", "approve", item, "--reason", "x"], ["own", ME, item], ["sign-off", "--yes"],
        ["drafts", "--clear", item], ["campaign", "close"],
        ["campaign", "open", "B", "--reviewer", ME, "--due", "2030-12-31"],
    ]  # fmt: skip
    for words in deciding:
        done = inside("--read-only", *words, code=2)
        assert done.stderr == "muster: --read-only: nothing is decided, signed, opened or closed\n"
    inside("--read-only", "drafts")
    (folder / "config.toml").touch(mode=0o600)
    config.change(folder / "config.toml", "read_only", value=True)
    for words in deciding:
        assert "read_only is set in your settings" in inside(*words, code=2).stderr
    inside("queue", "--json")
    assert json.loads(inside("drafts", "--json").stdout) == []


def test_a_theme_that_is_not_there_is_a_wrong_word_before_the_screen_opens(
    db: Database, folder: Path, tmp_path: Path
) -> None:
    opened(db, tmp_path, "svc-a")
    assert "no theme 'muster-lite'; did you mean muster-light?" in screen(
        folder, "did you mean", "--theme", "muster-lite"
    )


def screen(folder: Path, until: str, *words: str, **environment: str) -> str:
    """What the workstation sends to a terminal until *until* is in it."""
    command = [sys.executable, "-m", "passmuster", *words]
    env = {"MUSTER_WORKSPACE": str(folder), "MUSTER_ME": ME, **environment}
    with Terminal(command, env=env) as t:
        t.wait_for(until)
        return t.sent.decode(errors="replace")


MOUSE_ON = "\x1b[?1000h"


@pytest.mark.ci
def test_no_mouse_leaves_the_mouse_to_the_terminal(
    db: Database, folder: Path, tmp_path: Path
) -> None:
    opened(db, tmp_path, "svc-a")
    db.close()
    assert MOUSE_ON in screen(folder, "svc-a")
    assert MOUSE_ON not in screen(folder, "svc-a", "--no-mouse")
    (folder / "config.toml").touch(mode=0o600)
    config.change(folder / "config.toml", "mouse", value=False)
    assert MOUSE_ON not in screen(folder, "svc-a")


def colours(sent: str) -> set[str]:
    """The parameters of every SGR that sets a colour, without the terminal's own two."""
    found = {one for sgr in re.findall(r"\x1b\[([0-9;]*)m", sent) for one in _parts(sgr)}
    return found - {"39", "49"}


def _parts(sgr: str) -> list[str]:
    if "38;" in sgr or "48;" in sgr:
        return [sgr]
    return [p for p in sgr.split(";") if p and int(p) >= 30]


@pytest.mark.ci
def test_the_ansi_theme_sends_only_colours_of_the_terminal_and_none_under_no_color(
    db: Database, folder: Path, tmp_path: Path
) -> None:
    opened(db, tmp_path, "svc-a", "svc-b")
    db.close()
    exact = colours(screen(folder, "approve", "--theme", "muster-dark", COLORTERM="truecolor"))
    assert any(sgr.startswith("38;2;") or ";38;2;" in sgr for sgr in exact)
    sent = screen(folder, "approve", "--theme", "ansi", COLORTERM="truecolor")
    assert colours(sent) <= {"31", "35"}
    assert "35" in colours(sent)
    for theme in ("ansi", "muster-dark"):
        assert not colours(screen(folder, "approve", "--theme", theme, NO_COLOR="1"))


@pytest.mark.parametrize("words", [("theme", "list"), ("theme", "check"), ("config", "schema")])
def test_these_commands_load_no_textual(words: tuple[str, ...]) -> None:
    assert not loaded(*words) & {"textual", "tomlkit", "keyring", "sqlite_utils"}


def test_info_and_show_load_no_textual_and_no_tomlkit() -> None:
    for words in (("info",), ("config", "show")):
        assert not loaded(*words) & {"textual", "tomlkit"}


def test_every_shipped_theme_is_named_as_its_file() -> None:
    files = {p.stem: tomllib.loads(p.read_text()) for p in (REPOSITORY / "themes").glob("*.toml")}
    assert set(files) == SHIPPED
    assert all(values["name"] == stem for stem, values in files.items())
