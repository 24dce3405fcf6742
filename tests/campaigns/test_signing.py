"""Sign-off and its promises: absence never approves, what was seen is signed, nothing is lost."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from passmuster import attestations, blobs, campaigns, merkle, store, tlog
from passmuster.campaigns._votes import Votes
from passmuster.errors import Conflict, NotFound, UsageError
from passmuster.model import Change
from passmuster.text import sha256, strict_json
from tests.scene import BOSS, END, LATER, REV, SECOND, Scene, draft, key

DRIVER: Any = vars(store)["sqlite3"]
STATE = (
    "SELECT (SELECT count(*) FROM draft), (SELECT count(*) FROM decision),"
    " (SELECT count(*) FROM entry WHERE predicate <> 'enrolment')"
)


def drafted(scene: Scene, name: str = "ci-deploy", verdict: str = "approve") -> int:
    item = scene.item(name)
    campaigns.save_draft(scene.db, item, draft(verdict, "because"), LATER)
    return item


def effects(scene: Scene) -> dict[str, int]:
    found: dict[str, int] = {}
    for outcome in campaigns.outcomes_of(scene.db, scene.campaign).values():
        found[outcome.effect] = found.get(outcome.effect, 0) + 1
    return found


def test_a_draft_approves_nothing_until_it_is_signed(scene: Scene) -> None:
    drafted(scene)
    assert effects(scene) == {"no_response": 3}
    scene.sign(scene.rev)
    assert effects(scene) == {"no_response": 2, "stands": 1}


def test_the_end_counts_silence_as_silence(scene: Scene) -> None:
    drafted(scene)
    with pytest.raises(UsageError, match="1 draft would be lost"):
        campaigns.close(scene.db, scene.campaign, scene.boss, END)
    ended = campaigns.close(scene.db, scene.campaign, scene.boss, END, leave_drafts=True)
    assert ended == {"no_response": 3}


def test_a_decision_carries_the_digest_of_what_was_shown(scene: Scene) -> None:
    item = drafted(scene)
    signed = scene.sign(scene.rev)
    row = strict_json(signed.rows[0].bytes)
    chunk, position = scene.db.one("SELECT chunk, position FROM item WHERE id = ?", (item,))
    shown = blobs.get(scene.db, chunk).split(b"\n")[position]
    assert row["dossier"] == sha256(shown)
    assert row["material"] == scene.db.value("SELECT material FROM item WHERE id = ?", (item,))
    assert signed.leaves == [merkle.leaf_hash(signed.rows[0].bytes).hex()]


def test_changed_evidence_is_said_before_signing(scene: Scene) -> None:
    drafted(scene)
    with scene.db.atomic():
        scene.db.execute("UPDATE credential SET status = 'disabled' WHERE uid = 'u1-key'")
    batch = campaigns.prepare(scene.db, scene.campaign.id, REV)
    assert [(r.display_name, r.changed) for r in batch.changed] == [("ci-deploy", ["credentials"])]


def test_naming_an_owner_does_not_make_ones_own_evidence_stale(scene: Scene) -> None:
    item = scene.item("ci-deploy")
    campaigns.save_own(scene.db, [item], SECOND, "asked", LATER)
    scene.sign(scene.rev)
    drafted(scene)
    assert not campaigns.prepare(scene.db, scene.campaign.id, REV).changed


@pytest.mark.parametrize("change", ["other verdict", "taken back", "one more", "an owner"])
def test_a_draft_that_changed_while_signing_is_a_conflict_and_nothing_is_signed(
    scene: Scene, change: str
) -> None:
    item = drafted(scene)
    batch = campaigns.prepare(scene.db, scene.campaign.id, REV)
    match change:
        case "other verdict":
            drafted(scene, verdict="revoke")
        case "taken back":
            campaigns.clear_drafts(scene.db, [item])
        case "one more":
            drafted(scene, "vendor-etl")
        case _:
            campaigns.save_own(scene.db, [item], SECOND, None, LATER)
    before = scene.db.one(STATE)
    with pytest.raises(Conflict, match="look again"):
        campaigns.sign_off(scene.db, batch, scene.rev, LATER)
    assert scene.db.one(STATE) == before
    assert tlog.check(scene.db)


def test_a_chain_that_moved_while_signing_is_a_conflict(scene: Scene) -> None:
    drafted(scene)
    batch = campaigns.prepare(scene.db, scene.campaign.id, REV)
    tlog.enrol(scene.db, key("new@example.com", 40), LATER)
    before = scene.db.one(STATE)
    with pytest.raises(Conflict, match="meanwhile"):
        campaigns.sign_off(scene.db, batch, scene.rev, LATER)
    assert scene.db.one(STATE) == before
    scene.sign(scene.rev)


def test_a_campaign_that_ended_while_signing_takes_nothing(scene: Scene) -> None:
    drafted(scene)
    batch = campaigns.prepare(scene.db, scene.campaign.id, REV)
    scene.close()
    with pytest.raises(Conflict):
        campaigns.sign_off(scene.db, batch, scene.rev, LATER)
    with pytest.raises(UsageError, match="was closed"):
        campaigns.prepare(scene.db, scene.campaign.id, REV)
    assert effects(scene) == {"no_response": 3}


def test_nobody_signs_for_somebody_else(scene: Scene) -> None:
    drafted(scene)
    batch = campaigns.prepare(scene.db, scene.campaign.id, REV)
    before = scene.db.one(STATE)
    with pytest.raises(UsageError, match="nobody signs for somebody else"):
        campaigns.sign_off(scene.db, batch, scene.boss, LATER)
    assert scene.db.one(STATE) == before
    with pytest.raises(NotFound, match="nothing to sign"):
        campaigns.prepare(scene.db, scene.campaign.id, BOSS)


def test_a_key_that_was_never_enrolled_is_enrolled_by_its_first_signature(scene: Scene) -> None:
    drafted(scene)
    fresh = key(REV, 77)
    batch = campaigns.prepare(scene.db, scene.campaign.id, REV)
    campaigns.sign_off(scene.db, batch, fresh, LATER)
    last = [(e.kind, e.principal) for e in tlog.entries(scene.db)][-2:]
    assert last == [("enrolment", REV), ("decisions", REV)]
    assert tlog.check(scene.db)


def test_a_batch_is_one_statement_with_root_and_count(scene: Scene) -> None:
    drafted(scene)
    drafted(scene, "vendor-etl", "revoke")
    signed = scene.sign(scene.rev)
    assert len(signed.statements) == 1
    entry = list(tlog.entries(scene.db))[-1]
    found = attestations.verify(entry.envelope, tlog.known_keys(scene.db))
    ((name, digest),) = found.subject
    content = blobs.get(scene.db, digest)
    rows = content.splitlines()
    assert (name, found.predicate["count"]) == ("decisions.jsonl", 2)
    assert found.predicate["root"] == merkle.root(rows)
    assert found.predicate["basis"] == {"campaign": scene.campaign.digest}
    assert len({json.loads(row)["salt"] for row in rows}) == 2
    assert signed.statements == [found.name]


def test_a_newer_row_names_those_it_saw_and_takes_their_place(scene: Scene) -> None:
    drafted(scene)
    (first,) = scene.sign(scene.rev).leaves
    drafted(scene, verdict="revoke")
    second = scene.sign(scene.rev)
    assert strict_json(second.rows[0].bytes)["saw"] == [first]
    assert effects(scene) == {"no_response": 2, "stops": 1}


def test_an_item_given_away_is_asked_of_the_other(scene: Scene) -> None:
    item = scene.item("vendor-etl")
    campaigns.save_own(scene.db, [item], SECOND, "theirs", LATER, reassign=True)
    scene.sign(scene.rev)
    assert scene.db.one(
        "SELECT reviewer, first_reviewer, first_assigned, state FROM item WHERE id = ?", (item,)
    ) == (SECOND, REV, "unowned: no owner", "open")
    drafted(scene, "vendor-etl", "revoke")
    with pytest.raises(NotFound):
        campaigns.prepare(scene.db, scene.campaign.id, REV)
    scene.sign(scene.second)
    assert effects(scene) == {"no_response": 2, "stops": 1}


def test_what_was_decided_before_giving_it_away_still_counts(scene: Scene) -> None:
    item = drafted(scene, "vendor-etl", "revoke")
    scene.sign(scene.rev)
    campaigns.save_own(scene.db, [item], SECOND, "theirs", LATER, reassign=True)
    scene.sign(scene.rev)
    drafted(scene, "vendor-etl", "approve")
    scene.sign(scene.second)
    assert effects(scene)["stops"] == 1


def test_a_decision_is_never_changed_or_deleted(scene: Scene) -> None:
    drafted(scene)
    scene.sign(scene.rev)
    for sql in ("UPDATE decision SET verdict = 'revoke'", "DELETE FROM decision"):
        with pytest.raises(store.IntegrityError, match="a signed decision is never"):
            scene.db.execute(sql)


def test_only_who_opened_it_ends_it_and_only_once(scene: Scene) -> None:
    with pytest.raises(UsageError, match="opened it and closes it"):
        campaigns.close(scene.db, scene.campaign, scene.rev, END)
    scene.close()
    with pytest.raises(UsageError, match="closed on"):
        campaigns.close(scene.db, scene.campaign, scene.boss, END)


def test_dropping_any_batch_never_makes_an_access_stand(scene: Scene) -> None:
    """Promise 1 over the log: every subset of the batches, each item decided by one person."""
    drafted(scene, "ci-deploy", "approve")
    scene.sign(scene.rev)
    drafted(scene, "vendor-etl", "revoke")
    scene.sign(scene.rev)
    drafted(scene, "=cmd|'/c calc'!A1", "abstain")
    scene.sign(scene.rev)
    from passmuster import outcomes

    asked = {row[0]: {REV} for row in scene.db.execute("SELECT uri FROM item")}
    ids = scene.db.one("SELECT min(id), max(id) FROM item")
    votes = Votes(scene.db, scene.campaign.id, scene.campaign.digest).between(*ids)
    assert len(votes) == 3
    full = outcomes.fold(votes, asked)
    for size in range(len(votes)):
        for kept in itertools.combinations(votes, size):
            for uri, outcome in outcomes.fold(kept, asked).items():
                assert outcome.effect in ("no_response", full[uri].effect)


def test_a_crash_at_any_statement_leaves_drafts_or_decisions(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Fail at each write of a sign-off in turn: there is nothing between before and after."""
    drafted(scene)
    campaigns.save_own(scene.db, [scene.item("vendor-etl")], SECOND, None, LATER, reassign=True)
    before = scene.db.one(STATE)

    class Crash(Exception):
        pass

    for fail_at in itertools.count(1):
        batch = campaigns.prepare(scene.db, scene.campaign.id, REV)
        writes = 0

        def deny(action: int, *_: object, at: int = fail_at) -> int:
            nonlocal writes
            if action in (DRIVER.SQLITE_INSERT, DRIVER.SQLITE_UPDATE,
                          DRIVER.SQLITE_DELETE):  # fmt: skip
                writes += 1
                if writes == at:
                    return int(DRIVER.SQLITE_DENY)
            return int(DRIVER.SQLITE_OK)

        scene.db.set_authorizer(deny)
        try:
            campaigns.sign_off(scene.db, batch, scene.rev, LATER)
        except store.SqliteError:
            scene.db.set_authorizer(None)
            assert scene.db.one(STATE) == before
            continue
        finally:
            scene.db.set_authorizer(None)
        break
    assert fail_at > 5
    assert scene.db.one(STATE) == (0, 1, before[2] + 2)
    assert tlog.check(scene.db)


