"""The second person's place: what waits, what the first one did, and that a key stages a word."""

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from textual.pilot import Pilot

from passmuster import campaigns, keys, store
from passmuster.config import Settings
from passmuster.model import Attention, Bulk, Change, Draft, SecondDraft
from passmuster.tui.app import MusterApp
from passmuster.tui.desk import Desk
from passmuster.tui.lines import plain
from passmuster.tui.screens.second import SecondScreen
from passmuster.tui.screens.signed import SignedScreen
from tests.tui.conftest import ME, NOW, Review, access_key, bar, painted, press, settle

SEC = "sec@example.com"
KEY = keys.from_private(Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32), SEC, "memory")


@pytest.fixture
def asked(review: Review) -> Review:
    """A second campaign in which rev has signed four decisions that sec is to look at."""
    db = store.open_(review.folder)
    wanted = campaigns.Definition(
        "Two persons", "2026-12-01", ME, second=(SEC, "ops@example.com"), second_when="all"
    )
    campaigns.open_campaign(db, wanted, review.key, Settings(), NOW)
    at = campaigns.campaign(db, "Two persons")
    found = campaigns.rows(db, campaigns.rank(db, at.id, ME))
    ids = {row.display_name: row.id for row in found}
    seen = Attention("2026-11-23T07:59:00Z", "2026-11-23T07:59:41Z", True)
    hasty = Attention("2026-11-23T07:59:00Z", "2026-11-23T07:59:02Z", False)
    rotate = Change("rotate", access_key("ci-deploy", 1).uid)
    for name, draft in {
        "ci-deploy": Draft("approve", "1", "in use, owner confirmed", seen,
                           "2027-03-31T23:59:59Z", (rotate,)),
        "vendor-etl": Draft("approve", None, "contract runs until June", hasty),
        "payments": Draft("approve", None, "settlement", seen, bulk=Bulk("b", 3, "by hand")),
        "left-behind": Draft("disable", "4", "owner has left", seen),
    }.items():  # fmt: skip
        campaigns.save_draft(db, ids[name], draft, NOW)
    campaigns.sign_off(db, campaigns.prepare(db, at.id, ME), review.key, NOW)
    db.close()
    return replace(review, campaign=at)


def app_of(review: Review, me: str = SEC, **settings: Any) -> MusterApp:
    key, mine = KEY if me == SEC else review.key, Settings(me=me, **settings)
    desk = Desk(review.folder, me, lambda _: key, mine, lambda: NOW, key.fingerprint)
    return MusterApp(desk, review.campaign)


def screen(pilot: Pilot[None]) -> SecondScreen:
    found = pilot.app.screen
    assert isinstance(found, SecondScreen)
    return found


def pane(pilot: Pilot[None]) -> str:
    return " ".join(" ".join(plain(line) for line in screen(pilot).pane.lines).split())


def names(pilot: Pilot[None]) -> list[str]:
    found = screen(pilot).read_rows(screen(pilot).table.rank)
    return [found[i].cells["name"] for i in screen(pilot).table.rank]


def drafts(review: Review) -> dict[str, str]:
    return dict(review.rows(
        "SELECT y.display_name, f.verdict FROM second_draft f JOIN item i ON i.id = f.item_id"
        " JOIN identity y ON y.id = i.identity_id"
    ))  # fmt: skip


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_one_sees_what_the_first_one_decided_why_and_how(
    asked: Review, size: tuple[int, int]
) -> None:
    async with app_of(asked).run_test(size=size) as pilot:
        await settle(pilot)
        assert "3 decisions of others waiting on you: 2 shows them" in painted(pilot)
        await press(pilot, "2")
        assert names(pilot) == ["ci-deploy", "vendor-etl", "payments"]
        told = pane(pilot)
        for words in ("approve until 2027-03-31 + rotate access key AKIA1", ME,
                      "“in use, owner confirmed” 41 s after first sight, details read",
                      "AdministratorAccess", "privileged ◀"):  # fmt: skip
            assert words in told
        await press(pilot, "j")
        assert "2 s after first sight, details not opened ◀" in pane(pilot)
        await press(pilot, "j")
        assert "details read, one of 3 at once: by hand ◀" in pane(pilot)


async def test_a_concurrence_and_an_objection_are_staged_kept_and_signed(asked: Review) -> None:
    async with app_of(asked).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "plus")
        assert "concur: ci-deploy, a draft" in bar(pilot, "rule")
        assert screen(pilot).row is not None
        assert screen(pilot).row.display_name == "vendor-etl"  # type: ignore[union-attr]
        await press(pilot, "minus", "enter")
        assert "object needs a reason" in painted(pilot)
        await press(pilot, "7")
        assert drafts(asked) == {"ci-deploy": "concur", "vendor-etl": "object"}
        await press(pilot, "dollar_sign")
        told = painted(pilot)
        assert "1  concur" in told
        assert "You object to" in told
        assert "supplier contract ended" in told
        await press(pilot, "s")
        assert isinstance(pilot.app.screen, SignedScreen)
        assert "what you objected to does not stand: rev@example.com" in " ".join(
            painted(pilot).split()
        )
        await press(pilot, "escape")
        assert names(pilot) == ["payments"]
    db = store.open_(asked.folder)
    found = [o.effect for o in campaigns.outcomes_of(db, asked.campaign).values()]
    db.close()
    assert sorted(e for e in found if e != "no_response") == [
        "awaiting_second", "objected", "stands_until", "stops",
    ]  # fmt: skip
    heed = asked.rows("SELECT json_extract(row, '$.attention.first_shown') FROM countersignature")
    assert heed == [(NOW,), (NOW,)]


