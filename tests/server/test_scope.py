"""Who may read what, and who may write about what."""

import pytest

from passmuster.central import queues
from passmuster.server import _scope
from passmuster.text import canonical
from tests.server.people import (
    BOSS,
    EYE,
    OTHER,
    REV,
    SECOND,
    Place,
    Published,
    Somebody,
    batch,
    chunk,
    publish,
)
from tests.server.test_access import refused

CAMPAIGN = ["campaign", "publication"]


def reads(who: Somebody, digest: str) -> bool:
    answer = who.call("GET", f"/v1/blobs/{digest}")
    if answer.status_code != 200:
        refused(answer, "not-found")
    return bool(answer.status_code == 200)


def code(who: Somebody, line: bytes) -> str:
    """What becomes of a record: accepted, or why it is not."""
    [result] = who.sends(line)
    return str(result["code"] or result["status"])


def seen(who: Somebody) -> list[str]:
    return [kind for kind in who.lines() if kind not in ("enrolment", "roster")]


@pytest.fixture
def team(here: Place) -> tuple[Somebody, ...]:
    return tuple(here.team(BOSS, REV, SECOND, EYE, OTHER))


def test_a_campaign_is_for_its_owner_its_reviewers_its_seconds_and_auditors(
    team: tuple[Somebody, ...],
) -> None:
    boss, rev, second, eye, other = team
    publish(boss, REV, seconds=(SECOND,))
    for one in (boss, rev, second, eye):
        assert seen(one) == CAMPAIGN, one.principal
    assert seen(other) == []
    assert len(other.feed()) == len(boss.feed())


def test_people_are_for_everybody_with_a_session(team: tuple[Somebody, ...], here: Place) -> None:
    *_, other = team
    assert other.lines() == ["enrolment", "roster", *["enrolment"] * 4, "roster"]
    assert here.roster is not None
    [allowed] = {
        dict(_subject(row["line"]))["allowed_signers"]
        for row in other.feed()[-1:] if row["line"]
    }  # fmt: skip
    assert reads(other, allowed)


def _subject(line: str) -> tuple[tuple[str, str], ...]:
    from passmuster.attestations import unchecked

    return unchecked(line.encode()).subject


def test_a_chunk_is_for_its_reviewer_its_owner_and_auditors(team: tuple[Somebody, ...]) -> None:
    boss, rev, second, eye, other = team
    made = publish(boss, REV, OTHER, seconds=())
    for one, theirs in ((rev, {REV}), (other, {OTHER}), (boss, {REV, OTHER}), (eye, {REV, OTHER}),
                        (second, set())):  # fmt: skip
        assert {w for w, digest in made.chunks.items() if reads(one, digest)} == theirs
    for one in (rev, other, boss, eye):
        assert reads(one, made.definition)
        assert reads(one, made.queues)
    assert not reads(second, made.definition)
    assert not reads(second, made.queues)


def test_a_chunk_for_seconds_is_for_those_who_may_be_one(team: tuple[Somebody, ...]) -> None:
    boss, rev, second, _, other = team
    made = publish(boss, REV, seconds=(SECOND,))
    assert [reads(one, made.chunks[REV]) for one in (rev, second, other)] == [True, True, False]


def test_a_record_of_a_campaign_that_is_not_mine_is_not_there_for_me(
    team: tuple[Somebody, ...],
) -> None:
    boss, rev, *_, other = team
    made = publish(boss, REV)
    leaf = next(row["leaf"] for row in rev.feed() if (row["line"] and made.digest in row["line"])
                or row["index"] == 7)  # fmt: skip
    assert rev.call("GET", f"/v1/records/{leaf}").status_code == 200
    refused(other.call("GET", f"/v1/records/{leaf}"), "not-found")


def test_bytes_that_no_record_names_are_for_nobody(team: tuple[Somebody, ...]) -> None:
    boss, rev, _, eye, _ = team
    digest = boss.put(b"not yet named")
    assert not any(reads(one, digest) for one in (boss, rev, eye))


# --- naming bytes opens them to nobody


