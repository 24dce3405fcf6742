"""SSH keys as signing keys: files, a real agent, a token; what they ask, how it is called off."""

import os
import secrets
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from passmuster import attestations, keys, sshsig, tlog
from passmuster.errors import KeyUnavailable, UsageError, VerificationFailed
from passmuster.keys import Talk, _keygen
from passmuster.model import SSH_KEYID, SSH_NAMESPACE
from passmuster.store import Database
from tests.agent import KINDS, PASSPHRASE, needs_ssh, running_agent, ssh_key
from tests.scene import NOW, REV
from tests.sk import NO_TOUCH, Token

pytestmark = needs_ssh
MESSAGE = b"what is signed"


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def never(question: str) -> bytes:
    raise AssertionError(f"nobody should be asked: {question}")


SILENT = Talk(never)


def signed(key: keys.SigningKey, message: bytes = MESSAGE) -> bytes:
    (signer,) = key.signers
    return bytes.fromhex(signer.sign(message).signature)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_file_of_any_kind_signs_in_the_ssh_form_alone(tmp_path: Path, kind: str) -> None:
    found = keys.resolve(str(ssh_key(tmp_path / "k", kind)))
    key = keys.adopt(found, REV, SILENT)
    sshsig.verify(signed(key), key.public, SSH_NAMESPACE, MESSAGE)
    assert (key.store, key.kind, key.place) == ("ssh", "ssh", str(tmp_path / "k"))
    assert "has no passphrase" in found.warning


def test_an_old_pem_file_signs_with_its_public_half_beside_it(tmp_path: Path) -> None:
    path = ssh_key(tmp_path / "k", "rsa", PASSPHRASE, "-m", "PEM")
    found = keys.resolve(str(path))
    assert found.encrypted
    sshsig.verify(signed(keys.adopt(found, REV, PASSPHRASE.encode)), found.public,
                  SSH_NAMESPACE, MESSAGE)  # fmt: skip
    path.with_name("k.pub").unlink()
    with pytest.raises(UsageError, match=r"k\.pub is missing"):
        keys.resolve(str(path))


def test_a_passphrase_is_asked_for_once_and_is_in_no_argument_and_no_environment(
    tmp_path: Path,
) -> None:
    """Looked for in every process while ssh-keygen holds it; no other test has this one."""
    own = secrets.token_hex(12)
    path = ssh_key(tmp_path / "k", "ed25519", own)
    asked: list[str] = []
    seen: list[bytes] = []

    def ask(question: str) -> bytes:
        asked.append(question)
        for process in Path("/proc").glob("[0-9]*"):
            for what in ("cmdline", "environ"):
                try:
                    seen.append((process / what).read_bytes())
                except OSError:
                    continue
        return own.encode()

    key = keys.adopt(keys.resolve(str(path)), REV, Talk(ask))
    for message in (MESSAGE, MESSAGE * 100_000):  # more than a pipe holds
        sshsig.verify(signed(key, message), key.public, SSH_NAMESPACE, message)
    assert asked == [f"passphrase of {path}"]
    assert not any(own.encode() in data for data in seen)
    if Path("/proc/self/cmdline").exists():
        assert any(b"askpass" in data for data in seen), "it was looked for while one asked"


def test_a_wrong_passphrase_signs_nothing_and_is_asked_for_again(tmp_path: Path) -> None:
    answers = iter((b"wrong horse", PASSPHRASE.encode()))
    path = ssh_key(tmp_path / "k", "ed25519", PASSPHRASE)
    key = keys.adopt(keys.resolve(str(path)), REV, Talk(lambda _: next(answers)))
    with pytest.raises(KeyUnavailable, match="does not open"):
        signed(key)
    assert signed(key)


def test_nothing_is_left_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ssh_key(tmp_path / "k", "ed25519", PASSPHRASE)
    import tempfile

    short = tempfile.mkdtemp(prefix="t-", dir="/tmp")
    monkeypatch.setattr(tempfile, "tempdir", short)
    modes: set[int] = set()

    def ask(_: str) -> bytes:
        (folder,) = Path(short).iterdir()
        modes.update(p.stat().st_mode & 0o077 for p in (folder, folder / "askpass"))
        assert PASSPHRASE not in (folder / "askpass").read_text()
        return PASSPHRASE.encode()

    assert signed(keys.adopt(keys.resolve(str(path)), REV, Talk(ask)))
    assert modes == {0}
    Path(short).rmdir()  # fails when something is left


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_in_a_real_agent_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = ssh_key(tmp_path / "k", kind)
    mark = keys.fingerprint((tmp_path / "k.pub").read_text())
    with running_agent(monkeypatch, path):
        path.unlink()
        for given in (mark, "agent", str(tmp_path / "k.pub")):
            found = keys.resolve(given)
            assert (found.place, keys.fingerprint(found.public)) == ("agent", mark)
        assert sshsig.parse(signed(keys.adopt(found, REV, SILENT))).namespace == SSH_NAMESPACE


