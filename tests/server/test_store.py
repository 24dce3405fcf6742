"""The port to the server's database says the same in both dialects; appending is shared."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from passmuster import attestations
from passmuster.central import Result
from passmuster.errors import WorkspaceError
from passmuster.server import Central, _blobs, _log
from passmuster.server._accept import COLUMNS
from passmuster.server._http import Problem
from passmuster.server._store import Store, Tx, Unavailable, _PostgresTx, connect
from tests.server.postgres import Cluster
from tests.server.running import opened, settle
from tests.server.town import REV, Town


@pytest.fixture
def store(tmp_path: Path, database: str | None) -> Any:
    made = connect(database or tmp_path / "a.db")
    yield made
    made.close()


def test_both_dialects_give_the_same_answers(store: Store) -> None:
    with store.transaction() as tx:
        assert tx.change("INSERT INTO upload (id, begun_at) VALUES (?, ?)", ("a%b", "1")) == 1
        tx.insert("upload", "id, begun_at", [("c", "2"), ("d", "3"), ("e'f", "4")])
        tx.insert("piece", "upload, n, packed", [("c", n, bytes([n])) for n in range(256)])
    with store.reading() as tx:
        assert tx.value("SELECT begun_at FROM upload WHERE id LIKE '%\\%%' ESCAPE '\\'") == "1"
        among, args = tx.among(["c", "e'f", "nobody"])
        found = tx.execute(f"SELECT id FROM upload WHERE id {among} ORDER BY id", args)
        assert [row[0] for row in found] == ["c", "e'f"]
        among, args = tx.among([b"\x00", b"\n", b"\xff", b"more"])
        found = tx.execute(f"SELECT n FROM piece WHERE packed {among} ORDER BY n", args)
        assert [int(row[0]) for row in found] == [0, 10, 255]
        among, args = tx.among_pairs([("c", 7), ("c", 999), ("d", 7)])
        found = tx.execute(f"SELECT n FROM piece WHERE (upload, n) {among}", args)
        assert [int(row[0]) for row in found] == [7]
        assert tx.one("SELECT id FROM upload WHERE id = ?", ("x",)) is None
        assert bytes(tx.value("SELECT packed FROM piece WHERE n = 200")) == b"\xc8"


def test_rows_come_back_as_they_went_in(store: Store) -> None:
    """What COPY would read as something else, and a line that does not fit into a page."""
    rows = [
        (n, bytes([n]), "\\N", "\\.", "ü€😀", "a\tb\nc", "d", 2**53 - n, campaign, line, "")
        for n, (campaign, line) in enumerate([
            (None, b""), ("", bytes(range(256))), ("\\N", random.Random(1).randbytes(65_535)),
        ])
    ]  # fmt: skip
    for part in (rows[:1], rows[1:]):
        with store.transaction() as tx:
            tx.insert("record", COLUMNS, part)
    with store.reading() as tx:
        found = tx.execute(f"SELECT {COLUMNS} FROM record ORDER BY idx")
    assert [tuple(row) for row in found] == rows


def test_a_database_of_an_older_server_is_brought_up_to_date_with_what_is_in_it(
    store: Store, tmp_path: Path, database: str | None
) -> None:
    newest = f"{store.dialect}/003.sql"
    with store.transaction() as tx:
        tx.execute("INSERT INTO upload (id, begun_at) VALUES ('a', '1')")
        tx.execute("CREATE INDEX record_campaign ON record (campaign, idx)")
        tx.execute("CREATE INDEX record_enrolment ON record (idx)")
        assert tx.change("DELETE FROM migration WHERE name = ?", (newest,)) == 1
    again = connect(database or tmp_path / "a.db")
    with again.transaction() as tx:
        assert tx.value("SELECT id FROM upload") == "a"
        assert tx.value("SELECT 1 FROM migration WHERE name = ?", (newest,)) == 1
        tx.execute("CREATE INDEX record_campaign ON record (campaign, idx)")  # it was dropped
    again.close()


def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(store: Store) -> None:
    class Mine(Exception):
        pass

    for _ in range(15):  # more often than there are connections
        with pytest.raises(Mine), store.transaction() as tx:
            tx.execute("INSERT INTO upload (id, begun_at) VALUES ('a', '1')")
            raise Mine
        with pytest.raises(Exception, match=r"(?i)unique|duplicate"), store.transaction() as tx:
            tx.insert("upload", "id, begun_at", [("b", "1"), ("b", "2")])
        with pytest.raises(Mine), store.reading() as tx:
            raise Mine
    with store.reading() as tx:
        assert tx.value("SELECT count(*) FROM upload") == 0


def test_a_record_is_never_changed_and_never_deleted(served: Central) -> None:
    for sql in ("UPDATE record SET kind = 'x'", "DELETE FROM record"):
        with pytest.raises(Exception, match="is never"), served.store.transaction() as tx:
            tx.execute(sql)
    with served.store.reading() as tx:
        assert tx.value("SELECT kind FROM record") == "roster"
    served.close()


def test_a_database_of_a_newer_server_or_of_other_steps_is_refused(
    store: Store, tmp_path: Path, database: str | None
) -> None:
    where = database or tmp_path / "a.db"
    name = f"{store.dialect}/999.sql"
    with store.transaction() as tx:
        tx.execute("INSERT INTO migration VALUES (?, 'x')", (name,))
    with pytest.raises(WorkspaceError, match="made by a newer passmuster"):
        connect(where)
    with store.transaction() as tx:
        tx.execute("DELETE FROM migration WHERE name = ?", (name,))
        tx.execute("UPDATE migration SET sha256 = 'x' WHERE name LIKE '%001.sql'")
    with pytest.raises(WorkspaceError, match="another than this server's"):
        connect(where)


# --- group commit


def begun(folder: Path) -> tuple[Central, Town, str]:
    town = Town()
    here = opened(folder)
    lines = [town.roster(), *town.campaign()]
    settle(here, town, lines)
    return here, town, attestations.unchecked(lines[1]).name


def many(here: Central, town: Town, digest: str, count: int) -> list[bytes]:
    lines = town.decisions(REV, digest, count)
    with here.store.transaction() as tx:
        for data in town.blobs.values():
            _blobs.keep(tx, data, here.clock())
    return lines


def commits(here: Central) -> float:
    text = here.metrics.text({})
    [line] = [x for x in text.splitlines() if x.startswith("muster_commits_total ")]
    return float(line.split()[1])


async def test_requests_that_come_together_share_a_transaction(tmp_path: Path) -> None:
    here, town, digest = begun(tmp_path / "central")
    lines = many(here, town, digest, 40)
    asked = [asyncio.create_task(here.sequencer.submit([line])) for line in lines]
    while len(here.sequencer._waiting) < 40:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)
    async with here.running():
        done = await asyncio.gather(*asked)
    places = sorted(results[0].place or 0 for results, _ in done)
    assert places == list(range(3, 43))
    assert commits(here) == 1
    here.close()


async def test_a_request_that_undoes_itself_undoes_no_other(tmp_path: Path) -> None:
    here, town, digest = begun(tmp_path / "central")
    lines = many(here, town, digest, 3)

    def refuse(_: Tx, results: list[Result]) -> None:
        assert results[0].status == "accepted"
        raise Problem("invite")

    async with here.running():
        first = here.sequencer.submit([lines[0]])
        second = here.sequencer.submit([lines[1]], also=refuse)
        done = await asyncio.gather(first, second, return_exceptions=True)
        assert isinstance(done[1], Problem)
        assert not isinstance(done[0], BaseException)
        results, head = await here.sequencer.submit(lines[1:])
        assert [r.place for r in results] == [4, 5]
    with here.store.reading() as tx:
        assert _log.root_at(tx, 6) == head.root
    here.close()


async def test_what_waits_when_the_server_stops_is_told_to_come_back(tmp_path: Path) -> None:
    here, town, digest = begun(tmp_path / "central")
    lines = many(here, town, digest, 2)
    waiting = asyncio.create_task(here.sequencer.submit(lines))
    while not here.sequencer._waiting:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)
    running = asyncio.create_task(here.sequencer.run())
    here.sequencer._wake.clear()
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(Problem, match="the server is stopping"):
        await waiting
    here.close()


@pytest.mark.ci
def test_a_database_that_cannot_be_reached_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        connect("postgresql:///x?host=/nowhere")


@pytest.mark.ci
def test_a_connection_in_use_while_the_database_is_closed_is_closed_after_it(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("passmuster.server._pool.CLOSE_S", 0.01)
    store = connect(cluster.database())
    with store.reading() as tx:
        store.close()
        assert tx.value("SELECT 1") == 1
    assert isinstance(tx, _PostgresTx)
    assert tx._db.closed
