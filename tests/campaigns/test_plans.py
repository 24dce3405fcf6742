"""What an opening and a screen run for each chunk or row reaches its rows by an index."""

import pytest

from passmuster.campaigns import _dossiers, _queue, _seconding, _unreviewed
from passmuster.store import Database


def plan(db: Database, sql: str, *values: object) -> list[str]:
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


@pytest.mark.parametrize("part", _dossiers._PARTS)
def test_no_part_of_a_dossier_is_read_by_a_scan(db: Database, part: str) -> None:
    columns, table, order = _dossiers._PARTS[part]
    steps = plan(
        db,
        f"SELECT iid, {', '.join(columns)} FROM {table} WHERE iid IN (1, 2) ORDER BY iid, {order}",
    )
    # what the arms of a union have looked up is sorted as one
    scans = [step for step in steps if step.startswith("SCAN")]
    assert all(step.startswith("SCAN (subquery") for step in scans)


def test_a_window_of_the_queue_is_read_by_its_ids(db: Database) -> None:
    steps = plan(db, f"{_queue._ROW} WHERE n.id IN (1, 2, 3)")
    scans = [step for step in steps if step.startswith("SCAN")]
    # of one decision, the few rows that it names as seen
    assert scans == ["SCAN seen VIRTUAL TABLE INDEX 3:"]


def test_the_first_page_of_a_queue_needs_no_sort(db: Database) -> None:
    steps = plan(
        db, "SELECT id FROM item WHERE campaign_id = ? AND reviewer = ? AND state = 'open'"
        " ORDER BY risk DESC, id LIMIT 200", 1, "a@example.com",
    )  # fmt: skip
    assert steps == ["SEARCH item USING COVERING INDEX item_queue "
                     "(campaign_id=? AND reviewer=? AND state=?)"]  # fmt: skip


def test_the_first_page_of_a_whole_queue_needs_no_sort_either(db: Database) -> None:
    frame, where, values = _queue.chosen(1, "a@example.com", "", "", False)
    by = _queue.ordered("risk", backwards=False)
    steps = plan(db, f"SELECT n.id {frame} WHERE {where} ORDER BY {by} LIMIT 200", *values)
    assert steps == ["SEARCH n USING COVERING INDEX item_risk (campaign_id=? AND reviewer=?)"]


@pytest.mark.parametrize("sql", [_queue.OF_IDENTITY, _queue.OF_URI])
def test_the_item_of_what_was_pasted_is_looked_up_by_an_index(db: Database, sql: str) -> None:
    assert not [step for step in plan(db, sql, 1, 1) if step.startswith("SCAN")]


def test_what_waits_for_its_review_is_found_from_the_few_emergencies(db: Database) -> None:
    scans = [step for step in plan(db, _unreviewed.SQL) if step.startswith("SCAN")]
    assert all(step.split()[1] in ("g", "x", "void_entry") for step in scans), scans


def read_by_scan(steps: list[str]) -> list[str]:
    """Tables that are read from end to end; the one row that says who I am is none."""
    one = ("SCAN me", "SCAN CONST")
    return [s for s in steps if s.startswith("SCAN") and not s.startswith(one)]


def test_a_window_of_what_waits_on_me_is_read_by_its_ids(db: Database) -> None:
    assert not read_by_scan(plan(db, _seconding._ROW % "1, 2, 3", "sec@example.com", "  "))


@pytest.mark.parametrize("state", _seconding.STATES)
def test_what_waits_on_me_is_found_by_the_items_that_need_somebody(
    db: Database, state: str
) -> None:
    sql, values = _seconding.rank_sql(1, ("sec@example.com", "  "), state)
    steps = plan(db, f"{sql} LIMIT 200", *values)
    assert not read_by_scan(steps)
    assert any("INDEX item_second" in step for step in steps)
    assert not any("TEMP B-TREE" in step for step in steps)
