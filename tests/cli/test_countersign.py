"""Two persons at the command line, from the opening to the end."""

import json
from pathlib import Path

import pytest

from passmuster import store
from tests.conftest import ME, Muster
from tests.estates import report

SEC = "sec@example.com"


@pytest.fixture
def two(
    inside: Muster, tmp_path: Path, passphrase_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Muster:
    """A review of two accounts that each need two persons."""
    inside("init")
    for who in (SEC, ME):
        monkeypatch.setenv("MUSTER_ME", who)
        inside("key", "new", "--key-store", "file")
    (tmp_path / "r.csv").write_text(report("svc-a", "svc-b"))
    inside("import", str(tmp_path / "r.csv"))
    return inside


def test_two_persons_from_the_opening_to_the_end(
    two: Muster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opening = ("campaign", "open", "Autumn", "--reviewer", ME, "--due", "2030-12-31")
    for wrong, why in (
        (("--second", ME), "2 items could never be approved (svc-a, svc-b)"),
        (("--second", "sec"), "takes e-mail addresses"),
        (("--second", SEC, "--second-when", "always"), "privileged, all or risk:70"),
        (("--second-when", "all"), "says when, not who"),
    ):
        done = two(*opening, *wrong, *(() if len(wrong) > 2 or wrong[0] != "--second" else
                                       ("--second-when", "all")), code=None)  # fmt: skip
        assert done.returncode in (1, 2)
        assert why in done.stderr
    opened = two(*opening, "--second", SEC, "--second-when", "all")
    assert "2 approvals would need a second person" in opened.stderr
    two("decide", "approve", "svc-a", "svc-b", "--reason", "in use")
    assert "concurred: sec@example.com" in two("sign-off", "--yes").stderr
    status = two("campaign", "status").stdout
    assert "2 awaiting_second" in status
    assert "2 approvals waiting for a second person: sec@example.com may countersign 2" in status
    assert "no second person of Autumn" in two("countersign", "list").stderr

    monkeypatch.setenv("MUSTER_ME", SEC)
    rows = json.loads(two("countersign", "list", "--json").stdout)
    assert {r["name"]: (r["verdict"], r["decided_by"], r["draft"]) for r in rows} == {
        "svc-a": ("approve", ME, None), "svc-b": ("approve", ME, None),
    }  # fmt: skip
    done = two("countersign", "object", "svc-b", code=None)
    assert (done.returncode, "object needs a reason" in done.stderr) == (2, True)
    two("countersign", "concur", "svc-a", "svc-b")
    assert "1 draft taken back" in two("countersign", "clear", "svc-b").stderr
    two("countersign", "object", "svc-b", "--reason", "nobody uses it")
    assert "object, not signed" in two("countersign", "list").stdout
    signed = two("sign-off", "--yes")
    assert "object to the approval of svc-b by rev@example.com  “nobody uses it”" in signed.stderr
    assert "concur with the approval of svc-a by rev@example.com\n" in signed.stderr
    assert "To sign as sec@example.com: 2 countersignatures\n" in signed.stderr
    assert "Signed: 2 countersignatures.\n" in signed.stderr
    rows = json.loads(two("countersign", "list", "--state", "signed", "--json").stdout)
    assert {row["name"]: row["you"] for row in rows} == {"svc-a": "concur", "svc-b": "object"}
    assert "nothing waits on you" in two("countersign", "list").stderr

    monkeypatch.setenv("MUSTER_ME", ME)
    status = two("campaign", "status").stdout
    assert "1 objected, 1 stands" in status
    assert "sec@example.com objects to svc-b" in status
    two("decide", "approve", "svc-b", "--reason", "asked again")
    two("sign-off", "--yes")
    done = two("campaign", "close", code=None)
    assert done.returncode == 2
    assert "1 approval would never stand" in done.stderr
    assert "--leave-waiting" in done.stderr
    assert "1 awaiting_second, 1 stands" in two("campaign", "close", "--leave-waiting").stderr
    two("evidence", "Autumn", "--out", str(tmp_path / "pack"))
    assert "1 awaiting_second" in two("verify", str(tmp_path / "pack")).stdout


def test_a_hand_over_that_leaves_nobody_is_refused_and_an_older_one_told(
    two: Muster, folder: Path
) -> None:
    two("campaign", "open", "Autumn", "--reviewer", ME, "--due", "2030-12-31",
        "--second", SEC, "--second-when", "all")  # fmt: skip
    done = two("own", SEC, "svc-a", "--hand-over", code=None)
    assert done.returncode == 2
    assert f"{SEC} is the only second person for svc-a" in done.stderr
    assert json.loads(two("campaign", "status", "--json").stdout)[0]["nobody_may_countersign"] == 0
    db = store.open_(folder)
    with db.atomic():
        db.execute("UPDATE item SET reviewer = ?", (SEC,))
    db.close()
    told = two("campaign", "status").stdout
    assert "nobody may countersign these 2 items (svc-a, svc-b): sec@example.com decides" in told
    assert "muster own PERSON ITEM --hand-over" in told
    assert json.loads(two("campaign", "status", "--json").stdout)[0]["nobody_may_countersign"] == 2


def test_without_a_rule_the_commands_say_so(two: Muster) -> None:
    two("campaign", "open", "Autumn", "--reviewer", ME, "--due", "2030-12-31")
    assert "asks for no second person" in two("countersign", "list").stderr
    done = two("countersign", "concur", "svc-a", code=None)
    assert "svc-a needs no second person" in done.stderr


def test_the_settings_name_the_second_persons(two: Muster, folder: Path) -> None:
    settings = folder / "config.toml"
    settings.write_text(f'second = ["{SEC}"]\nsecond_when = "all"\n')
    settings.chmod(0o600)
    done = two("campaign", "open", "A", "--reviewer", ME, "--due", "2030-12-31", "--json")
    assert json.loads(done.stdout)[0]["needing_second"] == 2
    done = two("campaign", "open", "B", "--reviewer", ME, "--due", "2030-12-31", "--json",
               "--second", "none")  # fmt: skip
    assert json.loads(done.stdout)[0]["needing_second"] == 0
