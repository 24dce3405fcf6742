"""The log's tree in its file, its checkpoints, receipts and cosignatures: what is undone shows."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database as UtilsDatabase

from passmuster import attestations, merkle, note, schema, store, tlog
from passmuster.errors import Conflict, KeyUnavailable, MusterError, NotFound, VerificationFailed
from passmuster.note import Note, Policy, VerifierKey
from passmuster.store import Database
from passmuster.text import sha256
from tests.scene import BOSS, LATER, NOW, key

ME = key(BOSS, 1)
AUDITOR = key("auditor@example.com", 7)


def logged(db: Database, count: int) -> None:
    """So many more entries."""
    with db.atomic():
        tlog.enrol(db, ME, NOW)
        for _ in range(count):
            link = tlog.next_link(db)
            payload = attestations.statement(
                "close", {"campaign": sha256(b"%d" % link.seq)}, {"note": "x"}, link, NOW, BOSS
            )
            tlog.append(db, attestations.sign(payload, ME), tlog.known_keys(db), None, NOW)


@pytest.fixture
def log(db: Database) -> Database:
    """Five entries; the enrolment is the first."""
    logged(db, 4)
    return db


def envelopes(db: Database) -> list[bytes]:
    return [entry.envelope for entry in tlog.entries(db)]


def witness(folder: Path) -> tuple[Database, VerifierKey]:
    db = store.create(folder)
    tlog.enrol(db, AUDITOR, NOW)
    return db, tlog.cosigner(db, AUDITOR.public, "auditor.example/w1")


def unlocked(db: Database) -> None:
    """What somebody can do who has the file: there are no triggers for them."""
    for trigger in ("entry_is_final", "entry_stays", "checkpoint_stays"):
        db.execute(f"DROP TRIGGER {trigger}")


# --- the tree


def test_the_tree_grows_with_the_entries_and_has_their_root(db: Database) -> None:
    logged(db, 258)
    assert tlog.size(db) == 259
    assert tlog.root(db).hex() == merkle.root(envelopes(db))
    assert tlog.root(db, 256).hex() == merkle.root(envelopes(db)[:256])
    assert db.value("SELECT count(*) FROM tile") == 3
    assert tlog.check(db) == 259


def test_an_entry_that_is_rolled_back_leaves_no_leaf(log: Database) -> None:
    before = tlog.root(log)
    with pytest.raises(RuntimeError), log.atomic():
        logged(log, 1)
        raise RuntimeError
    assert (tlog.size(log), tlog.root(log)) == (5, before)
    logged(log, 1)
    assert tlog.check(log) == 6


def test_an_entry_too_long_for_a_tiled_log_is_refused(log: Database) -> None:
    link = tlog.next_link(log)
    payload = attestations.statement("close", {}, {"note": "x" * 60_000}, link, NOW, BOSS)
    with pytest.raises(MusterError, match="65,535"), log.atomic():
        tlog.append(log, attestations.sign(payload, ME), tlog.known_keys(log), None, NOW)
    assert tlog.check(log) == 5


def test_a_workspace_of_an_earlier_release_gets_its_tree_when_it_is_opened(
    folder: Path, tmp_path: Path
) -> None:
    folder.mkdir(mode=0o700)
    (folder / store.FILE).touch(mode=0o600)
    old = store.sqlite3.connect(folder / store.FILE)  # type: ignore[attr-defined]
    schema.migrations.apply(UtilsDatabase(old), stop_before="version_4")
    old.execute("INSERT INTO workspace VALUES ('device', ?)", ("d" * 32,))
    source = store.create(tmp_path / "source")
    source.execute("UPDATE workspace SET value = ?", ("d" * 32,))
    logged(source, 300)
    columns = (
        "id, leaf, statement, predicate, campaign, principal, device, seq, envelope, logged_at"
    )
    for row in source.execute(f"SELECT {columns} FROM entry"):
        old.execute(f"INSERT INTO entry ({columns}) VALUES (?,?,?,?,?,?,?,?,?,?)", row)
    for row in source.execute("SELECT fingerprint, principal, public, store, made_at"
                              " FROM signing_key"):  # fmt: skip
        old.execute("INSERT INTO signing_key VALUES (?, ?, ?, ?, ?)", row)
    old.execute("PRAGMA user_version = 3")
    old.commit()
    old.close()
    db = store.open_(folder)
    assert tlog.root(db) == tlog.root(source)
    logged(db, 1)
    assert tlog.check(db) == 302
    db.close()
    source.close()


TILES = [
    ("DELETE FROM tile WHERE level = 1", r"tile/1/000.p/1 is missing"),
    ("UPDATE tile SET hashes = zeroblob(length(hashes)) WHERE idx = 1", "tile/0/001"),
    *(pytest.param(*case, marks=pytest.mark.ci) for case in (
        ("DELETE FROM tile WHERE level = 0 AND idx = 0", "tile/0/000 is missing"),
        ("DELETE FROM tile", "tile/0/000 is missing"),
        ("UPDATE tile SET hashes = substr(hashes, 33) WHERE idx = 1", "tile/0/001"),
        ("INSERT INTO tile VALUES (0, 2, zeroblob(32))", "more tiles"),
    )),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "said"), TILES)
def test_a_tile_that_is_gone_or_changed_shows_and_can_be_made_anew(
    db: Database, sql: str, said: str
) -> None:
    logged(db, 258)
    db.execute(sql)
    with pytest.raises(VerificationFailed, match=said):
        tlog.check(db)
    assert tlog.rebuild(db) == 259
    assert tlog.check(db) == 259


def test_nothing_is_appended_to_a_tree_that_lost_its_end(log: Database) -> None:
    log.execute("UPDATE tile SET hashes = substr(hashes, 1, 128)")
    with pytest.raises(VerificationFailed, match="muster log verify"):
        logged(log, 1)


# --- checkpoints


def test_a_checkpoint_says_how_long_the_log_is_and_is_kept(log: Database) -> None:
    text = tlog.checkpoint(log, ME, NOW)
    opened = Policy(tlog.log_keys(log, tlog.origin(log))).check(text)
    assert opened.checkpoint.size == 5
    assert opened.checkpoint.root.hex() == merkle.root(envelopes(log))
    assert opened.checkpoint.origin == f"passmuster.example/log/{store.device(log)}"
    assert tlog.checkpoint(log, ME, LATER) == text
    (kept,) = tlog.checkpoints(log)
    assert (kept.text, kept.made_at) == (text, NOW)


def test_a_second_person_signs_the_same_checkpoint(log: Database) -> None:
    other = key("second@example.com", 2)
    tlog.enrol(log, other, NOW)
    tlog.checkpoint(log, ME, NOW)
    both = note.parse(tlog.checkpoint(log, other, LATER))
    assert len(both.lines) == 2
    assert len(note.verify(both, tlog.log_keys(log, tlog.origin(log)))) == 2


def test_a_key_that_makes_ssh_signatures_only_signs_checkpoints_too(
    log: Database, tmp_path: Path
) -> None:
    """A token, or a key behind an agent: a line of another type, and everything else as ever."""
    tlog.checkpoint(log, replace(ME, signers=ME.signers[1:]), NOW)
    name = tlog.origin(log)
    raw, ssh = tlog.log_keys(log, name)
    assert [one.key for one in Policy((raw, ssh)).check(tlog.checkpoints(log)[0].text).signed] == [
        ssh
    ]
    assert tlog.check(log) == 5
    note.verify_receipt(tlog.receipt(log, 3), envelopes(log)[2], Policy((ssh,)))
    there, witness_key = witness(tmp_path / "witness")
    asked = tlog.request(log, witness_key, NOW).encode()
    assert tlog.cosign(there, asked, AUDITOR, LATER, raw).status == 403
    assert tlog.cosign(there, asked, AUDITOR, LATER, ssh).status == 200
    there.close()


def test_only_a_key_of_this_workspace_signs_its_checkpoints(log: Database) -> None:
    with pytest.raises(KeyUnavailable, match="not enrolled"):
        tlog.checkpoint(log, AUDITOR, NOW)


def test_an_empty_log_has_no_checkpoint(db: Database) -> None:
    from passmuster import keys

    keys.keep(db, ME, NOW)
    with pytest.raises(NotFound, match="nothing is logged"):
        tlog.checkpoint(db, ME, NOW)


def cut(db: Database, keep: int) -> None:
    """Set the log back to its first entries, with a tree that fits."""
    with db.atomic():
        unlocked(db)
        db.execute("DELETE FROM entry WHERE id > ?", (keep,))
        tlog.rebuild(db)


def test_a_cut_end_shows_against_the_checkpoint_kept_here(log: Database) -> None:
    tlog.checkpoint(log, ME, NOW)
    cut(log, 4)
    with pytest.raises(VerificationFailed, match="has 4 entries: its end was cut off"):
        tlog.check(log)
    with pytest.raises(VerificationFailed, match="cut off"):
        tlog.checkpoint(log, ME, LATER)


def test_a_cut_end_shows_against_a_checkpoint_kept_elsewhere_when_all_here_agrees(
    log: Database,
) -> None:
    kept = tlog.checkpoint(log, ME, NOW).encode()
    assert tlog.check_file(log, kept).size == 5
    cut(log, 4)
    log.execute("DELETE FROM checkpoint")
    assert tlog.check(log) == 4  # the workspace alone cannot know
    with pytest.raises(VerificationFailed, match="cut off"):
        tlog.check_file(log, kept)
    logged(log, 3)
    assert tlog.check(log) == 7  # and grown again, longer than it was
    tlog.check_file(log, kept)  # the same entries again: deterministic here


def test_a_rewritten_log_shows_against_a_checkpoint_kept_elsewhere(log: Database) -> None:
    kept = tlog.checkpoint(log, ME, NOW).encode()
    cut(log, 4)
    log.execute("DELETE FROM checkpoint")
    with log.atomic():
        payload = attestations.statement(
            "close", {"campaign": "0" * 64}, {"note": "another"}, tlog.next_link(log), NOW, BOSS
        )
        tlog.append(log, attestations.sign(payload, ME), tlog.known_keys(log), None, NOW)
    assert tlog.check(log) == 5
    with pytest.raises(VerificationFailed, match="no longer those that were signed"):
        tlog.check_file(log, kept)


def test_a_checkpoint_of_another_log_is_told_so(log: Database, tmp_path: Path) -> None:
    other = store.create(tmp_path / "other")
    logged(other, 1)
    with pytest.raises(VerificationFailed, match="another log"):
        tlog.check_file(log, tlog.checkpoint(other, ME, NOW).encode())
    other.close()


@pytest.mark.parametrize("line", [1, 2, 4], ids=["size", "root", "signature"])
def test_a_checkpoint_that_somebody_edited_shows(log: Database, line: int) -> None:
    lines = tlog.checkpoint(log, ME, NOW).split("\n")
    at = lines[line].rfind(" ") + 1 + 8 * (line == 4)  # behind the name of the key, and its hash
    changed = "4" if line == 1 else "A" if lines[line][at] != "A" else "B"
    lines[line] = f"{lines[line][:at]}{changed}{lines[line][at + 1 :]}"
    log.execute("UPDATE checkpoint SET note = ?", ("\n".join(lines).encode(),))
    with pytest.raises(VerificationFailed):
        tlog.check(log)


def test_a_checkpoint_is_not_deleted(log: Database) -> None:
    tlog.checkpoint(log, ME, NOW)
    with pytest.raises(store.IntegrityError, match="never deleted"):
        log.execute("DELETE FROM checkpoint")


# --- receipts


def test_a_receipt_proves_its_entry_to_somebody_who_has_the_log_s_key(log: Database) -> None:
    tlog.checkpoint(log, ME, NOW)
    logged(log, 3)
    tlog.checkpoint(log, ME, LATER)
    policy = Policy((note.ed25519_key(tlog.origin(log), public(ME.public)),))
    for entry in tlog.entries(log):
        for size in (None, 8, *([5] if entry.id <= 5 else [])):
            made = tlog.receipt(log, entry.id, size)
            opened = note.verify_receipt(made, entry.envelope, policy)
            assert opened.checkpoint.size == (size or 8)
            assert note.parse_receipt(made).index == entry.id - 1


def public(line: str) -> bytes:
    from passmuster import keys

    return keys.blob(line)[-32:]


def test_an_entry_after_the_last_checkpoint_has_no_receipt_yet(log: Database) -> None:
    with pytest.raises(NotFound, match="`muster log checkpoint`"):
        tlog.receipt(log, 1)
    tlog.checkpoint(log, ME, NOW)
    logged(log, 1)
    for entry_id, size in ((6, None), (1, 4), (99, None)):
        with pytest.raises(NotFound):
            tlog.receipt(log, entry_id, size)


def test_an_entry_is_found_by_any_beginning_of_its_statement_that_no_other_has(
    log: Database,
) -> None:
    for entry in tlog.entries(log):
        assert tlog.find(log, entry.statement) == entry.id
        assert tlog.find(log, entry.statement[:16].upper()) == entry.id
    for word in ("", "x", "%", "_"):
        with pytest.raises(NotFound):
            tlog.find(log, word)


# --- cosignatures


def test_a_cosignature_is_pending_until_its_line_comes_and_then_in_every_receipt(
    log: Database, tmp_path: Path
) -> None:
    there, witness_key = witness(tmp_path / "witness")
    tlog.checkpoint(log, ME, NOW)
    asked = tlog.request(log, witness_key, NOW)
    (kept,) = tlog.checkpoints(log)
    assert (kept.cosignatures[0].witness, kept.witnessed) == (witness_key, [])
    log_key = tlog.log_keys(log, tlog.origin(log))[0]
    answer = tlog.cosign(there, asked.encode(), AUDITOR, LATER, log_key)
    assert answer.status == 200
    (found,) = tlog.cosigned(log, answer.body.encode())
    assert (found.witness, found.cosigned_at) == (witness_key, LATER)
    assert tlog.cosigned(log, answer.body.encode()) == [found]  # twice is once
    policy = Policy((log_key,), (witness_key,), 1)
    note.verify_receipt(tlog.receipt(log, 2), envelopes(log)[1], policy)
    assert tlog.check(log) == 5
    log.execute("UPDATE cosignature SET line = replace(line, '/w1 ', '/w1 A')")
    with pytest.raises(VerificationFailed):
        tlog.check(log)
    there.close()


def test_a_line_of_a_stranger_or_under_another_checkpoint_is_not_kept(
    log: Database, tmp_path: Path
) -> None:
    there, witness_key = witness(tmp_path / "witness")
    tlog.checkpoint(log, ME, NOW)
    said = note.parse(tlog.checkpoint(log, ME, NOW)).text
    sign = AUDITOR.signers[0].sign

    def raw(data: bytes) -> bytes:
        return bytes.fromhex(sign(data).signature)

    line = note.cosign(said, witness_key, raw, 5)
    with pytest.raises(VerificationFailed, match="no line of a witness that was asked"):
        tlog.cosigned(log, str(line).encode())
    tlog.request(log, witness_key, NOW)
    other = note.cosign(said.replace("\n5\n", "\n6\n"), witness_key, raw, 5)
    with pytest.raises(VerificationFailed, match="under none of the checkpoints"):
        tlog.cosigned(log, str(other).encode())
    for garbage in (b"", b"x", b"\xff\n", str(line).encode()[:-9]):
        with pytest.raises(VerificationFailed):
            tlog.cosigned(log, garbage)
    whole = str(Note(said, (line,))).encode()
    assert tlog.cosigned(log, whole)[0].witness == witness_key
    with pytest.raises(Conflict, match="already"):
        tlog.cosigned(log, str(note.cosign(said, witness_key, raw, 6)).encode())
    there.close()


def test_a_log_asks_no_key_of_its_own_people_and_no_log_to_be_its_witness(log: Database) -> None:
    tlog.checkpoint(log, ME, NOW)
    for wrong in (note.witness_key("me.example/w", public(ME.public)),
                  tlog.log_keys(log, tlog.origin(log))[0]):  # fmt: skip
        with pytest.raises(VerificationFailed):
            tlog.request(log, wrong, NOW)


def test_a_proof_of_growth_from_beyond_the_log_is_refused(log: Database) -> None:
    for old, new in ((0, 6), (-1, 5), (4, 3)):
        with pytest.raises(MusterError, match="the log has 5 entries"):
            tlog.consistency(log, old, new)
    assert tlog.consistency(log, 0, 5) == []
