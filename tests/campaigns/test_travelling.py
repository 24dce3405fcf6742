"""A campaign goes to its reviewers and comes back: real workspaces, records handed over."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from passmuster import (
    attestations,
    blobs,
    campaigns,
    central,
    evidence,
    inventory,
    merkle,
    roster,
    tlog,
)
from passmuster.attestations import Link
from passmuster.campaigns._signing import decision_row
from passmuster.central import Record
from passmuster.errors import NotFound, UsageError, VerificationFailed
from passmuster.model import Attention, Draft
from passmuster.store import Database
from passmuster.text import Json, canonical, sha256, strict_json
from tests.estates import report
from tests.once import once
from tests.travelling import ANN, BOB, BOSS, END, LATER, NOW, SEC, Desk, Log, desk, opened

OWNERS = {"deploy": ANN, "backup": ANN, "etl": BOB, "probe": BOB, "mail": BOSS}


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def boss(tmp_path: Path, log: Log) -> Desk:
    made = desk(tmp_path / "boss", BOSS)
    once(made.db, ("published", *OWNERS.items()), lambda: opened(made, tmp_path, OWNERS))
    made.push(log)
    return made


@pytest.fixture
def ann(tmp_path: Path) -> Desk:
    return desk(tmp_path / "ann", ANN)


@pytest.fixture
def bob(tmp_path: Path) -> Desk:
    return desk(tmp_path / "bob", BOB)


def test_each_reviewer_gets_their_items_and_nobody_elses(
    boss: Desk, ann: Desk, bob: Desk, log: Log
) -> None:
    ann.pull(log)
    bob.pull(log)
    assert ann.names() == ["backup", "deploy"]
    assert bob.names() == ["etl", "probe"]
    assert ann.at.travels == "in"
    assert boss.at.travels == "out"
    mine = campaigns.item_dossier(boss.db, boss.item("deploy"))
    assert campaigns.item_dossier(ann.db, ann.item("deploy")) == mine
    assert tlog.check(ann.db) == 4


def test_the_owner_sees_everybodys_work(boss: Desk, ann: Desk, bob: Desk, log: Log) -> None:
    ann.pull(log)
    bob.pull(log)
    ann.decide("deploy", "approve")
    ann.decide("backup", "revoke", "not needed")
    bob.decide("etl", "disable", "unused")
    ann.push(log)
    bob.push(log)
    boss.pull(log)
    assert boss.effect("deploy") == "stands"
    assert boss.effect("backup") == "stops"
    assert boss.effect("etl") == "stops"
    assert boss.effect("probe") == "no_response"
    assert campaigns.progress(boss.db, boss.at.id).signed == 3
    assert tlog.check(boss.db)


def everything(db: Database) -> dict[str, list[tuple[object, ...]]]:
    tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {name: db.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables}


def test_what_comes_back_and_what_comes_twice_changes_nothing(
    boss: Desk, ann: Desk, bob: Desk, log: Log
) -> None:
    for desk_ in (ann, bob):
        desk_.pull(log)
    ann.decide("deploy", "approve")
    ann.push(log)
    boss.decide("mail", "approve")
    boss.push(log)
    for desk_ in (boss, ann, bob):
        desk_.pull(log)
        before = everything(desk_.db)
        desk_.pull(log)
        assert everything(desk_.db) == before
    assert campaigns.publish(boss.db, boss.at, boss.key, LATER).new is False


def test_a_hand_over_moves_the_item_and_brings_it_with_its_history(
    boss: Desk, ann: Desk, bob: Desk, log: Log
) -> None:
    ann.pull(log)
    bob.pull(log)
    ann.decide("deploy", "revoke", "not mine to keep")
    ann.hand("deploy", BOB)
    ann.push(log)
    bob.pull(log)
    boss.pull(log)
    assert bob.names(BOB) == ["deploy", "etl", "probe"]
    assert bob.effect("deploy") == boss.effect("deploy") == "stops"
    dossier = campaigns.item_dossier(boss.db, boss.item("deploy"))
    assert campaigns.item_dossier(bob.db, bob.item("deploy")) == dossier
    bob.decide("deploy", "approve")
    bob.decide("etl", "approve")
    bob.push(log)
    for desk_ in (ann, boss):
        desk_.pull(log)
        assert (
            desk_.outcomes().items()
            >= {uri: o for uri, o in bob.outcomes().items() if uri in desk_.outcomes()}.items()
        )
    assert boss.effect("deploy") == "stops", "one denial denies"
    assert boss.names(BOB) == ["deploy", "etl", "probe"]
    row = campaigns.rows(boss.db, [boss.item("deploy")])[0]
    assert (row.reviewer, row.state, row.assigned) == (BOB, "signed", f"handed over by {ANN}")
    assert boss.db.value("SELECT handle FROM owner WHERE origin = 'assigned'") == BOB


def test_an_item_handed_on_twice_reaches_the_third(
    boss: Desk, ann: Desk, bob: Desk, log: Log, tmp_path: Path
) -> None:
    sec = desk(tmp_path / "sec", SEC)
    ann.pull(log)
    ann.decide("deploy", "abstain", "do not know it")
    ann.hand("deploy", BOB)
    ann.push(log)
    bob.pull(log)
    bob.hand("deploy", SEC)
    bob.push(log)
    sec.pull(log)
    assert sec.names() == ["deploy"]
    sec.decide("deploy", "approve")
    sec.push(log)
    for desk_ in (boss, ann, bob):
        desk_.pull(log)
        assert desk_.effect("deploy") == sec.effect("deploy") == "stands"
        assert campaigns.rows(desk_.db, [desk_.item("deploy")])[0].reviewer == SEC
    assert tlog.check(sec.db)


def test_who_is_handed_something_sees_nothing_that_went_to_others(
    boss: Desk, ann: Desk, bob: Desk, log: Log, tmp_path: Path
) -> None:
    sec = desk(tmp_path / "sec", SEC)
    ann.pull(log)
    for name, to in (("deploy", BOB), ("backup", SEC)):
        campaigns.save_own(ann.db, [ann.item(name)], to, "asked", ann.now, reassign=True)
    ann.sign()
    ann.push(log)
    sec.pull(log)
    bob.pull(log)
    assert sec.names() == ["backup"]
    assert bob.names() == ["deploy", "etl", "probe"]
    for desk_, foreign in ((sec, "user/deploy"), (bob, "user/backup")):
        kept = [blobs.get(desk_.db, row[0]) for row in desk_.db.execute("SELECT sha256 FROM blob")]
        assert not [b for b in kept if foreign.encode() in b and b'"dossier":{' in b]


def test_a_second_person_elsewhere_sees_what_waits_and_countersigns(
    tmp_path: Path, ann: Desk, bob: Desk, log: Log
) -> None:
    boss, sec = desk(tmp_path / "boss", BOSS), desk(tmp_path / "sec", SEC)
    opened(boss, tmp_path, OWNERS, second=(SEC,), when="all")
    boss.push(log)
    ann.pull(log)
    ann.decide("deploy", "approve")
    ann.decide("backup", "approve")
    ann.push(log)
    sec.pull(log)
    assert sec.names() == ["backup", "deploy", "etl", "mail", "probe"]
    waits = campaigns.second_rank(sec.db, sec.at.id, SEC)
    assert {r.display_name for r in campaigns.rows(sec.db, waits)} == {"backup", "deploy"}
    sec.second("deploy", "concur")
    sec.second("backup", "object")
    sec.push(log)
    for desk_ in (boss, ann, bob):
        desk_.pull(log)
    for desk_ in (boss, ann):
        assert desk_.effect("deploy") == "stands"
        assert desk_.effect("backup") == "objected"
        assert campaigns.objections(desk_.db, desk_.at, 9)[0].by == SEC
    assert campaigns.waiting(boss.db, boss.at).rows == 0


def test_items_that_are_parts_of_an_identity_travel_too(
    tmp_path: Path, ann: Desk, log: Log
) -> None:
    boss = desk(tmp_path / "boss", BOSS)
    opened(boss, tmp_path, OWNERS, of="credential")
    boss.push(log)
    ann.pull(log)
    assert [name.split(" of ")[1] for name in ann.names()] == ["backup", "deploy"]
    campaigns.save_own(ann.db, [ann.item("deploy")], BOSS, "asked", LATER, reassign=True)
    ann.decide("backup", "revoke", "unused")
    ann.push(log)
    boss.pull(log)
    assert boss.effect("backup") == "stops"
    assert len(boss.names(BOSS)) == 2


def test_under_a_roster_everybody_takes_it_first_and_signs_under_it(
    tmp_path: Path, ann: Desk, bob: Desk, log: Log
) -> None:
    boss = desk(tmp_path / "boss", BOSS)
    lines = [roster.Line(d.me, " ".join(d.key.public.split()[:2]), NOW, None)
             for d in (ann, boss)]  # fmt: skip
    people = (roster.Person(ANN, "person", ("reviewer",)),
              roster.Person(BOSS, "person", ("reviewer", "owner", "registrar")))  # fmt: skip
    first = roster.first(boss.db, people[1], lines[1], NOW, "c" * 32)
    roster.keep(boss.db, first)
    roster.keep(boss.db, roster.change(boss.db, BOSS, NOW, people=people, lines=tuple(lines)))
    drafted = roster.draft(boss.db)
    assert drafted is not None
    tlog.append_roster(boss.db, roster.signed(boss.db, drafted, boss.key), NOW)
    opened(boss, tmp_path, OWNERS)
    boss.push(log)
    with pytest.raises(VerificationFailed, match="not the one that you were told"):
        ann.pull(log)
    ann.trust = bob.trust = roster.current_name(boss.db)
    ann.pull(log)
    bob.pull(log)
    assert roster.current_name(ann.db) == ann.trust
    ann.decide("deploy", "approve")
    ann.push(log)
    boss.pull(log)
    assert boss.effect("deploy") == "stands"
    with pytest.raises(VerificationFailed, match="not on roster"):
        bob.decide("etl", "approve")
    for one in (boss, ann, bob):
        assert tlog.check(one.db)
    evidence.build_pack(boss.db, boss.at, tmp_path / "pack", boss.key, END)
    assert evidence.verify(tmp_path / "pack").roster == ann.trust


# conflicts


def two_of_ann(tmp_path: Path, ann: Desk, log: Log) -> Desk:
    """Ann's other workspace, with a key of its own."""
    other = desk(tmp_path / "ann2", ANN, seed=99)
    ann.pull(log)
    other.pull(log)
    return other


