"""`muster remediate` and `muster collect`, as a person runs them."""

import importlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from passmuster import config, remediation
from passmuster.cli.common import Bench
from passmuster.cli.remedy_run import read_secret
from passmuster.model import Change
from tests.conftest import Muster
from tests.remediation.conftest import SOURCE, Estate


@pytest.fixture
def command(
    estate: Estate, inside: Muster, passphrase_file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Muster:  # fmt: skip
    """The command, with the vendor's tool logged in and a key of one's own."""
    tools = tmp_path / "bin"
    tools.mkdir()
    tool = tools / "toy"
    tool.write_text(f"#!{sys.executable}\nprint('{estate.toy.token}')\n")
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    settings = estate.db.path.parent / "config.toml"
    settings.write_text(f'[sources."{SOURCE}"]\nendpoint = "{estate.toy.url}"\n')
    settings.chmod(0o600)
    inside("key", "new", "--key-store", "file")
    return inside


def rows(done: "subprocess.CompletedProcess[str]") -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def decided(estate: Estate, *uids: str, verdict: str = "revoke") -> None:
    at = estate.opened()
    for uid in uids:
        estate.decide(at, uid, verdict)
    estate.sign_off(at)


def test_the_whole_loop(command: Muster, estate: Estate) -> None:
    decided(estate, "svc-a")
    (planned,) = rows(command("remediate", "plan", "--json"))
    assert planned["state"] == "planned" and planned["stop"] == ["toy disable svc-a"]
    assert planned["undo"] == ["toy enable svc-a"] and planned["residual"]
    (done,) = rows(command("remediate", "apply", "--yes", "--verify", "--json"))
    assert (done["state"], done["verdict"]) == ("verified", "refused")
    (one,) = rows(command("remediate", "status", "--json"))
    assert one["standing"] == "verified: refused" and not one["open"]
    assert not rows(command("remediate", "status", "--open", "--json"))
    command("remediate", "restore", "--yes", str(one["id"])[:5])
    assert estate.toy.objects["svc-a"]["enabled"] is True
    kinds = estate.db.execute("SELECT count(*) FROM entry WHERE predicate = 'remediation'")
    assert kinds.fetchone() == (2,), "one statement for each run"
    assert command("log", "verify").returncode == 0


def test_what_the_platform_will_not_do_is_told_signed_and_no_success(
    command: Muster, estate: Estate
) -> None:
    decided(estate, "svc-a")
    command("remediate", "plan")
    estate.toy.calls.clear()
    estate.toy.faults = {1: "403"}
    done = command("remediate", "apply", "--yes", code=1)
    assert "403" in done.stderr and "apply_failed" in done.stdout
    assert not remediation.unsigned(estate.db)
    command("remediate", "apply", "--yes")
    assert estate.toy.writes == ["PUT svc-a"]


def test_a_platform_that_is_down_is_a_state_and_no_crash(command: Muster, estate: Estate) -> None:
    decided(estate, "svc-a")
    command("remediate", "plan")
    settings = estate.db.path.parent / "config.toml"
    settings.write_text(f'[sources."{SOURCE}"]\nendpoint = "http://127.0.0.1:9"\n')
    done = command("remediate", "apply", "--yes", code=1)
    assert "nothing was sent" in done.stderr and "127.0.0.1:9" in done.stderr


def test_without_a_login_nothing_is_begun(
    command: Muster, estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(estate, "svc-a")
    command("remediate", "plan")
    monkeypatch.setenv("PATH", "/nowhere")
    done = command("remediate", "apply", "--yes", code=1)
    assert "keyring set passmuster:toy:t1 token" in done.stderr
    (one,) = remediation.remedies(estate.db)
    assert one.state == "planned" and not remediation.results(estate.db, one.name)


def test_a_run_that_would_stop_too_much_is_held_up(command: Muster, estate: Estate) -> None:
    decided(estate, "svc-a", "svc-b")
    command("remediate", "plan")
    done = command("remediate", "apply", "--yes", code=1)
    assert "2 of the 3 identities of toy:t1" in done.stderr and "--all-of-them 2" in done.stderr
    command("remediate", "apply", "--all-of-them", "3", code=1)
    assert not estate.toy.writes
    command("remediate", "apply", "--all-of-them", "2")
    assert len(estate.toy.writes) == 2


def test_evidence_that_changed_since_the_decision_is_told_before_the_stop(
    command: Muster, estate: Estate
) -> None:
    decided(estate, "svc-a")
    estate.toy.objects["svc-a/svc-a-k1"]["enabled"] = False
    estate.bring_in("2026-11-24T12:00:00Z")
    command("remediate", "plan")
    done = command("remediate", "apply", "--yes", code=2)
    assert "evidence changed since it was decided: credentials" in done.stderr
    assert "--accept-changed" in done.stderr
    assert not estate.toy.writes
    command("remediate", "apply", "--yes", "--accept-changed")


def test_where_nobody_can_be_asked_nothing_is_stopped_without_yes(
    command: Muster, estate: Estate
) -> None:
    decided(estate, "svc-a")
    command("remediate", "plan")
    assert "--yes" in command("remediate", "apply", code=2).stderr
    assert not estate.toy.writes
    command("remediate", "apply", "--yes")
    (one,) = remediation.remedies(estate.db)
    assert "--yes" in command("remediate", "restore", one.name, code=2).stderr
    assert len(estate.toy.writes) == 1


def test_a_decision_that_was_taken_back_is_not_carried_out(command: Muster, estate: Estate) -> None:
    decided(estate, "svc-a")
    command("remediate", "plan")
    later = estate.opened("Winter")
    estate.decide(later, "svc-a", "approve")
    estate.sign_off(later)
    done = command("remediate", "apply", "--yes", code=0)
    assert "decided otherwise since" in done.stderr and not estate.toy.writes


def test_a_secret_is_destroyed_only_with_a_second_word_and_after_the_window(
    command: Muster, estate: Estate
) -> None:
    decided(estate, "svc-a")
    command("remediate", "plan")
    command("remediate", "apply", "--yes", "--verify")
    (burn,) = rows(command("remediate", "plan", "--destroy", "--json"))
    name = str(burn["id"])
    assert "needs --destroy" in command("remediate", "apply", "--yes", name, code=2).stderr
    early = command("remediate", "apply", "--yes", name, "--destroy", "--yes-destroy", name, code=2)
    assert "watch_days" in early.stderr
    estate.db.execute("DROP TRIGGER remediation_result_is_final")
    estate.db.execute(
        "UPDATE remediation_result SET row = json_set(row, '$.at', '2020-01-01T00:00:00Z')"
    )
    assert (
        "--yes-destroy" in command("remediate", "apply", "--yes", name, "--destroy", code=2).stderr
    )
    command("remediate", "apply", "--yes", name, "--destroy", "--yes-destroy", name)
    assert estate.toy.objects["svc-a"]["secret"] == "gone"
    assert "nothing brings it back" in command("remediate", "restore", "--yes", name, code=1).stderr


def test_a_secret_from_stdin_is_tried_and_kept_nowhere(command: Muster, estate: Estate) -> None:
    decided(estate, "svc-a")
    command("remediate", "plan")
    command("remediate", "apply", "--yes")
    (one,) = remediation.remedies(estate.db)
    assert (
        "nothing on stdin"
        in command("remediate", "verify", one.name, "--secret-stdin", code=2).stderr
    )
    secret = "hunter2-hunter2"
    estate.verify(one, secret=secret)
    remediation.sign(estate.db, estate.rev, "2026-11-26T00:00:00Z")
    estate.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert f"GET /login/svc-a?{secret}" in estate.toy.calls, "it was tried"
    assert secret.encode() not in estate.db.path.read_bytes()


def test_a_private_key_on_stdin_is_read_with_all_its_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = "-----BEGIN KEY-----\nline 1\n-----END KEY-----"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{key}\r\n".encode())))
    assert read_secret(Bench(None, no_input=True)) == key


def test_a_script_is_run_elsewhere_and_the_next_import_proves_it(
    command: Muster, estate: Estate, tmp_path: Path
) -> None:
    estate.toy.account("lines-d")
    estate.toy.account("hand-e")
    estate.bring_in("2026-11-23T09:00:00Z")
    decided(estate, "lines-d", "hand-e")
    planned = {str(r["item"]).rpartition("/")[2]: r for r in rows(command(
        "remediate", "plan", "--json"
    ))}  # fmt: skip
    assert {r["state"] for r in planned.values()} == {"not_supported"}
    assert "by hand" in str(planned["hand-e"]["said"])
    out = tmp_path / "stop.sh"
    command("remediate", "script", "--out", str(out))
    assert subprocess.run(["sh", "-n", str(out)], check=False).returncode == 0
    script = out.read_text()
    assert "\ntoy disable lines-d\n" in script and "# undo: toy enable lines-d" in script
    assert "hand-e" not in script
    states = {str(r["item"]).rpartition("/")[2]: r for r in rows(command(
        "remediate", "status", "--json"
    ))}  # fmt: skip
    assert states["lines-d"]["state"] == "planned" and states["lines-d"]["open"]
    estate.toy.objects["lines-d"]["enabled"] = False
    del estate.toy.objects["hand-e"]
    estate.bring_in("2026-11-27T09:00:00Z")
    found = {r["standing"] for r in rows(command("remediate", "status", "--json"))}
    assert found == {"verified by import of 2026-11-27"}
    assert not rows(command("remediate", "status", "--open", "--json"))


def test_a_task_is_closed_by_the_export_that_shows_it_done(command: Muster, estate: Estate) -> None:
    at = estate.opened()
    turn = Change("rotate", "svc-a-k1", None, "2026-11-26")
    estate.decide(at, "svc-a", "approve", changes=[turn])
    estate.sign_off(at)
    (task,) = rows(command("remediate", "plan", "--json"))
    assert (task["state"], task["due"]) == ("planned", "2026-11-26")
    assert "is a task" in command("remediate", "apply", "--yes", str(task["id"]), code=2).stderr
    (open_,) = rows(command("remediate", "status", "--open", "--json"))
    assert open_["overdue"]
    estate.toy.objects["svc-a/svc-a-k1"]["enabled"] = False
    estate.bring_in("2026-11-27T09:00:00Z")
    assert rows(command("remediate", "status", "--open", "--json")), "no new one is there"
    estate.toy.objects["svc-a/svc-a-k9"] = {"enabled": True, "created": "2026-11-26T00:00:00Z"}
    estate.bring_in("2026-11-28T09:00:00Z")
    assert not rows(command("remediate", "status", "--open", "--json"))


def test_what_was_stopped_and_is_active_again_is_open_again(
    command: Muster, estate: Estate
) -> None:
    decided(estate, "svc-a")
    command("remediate", "plan")
    command("remediate", "apply", "--yes", "--verify")
    estate.toy.objects["svc-a"]["enabled"] = True
    estate.bring_in("2030-01-01T00:00:00Z")
    (one,) = rows(command("remediate", "status", "--open", "--json"))
    assert "active in the export of 2030-01-01" in str(one["standing"])
    estate.toy.writes.clear()
    command("remediate", "apply", "--yes", "--accept-changed")
    assert estate.toy.writes == ["PUT svc-a"]


def test_collecting_is_importing_what_the_vendor_s_command_would_make(
    command: Muster, estate: Estate, tmp_path: Path
) -> None:
    estate.toy.account("svc-new")
    (run,) = rows(command("collect", SOURCE, "--keep", str(tmp_path / "kept"), "--json"))
    assert (run["source"], run["new"]) == (SOURCE, 1)
    assert [p.name for p in (tmp_path / "kept").iterdir()] == ["accounts.json"]
    assert not list(estate.db.path.parent.glob(".collect-*")), "the exports are gone"
    known = command("import", str(tmp_path / "kept" / "accounts.json"))
    assert "already" in known.stderr, "the same bytes as the export"


def test_what_an_export_does_not_name_is_collected_as_what_was_asked_for_and_keeps_its_name(
    command: Muster, estate: Estate
) -> None:
    estate.toy.names_tenant = False
    estate.toy.account("svc-new")
    estate.db.execute("UPDATE source SET name = 'nightly jobs'")
    (run,) = rows(command("collect", SOURCE, "--json"))
    assert (run["source"], run["new"]) == (SOURCE, 1)
    assert estate.db.one("SELECT uid, name FROM source") == (SOURCE, "nightly jobs")
    settings = estate.db.path.parent / "config.toml"
    settings.write_text(settings.read_text() + f'[sources."toy:"]\nendpoint = "{estate.toy.url}"\n')
    assert "give --source" in command("collect", "toy:", code=1).stderr
    estate.toy.names_tenant, estate.toy.tenant = True, "t9"
    done = command("collect", "toy:")
    assert 'It is toy:t9: put its settings under [sources."toy:t9"]' in done.stderr


def test_what_is_as_it_was_once_before_is_how_it_is_now(command: Muster, estate: Estate) -> None:
    """The very bytes of an earlier export, made today, are no way back in time."""
    estate.toy.counts = False
    for enabled in (True, False, True, True):
        estate.toy.objects["svc-b"]["enabled"] = enabled
        command("collect", SOURCE)
        row = estate.db.one("SELECT status FROM identity WHERE uid = 'svc-b'")
        assert row == ("enabled" if enabled else "disabled",)
    assert estate.db.value("SELECT count(*) FROM import_run") == 5


def test_a_file_that_says_once_more_what_an_older_one_said_is_taken_where_a_person_vouches(
    command: Muster, estate: Estate, tmp_path: Path
) -> None:
    """Else what was stopped and let in again would never be seen by an export without a date."""
    estate.toy.counts = False
    for n, enabled in enumerate((True, False, True)):
        estate.toy.objects["svc-b"]["enabled"] = enabled
        path = tmp_path / f"{n}.json"
        path.write_text(json.dumps(estate.toy.export()))
        if n == 2:
            assert "--just-made" in command("import", str(path), code=1).stderr
            assert command("import", str(path), "--just-made", "--dry-run")
            assert estate.db.one("SELECT status FROM identity WHERE uid = 'svc-b'") == ("disabled",)
        command("import", str(path), *(["--just-made"] if n == 2 else []))
    assert estate.db.one("SELECT status FROM identity WHERE uid = 'svc-b'") == ("enabled",)


def test_a_source_that_is_not_reached_changes_nothing(command: Muster, estate: Estate) -> None:
    runs = estate.db.value("SELECT count(*) FROM import_run")
    for fault in ("403", "500", "half", "nothing"):
        estate.toy.faults = {len(estate.toy.calls): fault}
        assert command("collect", SOURCE, code=1).stderr
    estate.toy.objects.clear()
    assert command("collect", "nothing:x", code=2).stderr
    assert estate.db.value("SELECT count(*) FROM import_run") == runs
    assert not list(estate.db.path.parent.glob(".collect-*"))


def test_a_login_at_another_tenant_is_not_taken_for_the_one_that_was_asked_for(
    command: Muster, estate: Estate
) -> None:
    settings = estate.db.path.parent / "config.toml"
    settings.write_text(f'[sources."toy:t2"]\nendpoint = "{estate.toy.url}"\n')
    before = estate.db.value("SELECT count(*) FROM import_run")
    estate.toy.account("svc-new")
    done = command("collect", "toy:t2", code=1)
    assert "the login is of toy:t1" in done.stderr
    assert estate.db.value("SELECT count(*) FROM import_run") == before


def test_the_settings_of_the_breaker_are_settings(estate: Estate) -> None:
    assert config.schema()["properties"]["stop_most"]["default"] == 25


def test_a_run_that_finds_nothing_to_do_is_no_failure_and_says_why(
    command: Muster, estate: Estate
) -> None:
    """It may run every night; what was put back is not taken silently, and not passed over so."""
    for words in (("apply", "--yes"), ("verify", "--wait")):
        done = command("remediate", *words, "--json")
        assert rows(done) == [] and "nothing to" in done.stderr
    decided(estate, "svc-a")
    assert "Next: muster remediate apply" in command("remediate", "plan").stderr
    done = command("remediate", "apply", "--yes")
    assert "Next: muster remediate verify --wait" in done.stderr
    (one,) = rows(command("remediate", "status", "--json"))
    command("remediate", "restore", "--yes", str(one["id"]))
    assert f"only by its id: {one['id']}" in command("remediate", "apply", "--yes").stderr
    assert estate.toy.objects["svc-a"]["enabled"] is True
    command("remediate", "apply", "--yes", str(one["id"]))
    assert estate.toy.objects["svc-a"]["enabled"] is False


def test_where_nothing_can_be_destroyed_no_destruction_is_planned(
    command: Muster, estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it stands among what somebody has to do for ever, and nobody can."""
    decided(estate, "svc-a")
    command("remediate", "plan")
    command("remediate", "apply", "--yes", "--verify")
    toy = importlib.import_module("passmuster.connectors.toy")
    plans = toy.plan
    monkeypatch.setattr(toy, "plan", lambda *a: [p for p in plans(*a) if p.undo_class != "R3"])
    assert rows(command("remediate", "plan", "--destroy", "--json")) == []
    assert rows(command("remediate", "status", "--open", "--json")) == []


def test_of_what_is_off_already_nobody_is_asked_to_stop_it_by_hand(
    command: Muster, estate: Estate
) -> None:
    estate.toy.account("hand-off", enabled=False)
    estate.toy.account("hand-on")
    estate.bring_in("2026-11-23T09:00:00Z")
    decided(estate, "hand-off", "hand-on")
    for words in (("plan", "--json"), ("apply", "--yes", "--all-of-them", "0", "--json")):
        told = rows(command("remediate", *words, code=None))
        by_name = {str(row["item"]).rpartition("/")[2]: str(row["said"]) for row in told}
        assert "by hand" in by_name["hand-on"], words
        assert "off already" in by_name["hand-off"], words
