"""The evidence of a campaign that was decided on many devices, checked by us and by stock tools."""

from pathlib import Path

import pytest

from passmuster import campaigns, evidence
from passmuster.errors import UsageError, VerificationFailed
from passmuster.text import strict_json
from tests.evidence.conftest import read
from tests.evidence.test_stock_tools import Stock, pytestmark, stock
from tests.travelling import ANN, BOB, BOSS, END, SEC, Desk, Log, desk, opened

__all__ = ["pytestmark", "stock"]
OWNERS = {
    "deploy": ANN, "backup": ANN, "probe": ANN, "vpn": ANN, "etl": BOB, "wiki": BOB, "mail": BOSS,
    "cron": BOB, "batch": BOB, "relay": BOB, "queue": BOB,
}  # fmt: skip
CAME_TO = {
    "deploy": "contested", "backup": "stands", "probe": "stops", "vpn": "stands", "etl": "objected",
    "wiki": "no_response", "mail": "awaiting_second",
    "cron": "contested", "batch": "stands", "relay": "stands", "queue": "stops",
}  # fmt: skip


@pytest.fixture
def boss(tmp_path: Path) -> Desk:
    """After a campaign that had everything: two devices of one person that disagree, of a second
    person too, one that resolves, a hand-over, a statement that never came, one that came too late.
    """
    log = Log()
    boss, ann, bob, sec = (desk(tmp_path / me[:3], me) for me in (BOSS, ANN, BOB, SEC))
    other, sec2 = desk(tmp_path / "ann2", ANN, seed=99), desk(tmp_path / "sec2", SEC, seed=98)
    opened(boss, tmp_path, OWNERS, second=(SEC,), when="all")
    boss.push(log)
    for one in (ann, bob, sec, other, sec2):
        one.pull(log)
    ann.decide("deploy", "approve")
    other.decide("deploy", "revoke", "unused")
    ann.decide("backup", "approve")
    other.decide("backup", "disable", "unused")
    ann.decide("vpn", "abstain", "do not know it")
    kept_back = ann.db.value("SELECT max(id) FROM entry")
    ann.hand("vpn", BOB)
    ann.decide("probe", "revoke", "gone")
    for name, verdict in (("etl", "approve"), ("cron", "approve"), ("batch", "approve"),
                          ("relay", "approve"), ("queue", "disable")):  # fmt: skip
        bob.decide(name, verdict)
    boss.decide("mail", "approve")
    for one in (ann, other, bob, boss):
        one.push(log)
    lost = ann.db.value("SELECT leaf FROM entry WHERE id = ?", (kept_back,))
    log.records = [r for r in log.records if r.leaf.hex() != lost]
    for one in (other, bob, sec):
        one.pull(log)
    other.decide("backup", "approve", "asked: in use")
    bob.decide("vpn", "approve")
    other.push(log)
    bob.push(log)
    sec.pull(log)
    for name in ("backup", "vpn"):
        sec.second(name, "concur")
    sec.second("etl", "object")
    _said_twice(sec, sec2, log)
    boss.pull(log)
    bob.decide("wiki", "approve")  # without a network, and then the review ends
    campaigns.close(boss.db, boss.at, boss.key, END, leave_waiting=True)
    boss.push(log)
    bob.push(log)
    boss.pull(log)
    return boss


def _said_twice(sec: Desk, sec2: Desk, log: Log) -> None:
    """Without having seen each other they differ on three and agree on one; one is said again."""
    sec2.pull(log)
    for name, here, there in (
        ("cron", "object", "concur"), ("batch", "concur", "object"), ("relay", "concur", "concur"),
        ("queue", "concur", "object"),
    ):  # fmt: skip
        sec.second(name, here)
        sec2.second(name, there)
    for one in (sec, sec2):
        one.push(log)
    sec2.pull(log)
    sec2.second("batch", "concur")
    sec2.push(log)


@pytest.mark.ci
def test_the_pack_of_several_devices_holds_for_us_and_for_stock_tools(
    boss: Desk, tmp_path: Path, stock: Stock
) -> None:
    assert {name: boss.effect(name) for name in OWNERS} == CAME_TO
    pack = tmp_path / "pack"
    made = evidence.build_pack(boss.db, boss.at, pack, boss.key, END)
    report = evidence.verify(pack)
    assert report.outcomes == made.outcomes
    assert sum(made.outcomes.values()) == len(OWNERS)
    content = read(pack)
    found = {}
    for line in content["outcomes.jsonl"].splitlines():
        row = strict_json(line)
        found[row["item"].rpartition("%2F")[2]] = row["effect"]
    assert found == CAME_TO
    assert any("statements of other devices" in note for note in report.notes)
    assert "1 statements of other devices never came here" in (done := stock(pack)).stdout, (
        done.stdout, done.stderr,
    )  # fmt: skip
    assert done.returncode == 0
    assert evidence.verify(boss.db.path.parent).statements
    assert b"contested" in content["report.html"]


@pytest.mark.ci
@pytest.mark.parametrize("what", ["_in_conflict", "_taken_both_ways"])
def test_a_pack_that_says_otherwise_of_what_is_contested_is_refused(
    boss: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stock: Stock, what: str
) -> None:
    """Written by a version of ours that does not know of conflicts of decisions, or of
    countersignatures, and sealed by the owner.
    """
    from passmuster import outcomes

    with monkeypatch.context() as patch:
        patch.setattr(outcomes, what, lambda *_: False)
        evidence.build_pack(boss.db, boss.at, tmp_path / "pack", boss.key, END)
    with pytest.raises(VerificationFailed, match="outcomes"):
        evidence.verify(tmp_path / "pack")
    assert stock(tmp_path / "pack").returncode == 1


def test_the_pack_is_written_where_the_campaign_was_opened(tmp_path: Path) -> None:
    log, boss, ann = Log(), desk(tmp_path / "boss", BOSS), desk(tmp_path / "ann", ANN)
    opened(boss, tmp_path, {"deploy": ANN})
    boss.push(log)
    ann.pull(log)
    with pytest.raises(UsageError, match="where it was opened"):
        evidence.build_pack(ann.db, ann.at, tmp_path / "pack", ann.key, END)
    assert evidence.verify(ann.db.path.parent).statements
