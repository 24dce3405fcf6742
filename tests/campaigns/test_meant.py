"""Promise 7: where a word may mean several things, none of them is taken by a guess."""

from pathlib import Path

import pytest

from passmuster import campaigns
from passmuster.errors import NotFound
from tests.scene import Scene, open_scene


def test_a_name_that_two_items_have_is_several_and_both_are_told(scene: Scene) -> None:
    pair = [scene.item("ci-deploy"), scene.item("vendor-etl")]
    with scene.db.atomic():
        scene.db.execute("UPDATE identity SET display_name = 'twin' WHERE uid IN ('u1', 'u3')")
        scene.db.execute("UPDATE listing SET name = 'twin' WHERE identity_id IN"
                         " (SELECT id FROM identity WHERE display_name = 'twin')")  # fmt: skip
    with pytest.raises(NotFound, match="is several items") as told:
        campaigns.find_item(scene.db, scene.campaign.id, "twin")
    for row in campaigns.rows(scene.db, pair):
        assert row.name in str(told.value)


def test_a_name_of_one_that_is_the_handle_of_another_is_several(scene: Scene) -> None:
    with scene.db.atomic():
        scene.db.execute("UPDATE listing SET name = 'u1' WHERE name = 'vendor-etl'")
    with pytest.raises(NotFound, match="is several items"):
        campaigns.find_item(scene.db, scene.campaign.id, "u1")


def test_of_two_open_reviews_none_is_meant_until_it_is_named(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert campaigns.campaign(scene.db).name == "Autumn"
    winter = open_scene(scene.db, tmp_path, monkeypatch, name="Winter")
    with pytest.raises(NotFound, match="Winter, Autumn"):
        campaigns.campaign(scene.db)
    scene.close()
    assert campaigns.campaign(scene.db).name == "Winter"
    winter.close()
    with pytest.raises(NotFound, match="no open campaign"):
        campaigns.campaign(scene.db)
