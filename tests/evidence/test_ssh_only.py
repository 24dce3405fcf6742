"""Evidence by keys that make no raw signature: the same checks, by us and by stock tools."""

from collections.abc import Callable
from pathlib import Path

import pytest

from passmuster import evidence, keys, tlog
from passmuster.keys import SigningKey, Talk
from passmuster.store import Database
from passmuster.text import canonical
from tests import scene as scenes
from tests.agent import KINDS, needs_ssh, running_agent, ssh_key
from tests.evidence.conftest import read
from tests.evidence.test_attacks import DECISIONS, payload_of, put, refused, seal
from tests.evidence.test_stock_tools import MISSING, Stock, stock, write
from tests.scene import BOSS, END, REV, SECOND, Scene, freeze_chance, open_scene
from tests.sk import NO_TOUCH, Token

__all__ = ["stock"]
pytestmark = [
    needs_ssh, pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}"),
]  # fmt: skip
Keyring = Callable[[str, int], SigningKey]


def reviewed(
    db: Database, folder: Path, patch: pytest.MonkeyPatch, key: Keyring, name: str = "Autumn"
) -> Scene:
    """A closed review in which these keys signed everything."""
    freeze_chance(db, patch)
    patch.setattr(scenes, "key", key)
    made = open_scene(db, folder, patch, name=name)
    made.decide()
    made.close()
    return made


def token(principal: str, seed: int) -> SigningKey:
    return Token(seed).key(principal)


@pytest.mark.ci
def test_a_pack_by_an_agents_keys_of_three_kinds_verifies(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stock: Stock
) -> None:
    """Boss has RSA, Rev an Ed25519 key, Second an ECDSA one; none signs in the raw form."""
    kinds = dict(zip((BOSS, REV, SECOND), ("rsa", "ed25519", "ecdsa"), strict=True))
    assert set(kinds.values()) == set(KINDS)
    files = {who: ssh_key(tmp_path / kind, kind) for who, kind in kinds.items()}
    with running_agent(monkeypatch, *files.values()):

        def key(principal: str, _: int) -> SigningKey:
            return keys.adopt(keys.resolve(f"{files[principal]}.pub"), principal, Talk(_never))

        made = reviewed(db, tmp_path, monkeypatch, key)
        pack = tmp_path / "pack"
        evidence.build_pack(db, made.campaign, pack, made.boss, END)
    assert not list(pack.rglob("statement.sig"))
    assert [p.name for p in sorted((pack / "keys").glob("*.pem"))] == ["2.pem"]
    assert tlog.check(db) == evidence.verify(db.path.parent).statements
    evidence.verify(pack, {REV: made.rev.fingerprint})
    done = stock(pack)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.splitlines()[-1] == "VERIFIED"


def _never(question: str) -> bytes:
    raise AssertionError(f"nobody should be asked: {question}")


FORGED = {
    DECISIONS: ("not touched", "not touched for this signature"),
    "log/checkpoint": ("log.checkpoint.*(signed|touched)", "checkpoint is not signed with the key"),
}  # fmt: skip


@pytest.fixture
def by_tokens(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = reviewed(db, tmp_path, monkeypatch, token)
    evidence.build_pack(db, made.campaign, tmp_path / "pack", made.boss, END)
    return made


@pytest.mark.parametrize("where", FORGED)
def test_a_hardware_signature_without_a_touch_is_refused(
    by_tokens: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """First the same pack as it should be."""
    evidence.verify(tmp_path / "pack")
    refused(_forged(tmp_path / "pack", where, by_tokens, monkeypatch), FORGED[where][0])


@pytest.mark.ci
@pytest.mark.parametrize("where", FORGED)
def test_the_stock_commands_refuse_it_as_well(
    by_tokens: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stock: Stock, where: str
) -> None:
    pack = tmp_path / "pack"
    done = stock(pack)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    write(pack, _forged(pack, where, by_tokens, monkeypatch))
    done = stock(pack)
    assert done.returncode == 1
    assert FORGED[where][1] in done.stderr, done.stderr


def _forged(
    pack: Path, where: str, made: Scene, monkeypatch: pytest.MonkeyPatch
) -> dict[str, bytes]:
    """The pack with one signature that nobody touched the key for, all else made to fit."""
    content = read(pack)
    with monkeypatch.context() as patch:
        # our own check is blind, so that the forgery can be made at all
        patch.setattr("passmuster.sshsig._touch", lambda *_, **__: None)
        _forge(content, where, made)
    return content


def _forge(content: dict[str, bytes], where: str, made: Scene) -> None:
    idle = Token(2 if where == DECISIONS else 1, NO_TOUCH)
    if where != DECISIONS:
        seal(content, idle.key(BOSS))
        put(content, "pack", canonical(payload_of(content, "pack")), made.boss)
        return
    put(content, DECISIONS, canonical(payload_of(content, DECISIONS)), idle.key(REV))
    seal(content, made.boss)
