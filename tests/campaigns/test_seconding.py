"""A second person: asked at opening, waited for, heard, and never the same as the first."""

from pathlib import Path

import pytest

from passmuster import attestations, campaigns, config, tlog
from passmuster.errors import Conflict, NotFound, PreflightFailed, UsageError
from passmuster.keys import SigningKey
from passmuster.model import Attention, SecondDraft, SecondVerdict
from passmuster.store import Database
from passmuster.text import strict_json
from tests.once import once
from tests.scene import BOSS, END, LATER, REV, SECOND, Scene, again, draft, key, open_scene

THIRD = "third@example.com"
THIRD_KEY = key(THIRD, 7)


def heard(verdict: SecondVerdict, reason: str = "looked into it") -> SecondDraft:
    return SecondDraft(verdict, None, reason, Attention("2026-11-25T09:00:00Z", LATER, True))


@pytest.fixture
def two(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A review in which the one privileged identity needs two persons."""
    who = (SECOND, THIRD)
    once(db, ("open", *who, "privileged"),
         lambda: open_scene(db, tmp_path, monkeypatch, second=who, when="privileged"))  # fmt: skip
    return again(db, tmp_path, monkeypatch)


def approve(scene: Scene, name: str = "ci-deploy", verdict: str = "approve") -> int:
    item = scene.item(name)
    campaigns.save_draft(scene.db, item, draft(verdict, "in use"), LATER)
    scene.sign(scene.rev)
    return item


def effect(scene: Scene, name: str = "ci-deploy") -> str:
    uri = scene.db.value("SELECT uri FROM item WHERE id = ?", (scene.item(name),))
    return campaigns.outcomes_of(scene.db, scene.campaign)[uri].effect


def say(scene: Scene, item: int, who: SigningKey, verdict: SecondVerdict) -> None:
    campaigns.save_seconds(scene.db, [item], heard(verdict), LATER, who.principal)
    scene.sign(who)


def test_an_approval_waits_until_a_second_person_has_signed(two: Scene) -> None:
    item = approve(two)
    assert effect(two) == "awaiting_second"
    assert list(campaigns.second_rank(two.db, two.campaign.id, SECOND)) == [item]
    assert campaigns.waiting(two.db, two.campaign).on == {SECOND: 1, THIRD: 1}
    campaigns.save_seconds(two.db, [item], heard("concur"), LATER, SECOND)
    assert effect(two) == "awaiting_second"  # a draft is nothing
    assert list(campaigns.second_rank(two.db, two.campaign.id, SECOND, "draft")) == [item]
    two.sign(two.second)
    assert effect(two) == "stands"
    assert campaigns.waiting(two.db, two.campaign) == (0, {}, 0)
    assert not campaigns.second_rank(two.db, two.campaign.id, THIRD)
    assert list(campaigns.second_rank(two.db, two.campaign.id, SECOND, "signed")) == [item]


def test_an_objection_holds_until_the_same_person_takes_it_back(two: Scene) -> None:
    item = approve(two)
    say(two, item, two.second, "object")
    assert effect(two) == "objected"
    say(two, item, THIRD_KEY, "concur")
    assert effect(two) == "objected"
    say(two, item, two.second, "concur")
    assert effect(two) == "stands"


def test_a_stop_stops_at_once_and_an_objection_to_it_is_kept(two: Scene) -> None:
    item = approve(two, verdict="disable")
    assert effect(two) == "stops"
    assert not campaigns.second_rank(two.db, two.campaign.id, SECOND)
    assert list(campaigns.second_rank(two.db, two.campaign.id, SECOND, "all")) == [item]
    say(two, item, two.second, "object")
    assert effect(two) == "stops"
    row = campaigns.second_rows(two.db, [item], THIRD)[item]
    assert [(s.principal, s.verdict) for s in row.signed] == [(SECOND, "object")]


def test_a_new_decision_needs_a_concurrence_of_its_own(two: Scene) -> None:
    item = approve(two)
    say(two, item, two.second, "concur")
    assert effect(two) == "stands"
    approve(two)
    assert effect(two) == "awaiting_second"
    assert list(campaigns.second_rank(two.db, two.campaign.id, SECOND)) == [item]


def test_a_draft_on_a_row_that_was_superseded_is_not_signed(two: Scene) -> None:
    item = approve(two)
    campaigns.save_seconds(two.db, [item], heard("concur"), LATER, SECOND)
    held = campaigns.prepare(two.db, two.campaign.id, SECOND)
    approve(two)
    with pytest.raises(Conflict, match="look again"):
        campaigns.sign_off(two.db, held, two.second, LATER)
    with pytest.raises(NotFound, match="nothing to sign"):
        campaigns.prepare(two.db, two.campaign.id, SECOND)
    assert effect(two) == "awaiting_second"
    assert list(campaigns.second_rank(two.db, two.campaign.id, SECOND)) == [item]


def test_a_draft_that_got_past_the_checks_is_still_not_signed(two: Scene) -> None:
    """Written into the table by hand, by the one who decided."""
    item = approve(two)
    heed = '{"first_shown": null, "decided": "2026-11-24T09:30:00Z", "details_opened": false}'
    with two.db.atomic():
        two.db.execute(
            "INSERT INTO second_draft SELECT leaf, ?, ?, 'concur', NULL, '', ?, NULL, ?"
            " FROM decision", (REV, item, heed, LATER)
        )  # fmt: skip
    with pytest.raises(NotFound, match="nothing to sign"):
        campaigns.prepare(two.db, two.campaign.id, REV)


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (REV, "is no second person"), (BOSS, "is no second person"),
        ("Rev@Example.com", "is no second person"),
    ],
)  # fmt: skip
def test_who_was_not_named_cannot_even_draft(two: Scene, who: str, why: str) -> None:
    item = approve(two)
    with pytest.raises(UsageError, match=why):
        campaigns.save_seconds(two.db, [item], heard("concur"), LATER, who)


def test_a_reviewer_who_is_also_named_is_no_second_to_themselves(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = open_scene(db, tmp_path, monkeypatch, second=(SECOND, THIRD), when="privileged")
    item = scene.item("ci-deploy")
    campaigns.save_own(db, [item], SECOND, None, LATER, reassign=True)
    scene.sign(scene.rev)
    campaigns.save_draft(db, item, draft("approve", "mine now"), LATER)
    scene.sign(scene.second)
    for same in (SECOND, "Second@Example.com"):
        with pytest.raises(UsageError, match="is yours to decide"):
            campaigns.save_seconds(db, [item], heard("concur"), LATER, same)
    assert campaigns.waiting(db, scene.campaign).on == {THIRD: 1}
    say(scene, item, THIRD_KEY, "concur")
    assert effect(scene) == "stands"


def test_an_item_is_not_handed_to_the_only_one_who_could_countersign_it(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = open_scene(db, tmp_path, monkeypatch, second=(SECOND,), when="privileged")
    item, free = scene.item("ci-deploy"), scene.item("vendor-etl")
    with pytest.raises(UsageError, match=r"only second person for ci-deploy.* to somebody else"):
        campaigns.save_own(db, [free, item], "Second@Example.com", None, LATER, reassign=True)
    assert not db.value("SELECT count(*) FROM own_draft")
    campaigns.save_own(db, [item], SECOND, None, LATER)  # who owns it bars nobody any more
    campaigns.save_own(db, [free], SECOND, None, LATER, reassign=True)
    scene.sign(scene.rev)
    assert campaigns.stranded(db, scene.campaign) == (0, (), ())


def test_what_nobody_may_countersign_is_counted_until_somebody_else_decides_it(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Handed over where that was not refused yet: an older program, an address that changed."""
    scene = open_scene(db, tmp_path, monkeypatch, second=(SECOND,), when="privileged")
    item = scene.item("ci-deploy")
    with db.atomic():
        db.execute("UPDATE item SET first_reviewer = reviewer, reviewer = ?", (SECOND,))
    assert campaigns.stranded(db, scene.campaign) == (1, ("ci-deploy",), (SECOND,))
    told = campaigns.stranded(db, scene.campaign).words
    assert told.startswith("nobody may countersign this item (ci-deploy): second@example")
    campaigns.save_draft(db, item, draft("approve", "mine now"), LATER)
    scene.sign(scene.second)
    assert campaigns.stranded(db, scene.campaign).items == 1
    assert campaigns.waiting(db, scene.campaign) == (1, {}, 1)
    with pytest.raises(UsageError, match="nobody may: campaign status says why"):
        campaigns.close(db, scene.campaign, scene.boss, END)
    campaigns.save_own(db, [item], REV, None, LATER, reassign=True)
    campaigns.save_draft(db, item, draft("abstain", "handed over"), LATER)
    scene.sign(scene.second)
    assert campaigns.stranded(db, scene.campaign).items == 0
    campaigns.save_draft(db, item, draft("approve", "in use"), LATER)
    scene.sign(scene.rev)
    say(scene, item, scene.second, "concur")
    assert effect(scene) == "stands"


def test_a_stop_needs_nobody(two: Scene) -> None:
    with two.db.atomic():
        two.db.execute("UPDATE item SET barred = ?", (f" {SECOND} {THIRD} ",))
    assert campaigns.stranded(two.db, two.campaign).items == 1
    approve(two, verdict="revoke")
    assert campaigns.stranded(two.db, two.campaign).items == 0


def test_the_same_key_under_another_name_is_refused_at_the_signing(two: Scene) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from passmuster import keys

    item = approve(two)
    same = keys.from_private(
        Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32), SECOND, "memory"
    )
    assert same.fingerprint == two.rev.fingerprint
    campaigns.save_seconds(two.db, [item], heard("concur"), LATER, SECOND)
    with pytest.raises(UsageError, match=r"decided with the same key, by rev@example\.com"):
        two.sign(same)
    assert effect(two) == "awaiting_second"


