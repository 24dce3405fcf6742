"""What one workspace carried out is known in the others, and not done there again."""

from pathlib import Path

import pytest

from passmuster import attestations, blobs, central, merkle, remediation, tlog
from passmuster.central import Record
from passmuster.errors import VerificationFailed
from passmuster.remediation import Remedy
from passmuster.remediation._table import record, settle
from passmuster.text import Json, canonical, sha256, strict_json
from tests.once import once
from tests.travelling import ANN, BOSS, END, LATER, Desk, Log, desk, opened


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def boss(tmp_path: Path, log: Log) -> Desk:
    made = desk(tmp_path / "boss", BOSS)
    once(made.db, "ann's two", lambda: opened(made, tmp_path, {"deploy": ANN, "backup": ANN}))
    made.push(log)
    return made


@pytest.fixture
def ann(tmp_path: Path, boss: Desk, log: Log) -> Desk:
    """A reviewer who has revoked one, and everybody knows it."""
    made = desk(tmp_path / "ann", ANN)
    made.pull(log)
    made.decide("deploy", "revoke")
    made.push(log)
    boss.pull(log)
    return made


def carried_out(at: Desk, log: Log) -> Remedy:
    (one,) = remediation.plan(at.db, LATER)
    one = record(at.db, one, "verified", "the login was refused", LATER, verdict="refused")
    remediation.sign(at.db, at.key, LATER)
    at.push(log)
    return one


def test_a_result_shows_elsewhere_and_is_not_planned_again(boss: Desk, ann: Desk, log: Log) -> None:
    done = carried_out(boss, log)
    ann.pull(log)
    (one,) = remediation.remedies(ann.db)
    assert (one.name, one.state, one.verdict) == (done.name, "verified", "refused")
    assert one.plan is None and one.identity_id is not None
    assert not remediation.plan(ann.db, END)
    ann.pull(log)
    assert len(remediation.results(ann.db, one.name)) == 1


def test_what_lives_again_after_another_stopped_it_is_planned_here(
    boss: Desk, ann: Desk, log: Log
) -> None:
    carried_out(ann, log)
    boss.pull(log)
    assert not remediation.plan(boss.db, END)
    boss.db.execute("UPDATE import_run SET imported_at = ?", (END,))  # a later export has it
    assert not remediation.plan(boss.db, END), "which does not tell a policy that denies it all"
    boss.db.execute("UPDATE remediation SET in_export = 1")
    (one,) = remediation.plan(boss.db, END)
    assert one.plan is not None and one.state in ("planned", "not_supported")


def test_results_that_fall_count_for_nothing(boss: Desk, ann: Desk, log: Log) -> None:
    done = carried_out(boss, log)
    boss.db.execute("INSERT INTO void_entry SELECT max(id), 'stolen' FROM entry")
    with boss.db.atomic():
        settle(boss.db, done.name)
    (one,) = remediation.remedies(boss.db)
    assert (one.state, one.verdict) == ("planned", None) and ann.db is not boss.db


def test_it_has_the_same_name_wherever_it_is_planned(boss: Desk, ann: Desk) -> None:
    assert [w.name() for w in remediation.wanted(boss.db, LATER)] == [
        w.name() for w in remediation.wanted(ann.db, LATER)
    ]


def test_results_leave_by_the_outbox_with_the_bytes_that_they_name(
    boss: Desk, ann: Desk, log: Log
) -> None:
    carried_out(boss, log)
    (envelope,) = boss.db.one("SELECT envelope FROM entry WHERE predicate = 'remediation'")
    found = central.read(bytes(envelope))
    assert found.campaign == boss.at.digest and len(found.blobs) == 1
    assert blobs.get(boss.db, found.blobs[0]) and ann.db is not boss.db
    assert bytes(envelope) in [out.line for out in tlog.outbox(boss.db, 0, 100)]


def forged(boss: Desk, log: Log, change: Json) -> Record:
    """The last result with something else in its row, signed anew by the same person."""
    (one,) = remediation.plan(boss.db, LATER)
    one = record(boss.db, one, "applied", "done", LATER)
    (row,) = remediation.results(boss.db, one.name)
    line = canonical({**row, **change})
    body = {"basis": {"campaign": boss.at.digest}, "root": merkle.root([line]), "count": 1}
    data = line + b"\n"
    payload = attestations.statement(
        "remediation", {"remediations.jsonl": sha256(data)}, body, tlog.next_link(boss.db), LATER,
        BOSS,
    )  # fmt: skip
    log.blobs[sha256(data)] = data
    return central.read(attestations.sign(payload, boss.key))


@pytest.mark.parametrize(
    "change",
    [
        {"state": "done"}, {"verdict": "surely"}, {"state": "verified"}, {"more": 1},
        {"verdict": "refused"}, {"basis": {"because": "so"}}, {"said": None},
        {"undoClass": "R0"}, {"basis": {"emergency": "e" * 64}}, {"carrier": "pigeon"},
    ],
    ids=str,
)  # fmt: skip
def test_a_result_of_another_form_is_refused_whole(
    change: Json, boss: Desk, ann: Desk, log: Log
) -> None:
    forgery = forged(boss, log, change)
    with pytest.raises(VerificationFailed):
        ann.take(log, forgery)
    assert not ann.db.value("SELECT count(*) FROM entry WHERE predicate = 'remediation'")
    assert not list(remediation.remedies(ann.db))


def test_a_statement_that_is_not_about_its_file_is_refused(boss: Desk, ann: Desk, log: Log) -> None:
    carried_out(boss, log)
    (digest,) = log.records[-1].blobs
    rows = [strict_json(line) for line in log.blobs[digest].splitlines()]
    said, lines = log.records[-1].statement, log.blobs[digest].splitlines()
    assert list(remediation.rows_of(said, lines)) == rows
    with pytest.raises(VerificationFailed, match="root and count"):
        list(remediation.rows_of(said, lines * 2))
    with pytest.raises(VerificationFailed, match="root and count"):
        list(remediation.rows_of(said, []))
