"""What screens say of a second person whose devices contradict each other, and what ends it."""

from typing import Any

import pytest

pytest.importorskip("starlette", reason="passmuster[server] is not installed")

from passmuster import campaigns, config, keys, sync
from passmuster.model import Attention, Draft, SecondDraft
from passmuster.tui.screens.attention import AttentionScreen
from passmuster.tui.screens.second import SecondScreen
from tests.sync.town import AT, REV, Desk, Town, joined
from tests.tui.central import Seat, evidence, header, listing, reading, until
from tests.tui.conftest import bar, painted, press

SEC = "sec@example.com"
SIZES = [(80, 24), (160, 48)]


def signs(desk: Desk, word: str, reason: str) -> None:
    """Decide the one item, or countersign the decision on it."""
    at = campaigns.campaign(desk.db, "Two persons")
    item, heed = campaigns.find_item(desk.db, at.id, "deploy"), Attention(None, AT, False)
    if word == "approve":
        campaigns.save_draft(desk.db, item, Draft("approve", None, reason, heed), AT)
    else:
        said = SecondDraft(word, None, reason, heed)  # type: ignore[arg-type]
        campaigns.save_seconds(desk.db, [item], said, AT, desk.me)
    campaigns.sign_off(desk.db, campaigns.prepare(desk.db, at.id, desk.me), desk.key, AT)


def contest(town: Town) -> Desk:
    """Two devices of the second person say different things; the one that says it again."""
    boss = town.boss
    wanted = campaigns.Definition("Two persons", "2026-12-31", REV, second=(SEC,),
                                  second_when="all")  # fmt: skip
    campaigns.open_campaign(boss.db, wanted, boss.key, config.Settings(), AT)
    campaigns.publish(boss.db, campaigns.campaign(boss.db, "Two persons"), boss.key, AT)
    boss.sync()
    homes = [joined(town, f"sec{n}", keys.in_memory(SEC), "second") for n in (1, 2)]
    town.rev.sync()
    signs(town.rev, "approve", "in use by the shop")
    town.rev.sync()
    for home in homes:
        home.sync()
    signs(homes[0], "concur", "asked the shop")
    signs(homes[1], "object", "nobody uses it")
    for home in (*homes, homes[0], town.rev):
        home.sync()
    town.desks[SEC] = homes[0]
    return homes[0]


def seconding(pilot: Any) -> SecondScreen:
    found = pilot.app.screen
    assert isinstance(found, SecondScreen)
    return found


@pytest.mark.ci
@pytest.mark.parametrize("size", SIZES)
async def test_the_second_person_sees_both_words_and_says_it_again(
    seat: Seat, size: tuple[int, int]
) -> None:
    home = contest(seat.town)
    seat.who = SEC
    async with seat.app().run_test(size=size) as pilot:
        await until(pilot, lambda: "needs attention (1)" in header(pilot))
        await press(pilot, "h")
        said = evidence(pilot)
        assert "As the second person you concurred on one device and objected on another" in said
        for words in ("asked the shop", "nobody uses it", "the approval does not stand"):
            assert words in said
        assert said.count("had seen none of these") == 2
        await press(pilot, "a")
        assert "+ or - says it again" in bar(pilot, "status")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, SecondScreen))
        await until(pilot, lambda: seconding(pilot).row is not None)
        assert "1 decision waiting on you" in painted(pilot)
        shown = seconding(pilot).read_rows(seconding(pilot).table.rank)
        assert [row.cells["you"] for row in shown.values()] == ["contested"]
        assert "you said both, and neither had seen the other" in evidence(pilot)
        seat.town.clock.seconds += 3600
        await press(pilot, "plus", "dollar_sign", "s", "escape")
        await until(pilot, lambda: "synced" in header(pilot))
        assert not list(seconding(pilot).table.rank)
    with reading(home.folder) as db:
        at = campaigns.campaign(db, "Two persons")
        found = campaigns.outcomes_of(db, at).values()
        assert "stands" in {outcome.effect for outcome in found}
        assert sync.state(db).kind == "synced"


@pytest.mark.ci
async def test_who_decided_is_told_whom_to_ask(seat: Seat) -> None:
    contest(seat.town)
    async with seat.app().run_test(size=(160, 48)) as pilot:
        await until(pilot, lambda: "needs attention (1)" in header(pilot))
        await press(pilot, "h")
        assert isinstance(listing(pilot), AttentionScreen)
        assert f"As the second person {SEC} concurred" in evidence(pilot)
        assert f"{SEC} is to say it again: ask them" in evidence(pilot)
        await press(pilot, "a")
        assert "'s to decide" in bar(pilot, "status")
