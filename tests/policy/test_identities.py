"""Lists of identities: order, ties, filters, and that the command and the screen have one SQL."""

from itertools import pairwise

import pytest

from passmuster import policy
from passmuster.policy import ORDERS
from tests.policy.conftest import NOW, Estate


@pytest.fixture
def mixed(busy: Estate) -> Estate:
    """Identities of which some tie in everything but their id, some are unknown, some are gone."""
    for name in ("b", "B", "a"):
        busy.identity(name, last_used_state="known", last_used_at="2026-11-01T00:00:00Z")
    busy.identity("other", kind="role", environment="prod", supplier="acme", status="disabled")
    busy.identity("group", kind="group")
    busy.identity("gone", absent_since="2026-11-01T00:00:00Z")
    busy.evaluate()
    return busy


@pytest.mark.parametrize("order", ORDERS)
def test_the_other_way_round_is_exactly_that_and_the_first_are_the_first(
    mixed: Estate, order: str
) -> None:
    whole = policy.rank_identities(mixed.db, "", NOW, order=order)
    turned = policy.rank_identities(mixed.db, "", NOW, order=order, backwards=True)
    assert list(turned) == list(reversed(whole))
    for limit in (1, 3, len(whole)):
        first = policy.rank_identities(mixed.db, "", NOW, order=order, limit=limit)
        assert first == whole[:limit]


def test_groups_and_what_is_gone_are_listed_only_when_asked_for(mixed: Estate) -> None:
    names = {row.name for row in policy.identity_rows(
        mixed.db, policy.rank_identities(mixed.db, "", NOW))}  # fmt: skip
    assert not names & {"group", "gone"}
    for expression, name in (("kind:group", "group"), ("absent:yes", "gone")):
        ids = policy.rank_identities(mixed.db, expression, NOW)
        assert [row.name for row in policy.identity_rows(mixed.db, ids)] == [name]
        assert policy.count_identities(mixed.db, expression, NOW) == 1


def test_rows_come_in_the_order_that_was_asked_for_and_who_is_no_more_is_left_out(
    mixed: Estate,
) -> None:
    ids = list(policy.rank_identities(mixed.db, "", NOW))
    asked = [*reversed(ids), 999_999]
    assert [row.id for row in policy.identity_rows(mixed.db, asked)] == asked[:-1]


def test_the_command_lists_what_the_screen_lists(mixed: Estate) -> None:
    listed = list(policy.identities(mixed.db, "kind:service", NOW))
    ids = policy.rank_identities(mixed.db, "kind:service", NOW)
    rows = policy.identity_rows(mixed.db, ids)
    assert [(r["name"], r["risk"]) for r in listed] == [(r.name, r.risk) for r in rows]
    assert all(a["risk"] >= b["risk"] for a, b in pairwise(listed))


def test_an_import_and_an_evaluation_each_change_what_the_lists_are_of(estate: Estate) -> None:
    seen = [policy.listed_as_of(estate.db)]
    estate.evaluate()
    seen.append(policy.listed_as_of(estate.db))
    estate.run()
    seen.append(policy.listed_as_of(estate.db))
    assert len(set(seen)) == 3
