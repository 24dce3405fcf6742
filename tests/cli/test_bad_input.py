"""Bad input of every command: one line that says what to do, the right code, nothing changed."""

import json
import subprocess
from pathlib import Path

import pytest

from passmuster import store
from tests.conftest import ME, Muster
from tests.estates import report

LOG_KEY = "log.example/x+a65bb083+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

# words of the command, exit code, what the one line must tell
NO_WORKSPACE = [
    (["identities"], 1, "muster init"),
    (["import", "x.csv"], 1, "muster init"),
    (["queue"], 1, "muster init"),
    (["packet", "import", __file__], 1, "muster init"),
    (["packet", "inspect", "/"], 1, "is a folder: a packet is one file"),
    (["sign-off"], 1, "muster init"),
    (["key", "new"], 1, "muster init"),
    (["campaign", "list"], 1, "muster init"),
    ([], 2, "no terminal"),
    (["frobnicate"], 2, "no command"),
    (["finding"], 2, "findings"),
    (["--workspace"], 2, "requires an argument"),
    (["verify", "nowhere"], None, "nowhere"),
    (["verify"], 2, "PATH"),
    (["init", "--me", "nobody"], 2, "e-mail"),
    (["--workspace", __file__, "init"], 1, "is a file: a workspace is a folder"),
    (["verify", __file__], 4, "name the folder of the pack"),
]
EMPTY = [
    (["identities"], 1, "import an export first"),
    (["findings"], 1, "import an export first"),
    (["findings", "--fail-on", "high"], 1, "import an export first"),
    (["show", "x"], 1, "import an export first"),
    (["rules", "test", "unused"], 1, "import an export first"),
    (["import"], 2, "--formats"),
    (["import", "missing.csv"], 1, "no such file"),
    (["import", "empty.csv"], 1, "empty"),
    (["import", "noise.bin"], 1, "not an export that muster knows"),
    (["import", "noise.bin", "--as", "aws.credential_report.csv"], 1, "noise.bin"),
    (["import", "noise.bin", "--as", "aws.credential_report"], 2, "aws.credential_report.csv"),
    (["import", "cut.json"], 1, "cut.json"),
    (["import", "generic.csv", "--as", "generic.csv"], 2, "mapping"),
    (["import", "generic.csv", "--as", "generic.csv", "--mapping", "no.toml"], 1, "no.toml"),
    (["import", "generic.csv", "--as", "generic.csv", "--mapping", "bad.toml"], 1, "TOML"),
    (["import", "rbac.json"], 1, "--source"),
    (["import", "."], 1, "not a regular file"),
    (["import", "--formats", "postgers"], 2, "did you mean postgres?"),
    (["revoke", "x"], 1, "import an export first"),
    (["revoke", "--secret-stdin"], 1, "import an export first"),
    (["remediate", "apply", "x"], 1, "remediate status"),
    (["remediate", "script", "--out", "s.sh"], 2, "remediate plan"),
    (["collect", "nosuch"], 2, "known: ad, anthropic, aws"),
    (["collect", "postgers"], 2, "did you mean postgres?"),
    (["collect", "mcp"], 2, "muster import --formats mcp"),
    (["collect", "postgres"], 2, "into config.toml"),
    (["collect", ":x"], 2, "no platform"),
    (["intake", "open"], 1, "import an export first"),
    (["suppliers", "X"], 1, "import an export first"),
    (["queue"], 1, "campaign open"),
    (["decide", "approve", "abc"], 1, "campaign open"),
    (["decide", "approve"], 2, "ITEMS"),
    (["campaign", "open", "X", "--reviewer", ME, "--due", "2027-01-31"], 1, "key new"),
    (["campaign", "open", "X", "--due", "2027-01-31"], 2, "--reviewer"),
    (["campaign", "status", "X"], 1, "no campaign"),
    (["campaign", "frob"], 2, "No such command"),
    (["evidence", "X", "--out", "o"], 1, "no campaign"),
    (["evidence", "X"], 2, "--out"),
    (["key", "new", "--key-store", "cloud"], 2, "keyring or file"),
    (["key", "new", "--key-store", "keyring"], 1, "no usable keyring"),
    (["rules", "show", "unusd"], 2, "unused"),
    (["rules", "test", "nothing.sql"], 1, "import an export first"),
    (["verify", "empty.csv"], None, "empty.csv"),
]
REVIEW = [
    (["identities", "knd:service"], 2, "kind"),
    (["identities", "kind:servce"], 2, "service"),
    (["identities", '"open'], 2, "quotation"),
    (["identities", "--json", "--csv"], 2, "not both"),
    (["findings", "--fail-on", "hgh"], 2, "high"),
    (["findings", "--fail-on", "medium"], 3, "of medium or worse"),
    (["show", "svc"], 1, "muster identities"),
    (["rules", "test", "nothing.sql"], 1, "nothing.sql"),
    (["rules", "test", "hostile.sql"], None, "hostile"),
    (["queue", "knd:x"], 2, "kind"),
    (["decide", "aprove", "ITEM"], 2, "approve"),
    (["decide", "revoke", "ITEM"], 2, "needs a reason"),
    (["decide", "revoke", "nosuchitem", "--reason", "x"], 1, "no item"),
    (["decide", "approve", "ITEM", "--until", "soon", "--reason", "x"], 2, "2027-03-31"),
    (["decide", "approve", "ITEM", "--until", "2020-01-01", "--reason", "x"], 2, "future"),
    (["decide", "revoke", "ITEM", "--until", "2030-01-01", "--reason", "x"], 2, "approve"),
    (["decide", "approve", "ITEM", "--change", "rotat:x", "--reason", "x"], 2, "rotate"),
    (["decide", "approve", "ITEM", "--change", "rotate:x", "--reason", "x"], 2, "no part of it"),
    (["decide", "approve", "ITEM", "--change", "rotate", "--reason", "x"], 2, "VERB:TARGET"),
    (["own", "nobody", "ITEM"], 2, "no person or team"),
    (["drafts", "--clear", "nosuchitem"], 1, "no item"),
    (["sign-off"], 1, "nothing to sign"),
    (["campaign", "open", "Autumn", "--reviewer", ME, "--due", "2027-01-31"], 1, "already"),
    (["campaign", "open", "B", "--reviewer", ME, "--due", "2020-01-31"], 1, "past"),
    (["campaign", "open", "B", "--reviewer", ME, "--due", "tomorrow"], 2, "2026-12-31"),
    (["campaign", "open", "B", "--reviewer", "bob", "--due", "2027-01-31"], 2, "e-mail"),
    (["campaign", "open", "B", "--reviewer", "owner", "--due", "2027-01-31"], 1, "--fallback"),
    (["campaign", "open", "B", "--reviewer", ME, "--due", "2027-01-31", "--scope", "zzz"], 1,
     "matches nothing"),
    (["campaign", "open", "B", "--reviewer", ME, "--due", "2027-01-31", "--of", "key"], 2, "of"),
    (["campaign", "status", "Atumn"], 1, "Autumn"),
    (["evidence", "Autumn", "--out", "full"], 2, "full"),
    (["verify", "full"], 4, "full"),
    (["verify", "full", "--trust", "x"], 2, "EMAIL=SHA256"),
    (["verify", "full", "--witness", "x"], 2, "not a verifier key"),
    (["verify", "full", "--witness", LOG_KEY], 2, "is the key of a log"),
]  # fmt: skip


