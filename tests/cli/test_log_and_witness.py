"""`muster log` and `muster witness`, by files, as two people who share nothing but a stick."""

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from passmuster import note, store
from tests.conftest import Muster

OWNER, AUDITOR = "rev@example.com", "auditor@example.com"


@dataclass
class Desk:
    """Two workspaces on two machines; files are carried."""

    run: Muster
    folder: Path
    patch: pytest.MonkeyPatch
    said: str = ""
    """What the last command said on stderr."""

    def __call__(self, place: str, *words: str, code: int | None = 0, me: str | None = None) -> str:
        """Run a command in the workspace *place*; its stdout."""
        self.patch.setenv("MUSTER_ME", me or (AUDITOR if place == "witness" else OWNER))
        done = self.run("--workspace", str(self.folder / place), *words, code=code)
        self.said = done.stderr
        return done.stdout


@pytest.fixture
def at(
    inside: Muster, tmp_path: Path, passphrase_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Desk:
    monkeypatch.setattr("passmuster.keys._files.BCRYPT_ROUNDS", 1)
    monkeypatch.chdir(tmp_path)
    desk = Desk(inside, tmp_path, monkeypatch)
    for place in ("log", "witness"):
        desk(place, "init")
        desk(place, "key", "new", "--key-store", "file")
    return desk


def grow(at: Desk, place: str, who: str) -> None:
    """One more entry: the enrolment of somebody."""
    at(place, "key", "new", "--key-store", "file", me=who)


def shown(at: Desk, *words: str) -> dict[str, Any]:
    (found,) = json.loads(at(*words, "--json"))
    return dict(found)


def first_contact(at: Desk) -> tuple[str, str]:
    """The witness's key, the log's key; the witness has cosigned the log's one entry."""
    witness = at("witness", "witness", "key", "--name", "auditor.example/w1").strip()
    at("log", "log", "checkpoint", "--for-witness", witness, "--out", "request-1")
    log_key = str(shown(at, "log", "log", "show")["keys"][0])
    at("witness", "witness", "cosign", "request-1", "--log-key", log_key, "--trust",
       "--out", "line-1")  # fmt: skip
    at("log", "log", "cosigned", "line-1")
    return witness, log_key


def test_a_wrong_file_or_key_is_told_without_what_is_in_it(at: Desk) -> None:
    at("witness", "witness", "key", "--name", "auditor.example/w1")
    Path("secret").write_text("hunter22 is my passphrase\n")
    for place, *words in (
        ("log", "log", "cosigned", "secret"), ("log", "log", "verify", "--checkpoint", "secret"),
        ("witness", "witness", "cosign", "secret"), ("log", "roster", "import", "secret"),
    ):  # fmt: skip
        at(place, *words, code=4)
        assert "hunter22" not in at.said
        assert len(at.said.splitlines()) == 1
    for nothing in ("", "w1"):
        at("log", "log", "checkpoint", "--for-witness", nothing, "--out", "request", code=4)
        assert "as muster log show and muster witness key print it" in at.said
    assert not Path("request").exists()


def test_a_log_is_cosigned_from_first_contact_to_a_receipt(at: Desk) -> None:
    witness, log_key = first_contact(at)
    assert "never seen here before" not in at.said
    grow(at, "log", "second@example.com")
    at("log", "log", "checkpoint", "--for-witness", witness, "--out", "request-2")
    assert Path("request-2").read_text().startswith("old 1\n")
    assert " pending" in at("log", "log", "show")
    Path("line-2").write_text(at("witness", "witness", "cosign", "request-2"))
    answer = json.loads(at("log", "log", "cosigned", "line-2", "--json"))
    assert [one["witness"] for one in answer] == [witness]
    state = shown(at, "log", "log", "show")
    assert (state["size"], len(state["checkpoints"])) == (2, 2)
    assert " pending" not in at("log", "log", "show")

    entries = json.loads(at("log", "log", "show", "--entries", "--json"))
    assert [entry["index"] for entry in entries] == [1, 0]
    at("log", "log", "receipt", entries[1]["statement"][:10], "--out", "0.tlog-proof")
    assert "Cosigned by 1 witness" in at.said
    policy = note.Policy((note.parse_key(log_key),), (note.parse_key(witness),), 1)
    receipt = note.parse_receipt(Path("0.tlog-proof").read_bytes())
    assert policy.check(receipt.checkpoint).checkpoint.size == 2

    (known,) = json.loads(at("witness", "witness", "show", "--json"))
    assert (known["size"], known["keys"], known["refused"]) == (2, [log_key], [])
    told = json.loads(at("log", "log", "verify", "--json"))
    assert told == [{"entries": 2, "root": known["root"], "checkpoints": 2, "witnessed": 2,
                     "kept": 0, "elsewhere": 0}]  # fmt: skip
    assert "2 entries and 2 checkpoints hold" in at("log", "log", "verify", "--rebuild")


def test_a_witness_signs_nothing_of_a_log_that_nobody_vouched_for(at: Desk) -> None:
    witness = at("witness", "witness", "key", "--name", "auditor.example/w1").strip()
    assert at("witness", "witness", "key").strip() == witness
    at("log", "log", "checkpoint", "--for-witness", witness, "--out", "request")
    log_key = str(shown(at, "log", "log", "show")["keys"][0])
    at("witness", "witness", "cosign", "request", code=1)
    assert "--log-key" in at.said
    at("witness", "witness", "cosign", "request", "--log-key", log_key, code=2)
    assert "by another way" in at.said
    at("witness", "witness", "cosign", "request", "--log-key", witness, "--trust", code=2)
    at("witness", "witness", "cosign", "request", "--log-key", log_key[:-4] + "AAA=", code=4)
    assert at("witness", "witness", "show") == ""


def test_a_log_that_was_set_back_is_refused_and_its_request_is_kept(
    at: Desk, tmp_path: Path
) -> None:
    witness, _ = first_contact(at)
    shutil.copytree(tmp_path / "log", tmp_path / "backup")
    grow(at, "log", "second@example.com")
    grow(at, "log", "third@example.com")
    at("log", "log", "checkpoint", "--out", "kept")
    at("log", "log", "checkpoint", "--for-witness", witness, "--out", "request-3")
    at("witness", "witness", "cosign", "request-3", "--out", "line-3")

    grow(at, "backup", "fourth@example.com")  # the restored log goes another way
    at("backup", "log", "verify", "--checkpoint", "kept", code=4)
    assert "its end was cut off" in at.said
    at("backup", "log", "checkpoint", "--for-witness", witness, "--out", "back")
    at("witness", "witness", "cosign", "back", code=4)
    assert "set back" in at.said
    grow(at, "backup", "fifth@example.com")
    at("backup", "log", "verify", "--checkpoint", "kept", code=4)
    assert "no longer those that were signed" in at.said
    at("backup", "log", "checkpoint", "--for-witness", witness, "--old", "3", "--out", "fork")
    at("witness", "witness", "cosign", "fork", code=4)
    assert "forked" in at.said
    grow(at, "backup", "sixth@example.com")
    at("backup", "log", "checkpoint", "--for-witness", witness, "--old", "3", "--out", "grown")
    at("witness", "witness", "cosign", "grown", code=4)
    assert "not proved" in at.said

    (known,) = json.loads(at("witness", "witness", "show", "--json"))
    assert known["size"] == 3
    assert sorted(r["status"] for r in known["refused"]) == [409, 409, 422]
    for one in known["refused"]:
        text = at("witness", "witness", "show", "--refused", one["sha256"][:12])
        assert text.encode() in [Path(p).read_bytes() for p in ("back", "fork", "grown")]


def test_a_stale_request_says_where_to_begin(at: Desk) -> None:
    witness, _ = first_contact(at)
    grow(at, "log", "second@example.com")
    at("log", "log", "checkpoint", "--for-witness", witness, "--old", "0", "--out", "stale")
    at("witness", "witness", "cosign", "stale", code=1)
    assert "--old 1" in at.said
    assert json.loads(at("witness", "witness", "show", "--json"))[0]["refused"] == []


def test_a_new_key_of_the_log_must_be_vouched_for_again(at: Desk, tmp_path: Path) -> None:
    witness, log_key = first_contact(at)
    with contextlib.closing(store.open_(tmp_path / "log")) as db:  # it is the newest that signs
        db.execute("UPDATE signing_key SET made_at = '2020-01-01T00:00:00Z'")
    grow(at, "log", OWNER)
    at("log", "log", "checkpoint", "--for-witness", witness, "--out", "request-2")
    at("witness", "witness", "cosign", "request-2", code=4)
    assert "give it with --log-key" in at.said
    new = [k for k in shown(at, "log", "log", "show")["keys"] if k != log_key]
    at("witness", "witness", "cosign", "request-2", "--log-key", new[0], code=2)
    assert "under another key" in at.said
    at("witness", "witness", "cosign", "request-2", "--log-key", new[0], "--trust")


@pytest.mark.parametrize(
    "garbage", [b"", b"old 1\n", b"\xff\xfe", b"\x1b]52;c;eA==\x07\n\n", b"x" * 2**21]
)
def test_a_file_that_is_none_of_ours_is_one_line_and_changes_nothing(
    at: Desk, garbage: bytes
) -> None:
    first_contact(at)

    def state() -> tuple[str, str]:
        return at("log", "log", "show", "--json"), at("witness", "witness", "show", "--json")

    before = state()
    Path("garbage").write_bytes(garbage)
    for words in (("witness", "witness", "cosign", "garbage"),
                  ("log", "log", "cosigned", "garbage"),
                  ("log", "log", "verify", "--checkpoint", "garbage")):  # fmt: skip
        at(*words, code=None)
        assert at.said.count("\n") == 1, at.said
        assert "\x1b" not in at.said
        assert "bug" not in at.said
    assert state() == before


def test_a_file_is_never_written_over(at: Desk) -> None:
    at("log", "log", "checkpoint", "--out", "kept")
    at("log", "log", "checkpoint", "--out", "kept", code=2)
    assert "name another file" in at.said


def test_what_is_not_there_is_said_in_words(at: Desk) -> None:
    assert "no checkpoint" in (at("log", "log", "show"), at.said)[1]
    at("log", "log", "receipt", "abc", code=1)
    assert "muster log show --entries" in at.said
    (entry,) = json.loads(at("log", "log", "show", "--entries", "--json"))
    at("log", "log", "receipt", entry["statement"], code=1)
    assert "muster log checkpoint" in at.said
    at("log", "log", "checkpoint")
    at("log", "log", "receipt", entry["statement"])
    assert "Pending" in at.said
    at("log", "log", "verify")
    assert "No witness has seen this log" in at.said
    at("witness", "witness", "key", code=2)
    assert "--name" in at.said
    at("witness", "witness", "show")
    assert "no log yet" in at.said
    at("witness", "witness", "show", "--refused", "ff", code=1)
