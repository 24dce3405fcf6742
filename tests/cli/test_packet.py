"""`muster packet`, and the commands of docs/packets.md that need no passmuster."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="passmuster[server] is not installed")

from passmuster import central, keys, packets, store, sync, tlog
from passmuster.cli import run
from passmuster.errors import KeyUnavailable, UsageError, VerificationFailed, WrongPassphrase
from passmuster.server import Settings, open_central
from tests.conftest import REPOSITORY
from tests.server.running import running
from tests.sync.carrying import first_roster, offline, person, published
from tests.sync.conftest import at_rest, synced  # noqa: F401 - fixtures
from tests.sync.town import REV, Desk, Town

Run = tuple[int, str, str]


@pytest.fixture
def place(synced: Town, tmp_path: Path) -> Iterator[Town]:  # noqa: F811
    published(synced, tmp_path)
    yield synced


class Muster:
    """The command, as somebody at one desk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, desk: Desk | None, *words: object) -> Run:
        if desk is not None:
            self.monkeypatch.setenv("MUSTER_WORKSPACE", str(desk.folder))
            self.monkeypatch.setenv("MUSTER_ME", desk.me)
        else:
            self.monkeypatch.setenv("MUSTER_WORKSPACE", "/nowhere")
        self.capsys.readouterr()
        code = run([str(word) for word in words])
        out, err = self.capsys.readouterr()
        return code, out, err


