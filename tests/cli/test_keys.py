"""`muster key` and `muster doctor`, as typed."""

import json
from pathlib import Path
from typing import Any

import pytest

from passmuster import keys, store
from tests.agent import PASSPHRASE, needs_ssh, running_agent, ssh_key
from tests.conftest import ME, Muster


@pytest.fixture
def ready(inside: Muster, passphrase_file: Path, monkeypatch: pytest.MonkeyPatch) -> Muster:
    monkeypatch.setattr("passmuster.keys._files.BCRYPT_ROUNDS", 1)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    inside("init")
    return inside


def told(muster: Muster, *words: str, code: int = 0) -> Any:
    return json.loads(muster(*words, "--json", code=code).stdout)


def test_where_a_new_key_goes_and_why_is_always_said(ready: Muster) -> None:
    done = ready("key", "new")
    assert "Kept in: a file under a passphrase (no usable keyring: no d" in done.stderr
    mark = done.stdout.strip()
    done = ready("key", "new", "--key-store", "file")
    assert "(as you asked)" in done.stderr
    assert f"instead of {mark}, which stays valid" in done.stderr


def test_list_show_and_export_give_public_halves_alone(ready: Muster, folder: Path) -> None:
    (made,) = told(ready, "key", "new", "--key-store", "file")
    (listed,) = told(ready, "key", "list")
    assert (listed["fingerprint"], listed["signs"]) == (made["fingerprint"], True)
    (shown,) = told(ready, "key", "show", made["fingerprint"][:20])
    assert (shown["can_sign"], shown["kind"]) == (True, "software")
    assert len(shown["enrolment"]) == 64
    assert ready("key", "export").stdout == f"{made['public']}\n"
    assert "BEGIN PUBLIC KEY" in ready("key", "export", "--as", "pem").stdout
    line = ready("key", "export", "--as", "allowed-signers").stdout
    assert line.startswith(f'{ME} namespaces="attestation@')
    everything = ready("key", "list", "--json").stdout + ready("key", "export", "--json").stdout
    assert "PRIVATE" not in everything
    (file,) = (folder / "keys").iterdir()
    file.unlink()
    (shown,) = told(ready, "key", "show")
    assert "is gone" in shown["why_not"]


@pytest.mark.parametrize(("words", "code", "why"), [
    (["key", "new", "--key-store", "ssh"], 2, "belong together"),
    (["key", "new", "--key-store", "file", "--ssh-key", "agent"], 2, "belong together"),
    (["key", "new", "--ssh-key", "agent"], 1, "SSH_AUTH_SOCK is unset"),
    (["key", "new", "--ssh-key", "/nowhere/k"], 2, "no such file"),
    (["key", "new", "--ssh-key", "/"], 2, "is a folder"),
    (["key", "new", "--ssh-key", __file__], 2, "not an SSH private key"),
    (["key", "rotate"], 1, "no key to replace"),
    (["key", "show"], 1, "muster key new"),
    (["key", "show", "SHA256:none"], 1, "muster key list"),
    (["key", "export", "--as", "private"], 2, "openssh"),
])  # fmt: skip
def test_what_cannot_be_done_says_what_to_do(
    ready: Muster, words: list[str], code: int, why: str
) -> None:
    done = ready(*words, code=code)
    assert why in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@needs_ssh
def test_an_ssh_key_replaces_mine_and_signs_from_then_on(
    ready: Muster, folder: Path, tmp_path: Path, passphrase_file: Path
) -> None:
    first = ready("key", "new", "--key-store", "file").stdout.strip()
    path = ssh_key(tmp_path / "k", "ecdsa", passphrase_file.read_text().strip())
    done = ready("key", "rotate", "--ssh-key", str(path))
    assert f"It replaces {first}" in done.stderr
    assert f"an SSH key, file {path} (as you asked)" in done.stderr
    rows = {row["fingerprint"]: row for row in told(ready, "key", "list")}
    assert rows[first]["replaced_by"] == done.stdout.strip()
    assert [row["signs"] for row in rows.values()].count(True) == 1
    assert "is known here already" in ready("key", "new", "--ssh-key", str(path), code=2).stderr
    assert "BEGIN PUBLIC KEY" in ready("key", "export", "--as", "pem").stdout
    ready("verify", str(folder))


