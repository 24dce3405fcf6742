"""A sign-off takes its rows from the disk, some at a time: none is lost, none mixed up."""

import tracemalloc

import pytest

from passmuster import attestations, blobs, campaigns, merkle, tlog
from passmuster.campaigns import _batch, _dossiers, _signing
from passmuster.text import strict_json
from tests.scene import LATER, REV, Scene, draft


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks of drafts, reads of the file and pieces of a blob, with three rows."""
    monkeypatch.setattr(_signing, "AT_ONCE", 2)
    monkeypatch.setattr(_batch, "_READ", 50)
    monkeypatch.setattr(blobs, "PIECE", 600)


def drafted(scene: Scene) -> list[int]:
    ids = [row[0] for row in scene.db.execute("SELECT id FROM item ORDER BY id")]
    for item, verdict in zip(ids, ("approve", "revoke", "abstain"), strict=True):
        campaigns.save_draft(scene.db, item, draft(verdict, f"because {item}"), LATER)
    return ids


@pytest.mark.usefixtures("few_at_once")
def test_rows_in_chunks_are_one_file_one_tree_and_one_table(scene: Scene) -> None:
    ids = drafted(scene)
    batch = campaigns.prepare(scene.db, scene.campaign.id, REV)
    assert list(batch.rows.ids()) == [row.item_id for row in batch.rows] == ids
    assert [row.draft.reason_text for row in batch.rows] == [f"because {i}" for i in ids]
    assert [batch.rows[n] for n in range(3)] == list(batch.rows)
    signed = campaigns.sign_off(scene.db, batch, scene.rev, LATER)
    entry = list(tlog.entries(scene.db))[-1]
    found = attestations.verify(entry.envelope, tlog.known_keys(scene.db))
    ((_, digest),) = found.subject
    lines = blobs.get(scene.db, digest).splitlines()
    assert lines == list(batch.rows.signed()) == [row.bytes for row in batch.rows]
    assert found.predicate["root"] == merkle.root(lines)
    assert found.predicate["count"] == len(lines) == 3
    table = dict(scene.db.execute("SELECT leaf, item_id FROM decision"))
    assert table == dict(zip(signed.leaves, ids, strict=True))
    assert scene.db.value("SELECT count(*) FROM draft") == 0


@pytest.mark.usefixtures("few_at_once")
def test_a_row_reads_back_as_it_was_drafted(scene: Scene) -> None:
    scene_items = drafted(scene)
    batch = campaigns.prepare(scene.db, scene.campaign.id, REV)
    for row, item in zip(batch.rows, scene_items, strict=True):
        assert row.draft == campaigns.draft_of(scene.db, item)
        assert row.uri == strict_json(row.bytes)["item"]


def test_what_is_to_be_named_is_cut_and_counted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_batch, "SHOWN", 1)
    with scene.db.atomic():
        scene.db.execute("UPDATE item SET risk = 70 + id")
    ids = [row[0] for row in scene.db.execute("SELECT id FROM item ORDER BY id")]
    for item in ids:
        campaigns.save_draft(scene.db, item, draft("approve", "x", until="2027-03-31"), LATER)
    rows = campaigns.prepare(scene.db, scene.campaign.id, REV).rows
    assert ([row.item_id for row in rows.risky], rows.risky_count) == (ids[-1:], 3)
    assert ([row.item_id for row in rows.ends.first], rows.ends.count) == (ids[:1], 3)
    assert rows.that_act() == []
    assert rows.verdicts == {"approve": 3}


def test_the_file_of_rows_has_no_name_and_others_cannot_find_it(scene: Scene) -> None:
    drafted(scene)
    folder = scene.db.path.parent
    before = sorted(p.name for p in folder.iterdir())
    batch = campaigns.prepare(scene.db, scene.campaign.id, REV)
    assert sorted(p.name for p in folder.iterdir()) == before
    assert len(batch.rows) == 3


def test_memory_does_not_grow_with_the_rows(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_batch, "_READ", 4096)
    drafted(scene)
    (one, *_) = campaigns.prepare(scene.db, scene.campaign.id, REV).rows
    rows = campaigns.Rows(scene.db.path.parent)
    rows.add(one)
    tracemalloc.start()
    for _ in range(3_000):
        rows.add(one)
    assert sum(1 for _ in rows) == 3_001
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000 * len(one.bytes) / 4


@pytest.mark.parametrize("of", ["identity", "credential", "grant", "trust"])
@pytest.mark.parametrize("most", [0, 10_000])
def test_an_outline_has_the_same_material_as_the_dossier(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, of: str, most: int
) -> None:
    """However long the lists, also those that no decision rests on."""
    monkeypatch.setattr(_dossiers, "MAX_ITEMS_PER_LIST", most)
    ids = [row[0] for row in scene.db.execute("SELECT id FROM identity")]

    def materials(found: object) -> dict[str, object]:
        made = dict(found)  # type: ignore[call-overload]
        return {
            item["uri"]: _dossiers.material(item)
            for dossier in made.values()
            for item in _dossiers.items(dossier, of)
        }

    whole = materials(_dossiers.dossiers(scene.db, ids))
    assert whole == materials(_dossiers.outlines(scene.db, ids, ()))
    assert whole or not most or of == "trust"
