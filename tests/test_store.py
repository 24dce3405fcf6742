"""The file itself: what is synced, what refers to what, and which file is not opened at all."""

from pathlib import Path

import pytest

from passmuster import campaigns, store, tlog
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


def test_a_file_of_a_newer_release_is_refused_and_left_alone(db: Database, folder: Path) -> None:
    newer = store.SCHEMA_VERSION + 1
    db.execute(f"PRAGMA user_version = {newer}")
    db.close()
    with pytest.raises(WorkspaceError, match="upgrade passmuster"):
        store.open_(folder)
    raw = (folder / store.FILE).read_bytes()
    assert int.from_bytes(raw[60:64], "big") == newer
