"""A witness cosigns growth and nothing else, and keeps what a log signed against itself."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passmuster import merkle, note, store, tlog
from passmuster.errors import Conflict, KeyUnavailable, UsageError, VerificationFailed
from passmuster.keys import SigningKey
from passmuster.note import Checkpoint, Note, VerifierKey
from passmuster.store import Database
from passmuster.tlog import Answer, Seen
from tests.scene import BOSS, LATER, key
from tests.test_merkle import Shelf, naive

ORIGIN, NAME = "log.example/passmuster", "auditor.example/w1"
LOG, AUDITOR, STRANGER = key(BOSS, 1), key("auditor@example.com", 7), key("x@example.com", 9)
GENUINE = Shelf([b"%d" % i for i in range(20)])
FORKED = Shelf([b"%d" % (i if i != 3 else 99) for i in range(20)])


def raw_public(line: str) -> bytes:
    from passmuster import keys

    return keys.blob(line)[-32:]


LOG_KEY = note.ed25519_key(ORIGIN, raw_public(LOG.public))


def request(
    old: int, size: int, shelf: Shelf = GENUINE, *, origin: str = ORIGIN, by: SigningKey = LOG,
    proof: list[bytes] | None = None,
) -> bytes:  # fmt: skip
    text = Checkpoint(origin, size, merkle.root_at(shelf.read, size)).text
    vkey = note.ed25519_key(origin, raw_public(by.public))
    line = note.sign(text, vkey, lambda d: bytes.fromhex(by.signers[0].sign(d).signature))
    if proof is None:
        proof = merkle.consistency(shelf.read, old, size) if 0 < old <= size else []
    return note.Request(old, tuple(proof), str(Note(text, (line,)))).text.encode()


@pytest.fixture
def witness(db: Database) -> Database:
    tlog.cosigner(db, AUDITOR.public, NAME)
    return db


def ask(db: Database, body: bytes, trusted: VerifierKey | None = LOG_KEY) -> Answer:
    return tlog.cosign(db, body, AUDITOR, LATER, trusted)


def test_growth_is_cosigned_step_by_step_at_the_time_that_it_is_told(witness: Database) -> None:
    for old, size in ((0, 3), (3, 8), (8, 8), (8, 20)):
        answer = ask(witness, request(old, size))
        assert answer.status == 200, answer.why
        signed = note.parse(note.parse_request(request(old, size)).checkpoint)
        lines = note.parse_lines(answer.body)
        mine = tlog.cosigner(witness, AUDITOR.public)
        (found,) = note.verify(Note(signed.text, lines), [mine])
        assert (mine.name, found.at) == (NAME, 1795512600)
        (kept,) = tlog.witnessed(witness)
        assert (kept.seen.size, kept.seen_at, kept.refused) == (size, LATER, 0)
    assert tlog.refused(witness) == []


BAD = [
    ("garbage", b"old x\n", 400, False),
    ("no checkpoint", b"old 0\n\nhello\n", 400, False),
    ("an unknown log", request(0, 8, origin="other.example/log"), 404, False),
    ("a stranger's signature", request(8, 20, by=STRANGER), 403, False),
    ("back", request(3, 5), 409, True),
    ("back, from what was seen", request(8, 5), 400, True),
    ("a stale start", request(3, 20), 409, False),
    ("a start from nothing", request(0, 20), 409, False),
    ("a start that is not yet", request(12, 20), 409, False),
    ("a fork of the same size", request(8, 8, FORKED), 409, True),
    ("a fork that grew", request(8, 20, FORKED), 422, True),
    ("a proof that is missing", request(8, 20, proof=[]), 422, True),
    ("a proof from another size", request(8, 20, proof=merkle.consistency(GENUINE.read, 7, 20)),
     422, True),
    ("a proof between equals", request(8, 8, proof=[b"\0" * 32]), 422, False),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "kept"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_everything_else_is_refused_and_evidence_is_kept(
    witness: Database, body: bytes, status: int, kept: bool
) -> None:
    assert ask(witness, request(0, 8)).status == 200
    before = tlog.known_log(witness, ORIGIN)
    answer = ask(witness, body)
    assert (answer.status, bool(answer.why), answer.is_evidence) == (status, True, kept)
    assert answer.seen is None
    assert answer.body == ("8\n" if status == 409 else "")
    assert tlog.known_log(witness, ORIGIN) == before
    assert [r.request for r in tlog.refused(witness)] == ([body] if kept else [])
    assert ask(witness, request(8, 20)).status == 200  # and goes on with the genuine one


def test_what_was_kept_as_evidence_holds_against_the_log_alone(witness: Database) -> None:
    ask(witness, request(0, 8))
    ask(witness, request(8, 8, FORKED))
    (kept,) = tlog.refused(witness)
    one, other = (note.open_checkpoint(note.parse_request(body).checkpoint, [LOG_KEY]).checkpoint
                  for body in (request(0, 8), kept.request))  # fmt: skip
    assert (one.origin, one.size) == (other.origin, other.size)
    assert one.root != other.root
    with pytest.raises(store.IntegrityError, match="never deleted"):
        witness.execute("DELETE FROM refused")


def test_the_first_contact_needs_a_key_that_somebody_vouches_for(witness: Database) -> None:
    assert ask(witness, request(0, 8), None).status == 404
    wrong = note.ed25519_key(ORIGIN, raw_public(STRANGER.public))
    assert ask(witness, request(0, 8), wrong).status == 403
    assert tlog.known_log(witness, ORIGIN) is None
    assert ask(witness, request(0, 8)).status == 200
    assert ask(witness, request(8, 9), None).status == 200


def test_a_new_key_of_a_log_is_held_to_the_same_history(witness: Database) -> None:
    ask(witness, request(0, 8))
    new = note.ed25519_key(ORIGIN, raw_public(STRANGER.public))
    assert ask(witness, request(8, 20, by=STRANGER), None).status == 403
    assert ask(witness, request(8, 20, FORKED, by=STRANGER), new).status == 422
    assert tlog.known_log(witness, ORIGIN) == Seen((LOG_KEY,), 8, merkle.root_at(GENUINE.read, 8))
    assert ask(witness, request(8, 20, by=STRANGER), new).status == 200
    assert tlog.witnessed(witness)[0].seen.keys == (LOG_KEY, new)


def test_a_witness_is_nobody_who_signs_the_log(witness: Database) -> None:
    own = note.ed25519_key(ORIGIN, raw_public(AUDITOR.public))
    with pytest.raises(VerificationFailed, match="the log's own key"):
        ask(witness, request(0, 8, by=AUDITOR), own)
    assert tlog.witnessed(witness) == []


def test_a_key_cosigns_under_one_name(db: Database) -> None:
    with pytest.raises(UsageError, match="--name"):
        tlog.cosigner(db, AUDITOR.public)
    first = tlog.cosigner(db, AUDITOR.public, NAME)
    assert tlog.cosigner(db, AUDITOR.public, NAME) == tlog.cosigner(db, AUDITOR.public) == first
    with pytest.raises(Conflict, match="another key"):
        tlog.cosigner(db, AUDITOR.public, "auditor.example/w2")
    for bad in ("a b", "a+b", ""):
        with pytest.raises((VerificationFailed, UsageError)):
            tlog.cosigner(db, STRANGER.public, bad)


def test_a_key_that_makes_ssh_signatures_only_is_no_witness(db: Database) -> None:
    from dataclasses import replace

    tlog.cosigner(db, AUDITOR.public, NAME)
    behind_an_agent = replace(AUDITOR, signers=AUDITOR.signers[1:])
    with pytest.raises(KeyUnavailable, match="raw"):
        tlog.cosign(db, request(0, 8), behind_an_agent, LATER, LOG_KEY)
    assert tlog.witnessed(db) == []
    with pytest.raises(KeyUnavailable, match="Ed25519"):
        tlog.cosigner(db, "ssh-rsa AAAAB3NzaC1yc2E= x", NAME)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.booleans()), max_size=12))
def test_no_order_of_requests_makes_a_witness_sign_two_histories(
    steps: list[tuple[int, int, bool]],
) -> None:
    """Judged purely: whatever comes, all that was cosigned lies on one line of growth."""
    seen, cosigned = Seen((LOG_KEY,)), [(0, naive([]))]
    for old, size, forked in steps:
        shelf = FORKED if forked else GENUINE
        known = seen
        answer = tlog.judge(
            request(old, size, shelf), lambda _, known=known: known,  # type: ignore[misc]
            lambda text: note.Line(NAME, b"1234", b"x"),
        )  # fmt: skip
        if answer.seen is not None:
            seen = answer.seen
            cosigned.append((seen.size, seen.root))
    assert [size for size, _ in cosigned] == sorted(size for size, _ in cosigned)
    assert any(
        all(root == merkle.root_at(shelf.read, size) for size, root in cosigned)
        for shelf in (GENUINE, FORKED)
    )


def test_two_requests_at_once_cannot_set_a_log_back(witness: Database, folder: Path) -> None:
    import threading

    ask(witness, request(0, 3))
    statuses: list[int] = []

    def run(size: int) -> None:
        mine = store.open_(folder)
        try:
            statuses.append(ask(mine, request(3, size)).status)
        finally:
            mine.close()

    threads = [threading.Thread(target=run, args=(size,)) for size in (8, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409]


def test_an_empty_log_with_another_root_is_refused() -> None:
    text = Checkpoint(ORIGIN, 0, b"\0" * 32).text
    line = note.sign(text, LOG_KEY, lambda d: bytes.fromhex(LOG.signers[0].sign(d).signature))
    body = note.Request(0, (), str(Note(text, (line,)))).text.encode()
    answer = tlog.judge(body, lambda _: Seen((LOG_KEY,)), lambda _: line)
    assert answer.status in (409, 422)
