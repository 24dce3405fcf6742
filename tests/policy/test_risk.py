"""The sum that a person sees and the sum that SQL sorts by are the same sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from passmuster import policy
from passmuster.model import SEVERITIES
from passmuster.policy._risk import BASE, FURTHER, HIGHEST, RISK_SQL, SEVERITY_SQL
from passmuster.store import Database

if TYPE_CHECKING:
    from tests.policy.conftest import Estate

SETS = st.lists(st.tuples(st.just("rule"), st.sampled_from(SEVERITIES)), min_size=1, max_size=40)


@given(SETS)
def test_sql_and_python_agree(found: list[tuple[str, str]]) -> None:
    with Database(":memory:") as db:
        db.execute("CREATE TABLE finding (severity TEXT)")
        db.executemany("INSERT INTO finding VALUES (?)", [(s,) for _, s in found])
        risk, severity = db.one(f"SELECT {RISK_SQL}, {SEVERITY_SQL} FROM finding")
    assert risk == policy.risk(found)
    assert severity == min((s for _, s in found), key=SEVERITIES.index)


@given(SETS)
def test_the_points_explain_the_risk(found: list[tuple[str, str]]) -> None:
    points = policy.points(found)
    assert len(points) == len(found)
    assert min(HIGHEST, sum(points)) == policy.risk(found) <= HIGHEST
    assert points.count(max(points)) >= 1
    assert max(points) == BASE[min((s for _, s in found), key=SEVERITIES.index)]


def test_worse_is_always_worse() -> None:
    assert policy.risk([]) == 0
    for better, worse in zip(SEVERITIES[1:], SEVERITIES, strict=False):
        assert BASE[worse] > BASE[better]
        assert FURTHER[worse] > FURTHER[better]
    ten_facts = [("x", "low")] * 10
    assert policy.risk(ten_facts) < policy.risk([("x", "medium")]), "facts never outrank a fault"


def test_the_listing_has_that_risk(busy: Estate) -> None:
    busy.evaluate()
    for identity_id, risk, severity in busy.db.execute(
        "SELECT identity_id, risk, severity FROM listing"
    ).fetchall():
        found = busy.db.execute(
            "SELECT rule, severity FROM finding WHERE identity_id = ? AND cleared_at IS NULL",
            (identity_id,),
        ).fetchall()
        assert risk == policy.risk(found)
        assert severity == min((s for _, s in found), key=SEVERITIES.index)
