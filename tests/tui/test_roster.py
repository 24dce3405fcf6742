"""The own-key alarm on the screen, and a sign-off that the roster does not let in."""

from passmuster import roster, store, tlog
from passmuster.keys import SigningKey
from passmuster.roster import Line, Person
from tests.scene import key
from tests.tui.conftest import ME, NOW, Review, bar, press, settle

BOSS = key("boss@example.com", 71)


def in_force(review: Review, *others: tuple[SigningKey, str]) -> None:
    """A roster of Boss and of *others* with a role."""
    db = store.open_(review.folder)
    people = [Person(BOSS.principal, "person", ("owner", "registrar"))]
    people += [Person(one.principal, "person", roster.given_roles([as_])) for one, as_ in others]
    lines = [
        Line(k.principal, " ".join(k.public.split()[:2]), NOW)
        for k in (BOSS, *(one for one, _ in others))
    ]
    first = roster.first(db, people[0], lines[0], NOW, "c" * 32)
    tlog.append_roster(db, roster.signed(db, first, BOSS), NOW)
    if others:
        made = roster.change(db, BOSS.principal, NOW, people=people, lines=lines)
        tlog.append_roster(db, roster.signed(db, made, BOSS), NOW)
    db.close()


async def test_a_key_under_my_name_that_is_not_mine_is_shouted(review: Review) -> None:
    fake = key(ME, 72)
    in_force(review, (fake, "reviewer"))
    for size, line in (((120, 40), "status"), ((80, 24), "rule")):
        async with review.app().run_test(size=size) as pilot:
            await settle(pilot)
            told = " ".join(bar(pilot, line).replace("─", " ").split())
            assert "A KEY UNDER YOUR NAME THAT IS NOT FROM HERE" in told
            assert fake.fingerprint in told
            assert "Yours? muster roster mine KEY" in told, "to the end, at any size"


async def test_who_is_not_on_the_roster_keeps_the_drafts_and_is_told_why(review: Review) -> None:
    in_force(review)
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "NOT FROM HERE" not in bar(pilot, "status")
        await press(pilot, "r", "3", "dollar_sign", "s")
        for _ in range(100):
            await pilot.pause(0.05)
            if "roster" in bar(pilot, "notice"):
                break
        assert "is not on roster version 1" in bar(pilot, "notice")
    assert list(review.drafts().values()) == ["revoke"]
    assert not review.decisions()
