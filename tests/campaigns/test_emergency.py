"""An emergency decision: who may sign one, what travels of it, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from passmuster import attestations, blobs, campaigns, central, merkle, roster, tlog
from passmuster.campaigns import Emergency, Stopped
from passmuster.errors import Conflict, NotFound, UsageError, VerificationFailed
from passmuster.keys import SigningKey
from passmuster.store import Database
from passmuster.text import Json, canonical, sha256, strict_json
from tests.scene import BOSS, LATER, NOW, REV, Scene, bring_in, key
from tests.travelling import ANN, Log, desk

CALL = key("Call@Example.com", 9)


def urgent(db: Database, who: SigningKey = CALL, part: str | None = None, **more: Any) -> Emergency:
    identity = db.value("SELECT id FROM identity WHERE uid = 'u1'")
    words: dict[str, Any] = {"reason": "leaked", "ticket": None, **more}
    return Emergency(
        campaigns.shown(db, identity, part), "disable", words["reason"], words["ticket"],
        who.principal, NOW, LATER, words.get("restore_due"),
    )  # fmt: skip


def stop(db: Database, who: SigningKey = CALL, **more: Any) -> Stopped:
    return campaigns.sign_emergency(db, urgent(db, who, **more), who, LATER)


@pytest.fixture
def stock(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    bring_in(db, tmp_path, monkeypatch)
    return db


def said_of(db: Database, name: str) -> attestations.Attestation:
    envelope = db.value("SELECT envelope FROM entry WHERE statement = ?", (name,))
    return attestations.unchecked(bytes(envelope))


def test_nobody_signs_for_somebody_else(stock: Database) -> None:
    with pytest.raises(UsageError, match="nobody signs for another"):
        campaigns.sign_emergency(stock, urgent(stock), key(REV, 2), LATER)
    assert not stock.value("SELECT count(*) FROM entry WHERE predicate = 'decisions'")


def test_what_is_not_there_any_more_is_told(stock: Database) -> None:
    with pytest.raises(NotFound, match="import a new export"):
        urgent(stock, part="gone")
    with pytest.raises(NotFound):
        campaigns.shown(stock, 999, None)


def test_another_muster_that_signs_meanwhile_holds_nothing_up(
    stock: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tlog.enrol(stock, CALL, NOW)
    honest, other = attestations.sign, key(REV, 2)

    def slow(payload: bytes, *keys: SigningKey) -> bytes:
        monkeypatch.setattr(attestations, "sign", honest)
        tlog.enrol(stock, other, NOW)  # the chain moves while the key is asked
        return honest(payload, *keys)

    monkeypatch.setattr(attestations, "sign", slow)
    stopped = stop(stock)
    assert tlog.check(stock) == 3
    assert said_of(stock, stopped.statement).predicate["seq"] == 3


def test_with_a_roster_whoever_has_the_role_may_and_nobody_else(stock: Database) -> None:
    boss = key(BOSS, 1)
    people = [
        roster.Person(BOSS, "person", roster.given_roles(("registrar", "reviewer", "owner"))),
        roster.Person(CALL.principal, "person", roster.given_roles(("oncall",))),
    ]
    for one in (boss, CALL):
        tlog.enrol(stock, one, NOW)
    listed(stock, boss, people)
    with pytest.raises(UsageError, match=r"role oncall: .*Call@Example\.com"):
        stop(stock, boss)
    stopped = stop(stock)
    assert tlog.check(stock)
    # the log itself refuses it too, whatever the caller asked beforehand
    body = dict(said_of(stock, stopped.statement).predicate)
    payload = attestations.statement(
        "decisions", {"decisions.jsonl": "0" * 64},
        {k: body[k] for k in ("basis", "root", "count", "decidedFrom", "decidedTo")},
        tlog.next_link(stock), LATER, BOSS,
    )  # fmt: skip
    with pytest.raises(VerificationFailed, match="has not the role oncall"), stock.atomic():
        tlog.append(stock, attestations.sign(payload, boss), tlog.known_keys(stock), None, LATER)


def listed(db: Database, boss: SigningKey, people: list[roster.Person]) -> None:
    held = {one.principal: one for one in (boss, CALL)}
    lines = [
        roster.Line(p.principal, " ".join(held[p.principal].public.split()[:2]), NOW)
        for p in people
    ]
    first = roster.first(db, people[0], lines[0], NOW, "c" * 32)
    tlog.append_roster(db, roster.signed(db, first, boss), NOW)
    both = roster.change(db, boss.principal, NOW, people=people, lines=lines)
    tlog.append_roster(db, roster.signed(db, both, boss), NOW)


def test_it_travels_with_all_that_was_shown_and_is_told_elsewhere(
    stock: Database, tmp_path: Path
) -> None:
    tlog.enrol(stock, CALL, NOW)
    stopped = stop(stock, ticket="INC-7", restore_due="2026-11-25T00:00:00Z")
    ann, log = desk(tmp_path / "ann", ANN), Log()
    for (envelope,) in stock.execute("SELECT envelope FROM entry ORDER BY id"):
        log.send(central.read(bytes(envelope)), stock)
    assert len(log.blobs) == 2, "its row and its dossier"
    ann.pull(log)
    ann.pull(log)
    (found,) = campaigns.unreviewed(ann.db)
    assert (found.uri, found.ticket, found.identity_id) == (stopped.uri, "INC-7", None)
    assert found.is_due("2026-11-25T00:00:00Z") and not found.is_due(LATER)
    assert tlog.check(ann.db)


def both_of(row: Json, dossier: Json) -> tuple[tuple[Json, str], ...]:
    """Where the URI stands."""
    return (row, "item"), (dossier, "uri")


Change = Callable[[Json, Json, Json], object]
FORGED: dict[str, Change] = {
    "an approval": lambda _p, row, _d: row.update(verdict="approve"),
    "a reviewer's row": lambda _p, row, _d: row.update(capacity=None),
    "another reason": lambda _p, row, _d: row["reason"].update(text="other"),
    "of another thing": lambda _p, row, _d: row.update(item="muster:testbed:t1/identity/u2"),
    "of a grant": lambda _p, row, d: (
        row.update(item="muster:s/grant/u"),
        d.update(uri=row["item"]),
    ),
    "of no URI": lambda _p, row, d: (row.update(item="u1"), d.update(uri="u1")),
    "another material": lambda _p, row, _d: row.update(material="0" * 64),
    "a dossier of another form": lambda _p, _row, d: d.pop("grants"),
    "no reason": lambda p, _row, _d: p["basis"].update(emergency=""),
    "a campaign as well": lambda p, _row, _d: p["basis"].update(campaign="0" * 64),
    "something else": lambda p, _row, _d: p["basis"].update(hurry="yes"),
    "another time": lambda p, _row, _d: p.update(decidedTo="2026-11-30T00:00:00Z"),
    "two rows": lambda p, _row, _d: p.update(count=2),
    "due sometime": lambda p, _row, _d: p["ext"].update(restoreDue="soon"),
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED)
def test_what_is_not_as_it_must_be_is_refused_whole(stock: Database, change: Change) -> None:
    said = said_of(stock, stop(stock).statement)
    files = dict(said.subject)
    row = strict_json(blobs.get(stock, files["decisions.jsonl"]).rstrip())
    dossier = strict_json(blobs.get(stock, files["dossier.json"]))
    predicate = strict_json(canonical(said.predicate))
    change(predicate, row, dossier)
    line, shown = canonical(row), canonical(dossier)
    if dossier != strict_json(blobs.get(stock, files["dossier.json"])):
        row["dossier"] = sha256(shown)
        line = canonical(row)
    predicate["root"] = merkle.root([line])
    subject = (("decisions.jsonl", sha256(line + b"\n")), ("dossier.json", sha256(shown)))
    forged = replace(said, predicate=predicate, subject=subject)
    with pytest.raises(VerificationFailed):
        campaigns.check_statement(forged, line + b"\n", shown, "here")


def test_the_same_made_honestly_is_taken(stock: Database) -> None:
    said = said_of(stock, stop(stock).statement)
    rows, dossier = (blobs.get(stock, digest) for _, digest in said.subject)
    line, row = campaigns.check_statement(said, rows, dossier, "here")
    assert rows == line + b"\n" and row["saw"] == []
    with pytest.raises(VerificationFailed, match="not the ones that were signed"):
        campaigns.check_statement(said, rows, dossier + b" ", "here")


def test_a_second_one_names_the_first_and_a_decision_names_both(scene: Scene) -> None:
    first, second = stop(scene.db), stop(scene.db)
    rows = [strict_json(r.encode()) for (r,) in scene.db.execute(
        "SELECT row FROM emergency ORDER BY entry_id")]  # fmt: skip
    assert [row["saw"] for row in rows] == [[], [first.leaf]]
    assert [u.leaf for u in campaigns.unreviewed(scene.db)] == [first.leaf, second.leaf]


def test_what_was_signed_is_never_changed_or_taken_out(stock: Database) -> None:
    stop(stock)
    for sql in ("UPDATE emergency SET verdict = 'approve'", "DELETE FROM emergency"):
        with pytest.raises(Exception, match="is never"):
            stock.execute(sql)


def test_others_that_never_stop_signing_end_in_a_conflict(
    stock: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, seeds = attestations.sign, iter(range(20, 90))

    def busy(payload: bytes, *keys: SigningKey) -> bytes:
        monkeypatch.setattr(attestations, "sign", honest)
        if b"emergency" in payload:
            tlog.enrol(stock, key(f"n{next(seeds)}@example.com", next(seeds)), NOW)
        monkeypatch.setattr(attestations, "sign", busy)
        return honest(payload, *keys)

    monkeypatch.setattr(attestations, "sign", busy)
    with pytest.raises(Conflict, match="try again"):
        stop(stock)
    assert not campaigns.unreviewed(stock)
