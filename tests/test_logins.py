"""A token is lent by the vendor's command, else by the keyring; it is never kept or told."""

import json
import sys
from pathlib import Path

import pytest

from passmuster import config, keys, logins
from passmuster.connectors import Where
from passmuster.errors import NoLogin, UsageError

SOURCE = "toy:t1"
TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB"


def tool(folder: Path, body: str) -> tuple[str, ...]:
    """A vendor's command."""
    path = folder / "vendor"
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    path.chmod(0o700)
    return (str(path), "auth", "token")


class Ring:
    """A keyring that has what a person put in."""

    def __init__(self, **held: str) -> None:
        self.held = held
        self.asked: list[tuple[str, str]] = []

    def get_password(self, service: str, user: str) -> str | None:
        self.asked.append((service, user))
        return self.held.get(user)


def test_what_the_vendor_s_command_prints_is_the_token(tmp_path: Path) -> None:
    command = tool(tmp_path, f"print('{TOKEN}'); print('noise', file=sys.stderr)")
    where = logins.where(config.Settings(sources={SOURCE: {"endpoint": "https://e"}}), SOURCE)
    assert where.secret("token", command) == TOKEN
    assert where.settings == {"endpoint": "https://e"} and where.tenant == "t1"


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    command = (*tool(tmp_path, "print(sys.argv[-1])"), "$(touch harmed); `touch harmed`")
    assert logins.login(SOURCE, "token", command, 1.0) == command[-1]


def test_else_the_keyring_is_asked_and_by_which_name_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tool(tmp_path, "sys.exit('log in first')")
    ring = Ring(token="from the ring")
    monkeypatch.setattr("passmuster.keys._keyring.real_keyring", lambda _: (ring, ""))
    assert logins.login(SOURCE, "token", command, 1.0) == "from the ring"
    assert ring.asked == [("passmuster:toy:t1", "token")]
    with pytest.raises(NoLogin, match="keyring set passmuster:toy:t1 other") as told:
        logins.login(SOURCE, "other", command, 1.0)
    assert "log in first" in str(told.value) and "auth token" in str(told.value)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("time.sleep(60)", "did not answer"),
        ("print()", "printed no token"),
        ("sys.stdout.write('x' * 70_000)", "printed no token"),
        ("print('a\\x1b]52;c;eA==\\x07')", "printed no token"),
        (f"sys.exit('bad {TOKEN}')", "ended with 1"),
    ],
)
def test_a_command_that_fails_is_told_in_one_line_without_a_secret(
    body: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "ANSWER_S", 0.3)
    with pytest.raises(NoLogin) as told:
        logins.login(SOURCE, "token", tool(tmp_path, body), 1.0)
    assert why in str(told.value) and "\n" not in str(told.value)
    assert TOKEN not in str(told.value)


def test_a_tool_that_is_not_here_and_no_keyring_are_both_told() -> None:
    with pytest.raises(NoLogin, match="no-such-tool is not here; no keyring") as told:
        logins.login(SOURCE, "token", ("no-such-tool", "token"), 1.0)
    assert told.value.exit_code == 1
    assert not hasattr(keys, "set_secret"), "muster puts nothing into the keyring"


def at_a_server(words: str, source: str = SOURCE) -> Where:
    """A source whose login is printed by a command of its settings."""
    given = {source: {"endpoint": "https://e", "secret_command": words}}
    return logins.where(config.Settings(sources=given), source)


def test_a_command_of_the_settings_goes_before_the_vendor_s_and_is_all_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendors = tool(tmp_path, "print('of another account')")
    monkeypatch.setattr("passmuster.keys._keyring.real_keyring", lambda _: (Ring(token="r"), ""))
    kept = tmp_path / "a file"
    kept.write_text(f"{TOKEN}\n")
    where = at_a_server(f"cat '{kept}'")
    assert where.secret("token", vendors) == TOKEN
    assert where.settings == {"endpoint": "https://e"}, "no connector sees the command"
    kept.unlink()
    with pytest.raises(NoLogin, match="no login at toy:t1: secret_command: cat ended with 1"):
        where.secret("token", vendors)


@pytest.mark.parametrize(
    ("words", "why"),
    [("cat 'x", "No closing quotation"), ("no-such-tool x", "no-such-tool is not here"),
     (" ", "it is empty"), ("true", "printed no token")],
)  # fmt: skip
def test_a_command_of_the_settings_that_cannot_be_says_why(words: str, why: str) -> None:
    with pytest.raises((NoLogin, UsageError), match=why):
        at_a_server(words).secret("token", ())


def test_no_shell_reads_the_command_of_the_settings(tmp_path: Path) -> None:
    where = at_a_server(f"echo a;touch {tmp_path}/harmed")
    assert where.secret("token", ()) == f"a;touch {tmp_path}/harmed"
    assert not (tmp_path / "harmed").exists()


def test_a_command_in_a_file_that_others_can_write_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[sources."{SOURCE}"]\nsecret_command = "cat x"\n')
    path.chmod(0o600)
    assert config.alone(path).sources[SOURCE]["secret_command"] == "cat x"
    for mode in (0o620, 0o602):
        path.chmod(mode)
        with pytest.raises(UsageError, match=r"toy:t1\.secret_command is not run: others can"):
            config.alone(path)
    path.write_text(f'[sources."{SOURCE}"]\nendpoint = "https://e"\n')
    assert config.alone(path).sources, "an address is no command"


def test_json_of_several_lines_is_one_token_and_other_lines_are_none(tmp_path: Path) -> None:
    printed = json.dumps({"status": {"token": TOKEN}}, indent=4)
    command = tool(tmp_path, f"print({printed!r})")
    assert json.loads(logins.login(SOURCE, "token", command, 1.0)) == {"status": {"token": TOKEN}}
    for other in ("{\nno json", "one\ntwo"):
        with pytest.raises(NoLogin, match="printed no token"):
            logins.login(SOURCE, "token", tool(tmp_path, f"print({other!r})"), 1.0)