def test_an_agent_with_several_keys_or_none_asks_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = ssh_key(tmp_path / "1"), ssh_key(tmp_path / "2")
    with running_agent(monkeypatch, one, two):
        with pytest.raises(UsageError, match="holds 2 keys, name one: SHA256:"):
            keys.resolve("agent")
        with pytest.raises(KeyUnavailable, match="not in your SSH agent"):
            keys.resolve("SHA256:" + "A" * 43)
    with running_agent(monkeypatch), pytest.raises(UsageError, match="put one there with ssh-add"):
        keys.resolve("agent")
    with pytest.raises(KeyUnavailable, match="cannot be reached"):
        keys.resolve("agent")
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(KeyUnavailable, match="SSH_AUTH_SOCK is unset"):
        keys.resolve("agent")


def test_a_public_key_that_no_agent_holds_is_not_replaced_by_the_file_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ssh_key(tmp_path / "k")
    with running_agent(monkeypatch), pytest.raises(KeyUnavailable, match=f"or give {path}"):
        keys.resolve(f"{path}.pub")


def test_a_file_never_signs_through_an_agent_that_holds_the_same_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file asks for its passphrase although the agent would not."""
    path = ssh_key(tmp_path / "k")
    asked: list[str] = []

    def ask(question: str) -> bytes:
        asked.append(question)
        return PASSPHRASE.encode()

    with running_agent(monkeypatch, path):
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", PASSPHRASE, "-f", str(path)], check=True,
                       capture_output=True)  # fmt: skip
        assert signed(keys.adopt(keys.resolve(str(path)), REV, Talk(ask)))
    assert len(asked) == 1


@pytest.mark.parametrize(("content", "why"), [
    (b"", "not an SSH private key"), (b"hello", "not an SSH private key"),
    (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "damaged"),
    (b"\xff" * 100, "not an SSH private key"), (b"x" * 70_000, "not an SSH key"),
    (b"ssh-ed25519 AAAA", "not a public key|SSH agent"),
])  # fmt: skip
def test_what_is_no_ssh_key_is_refused_in_one_line(
    tmp_path: Path, content: bytes, why: str
) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises((UsageError, KeyUnavailable), match=why):
        keys.resolve(str(path))
    with pytest.raises(UsageError, match="no such file"):
        keys.resolve(str(tmp_path / "nothing"))


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = ssh_key(tmp_path / "k")
    path.chmod(0o640)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        keys.resolve(str(path))


def test_a_weak_rsa_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", str(path)],
                   check=True, capture_output=True)  # fmt: skip
    with pytest.raises(UsageError, match="2,048 bits"):
        keys.resolve(str(path))


# a stand-in for the program, for what only hardware does


def stand_in(folder: Path, patch: pytest.MonkeyPatch, script: str) -> None:
    """A program called ssh-keygen, first on the PATH."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "ssh-keygen").write_text(f"#!{sys.executable} -S\nimport os, sys, time\n{script}")
    (tools / "ssh-keygen").chmod(0o700)
    patch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")


def token_file(folder: Path, token: Token) -> Path:
    """A key-handle file: its public part alone is read by us."""
    import base64
    import struct

    strings = map(sshsig.string, (b"none", b"none", b""))
    data = b"openssh-key-v1\0" + b"".join(strings) + struct.pack(">I", 1)
    data += sshsig.string(token.blob) + sshsig.string(b"")
    path = folder / "sk"
    path.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{base64.b64encode(data).decode()}\n"
                    "-----END OPENSSH PRIVATE KEY-----\n")  # fmt: skip
    path.chmod(0o600)
    return path


WAITS = """
print("Signing data on standard input", file=sys.stderr)
print("Confirm user presence for key ED25519-SK SHA256:x", file=sys.stderr, flush=True)
while not os.path.exists({touched!r}):
    time.sleep(0.02)
sys.stdout.buffer.write(open({armor!r}, "rb").read())
"""


def waiting(folder: Path, patch: pytest.MonkeyPatch, token: Token) -> tuple[keys.SshKey, Path]:
    """A token that signs when the file that is returned appears."""
    (folder / "armor").write_bytes(token.sign(MESSAGE))
    touched = folder / "touched"
    stand_in(folder, patch, WAITS.format(touched=str(touched), armor=str(folder / "armor")))
    return keys.resolve(str(token_file(folder, token))), touched