async def test_the_sitting_is_undone_and_done_again_and_survives_leaving(asked: Review) -> None:
    async with app_of(asked).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "plus", "plus", "z")
        assert drafts(asked) == {"ci-deploy": "concur"}
        await press(pilot, "Z")
        assert drafts(asked) == {"ci-deploy": "concur", "vendor-etl": "concur"}
        await press(pilot, "u", "i", "2")
        assert drafts(asked) == {"ci-deploy": "concur"}
    async with app_of(asked).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "2")
        assert "you concur not signed yet" in pane(pilot)


async def test_the_whole_evidence_was_opened_is_in_the_record(asked: Review) -> None:
    async with app_of(asked).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "enter")
        assert "approve until 2027-03-31" in painted(pilot)
        await press(pilot, "escape", "plus")
    (attention,) = asked.rows("SELECT attention FROM second_draft")[0]
    assert '"details_opened": true' in attention


async def test_a_stop_is_seen_though_it_waits_for_nobody(asked: Review) -> None:
    async with app_of(asked).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "shift+tab")
        assert names(pilot) == ["ci-deploy", "left-behind", "vendor-etl", "payments"]
        await press(pilot, "j")
        assert "it takes effect without a second person" in pane(pilot)


async def test_the_first_person_is_told_of_an_objection(asked: Review) -> None:
    db = store.open_(asked.folder)
    item = next(i for i in campaigns.second_rank(db, asked.campaign.id, SEC))
    words = campaigns.second_rows(db, [item], SEC)[item]
    campaigns.save_seconds(
        db, [item], SecondDraft("object", None, "a leak", words.attention), NOW, SEC
    )
    campaigns.sign_off(db, campaigns.prepare(db, asked.campaign.id, SEC), KEY, NOW)
    db.close()
    async with app_of(asked, ME).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "home")
        assert "objected sec@example.com “a leak” ◀" in " ".join(painted(pilot).split())


async def test_after_signing_the_second_persons_are_named(asked: Review) -> None:
    async with app_of(asked, ME).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "end", "a", "1", "dollar_sign", "s")
        told = " ".join(painted(pilot).split())
        assert "1 approval for a second person: ops@example.com or sec@example.com" in told


async def test_many_are_concurred_with_after_their_number_as_one_act(asked: Review) -> None:
    async with app_of(asked).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "minus", "7", "home", "down", "space", "space")
        assert "then + or -: all 2" in bar(pilot, "keys")
        await press(pilot, "semicolon", "plus", "=3", "enter")
        assert "that is not 2; type 2" in painted(pilot)
        assert drafts(asked) == {"ci-deploy": "object"}, "nothing yet"
        await press(pilot, "backspace", "=2", "enter")
        assert "concur: 2 decisions, drafts   z takes them back" in painted(pilot)
        assert not screen(pilot).table.marks
        await press(pilot, "z")
        assert drafts(asked) == {"ci-deploy": "object"}
        await press(pilot, "Z", "dollar_sign", "s")
    said = "SELECT verdict, json_extract(row, '$.bulk') FROM countersignature ORDER BY 1"
    rows = asked.rows(said)
    assert [verdict for verdict, _ in rows] == ["concur", "concur", "object"]
    first, second = (json.loads(bulk) for verdict, bulk in rows if verdict == "concur")
    assert first == second == {"id": first["id"], "size": 2, "how": "marked by hand, no filter"}
    assert rows[2][1] is None


async def test_many_are_objected_to_for_one_reason(asked: Review) -> None:
    async with app_of(asked).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "m")
        assert "mark all  like ci-deploy" in painted(pilot)
        await press(pilot, "2", "semicolon", "minus", "=3", "enter")
        assert "object to 3 decisions   why?" in painted(pilot)
        await press(pilot, "enter")
        assert "object needs a reason" in painted(pilot)
        await press(pilot, "=nobody asked us", "enter")
    assert asked.rows(
        "SELECT count(*), count(DISTINCT json_extract(bulk, '$.id')), min(reason_text),"
        " max(verdict) FROM second_draft"
    ) == [(3, 1, "nobody asked us", "object")]


