"""Suppliers on a screen of their own, and the intake among the inventory's sections."""

import pytest

from passmuster import store
from tests.tui.conftest import ME, Review, bar, painted, press, settle
from tests.tui.test_places import here, listed, pane


async def test_a_supplier_is_shown_with_its_contract_and_the_lines_that_end_its_access(
    review: Review,
) -> None:
    db = store.open_(review.folder)
    db.execute(
        "INSERT INTO supplier (source_id, uid, display_name, tenant_uids, contract_ends_at,"
        " contact, active, first_seen_run, last_seen_run) SELECT id, 'Datalift', 'Datalift', '[]',"
        " '2026-01-31T00:00:00Z', 'x@datalift.example', 1, 0, 0 FROM source LIMIT 1"
    )
    db.execute("UPDATE listing SET supplier = 'Datalift' WHERE name = 'vendor-etl'")
    db.close()
    async with review.app().run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "W")
        assert bar(pilot, "header").startswith(" Suppliers")
        assert listed(pilot)
        await settle(pilot)
        text = pane(pilot)
        assert "contract is over" in text
        assert "until 2026-01-31" in text
        assert "x@datalift.example" in text
        assert "revoke" in text
        await press(pilot, "slash", "=kind:service", "enter")
        assert "knows words only" in painted(pilot)
        await press(pilot, "escape", "escape")


async def test_with_no_supplier_the_screen_says_what_to_import(review: Review) -> None:
    db = store.open_(review.folder)
    for sql in ("DELETE FROM supplier", "UPDATE trust SET supplier = NULL",
                "UPDATE listing SET supplier = NULL"):  # fmt: skip
        db.execute(sql)
    db.close()
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "W")
        assert "muster import suppliers.csv --as suppliers" in painted(pilot)


@pytest.fixture
def grown(review: Review) -> Review:
    """One identity of the review came with a later export than its source's first."""
    db = store.open_(review.folder)
    db.execute(
        "INSERT INTO import_run (source_id, format, file_name, sha256, size, imported_at,"
        " tool_version, supplies, options, batch) SELECT source_id, format, 'later', 'x', 1,"
        " imported_at, tool_version, supplies, options, 1000 FROM import_run r WHERE r.source_id ="
        " (SELECT source_id FROM identity WHERE display_name = 'vendor-etl') LIMIT 1"
    )
    db.execute("UPDATE identity SET purpose = NULL, first_seen_run = (SELECT max(id) FROM"
               " import_run) WHERE display_name = 'vendor-etl'")  # fmt: skip
    db.close()
    return review


async def test_the_intake_is_a_section_where_one_says_what_a_new_identity_is_for(
    grown: Review,
) -> None:
    async with grown.app().run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "i", "slash", "=intake:any", "enter")
        assert listed(pilot) == ["vendor-etl"]
        assert "intake 1" in bar(pilot, "sections") or "[intake 1]" in bar(pilot, "sections")
        await press(pilot, "P", "= ", "enter")
        assert "1 to 500" in painted(pilot)
        await press(pilot, "escape", "P", "=moves the data", "enter")
        await settle(pilot)
        assert "moves the data" in pane(pilot)
        assert here(pilot).said
    db = store.open_(grown.folder)
    assert db.one("SELECT purpose, said_by FROM purpose") == ("moves the data", ME)
    db.close()


async def test_read_only_keeps_no_purpose(grown: Review) -> None:
    async with grown.app().run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "i", "percent_sign", "P")
        assert "read only" in painted(pilot)
        assert not here(pilot).ask.is_open
