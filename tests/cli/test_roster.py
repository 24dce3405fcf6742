"""`muster enroll` and `muster roster`, as three people with three workspaces type them."""

import json
import stat
from pathlib import Path

import pytest

from tests.conftest import Muster
from tests.estates import report

ANA, BEN = "ana@example.com", "ben@example.com"


@pytest.fixture
def as_(
    inside: Muster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, passphrase_file: Path,
) -> Muster:  # fmt: skip
    """The command, run by a person in a workspace of their own; the key stays cheap."""
    monkeypatch.setattr("passmuster.keys._files.BCRYPT_ROUNDS", 1)
    monkeypatch.chdir(tmp_path)

    def run(who: str, *words: str, code: int | None = 0) -> object:
        monkeypatch.setenv("MUSTER_ME", who)
        return inside("--workspace", str(tmp_path / who), *words, code=code)

    for who in (ANA, BEN):
        run(who, "init")
        run(who, "key", "new", "--key-store", "file")
    return run  # type: ignore[return-value]


@pytest.mark.parametrize(
    "garbage", [b"", b"\xff\xfe\0", b"{}", b"hello\n", b"[" * 9999, b'{"payload":1}', b"null"]
)
def test_what_is_no_request_is_refused_in_one_plain_line(
    as_: Muster, tmp_path: Path, garbage: bytes
) -> None:
    as_(ANA, "roster", "init")
    (tmp_path / "x.json").write_bytes(garbage)
    done = as_(ANA, "roster", "add", "x.json", "--role", "reviewer", code=4)
    assert done.stderr == (
        "muster: x.json: no request to be listed: it takes the file that "
        "`muster enroll request --out FILE` wrote\n"
    )


def test_a_roster_from_the_first_key_to_two_registrars(as_: Muster, tmp_path: Path) -> None:
    assert "no roster: muster roster init" in as_(ANA, "roster", "show").stderr
    assert as_(ANA, "roster", "show", "--json").stdout == "[]\n"
    told = as_(ANA, "roster", "init").stderr
    assert "new       ana@example.com (person): reviewer, owner, registrar" in told
    assert stat.S_IMODE((tmp_path / ANA / "roster.draft.json").stat().st_mode) == 0o600
    first = as_(ANA, "roster", "sign", "--yes").stdout.strip()
    assert not (tmp_path / ANA / "roster.draft.json").exists()

    mark = as_(BEN, "enroll", "request", "--out", "ben.json").stdout.strip()
    done = as_(ANA, "roster", "add", "ben.json", code=2)
    assert "ben@example.com is new: say what they may do" in done.stderr
    told = as_(
        ANA, "roster", "add", "ben.json", "--role", "registrar", "--person-uid", "p-7"
    ).stderr
    assert f"{BEN} holds {mark}: compare it" in told
    as_(ANA, "roster", "set-threshold", "2")
    assert "A draft of version 2 waits" in as_(ANA, "roster", "show").stderr
    told = as_(ANA, "roster", "sign", "--yes").stderr
    assert "threshold 2 registrars must sign; was 1" in told
    assert "signed by 1 of the 2 people who must sign as registrars of its own" in told

    assert as_(ANA, "roster", "export", "--out", "r.jsonl").stdout.strip() == first
    done = as_(BEN, "roster", "import", "r.jsonl", code=2)
    assert f"the first roster is {first}: compare that" in done.stderr
    assert (
        "not the one you trust"
        in as_(BEN, "roster", "import", "r.jsonl", "--trust", "0" * 64, code=4).stderr
    )
    told = as_(BEN, "roster", "import", "r.jsonl", "--trust", first).stderr
    assert "Roster version 1 is in force." in told
    assert "A draft of version 2: roster version 2 is signed by 1 of the 2" in told
    assert "version 2 is in force" in as_(BEN, "roster", "sign", "--yes").stderr
    as_(BEN, "roster", "export", "--out", "back.jsonl")
    assert "version 2 is in force" in as_(ANA, "roster", "import", "back.jsonl").stderr
    assert "Nothing in it is new" in as_(ANA, "roster", "import", "back.jsonl").stderr

    (said,) = json.loads(as_(ANA, "roster", "show", "--json").stdout)
    assert (said["version"], said["threshold"], said["registrars"]) == (2, 2, 2)
    assert said["people"][1]["person_uid"] == "p-7"
    assert said["people"][1]["keys"][0]["fingerprint"] == mark
    assert said["draft"] is None
    table = as_(ANA, "roster", "show").stdout
    assert "threshold  2 of 2 registrars" in table
    assert f"{BEN}  person  registrar" in table
    signers = as_(ANA, "roster", "show", "--allowed-signers").stdout
    assert signers.startswith('ana@example.com namespaces="attestation@passmuster.example",valid-')
    (info,) = json.loads(as_(ANA, "info", "--json").stdout)
    assert info["roster"].startswith("version 2, ")
    assert as_(ANA, "verify", str(tmp_path / ANA)).returncode == 0


