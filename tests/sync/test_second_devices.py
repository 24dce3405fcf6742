"""Two devices of one second person contradict each other without a network, then both sync."""

from pathlib import Path

import pytest

from passmuster import campaigns, evidence, sync
from passmuster.text import epoch
from tests import travelling
from tests.scene import key
from tests.sync.test_campaigns import people
from tests.sync.town import REV, Town, joined
from tests.travelling import END, LATER, SEC

pytestmark = pytest.mark.ci


def test_every_side_shows_it_contested_until_the_second_person_has_seen_both(
    synced: Town, tmp_path: Path
) -> None:
    boss, rev = people(synced)
    travelling.opened(boss, tmp_path, {"deploy": REV, "wiki": REV}, second=(SEC,), when="all")
    homes = [joined(synced, f"sec{n}", key(SEC, seed), "second") for n, seed in enumerate((14, 98))]
    synced.clock.seconds = epoch(LATER)
    first, other = (travelling.Desk(home.db, SEC, home.key) for home in homes)
    synced.rev.sync()
    rev.decide("deploy", "approve")
    rev.decide("wiki", "approve")
    everybody = [synced.rev, *homes, synced.boss]
    for home in everybody[:3]:
        home.sync()
    first.second("deploy", "concur")
    other.second("deploy", "object")
    for one in (first, other):
        one.second("wiki", "concur")
    for home in [*homes, *everybody]:
        home.sync()
    assert [home.sync().words for home in everybody] == ["0 records sent, 0 received."] * 4
    sides = (rev, first, other, boss)
    for side in sides:
        assert (side.effect("deploy"), side.effect("wiki")) == ("contested", "stands")
        assert sync.state(side.db).words == "needs attention (1): 1 item contested"
        (disputed,) = campaigns.disputed(side.db, side.at)
        assert (disputed.by_second, disputed.reviewer) == (True, SEC)
    made = evidence.build_pack(boss.db, boss.at, tmp_path / "pack", boss.key, END)
    assert made.outcomes == {"contested": 1, "stands": 1}
    assert evidence.verify(tmp_path / "pack").outcomes == made.outcomes
    synced.clock.seconds += 3600
    other.now = synced.clock()
    other.second("deploy", "concur")
    for home in [homes[1], *everybody]:
        home.sync()
    for side in sides:
        assert side.effect("deploy") == "stands"
        assert sync.state(side.db).kind == "synced"
        assert side.outcomes() == boss.outcomes()
        assert evidence.verify(side.db.path.parent).statements