def test_two_devices_that_decide_differently_contest_and_a_look_at_both_resolves(
    boss: Desk, ann: Desk, log: Log, tmp_path: Path
) -> None:
    other = two_of_ann(tmp_path, ann, log)
    ann.decide("deploy", "approve")
    other.decide("deploy", "revoke", "unused")
    for desk_ in (ann, other):
        desk_.push(log)
    for desk_ in (boss, ann, other):
        desk_.pull(log)
        assert desk_.effect("deploy") == "contested"
        chosen = campaigns.rank(desk_.db, desk_.at.id, None, expression="contested:yes", now=LATER)
        assert list(chosen) == [desk_.item("deploy")]
        (disputed,) = campaigns.disputed(desk_.db, desk_.at)
        assert (disputed.kind, disputed.display_name) == ("contested", "deploy")
        assert {(d.principal, d.verdict) for d in disputed.rows} == {
            (ANN, "approve"), (ANN, "revoke"),
        }  # fmt: skip
    outcome = campaigns.outcomes_of(boss.db, boss.at)
    assert [o.remediations for o in outcome.values() if o.effect == "contested"] == [()]
    other.decide("deploy", "approve", "asked: it is used")
    other.push(log)
    for desk_ in (boss, ann):
        desk_.pull(log)
    for desk_ in (boss, ann, other):
        assert desk_.effect("deploy") == "stands"
        assert not campaigns.disputed(desk_.db, desk_.at)


