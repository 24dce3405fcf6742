"""What is carried between a reviewer without a network and the central log."""

from pathlib import Path

import pytest

from passmuster import campaigns, packets, sync, tlog
from passmuster.errors import Conflict, NotFound, UsageError, VerificationFailed
from tests.sync.carrying import alone, bring, hand_over, offline, person, published
from tests.sync.town import REV, Desk, Town


def to_rev(place: Town, out: Path, after: int = 0) -> Path:
    """What the boss hands to the reviewer."""
    sync.pack_campaigns(place.boss.db, REV, after, out)
    return out


def test_a_reviewer_without_a_network_decides_and_the_receipt_empties_their_outbox(
    synced: Town, tmp_path: Path
) -> None:
    published(synced, tmp_path)
    away = offline(synced.rev)
    done = bring(away, to_rev(synced, tmp_path / "for-rev.tar.gz"), synced)
    assert (done.pulled.void, done.pulled.waiting, done.refused) == ([], 0, [])
    rev = person(away)
    assert rev.names() == ["backup", "deploy"]
    rev.decide("deploy", "approve")
    rev.decide("backup", "revoke", "unused")
    assert tlog.unsent(away.db) == 3, "the enrolment of this workspace, and two batches"

    made = sync.pack_upload(alone(away), tmp_path / "outbox.tar.gz")
    assert (made.manifest.records, made.lacking) == (3, 0)
    hand_over(synced, made.path, tmp_path / "receipt.tar.gz")
    done = bring(away, tmp_path / "receipt.tar.gz")
    assert (done.pulled.entries, done.refused) == (3, [])
    assert tlog.unsent(away.db) == 0
    assert sync.state(away.db).kind == "synced"
    with pytest.raises(NotFound, match="nothing waits"):
        sync.pack_upload(alone(away), tmp_path / "more.tar.gz")
    for entry in range(2, 5):
        tlog.central_receipt(away.db, entry)

    synced.boss.sync()
    boss = person(synced.boss)
    assert (boss.effect("deploy"), boss.effect("backup")) == ("stands", "stops")
    assert campaigns.progress(boss.db, boss.at.id).signed == 2
