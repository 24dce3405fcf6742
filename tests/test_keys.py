"""Where keys are kept: encrypted, said aloud, never in the clear."""

import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from passmuster import keys
from passmuster.errors import KeyUnavailable, UsageError
from passmuster.store import Database
from tests.scene import NOW, REV

PASSPHRASE = b"correct horse"
TIMEOUT_S = 2.0


def never() -> bytes:
    raise AssertionError("nobody should be asked for a passphrase")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One bcrypt round: the tests are not about its cost."""
    monkeypatch.setattr("passmuster.keys._files.BCRYPT_ROUNDS", 1)


class Ring:
    """A keyring that remembers."""

    priority = 5.0

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, name: str, secret: str) -> None:
        self.held[service, name] = secret

    def get_password(self, service: str, name: str) -> str | None:
        return self.held.get((service, name))


def of_module(module: str, base: type = Ring) -> Any:
    """A keyring that says that it comes from *module*."""
    return type("Keyring", (base,), {"__module__": module})()


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make these the keyrings that are installed, in a desktop session."""

    def install(*found: Any) -> None:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
        monkeypatch.setenv("DISPLAY", ":0")
        monkeypatch.setattr("keyring.backend.get_all_keyring", lambda: list(found))

    return install


def made(db: Database, where: str = "file") -> keys.SigningKey:
    return keys.new(db, REV, where, lambda: PASSPHRASE, NOW, TIMEOUT_S)