def test_two_devices_that_agree_contest_nothing(
    boss: Desk, ann: Desk, log: Log, tmp_path: Path
) -> None:
    other = two_of_ann(tmp_path, ann, log)
    for desk_ in (ann, other):
        desk_.decide("deploy", "approve")
        desk_.push(log)
    boss.pull(log)
    assert boss.effect("deploy") == "stands"


def test_a_draft_made_before_the_other_decision_came_has_not_seen_it(
    boss: Desk, ann: Desk, log: Log, tmp_path: Path
) -> None:
    other = two_of_ann(tmp_path, ann, log)
    ann.draft("deploy", "approve", now=LATER)
    other.decide("deploy", "revoke", "unused")
    other.push(log)
    ann.now = "2026-11-25T08:00:00Z"
    ann.pull(log)
    ann.sign()
    assert ann.effect("deploy") == "contested"


def test_an_approval_is_stale_once_the_owners_newest_import_changed_what_it_rests_on(
    boss: Desk, ann: Desk, log: Log, tmp_path: Path
) -> None:
    ann.pull(log)
    ann.decide("deploy", "approve")
    ann.decide("backup", "revoke", "unused")
    ann.push(log)
    boss.pull(log)
    assert not campaigns.disputed(boss.db, boss.at)
    newer = tmp_path / "newer.csv"
    newer.write_text(report(*OWNERS, key_active="false"))
    inventory.import_file(boss.db, newer, now="2026-11-26T08:00:00Z", by=BOSS)
    (stale,) = campaigns.disputed(boss.db, boss.at)
    assert (stale.kind, stale.display_name, stale.parts) == ("stale", "deploy", ("credentials",))
    assert boss.effect("deploy") == "stands", "it is told, and undoes nothing by itself"
    assert not campaigns.disputed(ann.db, ann.at)


