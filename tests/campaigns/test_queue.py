"""The queue: what its own qualifiers choose, and every order of its columns, both ways round."""

import itertools
import re

import pytest

from passmuster import campaigns
from passmuster.campaigns import ORDERS
from passmuster.filters._keys import keys
from tests.scene import LATER, REV, SECOND, Scene, draft

OLD_NAME = "=cmd|'/c calc'!A1"


def names(scene: Scene, expression: str, reviewer: str | None = None, now: str = LATER) -> set[str]:
    """The items that a filter chooses, by their names; counted, they are as many."""
    found = campaigns.rank(scene.db, scene.campaign.id, reviewer, expression=expression, now=now)
    assert campaigns.count(scene.db, scene.campaign.id, reviewer, expression, now) == len(found)
    return {row.display_name for row in campaigns.rows(scene.db, found)}


def test_the_qualifiers_of_a_queue_choose_what_they_say(scene: Scene) -> None:
    campaigns.save_draft(scene.db, scene.item("vendor-etl"), draft("revoke", "gone"), LATER)
    campaigns.save_draft(scene.db, scene.item("ci-deploy"), draft("approve", "in use"), LATER)
    campaigns.save_own(scene.db, [scene.item(OLD_NAME)], SECOND, "asked", LATER, reassign=True)
    assert names(scene, "state:draft verdict:revoke") == {"vendor-etl"}
    scene.sign(scene.rev)
    assert names(scene, "state:open") == {OLD_NAME}
    assert names(scene, "state:signed") == {"vendor-etl", "ci-deploy"}
    assert names(scene, "verdict:revoke") == {"vendor-etl"}
    assert names(scene, "reviewer:second") == {OLD_NAME}
    assert names(scene, "state:open", REV) == set()
    assert names(scene, "due:<7d") == set(), "its day is weeks away"
    assert names(scene, "due:<7d", now="2026-12-28T00:00:00Z") == {OLD_NAME}, "decided is not due"
    assert names(scene, "due:past", now="2027-01-02T00:00:00Z") == {OLD_NAME}


def test_who_saw_the_decision_before_and_decides_otherwise_contests_nothing(scene: Scene) -> None:
    item = scene.item("ci-deploy")
    campaigns.save_draft(scene.db, item, draft("approve", "in use"), LATER)
    campaigns.save_own(scene.db, [scene.item("vendor-etl")], SECOND, "asked", LATER, reassign=True)
    scene.sign(scene.rev)
    assert names(scene, "contested:yes") == set()
    campaigns.save_own(scene.db, [item], SECOND, "asked", LATER, reassign=True)
    scene.sign(scene.rev)
    campaigns.save_draft(scene.db, item, draft("revoke", "not needed"), LATER)
    scene.sign(scene.second)
    assert names(scene, "contested:yes") == set()
    assert names(scene, "contested:no") == {"ci-deploy", OLD_NAME, "vendor-etl"}
    with scene.db.atomic():
        scene.db.execute("UPDATE item SET contested = 1 WHERE id = ?", (item,))
    assert names(scene, "contested:yes") == {"ci-deploy"}
    assert names(scene, "contested:no") == {OLD_NAME, "vendor-etl"}


def test_every_offered_value_of_a_queues_qualifiers_works(scene: Scene) -> None:
    for name, key in keys().items():
        for value in key.values if key.of_item else ():
            names(scene, f"{name}:{value}")


@pytest.mark.parametrize(("order", "backwards"), itertools.product(ORDERS, (False, True)))
def test_every_column_orders_the_queue_and_the_first_page_is_its_beginning(
    scene: Scene, order: str, backwards: bool
) -> None:
    scene.db.execute("UPDATE listing SET risk = 0 WHERE name = 'vendor-etl'")

    def ask(limit: int | None = None) -> list[int]:
        return list(campaigns.rank(
            scene.db, scene.campaign.id, None, order=order, backwards=backwards, limit=limit
        ))  # fmt: skip

    whole = ask()
    assert len(whole) == 3
    assert ask(limit=2) == whole[:2]
    if order == "name":
        shown = [r.display_name for r in campaigns.rows(scene.db, whole)]
        assert shown == sorted(shown, reverse=backwards)


def test_a_screen_needs_no_more_orders_than_there_are() -> None:
    from passmuster.tui.screens.review import ReviewScreen

    assert set(ReviewScreen.SORTS) <= set(ORDERS)
    assert all(re.fullmatch(r"[a-z]+", key) for key in ORDERS)