def complain(done: subprocess.CompletedProcess[str], tells: str) -> None:
    """The command said one line, on stderr, without a traceback."""
    assert "Traceback" not in done.stderr + done.stdout
    assert "bug in passmuster" not in done.stderr, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("muster: "), done.stderr
    assert tells.lower() in last.lower(), last
    assert len([line for line in done.stderr.splitlines() if line.startswith("muster: ")]) == 1


@pytest.fixture
def junk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of files that are not what they should be, as the working folder."""
    work = tmp_path / "work"
    (work / "full").mkdir(parents=True)
    (work / "full" / "file").write_text("x")
    (work / "empty.csv").write_text("")
    (work / "noise.bin").write_bytes(bytes(range(256)) * 9)
    (work / "cut.json").write_text('{"UserDetailList": [{"Path": "/", "UserName": "a"')
    (work / "generic.csv").write_text("name\nx\n")
    (work / "bad.toml").write_text("= [")
    (work / "rbac.json").write_text(
        json.dumps(
            {
                "kind": "List",
                "apiVersion": "v1",
                "items": [
                    {
                        "kind": "ServiceAccount",
                        "metadata": {"name": "a", "namespace": "b", "uid": "c"},
                    }
                ],
            }
        )
    )
    (work / "hostile.sql").write_text(
        "-- title: x\n-- severity: low\n-- subject: identity\n-- needs: nothing\n"
        "-- why: hostile\n-- fix: x\nATTACH 'x.db' AS hostile")  # fmt: skip
    (work / "report.csv").write_text(report("svc-a", "svc-b"))
    monkeypatch.chdir(work)


def state(folder: Path) -> list[object]:
    """Everything that a command could have changed."""
    db = store.open_(folder)
    try:
        tables = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(t, db.value(f"SELECT count(*) FROM {t}")) for t in sorted(tables)]
    finally:
        db.close()


@pytest.mark.parametrize(("words", "code", "tells"), NO_WORKSPACE)
def test_without_a_workspace_it_says_how_to_make_one(
    inside: Muster, junk: None, words: list[str], code: int | None, tells: str
) -> None:
    done = inside(*words, code=None)
    assert done.returncode == code if code else done.returncode in (1, 4)
    complain(done, tells)


def test_an_empty_workspace_refuses_with_one_line_and_changes_nothing(
    inside: Muster, junk: None, folder: Path
) -> None:
    inside("init")
    before = state(folder)
    for words, code, tells in EMPTY:
        done = inside(*words, code=None)
        assert done.returncode == code if code else done.returncode in (1, 4), (words, done)
        complain(done, tells)
        assert state(folder) == before, words


def test_a_review_refuses_bad_words_with_one_line_and_changes_nothing(
    inside: Muster, junk: None, folder: Path, passphrase_file: Path
) -> None:
    inside("init")
    inside("key", "new", "--key-store", "file")
    inside("import", "report.csv")
    inside("campaign", "open", "Autumn", "--reviewer", ME, "--due", "2030-12-31")
    item = json.loads(inside("queue", "--json").stdout)[0]["item"]
    before = state(folder)
    for words, code, tells in REVIEW:
        done = inside(*[item if w == "ITEM" else w for w in words], code=None)
        assert done.returncode == code if code else done.returncode != 0, (words, done)
        complain(done, tells)
        assert state(folder) == before, words


def test_settings_that_cannot_be_used_are_named_with_the_nearest_right_key(
    inside: Muster, folder: Path
) -> None:
    inside("init")
    settings = folder / "config.toml"
    settings.touch(mode=0o600)
    for text, tells in [
        ("red_only = true", "read_only"), ("read_only = 'no'", "true or false"),
        ("me = 3", "wrong type"), ("me = ", "not TOML"),
        ("[rules.unusd]\nmax_days = 3", "unused"), ("[rules.unused]\nmax_dys = 3", "max_days"),
        ("[rules.unused]\nmax_days = true", "wrong type"), ("key_store = 'cloud'", "key_store"),
        ("[bulk]\nlov = 3", "low"), ("[reasons]\n10 = 'x'", "a digit"), ("nonsense = 1", "known"),
    ]:  # fmt: skip
        settings.write_text(text)
        done = inside("import", __file__, "--as", "people", code=None)
        assert done.returncode in (1, 2)
        if "rules" not in text or "true" in text:
            complain(done, tells)


@pytest.mark.parametrize(("path", "mode", "mend"), [
    ("", 0o755, "chmod 700"), ("workspace.db", 0o644, "chmod 600"),
])  # fmt: skip
def test_a_workspace_that_others_may_read_is_refused_with_the_command_that_mends_it(
    inside: Muster, folder: Path, path: str, mode: int, mend: str
) -> None:
    inside("init")
    (folder / path).chmod(mode)
    complain(inside("campaign", "list", code=1), mend)
    subprocess.run(["chmod", mend.split()[1], str(folder / path)], check=True)
    inside("campaign", "list")


def test_everything_in_a_workspace_is_for_its_owner_alone(
    inside: Muster, folder: Path, junk: None, passphrase_file: Path
) -> None:
    inside("init", "--me", ME)
    inside("key", "new", "--key-store", "file")
    inside("import", "report.csv")
    for path in [folder, *folder.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_init_says_who_i_am_in_settings_that_are_there_too(
    inside: Muster, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MUSTER_ME")
    assert "Next: muster init --me you@example.com, then muster key new" in inside("init").stderr
    (folder / "config.toml").write_text('theme = "muster-light"\n')
    (folder / "config.toml").chmod(0o600)
    assert "Next: muster key new" in inside("init", "--me", ME).stderr
    assert f'me = "{ME}"' in (folder / "config.toml").read_text()
    assert "theme" in (folder / "config.toml").read_text()
    assert "has another `me`" in inside("init", "--me", "x@example.com", code=2).stderr


def test_a_closed_pipe_is_silent(inside: Muster, folder: Path, tmp_path: Path) -> None:
    inside("init")
    (tmp_path / "r.csv").write_text(report(*(f"svc-{n}" for n in range(3000))))
    inside("import", str(tmp_path / "r.csv"))
    import os
    import sys

    done = subprocess.run(
        f'"{sys.executable}" -m passmuster identities --json | head -n 3',
        shell=True, env={**os.environ, "MUSTER_WORKSPACE": str(folder)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 3


def test_formats_are_listed_of_one_platform_and_a_wrong_one_is_told(inside: Muster) -> None:
    said = inside("import", "--formats", "postgres").stdout
    assert "postgres.roles.csv" in said and "github" not in said
    assert "did you mean postgres?" in inside("import", "--formats", "postgers", code=2).stderr


def test_what_was_signed_to_be_stopped_names_the_command_that_does_it(
    inside: Muster, junk: None, passphrase_file: Path
) -> None:
    inside("init")
    inside("key", "new", "--key-store", "file")
    inside("import", "report.csv")
    inside("campaign", "open", "Autumn", "--reviewer", ME, "--due", "2030-12-31")
    item = json.loads(inside("queue", "--json").stdout)[0]["item"]
    inside("decide", "disable", item, "--reason", "unused")
    assert "Next: muster remediate plan" in inside("sign-off", "--yes").stderr
