"""Inventory, findings and people: reached by a key, looked through, and left again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from passmuster import policy, store
from passmuster.config import Settings
from passmuster.tui.app import MusterApp
from passmuster.tui.desk import Desk
from passmuster.tui.lines import plain
from passmuster.tui.screens._list import ListScreen
from passmuster.tui.screens.details import DetailsScreen
from passmuster.tui.screens.findings import FindingsScreen
from passmuster.tui.screens.hits import HitsScreen
from passmuster.tui.screens.inventory import InventoryScreen
from passmuster.tui.screens.people import PeopleScreen
from passmuster.tui.widgets.line_view import LineView
from tests.tui.conftest import (
    HOSTILE,
    ME,
    NOW,
    PLAIN,
    Review,
    at_cursor,
    bar,
    painted,
    press,
    screen_of,
    settle,
)  # fmt: skip

PLACES: dict[str, tuple[str, type[ListScreen]]] = {
    "inventory": ("i", InventoryScreen), "findings": ("f", FindingsScreen),
    "people": ("w", PeopleScreen),
}  # fmt: skip
SIZES = [(80, 24), (120, 40), (200, 60)]


def here(pilot: Pilot[None]) -> ListScreen:
    """The list that is open."""
    found = pilot.app.screen
    assert isinstance(found, ListScreen)
    return found


def listed(pilot: Pilot[None], column: str = "name") -> list[str]:
    """What a column of the open list says, from top to bottom."""
    screen = here(pilot)
    rows = screen.read_rows(screen.table.rank)
    return [rows[i].cells[column] for i in screen.table.rank]


def pane(pilot: Pilot[None]) -> str:
    """The evidence beside the open list, as if it were one line."""
    return " ".join(" ".join(plain(line) for line in here(pilot).pane.lines).split())


async def click_head(pilot: Pilot[None], column: str) -> None:
    """Click the head of a column of the open list."""
    x = 5
    for one in here(pilot).table.columns:
        if one.key == column:
            await pilot.click("#queue", offset=(x + 1, 0))
            await settle(pilot)
            return
        x += one.width + 1
    raise AssertionError(f"{column} is not shown")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PLACES)
async def test_a_key_opens_the_place_at_every_size_and_esc_and_q_lead_back(
    review: Review, name: str, size: tuple[int, int]
) -> None:
    key, kind = PLACES[name]
    async with review.app().run_test(size=size) as pilot:
        await settle(pilot)
        for leave in ("escape", "q"):
            await press(pilot, key)
            assert isinstance(pilot.app.screen, kind)
            assert bar(pilot, "header").startswith(f" {name.capitalize()}")
            assert here(pilot).table.rank
            assert "? more" in painted(pilot)
            for widget in pilot.app.screen.walk_children(LineView):
                if widget.size.area:
                    widths = {s.cell_length for s in widget.render_lines(widget.size.region)}
                    assert widths == {widget.size.width}
            await press(pilot, leave)
            assert pilot.app.screen is screen_of(pilot)


async def test_from_each_place_one_gets_to_each_other_and_one_esc_leads_home(
    review: Review,
) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for key, kind in (*PLACES.values(), *PLACES.values()):
            await press(pilot, key)
            assert isinstance(pilot.app.screen, kind)
            assert len(pilot.app.screen_stack) == 3
        await press(pilot, "escape")
        assert pilot.app.screen is screen_of(pilot)


@pytest.mark.parametrize("name", PLACES)
async def test_hostile_names_stay_text_in_every_place(review: Review, name: str) -> None:
    db = store.open_(review.folder)  # as if the import had let them in as they are
    for column in ("identity SET display_name", "listing SET name"):
        db.execute(f"UPDATE {column} = ? WHERE {column.split()[-1]} LIKE 'evil%'", (HOSTILE,))
    db.execute("UPDATE owner SET handle = ? WHERE handle LIKE '%owned%'", ("\x1b]0;owned\x07",))
    db.execute("UPDATE finding SET detail = ?", ("\x9b31m detail\u202e",))
    db.close()
    async with review.app().run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        await press(pilot, PLACES[name][0])
        keys = {"inventory": (), "findings": ("slash", "=evil", "enter", "enter"), "people": ()}[
            name
        ]
        await press(pilot, *keys)
        while not _names_hostile(pilot, name):
            before = here(pilot).table.cursor
            await press(pilot, "j")
            assert here(pilot).table.cursor != before, "it is in the list"
        text = painted(pilot)
        assert "\\x1b]" in text
        assert not {c for c in text if not c.isprintable()} - {"\n"}


def _names_hostile(pilot: Pilot[None], name: str) -> bool:
    at = here(pilot).table.rank[here(pilot).table.cursor]
    row = here(pilot).read_rows([at])[at].cells["name"]
    return "owned" in row if name == "people" else row.startswith(HOSTILE[:4])


# the inventory


async def test_the_inventory_has_every_identity_and_the_evidence_of_each(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "i")
        assert len(listed(pilot)) == 13
        assert listed(pilot)[0] == "ci-deploy"
        assert listed(pilot, "owner")[0] == "nobody-known ?"
        assert "Secret found in plain text" in pane(pilot)
        assert "(o)" not in pane(pilot), "nothing is decided here"
        await press(pilot, "j")
        assert pane(pilot).startswith(listed(pilot)[1])
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, DetailsScreen)
        assert "arn:aws:iam" in bar(pilot, "title")
        await press(pilot, "a", "2", "3")
        assert isinstance(pilot.app.screen, DetailsScreen), "no verb goes from here to the queue"
        await press(pilot, "escape")
        assert here(pilot).table.cursor == 1


async def test_the_inventory_is_filtered_sorted_and_looked_at_in_sections(review: Review) -> None:
    async with review.app().run_test(size=(160, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "i", "slash", "=batch", "enter")
        assert set(listed(pilot)) == set(PLAIN)
        await press(pilot, "escape", "s", "2")
        assert listed(pilot) == sorted(listed(pilot), key=str.lower)
        await click_head(pilot, "name")
        assert listed(pilot) == sorted(listed(pilot), key=str.lower, reverse=True)
        await press(pilot, "tab")
        assert "[unowned 9]" in bar(pilot, "sections")
        assert set(listed(pilot, "owner")) == {"none"}
        place = bar(pilot, "sections").index("privileged")
        await pilot.click("#sections", offset=(place, 0))
        await settle(pilot)
        assert listed(pilot) == ["ci-deploy"]
        await press(pilot, "tab", "tab", "tab", "tab", "tab", "tab")
        assert "[gone 0]" in bar(pilot, "sections")
        assert "no identity is here: gone" in painted(pilot)


async def test_every_count_of_a_section_is_what_it_shows(review: Review) -> None:
    for key in ("i", "f", "w"):
        async with review.app().run_test(size=(200, 60)) as pilot:
            await settle(pilot)
            await press(pilot, key)
            for section in here(pilot).sections:
                assert here(pilot).counts[section.name] == len(here(pilot).table.rank), section
                await press(pilot, "tab")


async def test_an_identity_is_found_again_in_the_queue_or_it_is_said_that_it_is_not_there(
    review: Review,
) -> None:
    db = store.open_(review.folder)
    db.execute("UPDATE item SET reviewer = 'other@example.com' WHERE identity_id ="
               " (SELECT id FROM identity WHERE display_name = 'batch-02')")  # fmt: skip
    db.close()
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "i", "slash", "=batch-02", "enter", "Q")
        assert isinstance(pilot.app.screen, InventoryScreen)
        assert "not in your queue" in bar(pilot, "status")
        await press(pilot, "slash", "=1", "backspace", "backspace", "=5", "enter", "Q")
        assert here(pilot) is screen_of(pilot)
        assert at_cursor(pilot) == "batch-05"


async def test_an_import_by_another_muster_shows_and_a_draft_reads_no_list_again(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "i", "end")
        there = here(pilot).table.cursor_id
        shown: list[object] = []
        monkeypatch.setattr(here(pilot), "show_look", shown.append)
        db = store.open_(review.folder)
        item = db.value("SELECT id FROM item LIMIT 1")
        with db.atomic():
            db.execute("INSERT INTO own_draft VALUES (?, 'x', 'owner', NULL, 0, ?, ?)",
                       (item, NOW, ME))  # fmt: skip
        here(pilot).look_for_changes()
        assert not shown
        monkeypatch.undo()
        with db.atomic():
            db.execute("UPDATE identity SET absent_since = ? WHERE display_name = 'ci-deploy'",
                       (NOW,))  # fmt: skip
        policy.evaluate(db, Settings(), "2026-11-24T08:00:00Z")
        db.close()
        here(pilot).look_for_changes()
        await settle(pilot)
        assert "ci-deploy" not in listed(pilot)
        assert here(pilot).table.cursor_id == there


def test_sections_of_the_persons_own_are_there_unless_they_are_of_a_queue() -> None:
    from passmuster.tui.screens.inventory import sections

    own = {"mine of aws": "platform:aws", "open": "state:open", "typo": "knd:x"}
    names = [s.name for s in sections(Settings(sections=own), NOW)]
    assert names[:2] == ["all", "unowned"]
    assert names[-2:] == ["groups", "mine of aws"]


# the findings


async def test_the_rules_say_what_they_found_or_why_they_could_not(review: Review) -> None:
    async with review.app().run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        await press(pilot, "f")
        assert len(listed(pilot, "title")) == len(policy.load_rules())
        hits = dict(zip(listed(pilot, "rule"), listed(pilot, "hits"), strict=True))
        counts = dict(review.rows("SELECT rule, hits FROM rule_run WHERE hits IS NOT NULL"))
        assert {rule: int(text) for rule, text in hits.items() if text[0].isdigit()} == counts
        assert hits["not-reviewed"] == "not evaluated: a review"
        assert hits["weak-auth"] == "not evaluated: authentication"
        said = pane(pilot)
        assert "Stop the credential first" in said
        assert "NHI2:2025" in said
        assert "passmuster/policy/rules/secret-exposed.sql" in said
        assert "1 new since the last import 24 hours ago" in said
        while "rules/weak-auth.sql" not in pane(pilot):
            await press(pilot, "j")
        assert "not evaluated: no imported source says how identities authenticate" in pane(pilot)
        assert "from nobody yet" in pane(pilot)


async def test_a_threshold_of_the_persons_own_is_shown_as_theirs(review: Review) -> None:
    review.settings = replace(review.settings, rules={"unused": {"max_days": 45}})
    async with review.app().run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        await press(pilot, "f")
        while "rules/unused.sql" not in pane(pilot):
            await press(pilot, "j")
        assert "max_days = 45 yours; the default is 90 PCI DSS" in pane(pilot)


async def test_enter_on_a_rule_lists_its_hits_and_esc_leads_back_to_it(review: Review) -> None:
    async with review.app().run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        await press(pilot, "f")
        rules = listed(pilot, "rule")
        await press(pilot, *["j"] * rules.index("credential-old"), "enter")
        assert isinstance(pilot.app.screen, HitsScreen)
        assert listed(pilot) == ["ci-deploy", "ci-deploy", "vendor-etl"]
        assert listed(pilot, "seen") == ["2026-11-23"] * 3
        assert "not rotated since" in listed(pilot, "detail")[0]
        assert pane(pilot).startswith("ci-deploy")
        await press(pilot, "slash", "=vendor", "enter")
        assert listed(pilot) == ["vendor-etl"]
        await press(pilot, "escape", "s", "2")
        await click_head(pilot, "name")
        assert listed(pilot) == ["vendor-etl", "ci-deploy", "ci-deploy"]
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, DetailsScreen)
        await press(pilot, "escape", "escape")
        assert isinstance(pilot.app.screen, FindingsScreen)
        assert here(pilot).table.cursor == rules.index("credential-old")
        await press(pilot, "enter", "f")
        assert isinstance(pilot.app.screen, FindingsScreen)


async def test_a_filter_counts_the_rules_anew_and_goes_along_to_the_hits(review: Review) -> None:
    async with review.app().run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        await press(pilot, "f", "slash", "=vendor", "enter")
        found = dict(zip(listed(pilot, "rule"), listed(pilot, "hits"), strict=True))
        counts = dict(review.rows(
            "SELECT rule, count(*) FROM finding JOIN identity y ON y.id = identity_id"
            " WHERE display_name = 'vendor-etl' AND cleared_at IS NULL GROUP BY rule"))  # fmt: skip
        assert {rule: int(text) for rule, text in found.items()} == counts
        assert "1 open finding on vendor" in pane(pilot)
        await press(pilot, "enter")
        assert listed(pilot) == ["vendor-etl"]


async def test_rules_are_sorted_and_sectioned_by_mouse_and_key(review: Review) -> None:
    async with review.app().run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        await press(pilot, "f")
        await click_head(pilot, "hits")
        numbers = [int(t) for t in listed(pilot, "hits") if t[0].isdigit()]
        assert numbers == sorted(numbers, reverse=True)
        await press(pilot, "s", "5")
        assert listed(pilot, "rule") == sorted(policy.load_rules())
        place = bar(pilot, "sections").index("not evaluated")
        await pilot.click("#sections", offset=(place, 0))
        await settle(pilot)
        assert all(t.startswith("not evaluated: ") for t in listed(pilot, "hits"))
        assert listed(pilot, "rule")


# the people


async def test_people_have_what_they_answer_for_and_names_that_nobody_has_stand_out(
    review: Review,
) -> None:
    async with review.app().run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        await press(pilot, "w")
        rows = {
            name: (kind, state, owns, todo)
            for name, kind, state, owns, todo in zip(
                *(listed(pilot, c) for c in ("name", "kind", "state", "identities", "todo")),
                strict=True,
            )
        }
        assert rows["Jane Okafor"] == ("person", "here", "1", "")
        assert rows["Gus Gone"] == ("person", "left", "1", "")
        assert rows["nobody-known"] == ("unknown", "not in the registers", "1", "")
        assert rows[ME] == ("unknown", "not in the registers", "", "13")
        assert "3 not in the registers" in bar(pilot, "header")
        await press(pilot, "tab")
        assert set(listed(pilot, "state")) == {"not in the registers"}
        assert "muster import people.csv --as people" in pane(pilot)


async def test_the_pane_has_what_somebody_owns_decides_and_signed(review: Review) -> None:
    async with review.app().run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        await press(pilot, "a", "1", "r", "3", "dollar_sign", "s", "escape")
        assert len(review.decisions()) == 2
        await press(pilot, "w", "slash", "=rev@", "enter")
        assert listed(pilot) == [ME]
        assert "11 undecided items November service accounts due in 8 days" in pane(pilot)
        assert "signed 2026-11-23 (just now) 2 decisions November service accounts" in pane(pilot)
        await press(pilot, "escape", "slash", "=jane", "enter")
        assert "owns 1 identity" in pane(pilot)
        assert "payments" in pane(pilot)
        assert "aliases jane, platform" in pane(pilot)


async def test_words_are_for_names_and_qualifiers_for_what_they_own(review: Review) -> None:
    async with review.app().run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        await press(pilot, "w", "slash", "=okafor", "enter")
        assert listed(pilot) == ["Jane Okafor"]
        await press(pilot, "escape", "slash", "=privileged:yes", "enter")
        assert listed(pilot) == ["nobody-known"]
        await press(pilot, "enter")
        assert bar(pilot, "status").startswith(" / owner:=nobody-known privileged:yes")
        await press(pilot, "escape", "escape", "slash", "=-okafor")
        assert "only a qualifier can be negated" in bar(pilot, "filter-error")


async def test_enter_opens_the_inventory_of_one_and_one_esc_leads_back(review: Review) -> None:
    async with review.app().run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        await press(pilot, "w", "slash", "=jane", "enter", "enter")
        assert isinstance(pilot.app.screen, InventoryScreen)
        assert listed(pilot) == ["payments"]
        await press(pilot, "slash", "enter", "escape")
        assert isinstance(pilot.app.screen, PeopleScreen)
        assert listed(pilot) == ["Jane Okafor"]
        await press(pilot, "escape", "s", "6")
        assert listed(pilot)[0] == ME, "sorted by what is to be decided"
        await press(pilot, "home", "enter")
        assert "answers for nothing now; 13 items to decide" in bar(pilot, "status")
        await click_head(pilot, "name")
        assert listed(pilot) == sorted(listed(pilot), key=str.lower)
        await press(pilot, "home")
        place = bar(pilot, "sections").index("gone")
        await pilot.click("#sections", offset=(place, 0))
        await settle(pilot)
        assert listed(pilot) == ["Gus Gone"]


async def test_what_was_decided_meanwhile_is_no_more_to_be_decided(review: Review) -> None:
    async with review.app().run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        await press(pilot, "w", "slash", "=rev@", "enter")
        assert listed(pilot, "todo") == ["13"]
        db = store.open_(review.folder)
        with db.atomic():
            db.execute("UPDATE item SET state = 'draft' WHERE id = (SELECT min(id) FROM item)")
        db.close()
        here(pilot).look_for_changes()
        await settle(pilot)
        assert listed(pilot, "todo") == ["12"]


# nothing there


@pytest.fixture
def empty(tmp_path: Path, review: Review) -> Review:
    folder = tmp_path / "empty"
    store.create(folder).close()
    return Review(folder, review.campaign, review.key)


async def test_places_of_an_empty_workspace_say_what_to_do(empty: Review) -> None:
    desk = Desk(empty.folder, ME, empty.signer, empty.settings, lambda: NOW)
    app = MusterApp(desk, None)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.go("inventory")
        await settle(pilot)
        assert "nothing has been imported yet" in painted(pilot)
        assert "muster import FILE" in painted(pilot)
        await press(pilot, "Q", "enter", "tab")
        await press(pilot, "f")
        assert "not run yet" in painted(pilot)
        assert "muster import FILE" in painted(pilot)
        await press(pilot, "enter")
        assert "not run yet: import an export" in painted(pilot)
        await press(pilot, "w")
        assert "muster import people.csv --as people" in painted(pilot)
        await press(pilot, "enter")


# how they look


def opened(*keys: str) -> Any:
    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await press(pilot, *keys)

    return run


@pytest.mark.parametrize(("size", "keys"), [
    pytest.param((120, 40), ("i",), id="inventory-120x40"),
    pytest.param((80, 24), ("i",), id="inventory-80x24"),
    pytest.param((120, 40), ("f",), id="findings-120x40"),
    pytest.param((120, 40), ("w",), id="people-120x40"),
])  # fmt: skip
def test_the_places_look_as_they_did(
    review: Review, snap_compare: Any, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    assert snap_compare(review.app(), terminal_size=size, run_before=opened(*keys))