@pytest.mark.ci
@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not here")
def test_a_key_file_is_bcrypt_100_and_ssh_keygen_reads_it(db: Database) -> None:
    key = made(db)
    (path,) = (db.path.parent / "keys").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    shown = subprocess.run(
        ["ssh-keygen", "-y", "-P", PASSPHRASE.decode(), "-f", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout.split()[:2] == key.public.split()[:2]
    wrong = subprocess.run(
        ["ssh-keygen", "-y", "-P", "wrong", "-f", str(path)], capture_output=True, check=False
    )
    assert wrong.returncode != 0
    import base64

    sealed = base64.b64decode(b"".join(path.read_bytes().splitlines()[1:-1]))
    assert b"bcrypt" in sealed[:64]
    assert b"aes256-ctr" in sealed[:64]
    # kdf options: a 16-byte salt, then the number of rounds
    at = sealed.index(b"bcrypt") + 6 + 4 + 4 + 16
    assert int.from_bytes(sealed[at : at + 4], "big") == 100


def test_the_private_half_lies_nowhere_in_the_clear(db: Database, quick: None) -> None:
    key = made(db)
    loaded = keys.load(db, REV, lambda: PASSPHRASE, TIMEOUT_S)
    assert loaded.fingerprint == key.fingerprint
    seed = loaded.signers[0]._private_key.private_bytes_raw()  # type: ignore[attr-defined]
    import base64

    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for path in db.path.parent.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert seed not in data
            assert base64.b64encode(seed) not in data
            assert seed.hex().encode() not in data
    assert seed.hex() not in repr(key)


def test_a_wrong_passphrase_opens_nothing(db: Database, quick: None) -> None:
    made(db)
    with pytest.raises(KeyUnavailable, match="does not open"):
        keys.load(db, REV, lambda: b"wrong horse", TIMEOUT_S)


@pytest.mark.parametrize("short", [b"", b"1234567"])
def test_a_key_file_needs_a_passphrase(db: Database, short: bytes) -> None:
    with pytest.raises(UsageError, match="8 characters"):
        keys.new(db, REV, "file", lambda: short, NOW, TIMEOUT_S)
    assert not db.value("SELECT count(*) FROM signing_key")


@pytest.mark.parametrize("principal", ["", "nobody", "a b\n@x", " a@b", "a@b\x1b[1m"])
def test_a_principal_is_an_address(db: Database, principal: str) -> None:
    with pytest.raises(UsageError, match="not an e-mail address"):
        keys.new(db, principal, "file", lambda: PASSPHRASE, NOW, TIMEOUT_S)


def test_without_a_desktop_session_it_is_a_file_and_says_so(db: Database, quick: None) -> None:
    assert made(db, "auto").store == "file"
    with pytest.raises(KeyUnavailable, match="DBUS_SESSION_BUS_ADDRESS"):
        made(db, "keyring")


def test_a_real_keyring_is_taken_and_found_again(db: Database, rings: Callable[..., None]) -> None:
    ring = of_module("keyring.backends.SecretService")
    rings(ring)
    key = keys.new(db, REV, "auto", never, NOW, TIMEOUT_S)
    assert key.store == "keyring"
    assert [name for _, name in ring.held] == [key.fingerprint]
    assert keys.load(db, REV, never, TIMEOUT_S).fingerprint == key.fingerprint
    assert not (db.path.parent / "keys").exists()
    ring.held.clear()
    with pytest.raises(KeyUnavailable, match="no longer has"):
        keys.load(db, REV, never, TIMEOUT_S)


@pytest.mark.parametrize("module", [
    "keyrings.alt.file", "keyring.backends.null", "keyring.backends.fail",
    "keyrings.cryptfile.cryptfile", "somebody.elses", "keyring.backends.chainer",
])  # fmt: skip
def test_a_plain_or_unknown_keyring_is_never_taken(
    db: Database, rings: Callable[..., None], quick: None, module: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    plain = of_module(module)
    rings(plain)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"{module}.Keyring")
    assert made(db, "auto").store == "file"
    assert not plain.held
    with pytest.raises(KeyUnavailable, match="none of the known keyrings"):
        made(db, "keyring")


def test_a_keyring_that_hangs_does_not_hang_us(
    db: Database, rings: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Ring):
        def set_password(self, service: str, name: str, secret: str) -> None:
            time.sleep(5)

    rings(of_module("keyring.backends.SecretService", Slow))
    started = time.monotonic()
    with pytest.raises(KeyUnavailable, match=r"no answer in 0\.2 s"):
        keys.new(db, REV, "auto", never, NOW, 0.2)
    assert time.monotonic() - started < 4
    assert not db.value("SELECT count(*) FROM signing_key")


def test_a_swapped_key_file_is_noticed(db: Database, quick: None) -> None:
    first, second = made(db), keys.new(db, "x@y.z", "file", lambda: PASSPHRASE, NOW, TIMEOUT_S)
    keys.path_of(db, first.fingerprint).write_bytes(
        keys.path_of(db, second.fingerprint).read_bytes()
    )
    with pytest.raises(KeyUnavailable, match="tampered"):
        keys.load(db, REV, lambda: PASSPHRASE, TIMEOUT_S)
    keys.path_of(db, first.fingerprint).unlink()
    with pytest.raises(KeyUnavailable, match="is gone"):
        keys.load(db, REV, lambda: PASSPHRASE, TIMEOUT_S)


def test_without_a_key_it_says_what_to_do(db: Database) -> None:
    with pytest.raises(KeyUnavailable, match="muster key new"):
        keys.load(db, REV, never, TIMEOUT_S)


def test_a_chain_of_keyrings_is_looked_into_and_never_written_to(
    db: Database, rings: Callable[..., None], quick: None
) -> None:
    """The real chainer, whose first member would take the secret in plain text."""
    from keyring.backends.chainer import ChainerBackend

    plain, real = of_module("keyrings.alt.file"), of_module("keyring.backends.SecretService")
    chain = ChainerBackend()  # type: ignore[no-untyped-call]
    chain.__dict__["backends"] = [plain, real]
    rings(chain, plain)
    assert made(db, "auto").store == "file"
    rings(chain, plain, real)
    assert made(db, "auto").store == "keyring"
    assert real.held
    assert not plain.held


def test_a_key_file_that_others_may_read_is_refused(db: Database, quick: None) -> None:
    key = made(db)
    keys.path_of(db, key.fingerprint).chmod(0o644)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        keys.load(db, REV, lambda: PASSPHRASE, TIMEOUT_S)
