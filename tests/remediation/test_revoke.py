"""`muster revoke`, whole: on a real server, through the real contract, by the real command."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from passmuster import attestations, blobs, campaigns, remediation, tlog
from passmuster.errors import UsageError
from passmuster.store import Database
from passmuster.text import Json, canonical, sha256, strict_json
from passmuster.tui import queue_rows
from tests.conftest import ME, Muster
from tests.remediation.conftest import SOURCE, Estate
from tests.scene import NOW, REV, draft

KEY = "svc-a-k1"
WHY = ("--reason", "seen in a public gist", "--yes")


@pytest.fixture
def desk(
    estate: Estate, inside: Muster, passphrase_file: Path, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Muster:  # fmt: skip
    """The command of somebody who is logged in at the toy by its own tool."""
    assert passphrase_file.exists()
    tool = tmp_path / "bin" / "toy"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho {estate.toy.token}\n")
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tool.parent}:{Path(sys.executable).parent}:/usr/bin:/bin")
    reach(estate, estate.toy.url)
    inside("key", "new", "--key-store", "file")
    return inside


def reach(estate: Estate, url: str) -> None:
    (estate.db.path.parent / "config.toml").write_text(
        f'[sources."{SOURCE}"]\nendpoint = "{url}"\n'
    )
    (estate.db.path.parent / "config.toml").chmod(0o600)


def told(done: Any) -> dict[str, Any]:
    (found,) = json.loads(done.stdout)
    return dict(found)


def kinds(db: Database) -> list[str]:
    return [e.kind for e in tlog.entries(db)]


def test_a_leaked_key_is_stopped_refused_and_signed_twice(estate: Estate, desk: Muster) -> None:
    done = desk("revoke", KEY, *WHY, "--ticket", "INC-7", "--json")
    found = told(done)
    assert (found["state"], found["answer"], found["undo_class"]) == ("verified", "refused", "R1")
    assert estate.toy.writes == [f"PUT svc-a/{KEY}"]
    assert estate.toy.objects["svc-a"]["enabled"], "the account itself goes on"
    assert kinds(estate.db) == ["enrolment", "decisions", "remediation"]
    assert tlog.check(estate.db) == 3
    said = attestations.unchecked(list(tlog.entries(estate.db))[1].envelope)
    assert said.predicate["basis"] == {"emergency": "seen in a public gist", "ticket": "INC-7"}
    row = strict_json(blobs.get(estate.db, dict(said.subject)["decisions.jsonl"]).rstrip())
    assert (row["verdict"], row["capacity"], row["item"]) == ("disable", "on_call", found["uri"])
    dossier = blobs.get(estate.db, dict(said.subject)["dossier.json"])
    assert sha256(dossier) == row["dossier"] and strict_json(dossier)["subject"] == KEY
    material = campaigns.material(strict_json(dossier))
    assert sha256(canonical(material)) == row["material"]
    assert "Refused after" in done.stderr


def test_a_whole_account_is_found_by_its_name_and_can_be_given_back(
    estate: Estate, desk: Muster
) -> None:
    before = dict(estate.toy.objects["svc-b"])
    found = told(desk("revoke", "svc-b", *WHY, "--for", "4h", "--json"))
    assert found["restore_due"] > found["decided_at"]
    one = remediation.remedy(estate.db, found["remediation"])
    (one,) = estate.restore(one)
    assert (one.state, estate.toy.objects["svc-b"]) == ("reverted", before)
    left = list(remediation.wanted(estate.db, estate.clock()))
    assert left == [], "what was given back is not stopped again"


def test_doing_it_again_decides_nothing_again(estate: Estate, desk: Muster) -> None:
    first = told(desk("revoke", KEY, *WHY, "--json"))
    again = desk("revoke", KEY, "--yes", "--json")
    assert told(again)["decision"] == first["decision"]
    assert "not decided a second time" in again.stderr
    assert kinds(estate.db).count("decisions") == 1
    assert len(estate.toy.writes) == 1


def test_nothing_is_stopped_without_a_yes_a_reason_or_a_secret_in_it(
    estate: Estate, desk: Muster
) -> None:
    for words, code, said in (
        (("revoke", KEY, "--reason", "x"), 2, "--yes"),
        (("--no-input", "revoke", KEY, "--reason", "x"), 2, "--yes"),
        (("revoke", KEY, "--yes"), 2, "needs a reason"),
        (("revoke", KEY, "--yes", "--reason", "it is ghp_" + "a1" * 20), 2, "looks like a secret"),
        (("revoke", KEY, *WHY, "--for", "soon"), 2, "30m, 4h or 2d"),
        (("revoke", KEY, *WHY, "--for", "900d"), 2, "at most 90d"),
        (("--read-only", "revoke", KEY, *WHY), 2, "read-only"),
        (("revoke", "nobody", *WHY), 1, "no identity or credential"),
        (("revoke",), 2, "name what is to stop"),
    ):
        done = desk(*words, code=code)
        assert said in done.stderr, words
        assert done.stdout == ""
    assert not estate.toy.writes
    assert "decisions" not in kinds(estate.db)


def test_an_ambiguous_handle_fails_with_the_candidates(estate: Estate, desk: Muster) -> None:
    with estate.db.atomic():
        estate.db.execute("UPDATE listing SET name = 'svc-a' WHERE name = 'svc-b'")
    done = desk("revoke", "svc-a", *WHY, code=1)
    assert done.stderr.count("by its") == 2
    assert not estate.toy.writes


def test_a_pasted_secret_is_never_said_or_kept(estate: Estate, desk: Muster) -> None:
    token = "ghp_" + "a1B2c3" * 6
    done = desk("revoke", token, *WHY, code=1)
    assert token not in done.stderr and token[4:14] not in done.stderr
    assert "what was pasted" in done.stderr and "history" in done.stderr
    for path in estate.db.path.parent.rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes()


def test_a_private_key_that_looks_like_an_option_is_not_repeated(desk: Muster) -> None:
    pem = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END"
    done = desk("revoke", pem, *WHY, code=2)
    assert "b3Blbn" not in done.stderr
    assert "looks like a secret" in done.stderr


def test_without_the_platform_the_decision_is_signed_and_the_lines_are_told(
    estate: Estate, desk: Muster
) -> None:
    reach(estate, "http://127.0.0.1:9")
    done = desk("revoke", KEY, *WHY, "--json", code=1)
    found = told(done)
    assert (found["state"], found["answer"]) == ("apply_failed", None)
    assert f"toy disable svc-a/{KEY}" in done.stderr
    assert done.stderr.rstrip().splitlines()[-1].startswith("muster: not stopped: ")
    assert kinds(estate.db) == ["enrolment", "decisions", "remediation"]
    reach(estate, estate.toy.url)
    again = told(desk("revoke", KEY, "--yes", "--json"))
    assert (again["decision"], again["answer"]) == (found["decision"], "refused")


def test_without_a_login_it_says_so_and_signs(
    estate: Estate, desk: Muster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    done = desk("revoke", KEY, *WHY, code=1)
    assert "toy is not here" in done.stderr and "the platform was not asked" in done.stderr
    assert "decisions" in kinds(estate.db)


def test_what_muster_cannot_do_itself_is_decided_and_its_lines_told(
    estate: Estate, desk: Muster
) -> None:
    for uid, line in (("lines-a", "toy disable lines-a"), ("hand-a", ""), ("burn-a", "")):
        estate.toy.account(uid)
        estate.bring_in("2026-11-23T09:00:00Z")
        done = desk("revoke", uid, *WHY, "--json", code=1)
        assert told(done)["state"] == "not_supported"
        assert line in done.stderr and "toy burn" not in done.stderr
    assert not estate.toy.writes


def test_what_is_stopped_and_not_refused_ends_with_three(estate: Estate, desk: Muster) -> None:
    estate.toy.lags = 99
    done = desk("revoke", KEY, *WHY, "--wait", "0", "--json", code=3)
    assert told(done)["answer"] == "works"
    assert "not seen to be refused" in done.stderr
    estate.toy.lags = 0
    assert told(desk("revoke", KEY, "--yes", "--json"))["answer"] == "refused"
    estate.toy.account("flag-a")
    estate.bring_in("2026-11-23T10:00:00Z")
    flagged = desk("revoke", "flag-a", *WHY, "--json")
    assert told(flagged)["answer"] == "flag"
    assert "Off, says the platform; not tried" in flagged.stderr


def test_what_somebody_let_in_again_is_stopped_again(estate: Estate, desk: Muster) -> None:
    first = told(desk("revoke", KEY, *WHY, "--json"))
    estate.toy.objects[f"svc-a/{KEY}"]["enabled"] = True
    again = told(desk("revoke", KEY, "--yes", "--json"))
    assert (again["decision"], again["answer"]) == (first["decision"], "refused")
    assert estate.toy.writes == [f"PUT svc-a/{KEY}"] * 2
    (one,) = estate.restore(remediation.remedy(estate.db, first["remediation"]))
    assert one.state == "reverted" and estate.toy.objects[f"svc-a/{KEY}"]["enabled"]


def test_an_old_import_holds_up_no_emergency(estate: Estate, desk: Muster) -> None:
    """The export has it off; somebody switched it on since, and it leaked."""
    estate.toy.account("svc-z", enabled=False)
    estate.bring_in("2026-11-23T09:00:00Z")
    estate.toy.objects["svc-z"]["enabled"] = True
    assert told(desk("revoke", "svc-z", *WHY, "--json"))["answer"] == "refused"


def test_what_is_gone_is_told(estate: Estate, desk: Muster) -> None:
    del estate.toy.objects[f"svc-a/{KEY}"]
    done = desk("revoke", KEY, *WHY, "--json", code=3)
    assert told(done)["state"] == "object_gone"


def test_a_dry_run_stops_and_signs_nothing(estate: Estate, desk: Muster) -> None:
    done = desk("revoke", "svc-a", "--dry-run", "--json")
    assert told(done)["stop"] == ["toy disable svc-a"]
    for said in ("2 live credentials", "used by   not known", "undo      yes", "nobody is known"):
        assert said in done.stderr, said
    assert not estate.toy.writes and not estate.toy.calls[1:]


def test_it_waits_for_its_review_until_a_campaign_decides(
    estate: Estate, desk: Muster, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk("revoke", KEY, *WHY, "--for", "30m")
    (one,) = json.loads(desk("revoke", "--pending", "--json").stdout)
    assert (one["state"], one["by"], one["due"]) == ("verified", ME, one["restore_due"])
    from passmuster.cli import revoke

    monkeypatch.setattr(revoke, "now", lambda: "2099-01-01T00:00:00Z")
    (late,) = json.loads(desk("revoke", "--pending", "--json").stdout)
    assert late["due"] == f"due to be restored: muster remediate restore {one['remediation']}"
    assert KEY in desk("revoke", "--pending").stdout


def test_the_next_campaign_has_it_although_it_is_off(
    estate: Estate, desk: Muster, clock_after: Callable[[], str]
) -> None:
    desk("revoke", "svc-c", *WHY)
    estate.bring_in(clock_after())
    assert estate.db.value("SELECT status FROM identity WHERE uid = 'svc-c'") == "disabled"
    at = estate.opened(scope="finding:emergency-unreviewed", rationale="the night's stops")
    assert at.population == 1
    (row,) = campaigns.rows(estate.db, [estate.db.value("SELECT id FROM item")])
    dossier = campaigns.item_dossier(estate.db, row.id)
    (before,) = dossier["before"]
    assert (before["verdict"], before["campaign"]) == ("disable", "an emergency")
    assert campaigns.unreviewed(estate.db)


@pytest.fixture
def clock_after() -> Callable[[], str]:
    """A time that is later than what the command signs now."""
    return lambda: "2098-01-01T00:00:00Z"


def test_what_was_decided_keeps_its_end_and_its_reason_and_says_so(
    estate: Estate, desk: Muster
) -> None:
    """A second --for is signed by nobody, so nobody is told that it holds."""
    first = told(desk("revoke", KEY, *WHY, "--json"))
    again = desk("revoke", KEY, *WHY, "--for", "4h", "--json")
    assert told(again)["restore_due"] is first["restore_due"] is None
    assert "are not noted" in again.stderr and "to be given back" not in again.stderr
    assert "are not noted" not in desk("revoke", KEY, "--yes").stderr


def test_a_stop_of_what_was_approved_needs_nobody_to_settle_it(
    estate: Estate, desk: Muster, clock_after: Callable[[], str]
) -> None:
    """The approval does not stand any more: it is neither contested nor stale."""
    at = estate.opened()
    estate.decide(at, "svc-b", "approve")
    estate.sign_off(at)
    desk("revoke", "svc-b", *WHY)
    estate.bring_in(clock_after())
    assert campaigns.disputed(estate.db, at) == []
    assert "1 stop" in desk("campaign", "status", at.name).stdout
    rows = campaigns.rows(estate.db, [r[0] for r in estate.db.execute("SELECT id FROM item")])
    cells = {row.display_name: queue_rows.table_row(row, None, NOW, "", waiting=False).cells
             for row in rows}  # fmt: skip
    assert {name: c["decision"] for name, c in cells.items()} == {
        "svc-a": "", "svc-b": "emergency", "svc-c": "",
    }  # fmt: skip
    listed = json.loads(desk("queue", "--all", "--json").stdout)
    (queued,) = [r for r in listed if r["name"] == "svc-b"]
    assert (queued["verdict"], queued["decision"], queued["emergency"]) == (
        "approve", "emergency stop", True,
    )  # fmt: skip
    table = desk("queue", "--all").stdout
    assert "emergency stop" in table and "approve" not in table
    (stopped,) = [row.id for row in rows if row.emergency]
    for verdict, left in (("abstain", True), ("revoke", False)):
        campaigns.save_draft(estate.db, stopped, draft(verdict, "seen"), clock_after())
        assert "emergency" not in desk("queue", "--all").stdout, "a draft is newer"
        batch = campaigns.prepare(estate.db, at.id, REV)
        campaigns.sign_off(estate.db, batch, estate.rev, clock_after())
        assert campaigns.rows(estate.db, [stopped])[0].emergency is left
    campaigns.close(estate.db, at, estate.boss, clock_after())
    desk("revoke", "svc-c", *WHY)
    assert not any(row.emergency for row in campaigns.rows(estate.db, [r.id for r in rows])), (
        "what is stopped after the end is no part of the review"
    )


def test_several_are_told_with_the_words_that_mean_each(estate: Estate, desk: Muster) -> None:
    with estate.db.atomic():
        estate.db.execute("UPDATE listing SET name = 'twin'")
    said = desk("revoke", "twin", *WHY, code=1).stderr
    for uid in ("svc-a", "svc-b"):
        assert f"muster:{SOURCE}/identity/{uid}" in said
    found = told(desk("revoke", f"muster:{SOURCE}/identity/svc-b", *WHY, "--json"))
    assert found["uri"].endswith("/svc-b")


def test_a_dry_run_tells_how_it_is_undone(desk: Muster) -> None:
    assert "undo: toy enable svc-a" in desk("revoke", "svc-a", "--dry-run").stderr


def test_what_the_last_export_has_off_can_be_stopped_all_the_same() -> None:
    """Somebody may have let it in again since; only the platform knows."""
    role = {"uid": "16389", "display_name": "app", "nhi_detail": "postgres.role",
            "kind": "service", "status": "disabled"}  # fmt: skip
    dossier: Json = {"of": "identity", "subject": None, "identity": role, "credentials": [],
               "source": {"uid": "postgres:1", "platform": "postgres"}}  # fmt: skip
    plan = remediation.offer(dossier).plan
    assert plan is not None and plan.act is not None and plan.act.wanted == {"login": False}
    assert role["status"] == "disabled", "what was given is left as it is"


def test_owners_are_named_once_and_who_has_left_is_told(estate: Estate) -> None:
    dossier = campaigns.shown(estate.db, estate.db.value("SELECT id FROM identity LIMIT 1"), None)
    left = {"person_name": "Tom", "team": None, "handle": "tom", "person_active": 0}
    there = {**left, "person_name": "Ann", "person_active": 1}
    for owners, words, grave in (
        ([left, left], "Tom, who has left", True),
        ([left, there, there], "Tom, who has left, Ann", False),
        ([], "nobody is known to answer for it", True),
    ):
        facts = remediation.blast(
            estate.db, {**dossier, "owners": owners}, remediation.offer(dossier), "2026-11-25"
        )
        assert ("owner", words, grave) in facts


def test_a_secret_is_asked_for_only_where_somebody_may_be_asked(
    estate: Estate, desk: Muster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal too: --no-input asks nothing."""
    from passmuster.cli import common, remedy_run

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(UsageError, match="nobody can be asked here"):
        remedy_run.read_secret(common.Bench(None, no_input=True))


def test_the_reason_is_asked_for_where_somebody_can_be_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from passmuster.cli import common, revoke

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(click, "prompt", lambda *_, **__: "it leaked")
    assert revoke._why(common.Bench(None, no_input=False), None) == "it leaked"
    assert revoke._why(common.Bench(None, no_input=False), "said") == "said"
    assert revoke._why(common.Bench(None, no_input=True), None) == ""


def test_facts_are_folded_between_words_and_told_whole() -> None:
    from passmuster.cli.revoke import fact_lines

    words = "roles that may SET ROLE to it still act with its rights; a pooler may go on serving"
    fact = remediation.Fact("goes on", words, True)
    lines = fact_lines(fact, 40)
    assert len(lines) > 2 and all(len(line) <= 40 for line in lines)
    assert " ".join(line[12:] for line in lines).replace("  ", " ") == f"{words} ◀"
    assert lines[0].startswith("  goes on   roles") and lines[1].startswith(" " * 12)
    assert len(fact_lines(fact, 10_000)) == 1
