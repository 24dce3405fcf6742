"""A key may wait a minute for a touch: nobody else waits for it, and nothing slips in between."""

from collections.abc import Callable

import pytest

from passmuster import attestations, campaigns, store, tlog
from passmuster.errors import Conflict
from passmuster.keys import SigningKey
from tests.scene import END, Scene, key

CEO = key("ceo@example.com", 30)


def close(scene: Scene) -> None:
    campaigns.close(scene.db, scene.campaign, scene.boss, END, leave_drafts=True)


def acknowledge(scene: Scene) -> None:
    scene.close()
    tlog.enrol(scene.db, CEO, END)
    campaigns.acknowledge(scene.db, scene.campaign, "CEO", "Seen.", CEO, END)


def while_signing(kind: str, patch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> None:
    """Do *meanwhile* when a statement of *kind* is given to the key."""
    real = attestations.sign

    def sign(payload: bytes, *keys: SigningKey) -> bytes:
        if f"attestation/{kind}/v1".encode() in payload:
            meanwhile()
        return real(payload, *keys)

    patch.setattr(attestations, "sign", sign)


@pytest.mark.parametrize(("kind", "act"), [("close", close), ("acknowledgement", acknowledge)])
def test_another_window_writes_while_the_key_waits(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, kind: str, act: Callable[[Scene], None]
) -> None:
    wrote: list[int] = []

    def meanwhile() -> None:
        other = store.open_(scene.db.path.parent)
        with other.atomic():
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
