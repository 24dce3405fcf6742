"""The power goes while decisions are signed and a page is kept: `make long`.

See `tests.power_loss` for what of it is real.
"""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from passmuster import store, tlog
from passmuster.store import FILE
from tests import power_loss, travelling
from tests.sync.test_campaigns import people
from tests.sync.town import Town

IMAGES = 400
OWNERS = {f"job-{n}": "rev@example.com" for n in range(12)} | {"mine": "boss@example.com"}


def recorded(
    town: Town, tmp_path: Path
) -> tuple[power_loss.Recording, dict[str, bytes], list[power_loss.Step], list[list[bytes]]]:
    """A workspace before, the statements of each step, and the entries after each.

    The steps: a page with a campaign is kept, three times something is decided and signed, what
    was signed is sent and seen in the mirror, another page comes.
    """
    boss, rev = people(town)
    travelling.opened(boss, tmp_path, OWNERS)
    town.boss.sync()
    db = power_loss.record(town.rev.db)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    begin = {power_loss.NAME: (town.rev.folder / FILE).read_bytes()}
    said = db.said
    said.clear()
    steps, entries = [], []

    def more() -> None:
        boss.decide("mine", "approve")
        town.boss.sync()
        town.rev.sync()

    acts: list[Callable[[], object]] = [
        town.rev.sync, lambda: rev.decide("job-1", "approve"),
        lambda: rev.decide("job-2", "revoke"), lambda: rev.decide("job-3", "approve"),
        town.rev.sync, more,
    ]  # fmt: skip
    for act in acts:
        act()
        steps.append(list(said))
        said.clear()
        entries.append([e.envelope for e in tlog.entries(db)])
        said.clear()
    return db, begin, steps, entries


@pytest.mark.long
def test_no_power_cut_takes_a_decision_that_was_signed(synced: Town, tmp_path: Path) -> None:
    first = [e.envelope for e in tlog.entries(synced.rev.db)]
    db, begin, steps, entries = recorded(synced, tmp_path)
    *_, ops = (after := list(power_loss.replay(begin, steps, db.functions)))
    acknowledged = [(0, first), *((len(a), e) for a, e in zip(after, entries, strict=True))]
    draw = random.Random(7)
    damaged = lost = 0
    for n in range(IMAGES):
        at = round(n * len(ops) / (IMAGES - 1))
        folder = tmp_path / "cut"
        power_loss.put(power_loss.image(begin, ops[:at], draw), folder)
        cut = store.open_(folder)
        whole = cut.value("PRAGMA integrity_check") == "ok"
        whole &= not cut.execute("PRAGMA foreign_key_check").fetchall()
        there = [e.envelope for e in tlog.entries(cut)]
        tlog.check(cut)
        promised = [e for size, e in acknowledged if size <= at][-1]
        damaged += not (whole and there == entries[-1][: len(there)])
        lost += len(there) < len(promised)
        pinned = tlog.pinned(cut)
        assert tlog.root_of(cut, pinned.size) is not None
        cut.close()
        shutil.rmtree(folder)
    syncs = sum(op.kind == "sync" for op in ops)
    print(
        f"{IMAGES} images of {len(ops)} operations ({syncs} syncs): {damaged} damaged, {lost} lost"
    )
    assert (damaged, lost) == (0, 0)
    assert len(entries[-1]) > len(entries[0]) + 3