# the end


def test_the_end_closes_it_everywhere_and_what_it_does_not_name_counts_for_nothing(
    boss: Desk, ann: Desk, bob: Desk, log: Log
) -> None:
    ann.pull(log)
    bob.pull(log)
    ann.decide("deploy", "approve")
    ann.push(log)
    boss.pull(log)
    bob.decide("etl", "approve")  # without a network
    campaigns.close(boss.db, boss.at, boss.key, END)
    boss.push(log)
    bob.push(log)
    for desk_ in (boss, ann, bob):
        desk_.pull(log)
        assert desk_.at.closed_at == END
    for desk_ in (boss, bob):
        assert desk_.effect("etl") == "no_response"
    assert ann.effect("deploy") == boss.effect("deploy") == "stands"
    with pytest.raises(UsageError, match="closed"):
        ann.decide("backup", "approve")
    assert tlog.check(boss.db)


def test_only_who_opened_it_ends_it(boss: Desk, ann: Desk, log: Log) -> None:
    ann.pull(log)
    with ann.db.atomic():
        ann.db.execute("UPDATE campaign SET opened_by = ?", (ANN,))
    campaigns.close(ann.db, ann.at, ann.key, END)
    ann.push(log)
    with pytest.raises(VerificationFailed, match="nobody else"):
        boss.pull(log)
    assert boss.at.closed_at is None


def test_an_acknowledgement_goes_back_to_everybody(
    boss: Desk, ann: Desk, bob: Desk, log: Log
) -> None:
    campaigns.close(boss.db, boss.at, boss.key, END)
    boss.push(log)
    ann.pull(log)
    campaigns.acknowledge(ann.db, ann.at, "Head of IT", "seen", ann.key, END)
    ann.push(log)
    for desk_ in (boss, bob):
        desk_.pull(log)
        assert desk_.db.value("SELECT count(*) FROM entry WHERE predicate = 'acknowledgement'") == 1


