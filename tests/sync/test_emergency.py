"""An emergency is decided without a network, and goes through the real server when there is one."""

from pathlib import Path

import pytest

from passmuster import campaigns, sync, tlog
from passmuster.campaigns import Emergency
from tests.scene import bring_in
from tests.sync import town
from tests.sync.town import AT, REV, Desk, Town


def stop(desk: Desk) -> str:
    identity = desk.db.value("SELECT id FROM identity WHERE uid = 'u1'")
    shown = campaigns.shown(desk.db, identity, "u1-key")
    urgent = Emergency(shown, "disable", "leaked", "INC-7", desk.me, AT, AT)
    return campaigns.sign_emergency(desk.db, urgent, desk.key, desk.clock()).statement


@pytest.fixture
def on_call(synced: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    """The reviewer is on call too, says the next roster."""
    monkeypatch.setitem(town.ROLES, REV, ("reviewer", "oncall"))
    synced.boss.next_roster([synced.boss, synced.rev])
    synced.boss.sync()
    synced.rev.sync()
    bring_in(synced.rev.db, tmp_path, monkeypatch)
    return synced


def test_it_goes_to_who_must_review_it_with_all_that_was_shown(on_call: Town) -> None:
    name = stop(on_call.rev)
    assert on_call.rev.sync().words.startswith("1 record sent")
    on_call.boss.sync()
    (found,) = campaigns.unreviewed(on_call.boss.db)
    assert (found.statement, found.principal, found.ticket) == (name, REV, "INC-7")
    assert tlog.check(on_call.boss.db) == tlog.check(on_call.rev.db)
    assert not sync.state(on_call.rev.db).rejected


def test_it_is_decided_while_the_central_api_is_down(on_call: Town) -> None:
    with on_call.server.stopped():
        name = stop(on_call.rev)
        assert [u.statement for u in campaigns.unreviewed(on_call.rev.db)] == [name]
        assert tlog.unsent(on_call.rev.db) == 1
    assert on_call.rev.sync().words.startswith("1 record sent")
