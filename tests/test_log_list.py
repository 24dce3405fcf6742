"""The log as a list: newest first, by kind and by words, and each entry checked by itself."""

import pytest

from passmuster import attestations, tlog
from passmuster.attestations import Link
from passmuster.errors import FilterError
from passmuster.filters import plain_words
from passmuster.store import Database
from passmuster.text import sha256
from tests.campaigns.test_plans import plan
from tests.scene import BOSS, END, NOW, REV, SECOND, key

COUNT = 5


def add(db: Database, kind: str, principal: str, seed: int, campaign: str | None) -> int:
    """An entry with a body of its own, from whom one likes."""
    body = {"count": COUNT} if kind == "decisions" else {"note": kind}
    payload = attestations.statement(
        kind, {"x": sha256(kind.encode())}, body, tlog.next_link(db), NOW, principal
    )
    with db.atomic():
        return tlog.append(db, attestations.sign(payload, key(principal, seed)),
                           tlog.known_keys(db), campaign, NOW)  # fmt: skip


@pytest.fixture
def log(db: Database) -> Database:
    """Three keys, then decisions of two people in a campaign with a name, and its end."""
    for seed, who in ((1, BOSS), (2, REV), (3, SECOND)):
        tlog.enrol(db, key(who, seed), NOW)
    with db.atomic():
        db.execute(
            "INSERT INTO campaign (id, name, digest, item_kind, scope, due_at, opened_at,"
            " opened_by, closed_at, population, excluded, definition)"
            " VALUES (1, 'Autumn 100%', 'd1', 'identity', '', ?, ?, ?, NULL, 0, 0, '')",
            (END, NOW, BOSS),
        )  # fmt: skip
    add(db, "decisions", REV, 2, "d1")
    add(db, "decisions", SECOND, 3, "d1")
    add(db, "close", BOSS, 1, "d1")
    return db


def found(db: Database, words: str) -> list[int]:
    return list(tlog.rank(db, (), plain_words(words, "the log")))


def test_the_newest_entry_comes_first_and_a_kind_is_a_part_of_it(log: Database) -> None:
    assert list(tlog.rank(log)) == [6, 5, 4, 3, 2, 1]
    assert list(tlog.rank(log, backwards=True, limit=2)) == [1, 2]
    assert list(tlog.rank(log, ["decisions"])) == [5, 4]
    assert list(tlog.rank(log, ["enrolment", "close"], limit=2)) == [6, 3]


def test_words_are_looked_for_in_who_what_which_campaign_and_which_statement(
    log: Database,
) -> None:
    assert found(log, REV) == [4, 2]
    assert found(log, "closed") == [6]
    assert found(log, "key rev") == [2]
    assert found(log, "autumn") == [6, 5, 4]
    assert found(log, "autumn -decisions") == [6]
    assert found(log, '"100%"') == [6, 5, 4]
    assert found(log, "1%0") == [], "what stands for anything in SQL is only a sign here"
    assert found(log, "a_tumn") == []
    name = tlog.rows(log, [5])[0].statement
    assert found(log, name[:10]) == [5]


@pytest.mark.parametrize(("typed", "place"), [("owner:none", 0), ("rev -kind:x", 5)])
def test_a_qualifier_is_an_error_that_says_so_and_where(typed: str, place: int) -> None:
    with pytest.raises(FilterError, match="the log knows words only, not") as caught:
        plain_words(typed, "the log")
    assert caught.value.position == place
    assert plain_words(f'"{typed}"', "the log") == [(typed, False)]


def test_a_row_says_what_it_speaks_of_and_names_its_campaign(log: Database) -> None:
    rows = tlog.rows(log, [6, 4, 1])
    assert [(r.id, r.kind, r.campaign, r.rows) for r in rows] == [
        (1, "enrolment", None, None), (4, "decisions", "Autumn 100%", COUNT),
        (6, "close", "Autumn 100%", None),
    ]  # fmt: skip


def forged(db: Database, entry: int, envelope: bytes) -> None:
    with db.atomic():
        db.execute("DROP TRIGGER entry_is_final")
        db.execute("UPDATE entry SET envelope = ? WHERE id = ?", (envelope, entry))


def envelope_of(db: Database, entry: int) -> bytes:
    return bytes(db.value("SELECT envelope FROM entry WHERE id = ?", (entry,)))


def test_every_entry_holds_and_says_whose_key_it_is(log: Database) -> None:
    looked = [tlog.look_up(log, n) for n in range(1, 7)]
    assert [f.wrong for f in looked] == [""] * 6
    assert [f.whose for f in looked] == [BOSS, REV, SECOND, REV, SECOND, BOSS]


def test_a_changed_statement_does_not_hold(log: Database) -> None:
    at = tlog.next_link(log)
    payload = attestations.statement(
        "decisions", {"x": sha256(b"decisions")}, {"count": 6}, Link(at.device, 4, None), NOW, REV
    )
    other = attestations.sign(payload, key(REV, 2))
    signature = envelope_of(log, 4).rpartition(b'"sig":')[2]
    forged(log, 4, other.rpartition(b'"sig":')[0] + b'"sig":' + signature)
    found_ = tlog.look_up(log, 4)
    assert found_.wrong == "the signature does not match the bytes"
    assert found_.attestation is not None, "what it claims can be read nevertheless"


def test_a_well_signed_statement_in_the_place_of_another_does_not_hold(log: Database) -> None:
    forged(log, 5, envelope_of(log, 4))
    assert "chain" in tlog.look_up(log, 5).wrong


def test_a_statement_that_speaks_for_somebody_else_than_its_key_does_not_hold(
    log: Database,
) -> None:
    with log.atomic():
        log.execute("UPDATE signing_key SET principal = 'x@example.com' WHERE principal = ?",
                    (REV,))  # fmt: skip
    assert tlog.look_up(log, 4).wrong == f"it speaks for {REV}, its key for x@example.com"


def test_bytes_that_are_no_envelope_are_told_and_not_fatal(log: Database) -> None:
    forged(log, 4, b'{"payload":"\xff"}')
    assert tlog.look_up(log, 4).attestation is None
    assert "not an envelope of ours" in tlog.look_up(log, 4).wrong
    assert tlog.rows(log, [4])[0].rows is None


def test_a_window_of_the_log_is_read_by_its_ids_and_its_first_page_needs_no_sort(
    log: Database,
) -> None:
    steps = plan(log, f"{tlog.ROW} WHERE e.id IN (1, 2, 3)")
    assert not [s for s in steps if s.startswith("SCAN") or "TEMP B-TREE" in s], steps
    first = plan(log, "SELECT e.id FROM entry e WHERE 1 ORDER BY e.id DESC LIMIT 200")
    assert not [s for s in first if "TEMP B-TREE" in s], first