async def test_what_is_drafted_on_is_not_marked_with_the_others(asked: Review) -> None:
    async with app_of(asked).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "plus", "m", "2")
        marked = screen(pilot).table.marks
        assert len(marked) == 2
        assert screen(pilot).table.rank[0] not in marked
        await press(pilot, "quotation_mark")
        assert names(pilot) == ["vendor-etl", "payments"]
        await press(pilot, "semicolon", "u")
        assert "nothing is drafted here" in painted(pilot)
    assert drafts(asked) == {"ci-deploy": "concur"}


async def test_one_act_countersigns_no_more_of_a_tier_than_the_settings_allow(
    asked: Review,
) -> None:
    few = dict.fromkeys(("critical", "high", "medium", "low"), 0)
    async with app_of(asked, bulk=few).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "m", "6", "semicolon", "plus")
        assert "one act may decide 0: narrow the view" in painted(pilot)
        assert not screen(pilot).ask.is_open
        await press(pilot, "plus")
    assert drafts(asked) == {"ci-deploy": "concur"}, "and the next verb is for one"


async def test_an_objection_is_not_to_a_decision_that_came_meanwhile(asked: Review) -> None:
    async with app_of(asked).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "minus")
        db = store.open_(asked.folder)
        item = screen(pilot).table.rank[0]
        seen = Attention(NOW, NOW, True)
        campaigns.save_draft(db, item, Draft("approve", None, "for ever", seen), NOW)
        campaigns.sign_off(db, campaigns.prepare(db, asked.campaign.id, ME), asked.key, NOW)
        db.close()
        screen(pilot).look_for_changes()
        await settle(pilot)
        await press(pilot, "=too wide", "enter")
        assert "it was decided anew just now: esc, then look at it again" in painted(pilot)
        assert not drafts(asked)


async def test_its_keys_are_remapped_by_id(asked: Review) -> None:
    theirs = {"concur": "c", "object": "a"}  # free here; `a` is for approving, on another screen
    async with app_of(asked, keys=theirs).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert not pilot.app.troubles()  # type: ignore[attr-defined]
        await press(pilot, "2", "plus", "minus")
        assert not drafts(asked)
        assert not screen(pilot).ask.is_open
        await press(pilot, "c", "a", "7")
        assert "c concur" in bar(pilot, "keys")
    assert drafts(asked) == {"ci-deploy": "concur", "vendor-etl": "object"}
    async with app_of(asked, keys={"concur": "m", "approve": "plus"}).run_test() as pilot:
        told = " ".join(pilot.app.troubles())  # type: ignore[attr-defined]
        assert "the key m is for mark.like and for concur" in told
        assert "plus" not in told


async def test_the_only_second_person_is_not_given_the_item_to_decide(review: Review) -> None:
    db = store.open_(review.folder)
    wanted = campaigns.Definition("One", "2026-12-01", ME, second=(SEC,), second_when="all")
    campaigns.open_campaign(db, wanted, review.key, Settings(), NOW)
    at = campaigns.campaign(db, "One")
    db.close()
    async with app_of(replace(review, campaign=at), ME).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "o", f"={SEC}", "enter", "y")
        told = " ".join(painted(pilot).split())
        assert f"{SEC} is the only second person for ci-deploy" in told
        assert not review.rows("SELECT * FROM own_draft")
        await press(pilot, "n")
        assert review.rows("SELECT owner, reassign FROM own_draft") == [(SEC, 0)]
    db = store.open_(review.folder)
    with db.atomic():
        db.execute("UPDATE item SET reviewer = ? WHERE campaign_id = ?", (SEC, at.id))
    db.close()
    async with app_of(replace(review, campaign=at), ME).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "b")
        told = " ".join(painted(pilot).split())
        assert "nobody may countersign these 13 items (ci-deploy," in told


async def test_the_board_says_whom_approvals_wait_for(asked: Review) -> None:
    async with app_of(asked, ME).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "b")
        told = " ".join(painted(pilot).split())
        assert "second 3 approvals waiting: ops 3, sec 3" in told


@pytest.mark.parametrize(
    ("key", "why"), [("plus", "read only: nothing is said here"), ("minus", "read only"),
                     ("u", "read only"), ("z", "read only"), ("dollar_sign", "read only")],
)  # fmt: skip
async def test_read_only_says_nothing(asked: Review, key: str, why: str) -> None:
    async with app_of(asked).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "percent_sign", key)
        assert why in bar(pilot, "rule")
    assert not drafts(asked)


async def test_an_empty_place_says_what_to_do(asked: Review, review: Review) -> None:
    async with app_of(asked, ME).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "plus")
        assert "you are no second person here: sec@example.com, ops@example.com may" in painted(
            pilot
        )
        assert "there is no decision here" in bar(pilot, "rule")
    async with app_of(replace(asked, campaign=review.campaign)).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "2")
        assert "asks for no second person" in painted(pilot)
    async with app_of(asked).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "2", "tab")
        assert "no drafts: + concurs with a row that waits, - objects to it" in painted(pilot)


@pytest.mark.ci
def test_the_place_looks_as_it_did(asked: Review, snap_compare: Any) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await press(pilot, "2", "plus", "k")

    assert snap_compare(app_of(asked), terminal_size=(80, 24), run_before=run)
