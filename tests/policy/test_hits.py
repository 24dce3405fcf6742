"""What each rule found, counted and listed."""

import pytest

from passmuster import policy
from passmuster.filters import compile_filter
from passmuster.policy import HIT_ORDERS, Hits, _hits
from tests.policy.conftest import NOW, Estate

LATER = "2026-11-25T00:00:00Z"


def names(estate: Estate, ids: object) -> list[str]:
    return [row.name for row in policy.hit_rows(estate.db, list(ids))]  # type: ignore[call-overload]


def test_hits_are_counted_per_rule_and_only_the_later_ones_are_new(busy: Estate) -> None:
    busy.evaluate()
    busy.identity("newcomer", last_used_state="never", created_at="2024-02-01T00:00:00Z")
    runs = busy.evaluate(LATER)
    hits = policy.hits_by_rule(busy.db, LATER)
    assert {rule: found.all for rule, found in hits.items()} == {
        rule: run.hits for rule, run in runs.items() if run.hits
    }
    assert hits["unused"] == Hits(runs["unused"].hits or 0, 1)
    assert hits["privileged"].new == 0


def test_a_filter_narrows_the_counts_and_the_list_alike(busy: Estate) -> None:
    busy.evaluate()
    where = compile_filter("ci-deploy", NOW, defaults=False)
    for rule, found in policy.hits_by_rule(busy.db, NOW, where).items():
        ids = policy.rank_hits(busy.db, rule, "ci-deploy", NOW)
        assert set(names(busy, ids)) == {"ci-deploy"}
        assert len(ids) == found.all == policy.count_hits(busy.db, rule, "ci-deploy", NOW)


def test_a_cleared_finding_is_no_hit(busy: Estate) -> None:
    busy.evaluate()
    subject = busy.db.value("SELECT id FROM identity WHERE display_name = 'ci-deploy'")
    busy.db.execute("UPDATE identity SET status = 'disabled' WHERE id = ?", (subject,))
    assert "ci-deploy" in names(busy, policy.rank_hits(busy.db, "unused", "", NOW))
    busy.evaluate(LATER)
    assert "ci-deploy" not in names(busy, policy.rank_hits(busy.db, "unused", "", NOW))


@pytest.mark.parametrize("order", HIT_ORDERS)
def test_the_first_hits_are_the_first_of_all_whichever_way_they_are_found(
    busy: Estate, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy.evaluate()
    whole = policy.rank_hits(busy.db, "unused", "", NOW, order=order)
    assert len(whole) == 3
    for many in (0, 1_000):
        monkeypatch.setattr(_hits, "MANY", many)
        for backwards in (False, True):
            wanted = list(reversed(whole)) if backwards else list(whole)
            found = policy.rank_hits(
                busy.db, "unused", "", NOW, order=order, backwards=backwards, limit=2
            )
            assert list(found) == wanted[:2]


def test_facts_have_the_sources_that_supply_them_and_the_formats_that_could(
    estate: Estate,
) -> None:
    estate.db.execute("DELETE FROM import_run")
    nobody = policy.supplies(estate.db)
    assert nobody["person"].sources == []
    assert "people" in nobody["person"].formats
    assert set(nobody) == {need for rule in policy.load_rules().values() for need in rule.needs}
    estate.run(["person"])
    estate.identity("bot", kind="agent")
    found = policy.supplies(estate.db)
    assert found["person"].sources == ["aws:111122223333"]
    assert found["agent"].sources == ["this workspace"]
    assert found["usage"].sources == []


def test_a_rule_that_never_ran_is_missing_and_one_that_could_not_says_why(estate: Estate) -> None:
    assert policy.rule_runs(estate.db) == {}
    estate.evaluate()
    runs = policy.rule_runs(estate.db)
    assert set(runs) == set(policy.load_rules())
    assert runs["not-reviewed"].hits is None
    assert "no decision has been signed" in (runs["not-reviewed"].not_evaluated or "")
