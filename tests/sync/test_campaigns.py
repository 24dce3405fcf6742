"""A campaign that travels through the real server to another workspace, and back."""

from pathlib import Path

import pytest

from passmuster import blobs, campaigns, central, remediation, sync, tlog
from passmuster.errors import NotFound, UsageError
from passmuster.remediation._table import record
from passmuster.text import epoch
from tests import travelling
from tests.sync.town import BOSS, REV, Town

OWNERS = {"ci-deploy": REV, "vendor-etl": REV, "mine-alone": BOSS}


def people(place: Town) -> tuple[travelling.Desk, travelling.Desk]:
    """The desks as those who decide at them see them."""
    place.clock.seconds = epoch(travelling.LATER)
    boss, rev = (travelling.Desk(d.db, d.me, d.key) for d in (place.boss, place.rev))
    return boss, rev


def test_a_campaign_goes_out_is_decided_and_comes_back(synced: Town, tmp_path: Path) -> None:
    boss, rev = people(synced)
    travelling.opened(boss, tmp_path, OWNERS)
    assert synced.boss.sync().words == "2 records sent, 0 received."
    assert synced.rev.sync().words == "0 records sent, 2 received."
    assert rev.names(REV) == ["ci-deploy", "vendor-etl"]
    assert rev.names() == ["ci-deploy", "vendor-etl"]
    rev.decide("ci-deploy", "approve")
    rev.decide("vendor-etl", "revoke")
    synced.rev.sync()
    synced.boss.sync()
    assert (boss.effect("ci-deploy"), boss.effect("vendor-etl")) == ("stands", "stops")
    boss.decide("mine-alone", "approve")
    campaigns.close(boss.db, boss.at, boss.key, travelling.END)
    synced.boss.sync()
    synced.rev.sync()
    assert rev.at.closed_at is not None
    ours = {uri: outcome for uri, outcome in boss.outcomes().items() if uri in rev.outcomes()}
    assert rev.outcomes() == ours
    assert tlog.check(boss.db) == tlog.check(rev.db)


def test_what_one_carried_out_is_known_to_the_others(synced: Town, tmp_path: Path) -> None:
    boss, rev = people(synced)
    travelling.opened(boss, tmp_path, OWNERS)
    synced.boss.sync()
    synced.rev.sync()
    rev.decide("vendor-etl", "revoke")
    synced.rev.sync()
    synced.boss.sync()
    (one,) = remediation.plan(boss.db, travelling.LATER)
    record(boss.db, one, "verified", "refused", travelling.LATER, verdict="refused")
    remediation.sign(boss.db, boss.key, travelling.LATER)
    assert synced.boss.sync().words == "1 record sent, 0 received."
    assert synced.rev.sync().words == "0 records sent, 1 received."
    (there,) = remediation.remedies(rev.db)
    assert (there.name, there.state, there.verdict) == (one.name, "verified", "refused")
    assert not remediation.plan(rev.db, travelling.END)
    with pytest.raises(UsageError, match="has not the role oncall or owner"):
        remediation.may_sign(rev.db, rev.key, travelling.LATER)


def test_an_item_that_is_handed_over_brings_the_campaign_with_it(
    synced: Town, tmp_path: Path
) -> None:
    boss, rev = people(synced)
    travelling.opened(boss, tmp_path, {"ci-deploy": BOSS, "vendor-etl": BOSS})
    synced.boss.sync()
    synced.rev.sync()
    with pytest.raises((NotFound, IndexError)):
        rev.names(REV)
    boss.hand("vendor-etl", REV)
    synced.boss.sync()
    synced.rev.sync()
    assert rev.names(REV) == ["vendor-etl"]
    rev.decide("vendor-etl", "revoke")
    synced.rev.sync()
    synced.boss.sync()
    assert boss.effect("vendor-etl") == "stops"


def test_a_campaign_that_stays_at_home_is_not_sent(synced: Town, tmp_path: Path) -> None:
    boss, _ = people(synced)
    travelling.estate(boss, tmp_path, OWNERS)
    wanted = campaigns.Definition("Home", "2026-12-31", "owner", fallback=BOSS)
    from passmuster import config

    campaigns.open_campaign(boss.db, wanted, boss.key, config.Settings(), travelling.NOW)
    boss.decide("mine-alone", "approve")
    assert tlog.unsent(boss.db) == 0
    assert synced.boss.sync().words == "0 records sent, 0 received."


def test_bytes_that_do_not_come_are_waited_for_and_others_go_on(
    synced: Town, tmp_path: Path
) -> None:
    boss, rev = people(synced)
    travelling.opened(boss, tmp_path, OWNERS)
    synced.boss.sync()
    synced.boss.says("meanwhile")
    synced.boss.sync()
    queues = next(
        central.read(e.envelope).blobs[0] for e in tlog.entries(boss.db) if e.kind == "publication"
    )
    get = f"/v1/blobs/{queues}"
    synced.rev.wire.fate = lambda method, path: "no_reply" if path == get else "ok"
    with pytest.raises(Exception, match="broke off"):
        synced.rev.sync()
    assert not blobs.has(rev.db, queues)
    synced.rev.wire.fate = lambda *_: "ok"

    def flip(path: str, body: bytes) -> bytes:
        return body[:-9] + b"x" * 9 if path == get else body

    synced.rev.wire.bend = flip
    with pytest.raises(Exception, match=r"another digest|cannot be unpacked|cut short"):
        synced.rev.sync()
    assert not blobs.has(rev.db, queues)
    synced.rev.wire.bend = lambda _, body: body
    synced.rev.sync()
    assert rev.names(REV) == ["ci-deploy", "vendor-etl"]
    assert "meanwhile" in synced.rev.words
    assert sync.state(rev.db).kind == "synced"


def test_a_reviewer_cannot_fetch_what_is_not_theirs(synced: Town, tmp_path: Path) -> None:
    boss, rev = people(synced)
    travelling.opened(boss, tmp_path, OWNERS)
    synced.boss.sync()
    synced.rev.sync()
    [name] = [e.envelope for e in tlog.entries(boss.db) if e.kind == "publication"]
    listed = central.read_queues(blobs.get(boss.db, central.read(name).blobs[0]))
    theirs = {c.sha256 for c in listed.chunks if c.reviewer == BOSS}
    assert theirs
    assert not any(blobs.has(rev.db, digest) for digest in theirs)