# whatever the order


def say(one: Desk, name: str, what: str) -> None:
    """Countersign, where there is anything that may be."""
    with contextlib.suppress(UsageError):
        one.second(name, "concur" if what in ("approve", "abstain") else "object")


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(("ann", "ann2", "bob", "boss", "sec", "sec2")), st.sampled_from((0, 1)),
        st.sampled_from(("approve", "revoke", "disable", "abstain", "pull", "push")),
    ), min_size=1, max_size=16,
)  # fmt: skip


@pytest.mark.ci
@settings(
    max_examples=10, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(EVENTS, st.randoms(use_true_random=False))
def test_every_side_comes_to_the_same_whatever_was_sent_when(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, int, str]], chance: Random
) -> None:
    """Nobody waits for anybody; then all have everything, taken in the order that it came in."""
    folder, log = tmp_path_factory.mktemp("sides"), Log()
    desks = {
        "boss": desk(folder / "boss", BOSS), "ann": desk(folder / "ann", ANN),
        "ann2": desk(folder / "ann2", ANN, seed=99), "bob": desk(folder / "bob", BOB),
        "sec": desk(folder / "sec", SEC), "sec2": desk(folder / "sec2", SEC, seed=98),
    }  # fmt: skip
    opened(desks["boss"], folder, OWNERS, second=(SEC,), when="all")
    desks["boss"].push(log)
    items = {"boss": ("mail", "mail"), "bob": ("etl", "probe")}
    for one in desks.values():
        one.pull(log)
    for who, which, what in events:
        if what in ("push", "pull"):
            getattr(desks[who], what)(log)
        elif who in ("sec", "sec2"):
            say(desks[who], ("deploy", "backup")[which], what)
        else:
            desks[who].decide(items.get(who, ("deploy", "backup"))[which], what)
    order = list(desks.values())
    chance.shuffle(order)
    for one in order:
        one.push(log)
    for one in order:
        one.pull(log)
    whole = desks["boss"].outcomes()
    for one in desks.values():
        assert one.outcomes().items() <= whole.items()
        flagged = {r[0] for r in one.db.execute("SELECT uri FROM item WHERE contested = 1")}
        assert flagged == {uri for uri, o in one.outcomes().items() if o[0] == "contested"}
        assert tlog.check(one.db)
        one.db.close()


# what is refused


def refused(log: Log, desk_: Desk, *, match: str) -> None:
    before = list(desk_.db.execute("SELECT leaf FROM entry"))
    with pytest.raises(VerificationFailed, match=match):
        desk_.pull(log)
    assert not campaigns.campaigns(desk_.db)
    assert len(list(desk_.db.execute("SELECT leaf FROM entry"))) <= len(before) + 2


def forged(
    boss: Desk, log: Log, change: Callable[[list[Json]], list[Json]], count: int | None = None
) -> None:
    """The owner publishes other chunks than they should: Ann's, as *change* makes them."""
    record = log.records[-1]
    assert record.statement.kind == "publication"
    listed = central.read_queues(log.blobs[record.blobs[0]])
    chunks = []
    for chunk in listed.chunks:
        made = chunk
        if chunk.reviewer == ANN:
            rows = [strict_json(line) for line in log.blobs[chunk.sha256].splitlines()]
            data = b"".join(canonical(row) + b"\n" for row in change(rows))
            made = replace(chunk, sha256=sha256(data), size=len(data),
                           count=count or data.count(b"\n"))  # fmt: skip
            log.blobs[made.sha256] = data
        chunks.append(made)
    data = central.queues(listed.campaign, listed.seconds, chunks)
    log.blobs[sha256(data)] = data
    said = record.statement.predicate
    link = Link(said["device"], said["seq"], said["prev"])
    body = {n: said[n] for n in ("campaign", "population", "assignmentsRoot")}
    payload = attestations.statement(
        "publication", {"queues.jsonl": sha256(data)}, body, link, NOW, BOSS
    )
    log.records[-1] = central.read(attestations.sign(payload, boss.key))


