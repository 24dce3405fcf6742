"""The vendor's lines for an operator elsewhere: each script has lines of one shell alone."""

import re
import subprocess
from pathlib import Path

import pytest

from passmuster import connectors, remediation
from passmuster.remediation import Remedy
from passmuster.text import sha256
from tests.conftest import Muster
from tests.connectors.test_ad_plan import dossier
from tests.remediation.conftest import Estate
from tests.remediation.test_command import command, decided, rows

__all__ = ["command"]
RAN = re.compile(r"^try \{\n(.*?)\n\} catch \{$", re.DOTALL | re.MULTILINE)
"""The lines that PowerShell runs in a script of ours."""


def planned(estate: Estate, *uids: str) -> list[Remedy]:
    for uid in uids:
        estate.toy.account(uid)
    estate.bring_in("2026-11-23T09:00:00Z")
    decided(estate, *uids)
    return remediation.plan(estate.db, estate.clock())


def test_each_shell_has_a_script_of_its_own_and_both_are_proved_by_the_next_import(
    command: Muster, estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(estate, "lines-d", "win-e", "win-f")
    out, other = tmp_path / "stop.sh", tmp_path / "stop.ps1"
    done = command("remediate", "script", "--out", str(out))
    assert str(out) in done.stderr and f"{other}: 2 stops" in done.stderr
    posix, windows = out.read_text(), other.read_text("utf-8-sig")
    assert other.read_bytes().startswith(b"\xef\xbb\xbf"), "else 5.1 reads names wrong"
    assert "win-" not in posix and "lines-d" not in windows
    assert "# undo: toy enable win-e" in windows and not windows.startswith("#!")
    tool = tmp_path / "operator" / "toy"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/ran"\n')
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    assert subprocess.run([out], check=False, timeout=30).returncode == 0
    assert (tmp_path / "ran").read_text() == "disable lines-d\n"
    ran = RAN.findall(windows)
    assert ran == ["toy disable win-e", "toy disable win-f"]
    for uid in ("lines-d", "win-e", "win-f"):
        estate.toy.objects[uid]["enabled"] = False
    estate.bring_in("2026-11-27T09:00:00Z")
    found = rows(command("remediate", "status", "--json"))
    assert {r["standing"] for r in found} == {"verified by import of 2026-11-27"}


def test_each_result_names_the_bytes_of_the_script_that_has_its_lines(
    command: Muster, estate: Estate, tmp_path: Path
) -> None:
    names = {one.uri.rpartition("/")[2]: one.name for one in planned(estate, "lines-d", "win-e")}
    command("remediate", "script", "--out", str(tmp_path / "stop"))
    for uid, path in (("lines-d", "stop"), ("win-e", "stop.ps1")):
        digest = sha256((tmp_path / path).read_bytes())
        (row,) = remediation.results(estate.db, names[uid])
        assert (row["script"], row["carrier"]) == (digest, "script")


def test_a_file_for_powershell_takes_no_lines_of_another_shell(
    command: Muster, estate: Estate, tmp_path: Path
) -> None:
    planned(estate, "lines-d", "win-e")
    done = command("remediate", "script", "--out", str(tmp_path / "stop.ps1"), code=2)
    assert "ends in .sh" in done.stderr and not list(tmp_path.glob("stop*"))
    (tmp_path / "stop.ps1").write_text("mine")
    done = command("remediate", "script", "--out", str(tmp_path / "stop.sh"), code=2)
    assert "is there already" in done.stderr
    assert not (tmp_path / "stop.sh").exists(), "both or none"


def test_where_all_lines_are_powershell_s_there_is_one_file(
    command: Muster, estate: Estate, tmp_path: Path
) -> None:
    planned(estate, "win-e")
    command("remediate", "script", "--out", str(tmp_path / "stop.sh"))
    assert [path.name for path in tmp_path.glob("stop*")] == ["stop.ps1"]


def test_the_lines_of_active_directory_say_which_shell_they_are_for() -> None:
    shells = {plan.shell: plan.stop[0] for plan in connectors.plan(dossier(), "disable")}
    assert shells["powershell"].startswith("Disable-ADAccount ")
    assert shells["sh"].startswith("printf ")


def test_a_verb_of_powershell_stands_in_no_plan_for_another_shell() -> None:
    verb = re.compile(r"(?:Disable|Enable|Set|Remove|Add)-[A-Z]")
    for plan in connectors.plan(dossier(), "revoke"):
        lines = [line for line in (*plan.stop, *plan.undo) if verb.match(line)]
        assert bool(lines) is (plan.shell == "powershell")