def test_touch_your_key_is_told_while_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, touched = waiting(tmp_path, monkeypatch, Token())
    told: list[str] = []

    def tell(words: str) -> None:
        told.append(words)
        touched.touch()

    key = keys.adopt(found, REV, Talk(never, tell))
    assert key.kind == "hardware"
    assert not found.warning, "a key handle without a passphrase is of no use without the token"
    sshsig.verify(signed(key), key.public, SSH_NAMESPACE, MESSAGE)
    assert told == ["touch your key: it waits until you do"]


def test_a_signature_without_a_touch_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, touched = waiting(tmp_path, monkeypatch, Token(flags=NO_TOUCH))
    touched.touch()
    with pytest.raises(KeyUnavailable, match="not touched"):
        signed(keys.adopt(found, REV, SILENT))


def test_a_signature_over_other_bytes_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, touched = waiting(tmp_path, monkeypatch, Token())
    touched.touch()
    with pytest.raises(KeyUnavailable, match="is not used: the signature does not match"):
        signed(keys.adopt(found, REV, SILENT), b"something else")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_calling_off_ends_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    off = threading.Event()
    stand_in(tmp_path, monkeypatch, "print(os.getpid(), file=sys.stderr, flush=True)\n"
                                    "time.sleep(60)\n")  # fmt: skip
    told: list[str] = []

    def tell(words: str) -> None:
        told.append(words)
        off.set()

    found = keys.resolve(str(token_file(tmp_path, Token())))
    key = keys.adopt(found, REV, Talk(never, tell, off.is_set))
    with pytest.raises(KeyUnavailable, match="called off"):
        signed(key)
    assert not is_running(int(told[0]))


def test_a_key_that_never_signs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "time.sleep(60)\n")
    monkeypatch.setattr(_keygen, "SILENCE_S", 0.3)
    found = keys.resolve(str(token_file(tmp_path, Token())))
    with pytest.raises(KeyUnavailable, match=r"did not sign in 0\.3 s"):
        signed(keys.adopt(found, REV, SILENT))


@pytest.mark.parametrize(("script", "why"), [
    ("sys.exit('unknown option -- Y')", "OpenSSH 8.1"),
    ("sys.exit('Couldn\\'t sign message: device not found?')", "device not found"),
    ("sys.exit('sign_and_send_pubkey: agent refused operation')", "agent refused"),
    ("sys.exit(3)", "did not say why"),
    ("print('hello')", "not an SSH signature"),
    ("sys.exit('\\x1b]0;x\\x07bad')", r"\\x1b|␛|\\u001b|bad"),
])  # fmt: skip
def test_what_goes_wrong_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, why: str
) -> None:
    stand_in(tmp_path, monkeypatch, script)
    found = keys.resolve(str(token_file(tmp_path, Token())))
    with pytest.raises(KeyUnavailable, match=why) as caught:
        signed(keys.adopt(found, REV, SILENT))
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


ASKS = """
import subprocess
asked = subprocess.run([os.environ["SSH_ASKPASS"], {prompt!r}], capture_output=True,
                       env={{**os.environ, "SSH_ASKPASS_PROMPT": {kind!r}}})
print(asked.returncode, asked.stdout, file=sys.stderr)
sys.exit(1)
"""


@pytest.mark.parametrize(("kind", "prompt", "answer"), [
    ("", "Enter PIN for ED25519-SK key: ", "0 b'secret\\n'"),
    ("none", "Confirm user presence for key", "0 b'\\n'"),
    ("confirm", "Allow this? ", "1 b''"),
])  # fmt: skip
def test_a_notice_needs_no_answer_and_a_confirmation_gets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, prompt: str, answer: str
) -> None:
    stand_in(tmp_path, monkeypatch, ASKS.format(prompt=prompt, kind=kind))
    asked: list[str] = []
    told: list[str] = []

    def ask(question: str) -> bytes:
        asked.append(question)
        return b"secret"

    found = keys.resolve(str(token_file(tmp_path, Token())))
    with pytest.raises(KeyUnavailable):
        signed(keys.adopt(found, REV, Talk(ask, told.append)))
    assert asked == ([] if kind else ["Enter PIN for ED25519-SK key"])
    assert answer in told
    assert (_keygen.TOUCH in told) == (kind == "none")