def other_reason(rows: list[Json]) -> list[Json]:
    rows[0]["dossier"]["identity"]["display_name"] = "harmless"
    return rows


def other_dossier(rows: list[Json]) -> list[Json]:
    """A dossier and its digests that fit each other, and not the signed tree."""
    rows[0]["dossier"]["identity"]["display_name"] = "harmless"
    _, digest, material = campaigns.digests(rows[0]["dossier"])
    rows[0]["population"] |= {"dossier": digest, "material": material}
    return rows


def other_place(rows: list[Json]) -> list[Json]:
    rows[0]["place"], rows[1]["place"] = rows[1]["place"], rows[0]["place"]
    return rows[::-1]


def other_reviewer(rows: list[Json]) -> list[Json]:
    rows[0]["assignment"]["reviewer"] = BOB
    return rows


@pytest.mark.parametrize(("change", "count", "match"), [
    (other_reason, None, "not the one that was frozen"),
    (other_dossier, None, "not the line that the campaign signs"),
    (other_place, None, "not the line that the campaign signs"),
    (other_reviewer, None, "not the line that the campaign signs"),
    (lambda rows: rows[:1], 2, "1 items, 2 are signed for"),
    (lambda rows: [*rows, rows[-1]], 2, "twice, or out of order"),
    (lambda rows: [*rows, {**rows[-1], "place": 77}], 3, "not the line that the campaign signs"),
    (lambda rows: [{**rows[0], "note": 1}], 1, "not a line of a queue"),
])  # fmt: skip
def test_a_row_that_is_not_as_signed_is_refused(
    boss: Desk, ann: Desk, log: Log, change: Callable[[list[Json]], list[Json]],
    count: int | None, match: str,
) -> None:  # fmt: skip
    forged(boss, log, change, count)
    refused(log, ann, match=match)


def test_leaves_that_do_not_give_the_signed_root_are_refused(
    boss: Desk, ann: Desk, log: Log
) -> None:
    record = log.records[-1]
    listed = central.read_queues(log.blobs[record.blobs[0]])
    (chunk,) = listed.leaves("population")
    data = bytearray(log.blobs[chunk.sha256])
    data[-1] ^= 1
    changed = replace(chunk, sha256=sha256(bytes(data)))
    log.blobs[changed.sha256] = bytes(data)
    queues = central.queues(
        listed.campaign, listed.seconds, [changed if c == chunk else c for c in listed.chunks]
    )
    log.blobs[sha256(queues)] = queues
    said = record.statement.predicate
    payload = attestations.statement(
        "publication", {"queues.jsonl": sha256(queues)},
        {n: said[n] for n in ("campaign", "population", "assignmentsRoot")},
        Link(said["device"], said["seq"], said["prev"]), NOW, BOSS,
    )  # fmt: skip
    log.records[-1] = central.read(attestations.sign(payload, boss.key))
    refused(log, ann, match="do not have the signed root")


def test_a_missing_chunk_waits(boss: Desk, ann: Desk, log: Log) -> None:
    for record in log.records[:-1]:
        ann.take(log, record)
    record = log.records[-1]
    first = campaigns.wanted(ann.db, record, ANN)
    with pytest.raises(NotFound):
        campaigns.apply(ann.db, record, ANN, LATER)
    with ann.db.atomic():
        blobs.put(ann.db, log.blobs[first[0]])
    more = campaigns.wanted(ann.db, record, ANN)
    assert len(more) == 3, "her chunk and the leaves of both trees"
    for digest in more:
        with pytest.raises(NotFound):
            campaigns.apply(ann.db, record, ANN, LATER)
        with ann.db.atomic():
            blobs.put(ann.db, log.blobs[digest])
    assert not campaigns.wanted(ann.db, record, ANN)
    assert not campaigns.campaigns(ann.db)
    campaigns.apply(ann.db, record, ANN, LATER)
    assert ann.names() == ["backup", "deploy"]


