"""The board: every campaign with its course, in words and plots, at every size."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from passmuster import campaigns, config, store
from passmuster.model import Attention, Draft
from passmuster.tui import clipboard, course_lines
from passmuster.tui.app import MusterApp
from passmuster.tui.course_lines import Known, forecast_words
from passmuster.tui.desk import Desk
from passmuster.tui.lines import plain, width_of
from passmuster.tui.screens.board import BoardScreen
from passmuster.tui.widgets.line_view import LineView
from tests.scene import key
from tests.tui.conftest import ME, NOW, PLAIN, Review, bar, painted, press, settle

BOSS, SLOW = "boss@example.com", "slow\x1b]52;c;aGk=\x07[/]@example.org"
HOSTILE_NAME = "[/]Q4[@click=app.quit] 100%"


@pytest.fixture
def busy(review: Review) -> Review:
    """Two batches in the campaign of the review, and a second campaign that is nearly due."""
    db = store.open_(review.folder)
    seen = Attention(None, NOW, False)
    for count, day in enumerate(("2026-11-24T09:00:00Z", "2026-11-25T09:00:00Z"), 1):
        ids = campaigns.rank(db, review.campaign.id, ME, state="open", order="name")
        for item in list(ids)[:count]:
            campaigns.save_draft(db, item, Draft("approve", "1", "in use", seen), day)
        campaigns.sign_off(db, campaigns.prepare(db, review.campaign.id, ME), review.key, day)
    wanted = campaigns.Definition(HOSTILE_NAME, "2026-11-24", "slow@example.org",
                                  scope=PLAIN[0])  # fmt: skip
    campaigns.open_campaign(db, wanted, review.key, config.Settings(), NOW)
    with db.atomic():  # no e-mail that a person could have is as bad as this
        db.execute("UPDATE item SET reviewer = ? WHERE reviewer = 'slow@example.org'", (SLOW,))
    db.close()
    return review


def app_of(review: Review, now: str = "2026-11-26T09:00:00Z") -> MusterApp:
    return MusterApp(
        Desk(review.folder, ME, review.signer, review.settings, lambda: now), review.campaign
    )


async def board(pilot: Pilot[None], *keys: str) -> BoardScreen:
    await settle(pilot)
    await press(pilot, "b", *keys)
    assert isinstance(pilot.app.screen, BoardScreen)
    return pilot.app.screen


async def test_every_campaign_stands_there_with_its_course(busy: Review) -> None:
    async with app_of(busy).run_test(size=(160, 48)) as pilot:
        screen = await board(pilot, "j")
        text = painted(pilot)
        assert "2 open   1 overdue ◀" in bar(pilot, "header")
        assert "[all 2] open 2  overdue 1  closed 0" in bar(pilot, "sections")
        assert "3/13" in text
        assert "3 of 13 signed  due 2026-12-01, in 5 days" in text
        assert "at the pace of the last 4 days: done on 2026-12-09, 8 days late ◀" in (
            " ".join(text.split())
        )
        assert "signed 24 hours ago" in text
        assert "Age of the oldest live key" in text
        assert screen.table.cursor_id == busy.campaign.id


async def test_who_is_silent_is_named_and_an_overdue_campaign_says_so_in_words(
    busy: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")  # one that takes what is copied
    async with app_of(busy).run_test(size=(160, 48)) as pilot:
        await board(pilot)
        text = " ".join(painted(pilot).split())
        assert "overdue by 33 hours ◀" in text
        assert "too early to say: a pace needs two signed batches" in text
        assert "slow\\x1b]52;c;aGk=\\x07[/]@example.org: 1 item, not begun yet" in text
        await press(pilot, "y")
        assert "the addresses of 1 silent reviewer: sent" in bar(pilot, "status")
        await press(pilot, "j", "y")
        assert "nobody is silent here" in bar(pilot, "status")


async def test_hostile_names_are_text(busy: Review) -> None:
    async with app_of(busy).run_test(size=(160, 48)) as pilot:
        await board(pilot)
        text = painted(pilot)
        assert HOSTILE_NAME in text
        assert "\x1b" not in text


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 12)])
async def test_every_size_shows_the_campaigns_and_what_to_press(
    busy: Review, size: tuple[int, int]
) -> None:
    async with app_of(busy).run_test(size=size) as pilot:
        await board(pilot, "j")
        text = painted(pilot)
        assert "> " in text
        assert "November" in text
        assert "enter its queue" in text
        for widget in pilot.app.screen.walk_children(LineView):
            if widget.size.area:
                widths = {s.cell_length for s in widget.render_lines(widget.size.region)}
                assert widths == {widget.size.width}


async def test_enter_opens_the_queue_of_that_campaign_and_escape_goes_back(busy: Review) -> None:
    async with app_of(busy).run_test(size=(120, 40)) as pilot:
        await board(pilot)
        await press(pilot, "escape")
        assert not isinstance(pilot.app.screen, BoardScreen)
        await press(pilot, "b", "enter")
        app = pilot.app
        assert isinstance(app, MusterApp)
        assert app.campaign is not None
        assert app.campaign.name == HOSTILE_NAME
        assert app.is_home(app.screen)
        await press(pilot, "b", "colon", "=queue November service accounts", "enter")
        assert app.campaign.name == "November service accounts"


async def test_sections_filter_sort_and_mouse(busy: Review) -> None:
    async with app_of(busy).run_test(size=(160, 48)) as pilot:
        screen = await board(pilot, "tab", "tab")
        assert len(screen.table.rank) == 1, "one is overdue"
        await press(pilot, "tab")
        assert "no campaign is so" in painted(pilot)
        await press(pilot, "tab", "slash", "=novem acc", "enter")
        assert list(screen.table.rank) == [busy.campaign.id]
        await press(pilot, "escape", "s", "3")
        assert list(screen.table.rank) == [2, 1], "by name"
        await pilot.click("#queue", offset=(10, 2))
        assert screen.table.cursor_id == 1
        await pilot.click("#sections", offset=(12, 0))
        await settle(pilot)
        assert screen.section == 1


async def test_what_is_signed_elsewhere_is_counted_anew(busy: Review) -> None:
    async with app_of(busy).run_test(size=(120, 40)) as pilot:
        screen = await board(pilot, "j")
        db = store.open_(busy.folder)
        item = campaigns.rank(db, busy.campaign.id, ME, state="open", order="name")[0]
        campaigns.save_draft(db, item, Draft("approve", "1", "in use", Attention(None, NOW, False)),
                             NOW)  # fmt: skip
        campaigns.sign_off(db, campaigns.prepare(db, 1, ME), busy.key, "2026-11-26T08:00:00Z")
        db.close()
        screen.look_for_changes()
        screen.count_sections()
        await settle(pilot)
        assert "4 of 13 signed" in painted(pilot)


async def test_an_empty_workspace_says_how_to_open_a_campaign_and_copies_it(
    tmp_path: Path, own_world: None
) -> None:
    folder = tmp_path / "empty"
    store.create(folder).close()
    settings = config.Settings(me=ME, clipboard="file")
    app = MusterApp(Desk(folder, ME, lambda _: key(ME, 1), settings, lambda: NOW), None)
    app._first_place = lambda: "board"  # type: ignore[method-assign]
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        text = painted(pilot)
        command = ('muster campaign open "November" --reviewer owner --fallback rev@example.com'
                   " --due 2026-12-23")  # fmt: skip
        assert command in text
        await pilot.resize_terminal(120, 40)
        await settle(pilot)
        assert "2026-12-23" in painted(pilot), "beside the evidence it is folded, not cut"
        await press(pilot, "y")
        assert "which only you can read" in " ".join(bar(pilot, "status").split())
        assert (folder / clipboard.FILE).read_text() == command


def test_a_closed_campaign_says_what_was_never_decided(busy: Review) -> None:
    db = store.open_(busy.folder)
    campaigns.close(db, campaigns.campaign(db, "November service accounts"), busy.key,
                    "2026-11-27T08:00:00Z", leave_drafts=True)  # fmt: skip
    at = campaigns.campaign(db, "November service accounts")
    known = Known(at, campaigns.course(db, at), [], "2026-11-30T00:00:00Z", ME)
    text = "\n".join(plain(row) for row in course_lines.lines(known, 70))
    assert "closed with 10 items never decided: no_response, never approved" in " ".join(
        text.split()
    )
    assert "closed 2026-11-27 (2 days ago)" in text
    db.close()


@pytest.mark.parametrize("width", [30, 40, 66, 79, 120])
def test_no_line_of_a_course_is_wider_than_its_pane(busy: Review, width: int) -> None:
    db = store.open_(busy.folder)
    for at in campaigns.campaigns(db):
        ages = campaigns.ages(db, at.id, NOW, course_lines.bounds(90))
        known = Known(at, campaigns.course(db, at), ages, NOW, ME)
        wide = [r for r in course_lines.lines(known, width) if width_of(r) > max(width, 60)]
        assert not wide, [plain(r) for r in wide]
    db.close()


def test_the_classes_of_ages_begin_with_the_rules_limit() -> None:
    assert course_lines.bounds(90) == [90, 365, 730, 1825]
    assert course_lines.bounds(400) == [400, 730, 1825]


def test_a_forecast_without_a_day_says_why(busy: Review) -> None:
    said = {kind: forecast_words(campaigns.Forecast(kind, window_days=1)) for kind in
            ("closed", "done", "early", "stalled", "far")}  # fmt: skip
    assert (
        said["stalled"] == "nothing was signed in the last day: at this pace it will never be done"
    )
    assert all(said.values())


def test_the_board_looks_as_it_did(busy: Review, snap_compare: Any) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await board(pilot, "j")

    db = store.open_(busy.folder)
    with db.atomic():  # salts make another digest in every run
        db.execute("DROP TRIGGER entry_is_final")
        for number in (1, 2):
            db.execute(
                "UPDATE entry SET campaign = ?1 WHERE campaign ="
                " (SELECT digest FROM campaign WHERE id = ?2)",
                (f"{number}" * 64, number),
            )
            db.execute("UPDATE campaign SET digest = ?1 WHERE id = ?2", (f"{number}" * 64, number))
    db.close()
    assert snap_compare(app_of(busy), terminal_size=(120, 40), run_before=run)