@pytest.mark.ci
def test_ctrl_c_ends_the_program_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own, as on the command line."""
    import signal

    stand_in(tmp_path, monkeypatch, f"open({str(tmp_path / 'pid')!r}, 'w').write("
                                    "f'{os.getpid()}\\n')\ntime.sleep(60)\n")  # fmt: skip
    token_file(tmp_path, Token())
    code = ("import sys; from passmuster import keys\nk = keys.adopt(keys.resolve(sys.argv[1]),"
            " 'a@b.c', keys.Talk(lambda _: b''))\nk.signers[0].sign(b'x')")  # fmt: skip
    # a shell that runs the tests in the background lets its children ignore this signal
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "sk")], stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )  # fmt: skip
    written = tmp_path / "pid"
    until = time.monotonic() + 60
    while not (written.exists() and written.read_text().endswith("\n")):
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    assert not is_running(int(written.read_text()))


# in a workspace


def test_an_ssh_key_is_enrolled_loaded_and_says_its_kind(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ssh_key(tmp_path / "k", "ecdsa")
    key = keys.adopt(keys.resolve(str(path)), REV, SILENT)
    name = tlog.enrol(db, key, NOW)
    assert tlog.enrol(db, keys.load(db, REV, never_asked, 1.0), NOW) == name
    (entry,) = tlog.entries(db)
    said = attestations.verify(entry.envelope, tlog.known_keys(db))
    assert [s.keyid for s in said.signatures] == [SSH_KEYID + key.fingerprint]
    assert (said.predicate["keyKind"], said.predicate["store"]) == ("ssh", "ssh")
    assert tlog.check(db) == 1
    ssh_key(tmp_path / "other")
    path.write_bytes((tmp_path / "other").read_bytes())
    with pytest.raises(KeyUnavailable, match="another key now"):
        keys.load(db, REV, never_asked, 1.0)
    path.unlink()
    with pytest.raises(KeyUnavailable, match="is gone"):
        keys.load(db, REV, never_asked, 1.0)


def never_asked() -> bytes:
    raise AssertionError("nobody should be asked")


def test_a_hardware_key_is_enrolled_as_such(db: Database) -> None:
    key = Token().key(REV)
    tlog.enrol(db, key, NOW)
    (entry,) = tlog.entries(db)
    said = attestations.verify(entry.envelope, tlog.known_keys(db)).predicate
    assert said["keyKind"] == "hardware"


@pytest.mark.parametrize("why", ["called off", "not touched"])
def test_a_key_whose_first_signature_fails_is_not_kept(db: Database, why: str) -> None:
    token = Token(flags=NO_TOUCH)
    with pytest.raises((KeyUnavailable, VerificationFailed), match=why):
        if why == "not touched":
            tlog.enrol(db, token.key(REV), NOW)
        else:
            refuse = keys.sshsig_signer("sshsig:x", _refuse)
            tlog.enrol(db, keys.SigningKey(REV, "x", f"{token.public} x", "ssh", (refuse,)), NOW)
    assert not keys.listed(db)
    assert not list(tlog.entries(db))


def _refuse(_: bytes) -> bytes:
    raise KeyUnavailable(keys.CALLED_OFF)


def test_a_rotated_key_names_the_one_that_it_replaces(db: Database) -> None:
    old, new = keys.in_memory(REV), keys.in_memory(REV)
    tlog.enrol(db, old, NOW)
    for _ in range(6):  # in one second: which was made last does not tell
        tlog.enrol(db, new, NOW, old.fingerprint)
        signing = keys.signs_for(db, REV)
        assert signing is not None
        assert signing["fingerprint"] == new.fingerprint
        before, old, new = old, new, keys.in_memory(REV)
    old, new = before, old
    assert keys.find(db, old.fingerprint)["replaced_by"] == new.fingerprint
    last = list(tlog.entries(db))[-1]
    found = attestations.verify(last.envelope, tlog.known_keys(db))
    assert found.signers == (new.fingerprint,)
    assert found.predicate["ext"] == {"replaces": old.fingerprint}
    assert tlog.check(db) == 7, "the old ones stay valid for what it signed"


@pytest.mark.parametrize("principal", [
    "*@example.com", "a@b,c@d", "!a@b", 'a"@b', "a b@c", "a@b c", "#a@b", "a?@b", "a@b@c", "a\\@b",
])  # fmt: skip
def test_a_principal_means_the_same_in_a_file_of_allowed_signers(
    db: Database, principal: str
) -> None:
    """There `*` and `,` would make one line speak for several people."""
    with pytest.raises(UsageError, match="not an e-mail address"):
        keys.new(db, principal, "file", lambda: b"correct horse", NOW, 1.0)