def batch(ann: Desk, change: Callable[[list[Json]], list[Json]], kind: str = "decisions") -> Record:
    """The next statement of Ann's with rows that *change* makes from good ones."""
    rows = change([
        decision_row(
            uri, dossier, material, Draft("approve", None, "", Attention(None, LATER, False)), [],
            "0" * 32,
        )
        for uri, dossier, material in ann.db.execute(
            "SELECT uri, dossier, material FROM item WHERE reviewer = ? ORDER BY place", (ANN,)
        )
    ])  # fmt: skip
    data = b"".join(canonical(row) + b"\n" for row in rows)
    with ann.db.atomic():
        blobs.put(ann.db, data)
    body = {
        "basis": {"campaign": ann.at.digest}, "root": merkle.root(data.splitlines()),
        "count": len(rows), "decidedFrom": LATER, "decidedTo": LATER,
    }  # fmt: skip
    payload = attestations.statement(
        kind, {"decisions.jsonl": sha256(data)}, body, tlog.next_link(ann.db), LATER, ANN
    )
    return central.read(attestations.sign(payload, ann.key))


@pytest.mark.parametrize(("change", "match"), [
    (lambda rows: rows[::-1], "out of order"),
    (lambda rows: [rows[0], rows[0]], "stands there twice"),
    (lambda rows: [{**rows[0], "item": "muster:x/identity/y"}], "no item of the campaign"),
    (lambda rows: [{**rows[0], "dossier": "0" * 64}], "other evidence than was frozen"),
    (lambda rows: [{**rows[0], "material": "0" * 64}], "other evidence than was frozen"),
    (lambda rows: [{**rows[0], "verdict": "maybe"}], "no verdict 'maybe'"),
    (lambda rows: [{**rows[0], "verdict": "revoke", "until": "2027-01-01"}], "no verdict"),
    (lambda rows: [{**rows[0], "saw": "all"}], "another form"),
    (lambda rows: [{**rows[0], "more": 1}], "other fields"),
])  # fmt: skip
def test_a_batch_with_a_row_that_no_pack_could_hold_is_refused_whole(
    boss: Desk, ann: Desk, log: Log, change: Callable[[list[Json]], list[Json]], match: str
) -> None:
    ann.pull(log)
    ann.push(log)
    log.send(batch(ann, change), ann.db)
    with pytest.raises(VerificationFailed, match=match):
        boss.pull(log)
    assert boss.db.value("SELECT count(*) FROM decision") == 0
    assert boss.db.value("SELECT count(*) FROM entry WHERE predicate = 'decisions'") == 0


def test_a_good_batch_made_the_same_way_is_taken(boss: Desk, ann: Desk, log: Log) -> None:
    ann.pull(log)
    ann.push(log)
    log.send(batch(ann, lambda rows: rows), ann.db)
    boss.pull(log)
    assert boss.effect("deploy") == boss.effect("backup") == "stands"


def test_a_row_by_somebody_who_was_not_asked_counts_for_nothing(
    boss: Desk, ann: Desk, bob: Desk, log: Log
) -> None:
    ann.pull(log)
    bob.pull(log)
    bob.push(log)
    made = batch(ann, lambda rows: rows[:1])
    payload = attestations.statement(
        "decisions", dict(made.statement.subject),
        {n: made.statement.predicate[n]
         for n in ("basis", "root", "count", "decidedFrom", "decidedTo")},
        tlog.next_link(bob.db), LATER, BOB,
    )  # fmt: skip
    log.send(central.read(attestations.sign(payload, bob.key)), ann.db)
    boss.pull(log)
    assert {o[0] for o in boss.outcomes().values()} == {"no_response"}
    assert boss.db.value("SELECT count(*) FROM decision") == 0
    assert campaigns.progress(boss.db, boss.at.id).signed == 0
    assert evidence.verify(boss.db.path.parent).statements