def test_an_item_that_needs_nobody_cannot_be_countersigned(two: Scene) -> None:
    item = approve(two, "vendor-etl")
    assert effect(two, "vendor-etl") == "stands"
    with pytest.raises(UsageError, match="needs no second person"):
        campaigns.save_seconds(two.db, [item], heard("object"), LATER, SECOND)


def test_before_there_is_a_signed_decision_there_is_nothing_to_say(two: Scene) -> None:
    with pytest.raises(UsageError, match="no signed decision of somebody else yet"):
        campaigns.save_seconds(two.db, [two.item("ci-deploy")], heard("concur"), LATER, SECOND)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (heard("object", " "), "object needs a reason"),
        (heard("maybe"), "no verdict 'maybe'"),  # type: ignore[arg-type]
        (heard("object", "leaked ghp_" + "a1B2" * 9), "looks like a secret"),
        (heard("concur", "x" * 2001), "at most 2,000"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused(two: Scene, said: SecondDraft, why: str) -> None:
    item = approve(two)
    with pytest.raises(UsageError, match=why):
        campaigns.save_seconds(two.db, [item], said, LATER, SECOND)
    assert campaigns.second_drafts(two.db, two.campaign.id) == 0


def test_the_row_carries_what_was_seen_and_how(two: Scene) -> None:
    item = approve(two)
    say(two, item, two.second, "object")
    campaigns.save_seconds(two.db, [item], heard("concur"), LATER, THIRD)
    (third,) = campaigns.prepare(two.db, two.campaign.id, THIRD).seconds
    row = strict_json(third.bytes)
    decision, dossier, material = two.db.one(
        "SELECT d.leaf, i.dossier, i.material FROM decision d JOIN item i ON i.id = d.item_id"
    )
    earlier = two.db.value("SELECT leaf FROM countersignature")
    assert (row["row"], row["dossier"], row["material"]) == (decision, dossier, material)
    assert row["saw"] == [earlier]
    assert row["attention"]["details_opened"] is True
    assert row["capacity"] == "second"


def test_decisions_owners_and_countersignatures_are_signed_in_one_act(two: Scene) -> None:
    item = approve(two)
    other = two.item("vendor-etl")
    campaigns.save_own(two.db, [other], SECOND, None, LATER, reassign=True)
    two.sign(two.rev)
    campaigns.save_draft(two.db, other, draft("revoke", "gone"), LATER)
    campaigns.save_own(two.db, [other], THIRD, "asked", LATER)
    campaigns.save_seconds(two.db, [item], heard("concur"), LATER, SECOND)
    signed = two.sign(two.second)
    assert len(signed.statements) == 3
    kinds = [e.kind for e in tlog.entries(two.db, two.campaign.digest)][-3:]
    assert kinds == ["decisions", "own", "countersign"]
    assert tlog.check(two.db)
    owner = two.db.value("SELECT statement FROM owner WHERE handle = ?", (THIRD,))
    assert owner == signed.statements[1]


def test_the_end_is_refused_while_an_approval_waits_unless_that_is_said(two: Scene) -> None:
    item = approve(two)
    with pytest.raises(UsageError, match=r"1 approval would never stand.*second@.*leave-waiting"):
        campaigns.close(two.db, two.campaign, two.boss, END)
    campaigns.save_seconds(two.db, [item], heard("concur"), LATER, SECOND)
    with pytest.raises(UsageError, match="1 draft would be lost"):
        campaigns.close(two.db, two.campaign, two.boss, END, leave_waiting=True)
    ended = campaigns.close(
        two.db, two.campaign, two.boss, END, leave_drafts=True, leave_waiting=True
    )
    assert ended == {"awaiting_second": 1, "no_response": 2}
    with pytest.raises(UsageError, match="was closed"):
        campaigns.save_seconds(two.db, [item], heard("concur"), LATER, SECOND)


# the rule


def opening(db: Database, *second: str, when: str | None = "all", **more: object) -> object:
    wanted = campaigns.Definition(
        "Winter", "2026-12-31", REV, second=second, second_when=when, **more  # type: ignore[arg-type]
    )  # fmt: skip
    return campaigns.open_campaign(db, wanted, key(BOSS, 1), config.Settings(), LATER)


@pytest.mark.parametrize(
    ("second", "when", "error", "why"),
    [
        ((REV,), "all", PreflightFailed, r"3 items could never be approved \(ci-deploy"),
        (("Rev@Example.com",), "all", PreflightFailed, "could never be approved"),
        ((REV, SECOND), "all", PreflightFailed, "rev@example.com is the reviewer or an owner"),
        ((SECOND,), "mostly", UsageError, "privileged, all or risk:70, not 'mostly'"),
        (("second",), "all", UsageError, "takes e-mail addresses"),
        ((), "all", UsageError, "says when, not who"),
        (("none",), "all", UsageError, "says when, not who"),
    ],
)
def test_a_rule_that_cannot_succeed_is_refused(
    scene: Scene, second: tuple[str, ...], when: str, error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        opening(scene.db, *second, when=when)
    assert len(campaigns.campaigns(scene.db)) == 1


def test_an_item_whose_owner_is_the_only_second_person_is_named(scene: Scene) -> None:
    with scene.db.atomic():
        scene.db.execute("UPDATE owner SET handle = ?", (SECOND.title(),))
    with pytest.raises(PreflightFailed, match=r"1 item could never be approved \(ci-deploy\)"):
        opening(scene.db, SECOND)


def test_a_person_who_has_left_is_no_second_person(scene: Scene) -> None:
    with scene.db.atomic():
        source = scene.db.value("SELECT id FROM source")
        scene.db.execute(
            "INSERT INTO person (source_id, uid, email, display_name, active, aliases, teams,"
            " first_seen_run, last_seen_run) VALUES (?, 'p', ?, 'Gone', 0, '[]', '[]', 1, 1)",
            (source, SECOND),
        )
    with pytest.raises(PreflightFailed, match=r"second@example\.com has left"):
        opening(scene.db, SECOND)


def test_the_rule_stands_in_the_definition_and_in_the_statement(two: Scene) -> None:
    document = strict_json(campaigns.definition(two.db, two.campaign))
    rule = {"when": "privileged", "by": [SECOND, THIRD],
            "persons": {e: {"uids": [], "teams": []} for e in (SECOND, THIRD)}}  # fmt: skip
    assert document["second"] == rule
    (entry,) = [e for e in tlog.entries(two.db, two.campaign.digest) if e.kind == "campaign"]
    assert attestations.unchecked(entry.envelope).predicate["ext"] == {"second": rule}


def test_without_a_rule_nothing_is_added(scene: Scene) -> None:
    assert "second" not in strict_json(campaigns.definition(scene.db, scene.campaign))
    (entry,) = [e for e in tlog.entries(scene.db, scene.campaign.digest) if e.kind == "campaign"]
    assert attestations.unchecked(entry.envelope).predicate["ext"] == {}


def test_the_settings_rule_holds_unless_it_is_left_out(scene: Scene) -> None:
    settings = config.Settings(second=[SECOND], second_when="all")
    for number, (second, needing) in enumerate(((None, 3), (("none",), 0), ((THIRD,), 3))):
        wanted = campaigns.Definition(f"W{number}", "2026-12-31", REV, second=second)
        opened = campaigns.open_campaign(scene.db, wanted, scene.boss, settings, LATER)
        assert opened.needing_second == needing


def test_a_filter_narrows_what_waits(two: Scene) -> None:
    item = approve(two)
    for words, found in (("ci-deploy", [item]), ("kind:service", [item]), ("vendor", [])):
        ids = campaigns.second_rank(
            two.db, two.campaign.id, SECOND, expression=words, now=LATER, order="name"
        )
        assert list(ids) == found
