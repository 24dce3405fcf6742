"""The file itself: what is synced, what refers to what, and which file is not opened at all."""

from pathlib import Path

import pytest
from sqlite_utils import Database as UtilsDatabase

from passmuster import campaigns, schema, store, tlog
from passmuster.errors import WorkspaceError
from passmuster.store import Database
from tests.scene import LATER, SECOND, Scene, draft, key, open_scene

FULL = 2


@pytest.fixture
def scene(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return open_scene(db, tmp_path, monkeypatch)


def test_each_act_of_a_person_is_synced_to_the_disk_before_it_returns(scene: Scene) -> None:
    """NORMAL in WAL mode loses what was acknowledged when the power goes (DESIGN §6)."""
    db, item = scene.db, scene.item("ci-deploy")
    acts = {
        "a draft": lambda: campaigns.save_draft(db, item, draft("approve", "x"), LATER),
        "an owner": lambda: campaigns.save_own(db, [item], SECOND, None, LATER),
        "an owner taken back": lambda: campaigns.clear_own(db, [item]),
        "a draft taken back": lambda: campaigns.clear_drafts(db, [item]),
        "a draft again": lambda: campaigns.save_draft(db, item, draft("approve", "x"), LATER),
        "a sign-off": lambda: scene.sign(scene.rev),
        "an enrolment": lambda: tlog.enrol(db, key("new@example.com", 40), LATER),
        "an end": scene.close,
    }
    for name, act in acts.items():
        with db.atomic(durable=False):  # an import may come before any act
            pass
        ran: list[str] = []
        db.set_trace_callback(ran.append)
        act()
        db.set_trace_callback(None)
        told = [s for s in ran if s == "COMMIT" or s.startswith("PRAGMA synchronous")]
        assert told[1::2] == ["COMMIT"] * (len(told) // 2), name
        assert set(told[::2]) == {"PRAGMA synchronous = FULL"}, name
        assert db.value("PRAGMA synchronous") == FULL, name


def test_a_fresh_connection_syncs_in_wal_mode_and_knows_what_refers_to_what(
    scene: Scene, folder: Path
) -> None:
    other = store.open_(folder)
    assert other.value("PRAGMA synchronous") == FULL
    assert other.value("PRAGMA journal_mode") == "wal"
    with pytest.raises(store.IntegrityError, match="FOREIGN KEY"), other.atomic():
        other.execute("INSERT INTO problem (run_id, why) VALUES (999, 'x')")
    other.close()


def test_what_fails_aside_is_told_although_its_query_is_still_open(db: Database) -> None:
    held = []

    def fail() -> None:
        with db.aside():
            db.execute("CREATE TABLE aside.some (x)")
            db.execute("INSERT INTO aside.some VALUES (1), (2)")
            held.append(db.execute("SELECT x FROM aside.some"))
            held[0].fetchone()
            raise KeyError("the reason")

    with pytest.raises(KeyError, match="the reason"):
        fail()


def test_tables_aside_need_no_workspace_and_leave_no_file() -> None:
    db = store.alone()
    db.execute("CREATE TABLE aside.some (x)")
    db.execute("INSERT INTO aside.some VALUES (1)")
    assert db.value("SELECT x FROM aside.some") == 1
    name = db.value("SELECT file FROM pragma_database_list WHERE name = 'aside'")
    assert not Path(name).exists()
    db.close()


def test_a_table_aside_stays_until_the_outermost_that_asked_for_it_ends(db: Database) -> None:
    with db.aside():
        db.execute("CREATE TABLE aside.some (x)")
        with db.atomic(), db.aside():
            db.execute("INSERT INTO aside.some VALUES (1)")
        assert db.value("SELECT x FROM aside.some") == 1
    with db.aside():
        assert db.value("SELECT count(*) FROM aside.sqlite_master") == 0
    assert not list(db.path.parent.glob(".aside-*"))


def test_where_nothing_can_be_written_beside_the_workspace_its_tables_aside_are_elsewhere(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "path", Path("/nowhere", store.FILE))
    with db.aside():
        db.execute("CREATE TABLE aside.some (x)")


def test_spans_hold_each_row_once_and_none_holds_more_rows_than_one_statement_may_change(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SPAN_ROWS", 3)
    db.execute("CREATE TABLE some (id INTEGER PRIMARY KEY)")
    assert list(db.spans("some")) == []
    ids = [-5, 1, 2, 90, 91, 92, 500]
    db.executemany("INSERT INTO some VALUES (?)", [(i,) for i in ids])
    spans = list(db.spans("some"))
    assert [[i for i in ids if first <= i <= last] for first, last in spans] == [
        [-5, 1, 2], [90, 91, 92], [500]
    ]  # fmt: skip


def test_where_it_joins_a_failure_ends_the_larger_block_and_otherwise_only_itself(
    db: Database,
) -> None:
    db.execute("CREATE TABLE some (x)")
    with db.atomic():
        db.execute("INSERT INTO some VALUES (1)")
        with pytest.raises(KeyError), db.atomic():
            db.execute("INSERT INTO some VALUES (2)")
            raise KeyError
    with pytest.raises(KeyError), db.atomic():
        db.execute("INSERT INTO some VALUES (3)")
        with db.atomic(joins=True):
            raise KeyError
    assert [x for (x,) in db.execute("SELECT x FROM some")] == [1]


def test_where_nothing_can_be_written_it_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(folder).close()
    (folder / "workspace.db-wal").unlink(missing_ok=True)
    (folder / "workspace.db-wal").mkdir()  # as on a medium that is mounted read only
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(WorkspaceError, match="copy the folder to where you may write"):
        store.open_(folder)


def test_a_file_of_a_newer_release_is_refused_and_left_alone(db: Database, folder: Path) -> None:
    newer = store.SCHEMA_VERSION + 1
    db.execute(f"PRAGMA user_version = {newer}")
    db.close()
    with pytest.raises(WorkspaceError, match="upgrade passmuster"):
        store.open_(folder)
    raw = (folder / store.FILE).read_bytes()
    assert int.from_bytes(raw[60:64], "big") == newer


def first_release(folder: Path) -> None:
    """A workspace as the first release left it."""
    folder.mkdir(mode=0o700)
    (folder / store.FILE).touch(mode=0o600)
    path = store.sqlite3.connect(folder / store.FILE)  # type: ignore[attr-defined]
    schema.migrations.apply(UtilsDatabase(path), stop_before="version_2")
    path.execute("PRAGMA journal_mode = WAL")
    path.execute("PRAGMA user_version = 1")
    path.execute("INSERT INTO workspace VALUES ('device', 'd')")
    path.execute("INSERT INTO person VALUES (1, 1, 'p', 'p@x', 'P', 1, NULL, NULL, '[]', '[]',"
                 " 1, 1, 1, NULL)")  # fmt: skip
    path.commit()
    path.close()
    for name in folder.iterdir():
        name.chmod(0o600)


def indexes(db: Database) -> set[str]:
    return {r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}


def test_a_workspace_of_the_first_release_is_brought_up_by_opening_it_to_write(
    folder: Path,
) -> None:
    first_release(folder)
    with pytest.raises(WorkspaceError, match="`muster init`"):
        store.open_(folder, read_only=True)
    db = store.open_(folder)
    assert db.value("PRAGMA user_version") == store.SCHEMA_VERSION
    assert indexes(db) >= {"listing_name", "trust_from", "item_risk"}
    assert db.value("SELECT email FROM person") == "p@x"
    assert store.device(db) == "d"
    db.close()
    store.open_(folder, read_only=True).close()


def test_an_upgraded_workspace_has_the_tables_of_a_new_one(folder: Path, tmp_path: Path) -> None:
    first_release(folder)

    def tables(at: Path) -> list[tuple[str, ...]]:
        db = store.create(at)
        found = db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
        db.close()
        return [tuple(map(str, row)) for row in found]

    assert tables(folder) == tables(tmp_path / "new")
