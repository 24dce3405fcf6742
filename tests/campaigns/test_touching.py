"""A key may wait a minute for a touch: nobody else waits for it, and nothing slips in between."""

from collections.abc import Callable

import pytest

from passmuster import attestations, campaigns, config, evidence, store, tlog
from passmuster.errors import Conflict
from passmuster.keys import SigningKey
from tests.scene import END, LATER, REV, Scene, draft, key

CEO = key("ceo@example.com", 30)


def close(scene: Scene) -> None:
    campaigns.close(scene.db, scene.campaign, scene.boss, END, leave_drafts=True)


def acknowledge(scene: Scene) -> None:
    scene.close()
    tlog.enrol(scene.db, CEO, END)
    campaigns.acknowledge(scene.db, scene.campaign, "CEO", "Seen.", CEO, END)


def open_another(scene: Scene) -> None:
    wanted = campaigns.Definition("Winter", "2026-12-31", REV)
    campaigns.open_campaign(scene.db, wanted, scene.boss, config.Settings(), LATER)


def seal(scene: Scene) -> None:
    out = scene.db.path.parent.parent / "pack"
    evidence.build_pack(scene.db, scene.campaign, out, scene.boss, END)


ACTS = [("close", close), ("acknowledgement", acknowledge), ("campaign", open_another),
        ("pack", seal)]  # fmt: skip


def while_signing(kind: str, patch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> None:
    """Do *meanwhile* when a statement of *kind* is given to the key."""
    real = attestations.sign

    def sign(payload: bytes, *keys: SigningKey) -> bytes:
        if f"attestation/{kind}/v1".encode() in payload:
            meanwhile()
        return real(payload, *keys)

    patch.setattr(attestations, "sign", sign)


@pytest.mark.parametrize(("kind", "act"), ACTS)
def test_another_window_writes_while_the_key_waits(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, kind: str, act: Callable[[Scene], None]
) -> None:
    wrote: list[int] = []

    def meanwhile() -> None:
        other = store.open_(scene.db.path.parent)
        with other.atomic():
            item = scene.item("ci-deploy")
            campaigns.clear_drafts(other, [item])
            wrote.append(other.execute("UPDATE item SET risk = risk").rowcount)
        other.close()

    while_signing(kind, monkeypatch, meanwhile)
    act(scene)
    assert wrote == [3]


def test_what_is_signed_meanwhile_is_not_left_out_of_the_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end counts the outcomes; a statement that came after it was counted makes it void."""

    def meanwhile() -> None:
        tlog.enrol(scene.db, CEO, END)

    while_signing("close", monkeypatch, meanwhile)
    with pytest.raises(Conflict, match="meanwhile"):
        close(scene)
    assert campaigns.campaign(scene.db, scene.campaign.name).closed_at is None


@pytest.mark.parametrize(("kind", "act"), [("campaign", open_another), ("pack", seal)])
def test_what_is_signed_meanwhile_makes_an_opening_and_a_pack_void(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, kind: str, act: Callable[[Scene], None]
) -> None:
    """Neither may claim to be the whole of what it does not have; nothing of it is left."""
    kept = "SELECT (SELECT count(*) FROM campaign), (SELECT count(*) FROM item),"
    kept += " (SELECT count(*) FROM exclusion), (SELECT count(*) FROM blob)"
    before = scene.db.one(kept)

    def meanwhile() -> None:
        other = store.open_(scene.db.path.parent)
        tlog.enrol(other, CEO, LATER)
        other.close()

    while_signing(kind, monkeypatch, meanwhile)
    with pytest.raises(Conflict):
        act(scene)
    assert scene.db.one(kept) == before
    assert not (scene.db.path.parent.parent / "pack").exists()
    assert [e.kind for e in tlog.entries(scene.db)][-1] == "enrolment"


def test_a_row_that_is_signed_while_the_key_waits_to_seal_is_not_left_out_of_a_pack(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another person, in another window: the chain of this device moves, the pack is void."""
    campaigns.save_draft(scene.db, scene.item("ci-deploy"), draft("revoke", "gone"), LATER)

    def meanwhile() -> None:
        other = store.open_(scene.db.path.parent)
        campaigns.sign_off(
            other, campaigns.prepare(other, scene.campaign.id, REV), scene.rev, LATER
        )
        other.close()

    while_signing("pack", monkeypatch, meanwhile)
    with pytest.raises(Conflict, match="while the pack was written"):
        seal(scene)


def test_what_an_opening_freezes_is_of_one_moment_and_later_changes_are_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile() -> None:
        other = store.open_(scene.db.path.parent)
        with other.atomic():
            other.execute("UPDATE credential SET status = 'disabled' WHERE uid = 'u1-key'")
        other.close()

    while_signing("campaign", monkeypatch, meanwhile)
    open_another(scene)
    at = campaigns.campaign(scene.db, "Winter")
    items = dict(scene.db.execute(
        "SELECT i.id, y.uid FROM item i JOIN identity y ON y.id = i.identity_id"
        " WHERE i.campaign_id = ?", (at.id,)))  # fmt: skip
    changed = campaigns.changed_since(scene.db, list(items))
    assert {items[i]: parts for i, parts in changed.items()} == {"u1": ["credentials"]}


def test_what_is_signed_while_an_opening_freezes_its_items_makes_it_void(scene: Scene) -> None:
    """The names of its sources and of the campaign before it are of the moment it began."""

    def meanwhile(_done: int, _all: int) -> None:
        other = store.open_(scene.db.path.parent)
        tlog.enrol(other, CEO, LATER)
        other.close()

    wanted = campaigns.Definition("Winter", "2026-12-31", REV)
    with pytest.raises(Conflict, match="meanwhile"):
        campaigns.open_campaign(scene.db, wanted, scene.boss, config.Settings(), LATER, meanwhile)
    assert scene.db.value("SELECT count(*) FROM campaign") == 1
