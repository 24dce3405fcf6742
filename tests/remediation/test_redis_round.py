"""The whole way round on a real Redis: collected, decided, stopped, refused, put back, accepted."""

from pathlib import Path

import pytest

from passmuster import campaigns, config, connectors, intake, remediation, tlog
from passmuster.store import Database
from tests.live.conftest import a_redis
from tests.live.test_redis import SECRET, server, user, where
from tests.scene import NOW, REV, draft, key

__all__ = ["a_redis", "server", "user"]
pytestmark = pytest.mark.ci
DECIDED, DONE, LATER = "2026-11-24T09:30:00Z", "2026-11-25T09:30:00Z", "2026-11-27T08:00:00Z"
SETTINGS = config.Settings()


def test_a_user_that_was_decided_is_refused_and_comes_back(
    db: Database, server: Path, user: str
) -> None:
    at, rev = where(server), key(REV, 2)
    runs = intake.collect(db, at, SETTINGS, now=NOW)
    assert {run.source for run in runs} == {"redis:cache"}
    tlog.enrol(db, rev, NOW)
    wanted = campaigns.Definition("Autumn", "2026-12-31", REV)
    campaigns.open_campaign(db, wanted, rev, SETTINGS, NOW)
    campaign = campaigns.campaign(db, "Autumn")
    item = db.value("SELECT i.id FROM item i JOIN identity y ON y.id = i.identity_id"
                    " WHERE y.uid = ?", (user,))  # fmt: skip
    campaigns.save_draft(db, item, draft("disable", "old"), DECIDED)
    campaigns.sign_off(db, campaigns.prepare(db, campaign.id, REV), rev, DECIDED)
    (one,) = remediation.plan(db, DONE)
    live = connectors.connect(at)
    assert one.act and live.refused(one.act, SECRET)[0] == "works"
    one = remediation.apply(db, one, live, lambda: DONE)
    one = remediation.verify(db, one, live, lambda: DONE, wait_s=20, secret=SECRET)
    assert (one.state, one.verdict) == ("verified", "refused")
    intake.collect(db, at, SETTINGS, now="2026-11-26T08:00:00Z")
    (status,) = remediation.status(db, LATER)
    assert status.proof and not status.alive and not status.is_open
    one = remediation.restore(db, one, live, lambda: LATER)
    assert one.state == "reverted" and one.act
    assert live.refused(one.act, SECRET)[0] == "works"
    live.close()
    assert remediation.sign(db, rev, LATER)
    assert SECRET.encode() not in db.path.read_bytes()