def test_a_change_to_a_part_is_in_the_row(scene: Scene) -> None:
    item = scene.item("ci-deploy")
    keep = draft("approve", "but not that key", changes=(Change("revoke", "u1-key"),))
    campaigns.save_draft(scene.db, item, keep, LATER)
    row = strict_json(scene.sign(scene.rev).rows[0].bytes)
    assert row["changes"] == [{"verb": "revoke", "target": "u1-key"}]
    (outcome,) = [o for o in campaigns.outcomes_of(scene.db, scene.campaign).values()
                  if o.effect == "stands"]  # fmt: skip
    assert outcome.remediations == (("revoke", "u1-key"),)


def test_nobody_drafts_or_signs_in_another_s_place(scene: Scene) -> None:
    """An item that was handed over is the other's: what I draft on it is refused, and a draft of
    mine that was left on it is never theirs to sign."""
    item = scene.item("vendor-etl")
    campaigns.save_own(scene.db, [item], SECOND, "theirs", LATER, reassign=True)
    scene.sign(scene.rev)
    with pytest.raises(UsageError, match=f"{SECOND}'s to decide"):
        campaigns.save_draft(scene.db, item, draft("approve", "fine"), LATER, REV)
    campaigns.save_draft(scene.db, item, draft("approve", "fine"), LATER, SECOND)
    scene.db.execute("UPDATE draft SET author = ?", (REV,))
    with pytest.raises(NotFound, match="nothing to sign"):
        campaigns.prepare(scene.db, scene.campaign.id, SECOND)


def test_evidence_that_changed_is_named_in_what_is_signed(scene: Scene) -> None:
    item = drafted(scene, "ci-deploy")
    scene.db.execute("UPDATE identity SET status = 'disabled' WHERE display_name = 'ci-deploy'")
    batch = campaigns.prepare(scene.db, scene.campaign.id, REV)
    assert batch.rows[0].changed == ["status"]
    signed = campaigns.sign_off(scene.db, batch, scene.rev, LATER)
    envelope = scene.db.value("SELECT envelope FROM entry WHERE statement = ?",
                              (signed.statements[0],))  # fmt: skip
    predicate = attestations.verify(bytes(envelope), tlog.known_keys(scene.db)).predicate
    (uri,) = scene.db.one("SELECT uri FROM item WHERE id = ?", (item,))
    assert predicate["ext"] == {"changedEvidence": [{"item": uri, "parts": ["status"]}]}