def handing(who: Somebody, made: Published, digest: str, to: str) -> bytes:
    rows = canonical({"item": "x", "reviewer": to, "salt": "00"}) + b"\n"
    return batch(who, made.digest, kind="own", file="own.jsonl", rows=rows, ext={"handed": digest})


def test_a_reviewer_cannot_open_the_chunk_of_another_by_naming_it(
    team: tuple[Somebody, ...],
) -> None:
    boss, rev, *_, other = team
    made = publish(boss, REV, OTHER)
    assert code(other, handing(other, made, made.chunks[REV], OTHER)) == "not-yours"
    assert not reads(other, made.chunks[REV])
    assert reads(rev, made.chunks[REV])


def test_an_owner_cannot_open_the_chunk_of_another_campaign_by_publishing_it(
    team: tuple[Somebody, ...],
) -> None:
    boss, _, _, _, other = team
    theirs = publish(boss, REV, OTHER)
    own = publish(other, OTHER)
    from passmuster.central import Chunk

    listed = [Chunk(theirs.chunks[REV], 1, 1, OTHER)]
    line = other.says(
        "publication", {"queues.jsonl": other.put(queues(own.digest, (), listed))},
        {"campaign": own.digest, "population": {}, "assignmentsRoot": "0" * 64},
    )  # fmt: skip
    assert code(other, line) == "not-yours"
    assert not reads(other, theirs.chunks[REV])


def test_a_batch_of_decisions_cannot_open_a_chunk_either(team: tuple[Somebody, ...]) -> None:
    boss, _, _, _, other = team
    made = publish(boss, REV, OTHER)
    assert code(other, batch(other, made.digest, digest=made.chunks[REV])) == "not-yours"
    emergency = batch(other, None, digest=made.chunks[REV])
    assert code(other, emergency) == "not-yours"
    assert not reads(other, made.chunks[REV])


def test_two_campaigns_may_have_the_same_definition(team: tuple[Somebody, ...]) -> None:
    boss, rev, *_, other = team
    same = canonical({"name": "the same"})
    for owner in (boss, other):
        line = owner.says("campaign", {"definition.json": owner.put(same)}, {"population": {}})
        assert code(owner, line) == "accepted"
    assert not reads(rev, boss.put(same))


def test_whom_an_item_was_handed_to_comes_in(team: tuple[Somebody, ...]) -> None:
    boss, rev, second, _, other = team
    made = publish(boss, REV, SECOND)  # who is in the campaign, and whom it was not handed to
    assert seen(other) == []
    handed = rev.put(chunk("handed rows"))
    assert code(rev, handing(rev, made, handed, OTHER)) == "accepted"
    assert seen(other) == [*CAMPAIGN, "own"]
    assert [reads(one, handed) for one in (other, boss, rev, second)] == [True, True, True, False]
    assert not reads(other, made.chunks[REV])
    assert code(other, batch(other, made.digest)) == "accepted"


# --- writing


def test_a_reviewer_decides_in_their_own_campaign_alone(team: tuple[Somebody, ...]) -> None:
    boss, rev, *_, other = team
    made = publish(boss, REV)
    assert code(rev, batch(rev, made.digest)) == "accepted"
    assert code(other, batch(other, made.digest)) == "not-yours"


def test_nobody_signs_in_the_name_of_another(team: tuple[Somebody, ...]) -> None:
    boss, rev, *_, other = team
    made = publish(boss, REV, OTHER)
    assert code(other, batch(other, made.digest, principal=REV)) == "not-listed"
    assert code(rev, batch(rev, made.digest)) == "accepted"


def test_an_auditor_reads_and_decides_nothing(team: tuple[Somebody, ...]) -> None:
    boss, _, _, eye, _ = team
    made = publish(boss, REV)
    assert code(eye, batch(eye, made.digest, digest=made.definition)) == "not-listed"
    rows = eye.call("PUT", f"/v1/blobs/{'0' * 64}", content=b"rows")
    assert "for a" in refused(rows, "forbidden")