def test_a_passphrase_file_that_is_not_there_is_named_as_what_it_is(
    ready: Muster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSTER_KEY_PASSPHRASE_FILE", "/nowhere/p")
    done = ready("key", "new", "--key-store", "file", code=1)
    assert "passphrase file of MUSTER_KEY_PASSPHRASE_FILE, /nowhere/p: No such file" in done.stderr


@needs_ssh
def test_a_wrong_passphrase_enrols_nothing(ready: Muster, tmp_path: Path, folder: Path) -> None:
    path = ssh_key(tmp_path / "k", "ed25519", PASSPHRASE)  # another than the file's
    done = ready("key", "new", "--ssh-key", str(path), code=1)
    assert done.stderr.splitlines() == [f"muster: the passphrase or PIN does not open {path}"]
    assert told(ready, "key", "list") == []


@needs_ssh
def test_a_key_without_a_passphrase_is_taken_with_a_warning(
    ready: Muster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ssh_key(tmp_path / "k")
    assert "warning: " in ready("key", "new", "--ssh-key", str(path)).stderr
    doctor = {row["check"]: row for row in told(ready, "doctor")}
    assert doctor["signing key"]["state"] == "warning"
    assert "ssh-keygen -p" in doctor["signing key"]["advice"]


def states(muster: Muster, code: int) -> dict[str, str]:
    return {row["check"]: row["state"] for row in told(muster, "doctor", code=code)}


def test_doctor_finds_a_sound_workspace_sound_and_says_which_store(ready: Muster) -> None:
    assert "broken" not in states(ready, 0).values()
    ready("key", "new", "--key-store", "file")
    found = {row["check"]: row for row in told(ready, "doctor")}
    assert {row["state"] for row in found.values()} <= {"ok", "warning"}
    assert "in a file under a passphrase" in found["signing key"]["found"]
    assert "goes into the file: no usable keyring" in found["key store"]["found"]
    assert "DBUS_SESSION_BUS_ADDRESS is unset" in found["keyring"]["found"]


def test_doctor_works_before_there_is_a_workspace(inside: Muster) -> None:
    assert states(inside, 0)["workspace"] == "warning"


def test_doctor_names_what_is_broken(
    ready: Muster, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready("key", "new", "--key-store", "file")
    (file,) = (folder / "keys").iterdir()
    file.chmod(0o640)
    found = states(ready, 1)
    assert (found["key files"], found["signing key"]) == ("broken", "broken")
    file.chmod(0o600)
    folder.chmod(0o755)
    assert states(ready, 1)["workspace"] == "broken"
    folder.chmod(0o700)
    monkeypatch.setattr("passmuster.cli.doctor.now", lambda: "2020-01-01T00:00:00Z")
    assert states(ready, 1)["clock"] == "broken"
    monkeypatch.undo()


def test_doctor_says_that_a_configured_plain_keyring_is_not_followed(
    ready: Muster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    (row,) = (r for r in told(ready, "doctor") if r["check"] == "keyring")
    assert "PYTHON_KEYRING_BACKEND is set and not followed" in row["found"]


@pytest.mark.parametrize(("said", "state"), [
    ("OpenSSH_8.0p1", "broken"), ("OpenSSH_8.5p1", "warning"), ("OpenSSH_9.2p1", "ok"),
    ("OpenSSH_10.0p2", "ok"), ("something", "warning"),
])  # fmt: skip
def test_doctor_knows_which_openssh_is_too_old(
    monkeypatch: pytest.MonkeyPatch, said: str, state: str
) -> None:
    from passmuster.cli import doctor

    monkeypatch.setattr(doctor, "_says", lambda *_: said)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/ssh-keygen")
    assert doctor._ssh_keygen(needed=True).state == state
    if state == "broken":
        assert doctor._ssh_keygen(needed=False).state == "warning"


@needs_ssh
def test_doctor_lists_the_agents_keys_and_misses_one_that_is_needed(
    ready: Muster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ssh_key(tmp_path / "k")
    with running_agent(monkeypatch, path):
        mark = ready("key", "new", "--ssh-key", "agent").stdout.strip()
        (row,) = (r for r in told(ready, "doctor") if r["check"] == "SSH agent")
        assert mark in row["found"]
    found = states(ready, 1)
    assert (found["SSH agent"], found["signing key"]) == ("broken", "broken")


def test_a_keyring_in_a_session_without_a_display_is_left_alone_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch, db: store.Database
) -> None:
    ring = type("Keyring", (), {"__module__": "keyring.backends.SecretService", "priority": 5.0})()
    monkeypatch.setattr("keyring.backend.get_all_keyring", lambda: [ring])
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert keys.choose("auto", 1.0) == (
        "file", "no usable keyring: no display on which a locked keyring could ask"
    )  # fmt: skip
    assert keys.choose("keyring", 1.0)[0] == "keyring"
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert keys.choose("auto", 1.0) == ("keyring", "SecretService encrypts it and answers")