def test_who_is_not_on_the_roster_signs_nothing_and_is_told_what_to_do(
    as_: Muster, tmp_path: Path
) -> None:
    as_(ANA, "roster", "init", "--role", "owner")
    as_(ANA, "roster", "sign", "--yes")
    as_(ANA, "roster", "retire", ANA, "--at", "2020-01-01", code=2)
    told = as_(ANA, "roster", "set", ANA, "--role", "auditor", code=4).stderr
    assert "needs 1 registrar and has 0" in told
    assert (
        "nobody and no key on the roster is called"
        in as_(ANA, "roster", "retire", BEN, code=1).stderr
    )
    assert "no role 'king'" in as_(ANA, "roster", "set", ANA, "--role", "king", code=2).stderr
    assert "no draft" in as_(ANA, "roster", "drop", code=1).stderr
    assert "change something first" in as_(ANA, "roster", "sign", code=1).stderr
    assert "not the roster" not in as_(ANA, "roster", "show", "--draft").stdout


def test_a_second_person_whom_the_roster_does_not_let_in_is_told_at_the_opening(
    as_: Muster, tmp_path: Path
) -> None:
    as_(ANA, "roster", "init", "--role", "owner", "--role", "reviewer")
    as_(ANA, "roster", "sign", "--yes")
    (tmp_path / "r.csv").write_text(report("svc-a"))
    as_(ANA, "import", "r.csv")
    said = as_(ANA, "campaign", "open", "A", "--reviewer", ANA, "--due", "2030-12-31",
               "--second", BEN, "--second-when", "all").stderr  # fmt: skip
    assert f"{BEN} is not on the roster with the role second" in said
    assert "muster roster add" in as_(ANA, "campaign", "status").stdout
    as_(BEN, "enroll", "request", "--out", "ben.json")
    as_(ANA, "roster", "add", "ben.json", "--role", "second")
    as_(ANA, "roster", "sign", "--yes")
    assert "not on the roster" not in as_(ANA, "campaign", "status").stdout


def test_a_key_that_somebody_put_under_my_name_is_shouted(as_: Muster, tmp_path: Path) -> None:
    """Ben makes a key that says it is Ana's, and the roster takes it."""
    as_(ANA, "roster", "init")
    as_(ANA, "roster", "sign", "--yes")
    as_("mallory", "init")
    import os

    os.environ["MUSTER_ME"] = ANA
    mallory = str(tmp_path / "mallory")
    as_(ANA, "--workspace", mallory, "key", "new", "--key-store", "file")
    fake = as_(
        ANA, "--workspace", mallory, "enroll", "request", "--out", "fake.json"
    ).stdout.strip()
    as_(ANA, "roster", "add", "fake.json")
    as_(ANA, "roster", "sign", "--yes")
    for words in (("roster", "show"), ("info",)):
        done = as_(ANA, *words)
        assert "UNDER YOUR NAME THAT IS NOT FROM HERE" in done.stderr + done.stdout
        assert fake in done.stderr + done.stdout
    (said,) = json.loads(as_(ANA, "roster", "show", "--json").stdout)
    assert said["strange_keys"] == [fake]
    as_(ANA, "roster", "mine", fake)
    assert "NOT FROM HERE" not in as_(ANA, "roster", "show").stderr
    assert (
        "no key SHA256:x under your name" in as_(ANA, "roster", "mine", "SHA256:x", code=1).stderr
    )


@pytest.mark.parametrize("words", [
    ("roster", "add", "nothing.json"), ("roster", "import", "nothing.json"),
    ("enroll", "request", "--out", "there"), ("roster", "export", "--out", "there"),
    ("roster", "set-threshold", "0"), ("roster", "show", "--draft", "--bad"),
])  # fmt: skip
def test_bad_words_are_one_line(as_: Muster, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "there").write_text("")
    done = as_(ANA, *words, code=None)
    assert done.returncode in (1, 2)
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "data", [b"", b"\x1b[2J", b"{}", b"[" * 100_000, b"\xff"],
    ids=["empty", "escape", "object", "deep", "latin"],
)  # fmt: skip
def test_a_file_that_is_none_is_refused(as_: Muster, tmp_path: Path, data: bytes) -> None:
    as_(ANA, "roster", "init")
    as_(ANA, "roster", "sign", "--yes")
    (tmp_path / "bad").write_bytes(data)
    assert "\x1b" not in as_(ANA, "roster", "add", "bad", "--role", "owner", code=4).stderr
    assert "\x1b" not in as_(ANA, "roster", "import", "bad", code=4).stderr
