"""A token is lent by the vendor's command, else by the keyring; it is never kept or told."""

import sys
from pathlib import Path

import pytest

from passmuster import config, keys, logins
from passmuster.errors import NoLogin

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