@pytest.mark.parametrize("kind", ["publication", "close", "campaign"])
def test_a_reviewer_neither_opens_nor_publishes_nor_closes(
    team: tuple[Somebody, ...], kind: str
) -> None:
    boss, rev, *_ = team
    made = publish(boss, REV)
    subject = {"publication": {"queues.jsonl": made.queues}, "close": {"outcomes.jsonl": "0" * 64},
               "campaign": {"definition.json": made.definition}}[kind]  # fmt: skip
    assert code(rev, rev.says(kind, subject, {"campaign": made.digest})) == "not-listed"


@pytest.mark.parametrize("kind", ["publication", "close"])
def test_an_owner_neither_publishes_nor_closes_the_campaign_of_another(
    team: tuple[Somebody, ...], kind: str
) -> None:
    boss, *_, other = team
    made = publish(boss, REV, OTHER)
    subject = {"publication": {"queues.jsonl": made.queues}, "close": {"outcomes.jsonl": "0" * 64}}
    line = other.says(kind, subject[kind], {"campaign": made.digest})
    assert code(other, line) == "not-yours"


def test_whoever_sees_a_campaign_may_acknowledge_its_end_and_nobody_else(
    team: tuple[Somebody, ...],
) -> None:
    boss, rev, _, eye, other = team
    made = publish(boss, REV)
    for one, becomes in ((boss, "accepted"), (rev, "accepted"), (eye, "accepted"),
                         (other, "not-yours")):  # fmt: skip
        line = one.says("acknowledgement", {"close": "0" * 64}, {"campaign": made.digest})
        assert code(one, line) == becomes


def test_a_relay_may_carry_what_others_signed(team: tuple[Somebody, ...]) -> None:
    boss, rev, *_, other = team
    made = publish(boss, REV)
    assert code(other, batch(rev, made.digest)) == "accepted"
    assert seen(rev) == [*CAMPAIGN, "decisions"]
    assert seen(other) == []


def test_an_emergency_is_for_whoever_acts_on_one_or_reviews_it(
    team: tuple[Somebody, ...],
) -> None:
    boss, rev, second, eye, other = team
    assert code(rev, batch(rev, None)) == "not-listed", "no role oncall"
    line = batch(other, None)
    rows = dict(_subject(line.decode()))["decisions.jsonl"]
    assert code(other, line) == "accepted"
    for one, may in ((boss, True), (rev, False), (eye, True), (other, True), (second, False)):
        assert (seen(one) == ["decisions"]) is may, one.principal
        assert reads(one, rows) is may


def test_records_of_one_request_are_judged_one_after_the_other(
    team: tuple[Somebody, ...], here: Place
) -> None:
    boss, rev, *_ = team
    definition = boss.put(canonical({"name": "in one"}))
    opened = boss.says("campaign", {"definition.json": definition}, {"population": {}})
    from passmuster.attestations import unchecked
    from passmuster.central import Chunk

    digest = unchecked(opened).name
    mine = boss.put(chunk("in one"))
    listed = queues(digest, (), [Chunk(mine, 1, 1, REV)])
    published = boss.says(
        "publication", {"queues.jsonl": boss.put(listed)},
        {"campaign": digest, "population": {}, "assignmentsRoot": "0" * 64},
    )  # fmt: skip
    decided = batch(rev, digest)
    results = boss.sends(opened, published, decided)
    assert [r["status"] for r in results] == ["accepted"] * 3, results
    assert reads(rev, mine)


def test_a_record_that_is_refused_lets_nobody_in(team: tuple[Somebody, ...], here: Place) -> None:
    boss, rev, *_, other = team
    made = publish(boss, REV)
    handed = rev.put(chunk("handed"))
    assert code(other, handing(other, made, handed, OTHER)) == "not-yours"
    assert seen(other) == []
    with here.central.store.reading() as tx:
        rows = tx.execute("SELECT principal, part FROM scope ORDER BY part")
    assert rows == [(BOSS, _scope.OWNER), (REV, _scope.REVIEWER)]


def test_without_any_role_a_campaign_is_closed(team: tuple[Somebody, ...], here: Place) -> None:
    boss, rev, *_ = team
    made = publish(boss, REV)
    from tests.server.people import ROLES

    here.admit(roles={**ROLES, REV: ()})
    assert seen(rev) == []
    assert not reads(rev, made.chunks[REV])