@pytest.fixture
def muster(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Muster:
    return Muster(monkeypatch, capsys)


def test_the_whole_round_by_its_commands(place: Town, tmp_path: Path, muster: Muster) -> None:
    away = offline(place.rev)
    packet, outbox, receipt = (tmp_path / name for name in ("p.tar.gz", "o.tar.gz", "r.tar.gz"))
    code, _, said = muster(place.boss, "packet", "export", "--for", REV, "--out", packet)
    assert (code, said.count("5 entries")) == (0, 1), said
    code, out, _ = muster(None, "packet", "inspect", packet)
    assert code == 0
    pin = re.search(r"^pin +(\S+)$", out, re.MULTILINE)
    assert pin is not None
    assert re.search(r"^ +1 publication$", out, re.MULTILINE)
    code, _, said = muster(away, "packet", "import", packet)
    assert (code, "ask a registrar for the pin" in said) == (2, True)
    code, _, said = muster(away, "packet", "import", packet, "--pin", pin[1])
    assert (code, "--roster" in said) == (2, True)
    code, _, said = muster(away, "packet", "import", packet, "--pin", "x", "--roster", "a" * 64)
    assert (code, "not the one you gave" in said) == (4, True)
    first = tlog.pinned(place.boss.db)
    digest = first_roster(place)
    code, _, said = muster(away, "packet", "import", packet, "--pin", pin[1], "--roster", digest)
    assert (code, said) == (0, "5 entries of the central log came, 5 records received.\n")
    code, out, _ = muster(away, "packet", "import", packet, "--json")
    assert (code, json.loads(out)[0]["received"]) == (0, 0)

    person(away).decide("deploy", "approve")
    code, out, _ = muster(away, "packet", "export", "--out", outbox, "--json")
    assert (code, json.loads(out)[0]["records"], json.loads(out)[0]["lacking"]) == (0, 2, 0)
    code, _, said = muster(away, "packet", "import", outbox)
    assert (code, "muster packet send" in said) == (2, True)
    place.server.stop()
    with running(open_central(Settings(place.server.folder))) as url:
        code, _, said = muster(None, "packet", "send", outbox, url, "--out", receipt)
        assert (code, "\n2 records in the central log, 0 refused" in f"\n{said}") == (0, True), said
        code, _, said = muster(None, "packet", "send", packet, url, "--out", tmp_path / "x")
        assert (code, "no outbox but a campaign packet" in said) == (2, True)
    place.server.start()
    assert receipt.stat().st_mode & 0o777 == 0o600
    key = str(first.key)
    assert muster(None, "packet", "inspect", receipt, "--log-key", key, "--json")[0] == 0
    code, _, said = muster(away, "packet", "import", receipt)
    assert (code, said) == (0, "2 entries of the central log came, 0 records received.\n")
    code, out, _ = muster(away, "sync", "--status")
    assert (code, out.splitlines()[0].split()[1]) == (0, "synced")
    code, _, said = muster(away, "packet", "export", "--out", tmp_path / "again")
    assert (code, "nothing waits to be sent" in said) == (1, True)


@pytest.mark.ci
def test_the_block_of_stock_tools_checks_a_packet_and_finds_what_was_changed(
    place: Town, tmp_path: Path, muster: Muster
) -> None:
    if not all(map(shutil.which, ("jq", "ssh-keygen", "sha256sum", "tar"))):
        pytest.skip("not here: jq, ssh-keygen, sha256sum or tar")
    page = (REPOSITORY / "docs" / "packets.md").read_text()
    block = page.split("## Check one without passmuster")[1].split("```sh\n")[1].split("```")[0]
    folder = tmp_path / "check"
    folder.mkdir()
    muster(place.boss, "packet", "export", "--for", REV, "--out", folder / "packet.tar.gz")

    def check() -> tuple[str, str]:
        done = subprocess.run(["sh", "-c", block], cwd=folder, capture_output=True, text=True,
                              check=False, timeout=120)  # fmt: skip
        return done.stdout, done.stderr

    out, err = check()
    assert err == ""
    assert out.startswith("every file is as it was packed\n")
    assert out.count('Good "attestation@') == 5, out
    assert "wrong" not in out
    block = block.split("\n", 2)[2]  # what lies there, changed by hand
    records = folder / "records.ndjson"
    good = records.read_text()
    lines = [json.loads(line) for line in good.splitlines()]
    lines[3]["line"] = lines[3]["line"].replace('"sig":"', '"sig":"AAAA', 1)
    records.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out, err = check()
    assert "differ" in out + err
    records.write_text(good)
    blob = next((folder / "blobs").iterdir())
    blob.write_bytes(blob.read_bytes() + b"x")
    assert f"wrong: blobs/{blob.name}" in check()[0]


def test_a_packet_that_is_encrypted_to_its_reader_is_the_same_once_it_is_open(
    place: Town, tmp_path: Path, muster: Muster
) -> None:
    pytest.importorskip("pyrage", reason="passmuster[packet] is not installed")
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    muster(place.boss, "packet", "export", "--for", REV, "--out", plain)
    words = "packet", "export", "--for", REV, "--to", REV, "--out"
    assert muster(place.boss, *words, sealed)[0] == 0
    assert sealed.read_bytes().startswith(b"age-encryption.org/v1\n-> ssh-ed25519 ")
    assert not list(tmp_path.glob(".*"))
    packets.unseal(sealed, tmp_path / "open", private(place.rev))
    assert (tmp_path / "open").read_bytes() == plain.read_bytes()
    with pytest.raises(VerificationFailed, match="cannot be decrypted"):
        packets.unseal(sealed, tmp_path / "other", private(place.boss))
    code, _, said = muster(None, "packet", "inspect", sealed)
    assert (code, "is encrypted" in said) == (2, True)
    code, _, said = muster(place.boss, *words[:4], "--to", "nobody@example.com", "--out",
                           tmp_path / "x")  # fmt: skip
    assert (code, "lists no key of" in said) == (1, True)
    hardware = "sk-ssh-ed25519@openssh.com AAAA"
    with pytest.raises(UsageError, match="inside of hardware"):
        packets.seal(plain, tmp_path / "y", [hardware])


def private(desk: Desk) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    held = desk.key.signers[0]._private_key  # type: ignore[attr-defined]
    data: bytes = held.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return data


def test_a_key_that_can_decrypt_is_unsealed_and_no_other(tmp_path: Path) -> None:
    pytest.importorskip("pyrage", reason="passmuster[packet] is not installed")
    path = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-a", "1", "-N", "correct horse", "-f",
                    path], check=True)  # fmt: skip
    db = store.create(tmp_path / "w")
    found = keys.resolve(str(path))
    tlog.enrol(db, keys.adopt(found, REV, lambda: b"correct horse"), "2026-11-23T08:00:00Z")
    message, sealed = tmp_path / "message", tmp_path / "sealed"
    message.write_bytes(b"hello")
    packets.seal(message, sealed, [found.public])
    assert packets.is_sealed(sealed)
    packets.unseal(sealed, tmp_path / "out", keys.unsealed(db, REV, lambda: b"correct horse", 1.0))
    assert (tmp_path / "out").read_bytes() == b"hello"
    with pytest.raises(WrongPassphrase):
        keys.unsealed(db, REV, lambda: b"wrong horse", 1.0)
    other = store.create(tmp_path / "v")
    tlog.enrol(other, keys.in_memory(REV), "2026-11-23T08:00:00Z")
    with pytest.raises(KeyUnavailable, match="cannot decrypt"):
        keys.unsealed(other, REV, lambda: b"", 1.0)
    for one in (db, other):
        one.close()


def test_a_workspace_that_knows_its_log_from_packets_alone_says_how_to_connect(
    place: Town, tmp_path: Path, muster: Muster
) -> None:
    away = offline(place.rev)
    sync.pack_campaigns(place.boss.db, REV, 0, tmp_path / "p")
    with packets.opened(tmp_path / "p") as packet:
        sync.trust(away.db, packet, central.pin_of(packet.manifest.key), "a" * 64, away.clock())
    code, _, said = muster(away, "sync")
    assert (code, "muster enroll" in said) == (1, True), said
    code, out, _ = muster(away, "doctor")
    assert "by packets alone" in out
    assert "no address" not in out
