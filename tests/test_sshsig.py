"""SSHSIG: what ssh-keygen makes is accepted; a wrong key, or one that nobody touched, is not."""

import base64
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passmuster import attestations, sshsig
from passmuster.attestations import Signature
from passmuster.errors import VerificationFailed
from passmuster.model import SSH_NAMESPACE
from tests.conftest import SHARED
from tests.scene import REV, key
from tests.sk import NO_TOUCH, TOUCH_AND_PIN, Token

VECTORS = SHARED / "vectors" / "sshsig"
KEYGEN = shutil.which("ssh-keygen")
needs_keygen = pytest.mark.skipif(KEYGEN is None, reason="ssh-keygen is not here")
needs_vectors = pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not here")
MESSAGE = b"DSSEv1 what is signed"
SIGNER = key(REV, 7)
GOOD = bytes.fromhex(SIGNER.signers[1].sign(MESSAGE).signature)


def vector(name: str) -> tuple[bytes, str, str, bytes]:
    return (
        (VECTORS / f"{name}.sig").read_bytes(), (VECTORS / f"{name}.pub").read_text(),
        (VECTORS / "namespace").read_text(), (VECTORS / "signed-data").read_bytes(),
    )  # fmt: skip


@needs_vectors
@pytest.mark.parametrize("name", ["ed25519", "ed25519_sk", "ecdsa", "ecdsa_sk", "rsa"])
def test_the_vectors_of_openssh_verify(name: str) -> None:
    armor, public, namespace, message = vector(name)
    sshsig.verify(armor, public, namespace, message)
    for wrong in ((armor, public, "git", message), (armor, public, namespace, message + b"x")):
        with pytest.raises(VerificationFailed):
            sshsig.verify(*wrong)


@needs_vectors
@pytest.mark.parametrize(("name", "why"), [
    ("ecdsa_sk_webauthn", "WebAuthn form, which is not supported"), ("mldsa44-ed25519", "type"),
])  # fmt: skip
def test_forms_that_we_do_not_know_are_refused_by_name(name: str, why: str) -> None:
    with pytest.raises(VerificationFailed, match=why):
        sshsig.verify(*vector(name))


@needs_vectors
def test_a_vector_of_another_key_is_refused() -> None:
    armor, _, namespace, message = vector("ecdsa")
    with pytest.raises(VerificationFailed, match="names another key"):
        sshsig.verify(armor, vector("ed25519")[1], namespace, message)


Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def keygen(tmp_path: Path) -> Run:
    def run(*words: str, data: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [str(KEYGEN), *words], input=data, capture_output=True, cwd=tmp_path, check=False,
            timeout=60,
        )  # fmt: skip

    return run


def stock_says(keygen: Run, folder: Path, public: str, armor: bytes, message: bytes) -> bool:
    words = public.split()
    (folder / "signers").write_text(f'me@x namespaces="{SSH_NAMESPACE}" {words[0]} {words[1]}\n')
    (folder / "s").write_bytes(armor)
    done = keygen("-Y", "verify", "-f", "signers", "-I", "me@x", "-n", SSH_NAMESPACE, "-s", "s",
                  data=message)  # fmt: skip
    return done.returncode == 0


@needs_keygen
@pytest.mark.parametrize("kind", [
    ("ed25519",), ("ecdsa", "-b", "256"), ("ecdsa", "-b", "384"), ("ecdsa", "-b", "521"),
    ("rsa", "-b", "2048"),
], ids=" ".join)  # fmt: skip
def test_what_ssh_keygen_signs_we_verify(
    keygen: Run, tmp_path: Path, kind: tuple[str, ...]
) -> None:
    keygen("-q", "-t", *kind, "-N", "", "-f", "k")
    armor = keygen("-Y", "sign", "-n", SSH_NAMESPACE, "-f", "k", data=MESSAGE).stdout
    public = (tmp_path / "k.pub").read_text()
    sshsig.verify(armor, public, SSH_NAMESPACE, MESSAGE)
    with pytest.raises(VerificationFailed, match="does not match"):
        sshsig.verify(armor, public, SSH_NAMESPACE, MESSAGE + b"x")
    for_git = keygen("-Y", "sign", "-n", "git", "-f", "k", data=MESSAGE).stdout
    with pytest.raises(VerificationFailed, match="signed for 'git'"):
        sshsig.verify(for_git, public, SSH_NAMESPACE, MESSAGE)


@needs_keygen
def test_what_we_sign_ssh_keygen_verifies(keygen: Run, tmp_path: Path) -> None:
    assert stock_says(keygen, tmp_path, SIGNER.public, GOOD, MESSAGE)
    assert not stock_says(keygen, tmp_path, SIGNER.public, GOOD, MESSAGE + b"x")


@needs_keygen
@pytest.mark.parametrize("flags", [NO_TOUCH, 1, 4, TOUCH_AND_PIN])
def test_a_hardware_signature_without_a_touch_is_refused_though_ssh_keygen_takes_it(
    keygen: Run, tmp_path: Path, flags: int
) -> None:
    token = Token(flags=flags)
    armor = token.sign(MESSAGE)
    assert stock_says(keygen, tmp_path, token.public, armor, MESSAGE)
    signature = Signature("", "ssh", armor)
    if flags & 1:
        attestations.check_signature(token.public, signature, MESSAGE)
    else:
        with pytest.raises(VerificationFailed, match="was not touched"):
            attestations.check_signature(token.public, signature, MESSAGE)


def test_the_pin_is_asked_for_where_it_must_be() -> None:
    token = Token()
    sshsig.verify(token.sign(MESSAGE), token.public, SSH_NAMESPACE, MESSAGE)
    with pytest.raises(VerificationFailed, match="PIN was not given"):
        sshsig.verify(token.sign(MESSAGE), token.public, SSH_NAMESPACE, MESSAGE, pin=True)
    token.flags = TOUCH_AND_PIN
    sshsig.verify(token.sign(MESSAGE), token.public, SSH_NAMESPACE, MESSAGE, pin=True)


def test_flags_and_counter_are_under_the_signature() -> None:
    """Whoever sets the flag of a touch afterwards has changed what was signed."""
    token = Token(flags=NO_TOUCH)
    inner = token.signature(sshsig.signed_data(SSH_NAMESPACE, MESSAGE))
    for changed in (inner[:-5] + b"\x01" + inner[-4:], inner[:-5] + b"\x01" + struct.pack(">I", 8)):
        armor = sshsig.file_of(token.blob, SSH_NAMESPACE, changed)
        with pytest.raises(VerificationFailed, match="does not match"):
            sshsig.verify(armor, token.public, SSH_NAMESPACE, MESSAGE)


def test_a_hardware_key_is_never_taken_for_one_that_signs_raw() -> None:
    """Touch and PIN are told by its own form alone."""
    token = Token()
    raw = Signature("", "raw", token._private.sign(MESSAGE))
    with pytest.raises(VerificationFailed, match="not an Ed25519 key that signs in the raw form"):
        attestations.check_signature(token.public, raw, MESSAGE)


def rewrapped(width: int) -> bytes:
    text = "".join(GOOD.decode().splitlines()[1:-1])
    rows = [text[at : at + width] for at in range(0, len(text), width)]
    return "\n".join((sshsig.BEGIN, *rows, sshsig.END, "")).encode()


def inside(change: Callable[[bytes], bytes]) -> bytes:
    """The signature file with other bytes in it, well wrapped."""
    return sshsig._armor(change(base64.b64decode("".join(GOOD.decode().splitlines()[1:-1]))))


@pytest.mark.parametrize(("armor", "why"), [
    (rewrapped(64), "another way"),
    (rewrapped(76), "another way"),
    (GOOD.replace(b"\n", b"\r\n"), "other lines"),
    (GOOD + b"\n", "other lines"),
    (b"\n" + GOOD, "other lines"),
    (GOOD[:-1], "other lines"),
    (b"# a comment\n" + GOOD, "other lines"),
    (GOOD + GOOD, "not an SSH signature"),
    (b"", "other lines"),
    ("é".encode() + GOOD, "not an SSH signature"),
    (inside(lambda data: data + b"\0"), "more than belongs"),
    (inside(lambda data: data[:-1]), "cut off"),
    (inside(lambda data: data.replace(b"SSHSIG", b"SSHSIH", 1)), "another version"),
    (inside(lambda data: data.replace(b"\0\0\0\1", b"\0\0\0\2", 1)), "another version"),
    (inside(lambda data: data.replace(b"sha512", b"sha513", 1)), "its hash is 'sha513'"),
    (inside(lambda data: data.replace(b"\0\0\0\0\0\0\0\6sha512", b"\0\0\0\1x\0\0\0\6sha512")),
     "reserved field"),
])  # fmt: skip
def test_a_file_of_another_form_is_refused(armor: bytes, why: str) -> None:
    with pytest.raises(VerificationFailed, match=why):
        sshsig.verify(armor, SIGNER.public, SSH_NAMESPACE, MESSAGE)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 7))
def test_no_bit_of_a_signature_file_can_be_changed(at: int, bit: int) -> None:
    bent = bytearray(GOOD)
    bent[at] ^= 1 << bit
    with pytest.raises(VerificationFailed):
        sshsig.verify(bytes(bent), SIGNER.public, SSH_NAMESPACE, MESSAGE)


@pytest.mark.parametrize(
    "kind", [b"ssh-rsa", b"sk-ssh-ed25519@openssh.com", b"ecdsa-sha2-nistp256"]
)
def test_the_key_fixes_the_type_of_signature(kind: bytes) -> None:
    """The right bytes under another type's name."""
    blob = sshsig.public_blob(SIGNER.public)
    raw = bytes.fromhex(
        SIGNER.signers[0].sign(sshsig.signed_data(SSH_NAMESPACE, MESSAGE)).signature
    )
    more = struct.pack(">BI", 1, 1) if kind.startswith(b"sk-") else b""
    armor = sshsig.file_of(blob, SSH_NAMESPACE, sshsig.string(kind) + sshsig.string(raw) + more)
    with pytest.raises(VerificationFailed, match="a signature of type"):
        sshsig.verify(armor, SIGNER.public, SSH_NAMESPACE, MESSAGE)


def line(kind: str, *parts: bytes) -> str:
    blob = b"".join(map(sshsig.string, (kind.encode(), *parts)))
    return f"{kind} {base64.b64encode(blob).decode()}"


P = sshsig.P25519


def point(y: int, sign: int = 0) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", sorted(sshsig.SMALL_ORDER))
def test_a_key_of_small_order_is_refused_and_is_of_small_order(y: int, sign: int) -> None:
    """Independently: eight times the point is the neutral one."""
    with pytest.raises(VerificationFailed, match="small order"):
        sshsig.check_key(line("ssh-ed25519", point(y, sign)))
    with pytest.raises(VerificationFailed, match="small order"):
        sshsig.check_key(line("sk-ssh-ed25519@openssh.com", point(y, sign), b"ssh:"))
    for _ in range(3):  # y of twice the point, from the curve's equation -x² + y² = 1 + d·x²·y²
        d = -121665 * pow(121666, -1, P)
        x2 = (y * y - 1) * pow(d * y * y + 1, -1, P) % P
        y = (y * y + x2) * pow(1 - d * x2 * y * y, -1, P) % P
    assert y == 1


def test_all_eight_are_known() -> None:
    """An order divides 8, so there are 1 + 1 + 2 + 4 of them; x and -x share one y."""
    assert len(sshsig.SMALL_ORDER) == 5


@pytest.mark.parametrize(("public", "why"), [
    (line("ssh-ed25519", point(P + 3)), "canonical"),
    (line("ssh-ed25519", point(2**255 - 1, 1)), "canonical"),
    (line("ssh-ed25519", b"\x05" * 31), "canonical"),
    (line("ssh-ed25519", point(5), b"more"), "more than belongs"),
    (line("sk-ssh-ed25519@openssh.com", point(5)), "cut off"),
    (line("ssh-dss", b"x"), "its type 'ssh-dss'"),
    (line("ssh-ed25519-cert-v01@openssh.com", b"x"), "its type"),
    (line("ssh-rsa", b"\1\0\1", b"\0" + b"\xff" * 128), "2,048 bits"),
    (line("ssh-rsa", b"\1", b"\0" + b"\xff" * 256), "odd exponent"),
    (line("ssh-rsa", b"\1\0\1", b"\xff" * 256), "canonical"),
    (line("ssh-rsa", b"\0\1\0\1", b"\0" + b"\xff" * 256), "canonical"),
    (line("ecdsa-sha2-nistp256", b"nistp256", b"\2" + b"x" * 32), "canonical"),
    (line("ecdsa-sha2-nistp256", b"nistp384", b"\4" + b"x" * 96), "canonical"),
    ("ssh-ed25519 AAAA", "cut off"),
    ("ssh-ed25519", "not a public-key line"),
    ("", "not a public-key line"),
    (f"ssh-rsa {SIGNER.public.split()[1]}", "two types"),
])  # fmt: skip
def test_a_key_that_may_not_sign_is_refused(public: str, why: str) -> None:
    with pytest.raises(VerificationFailed, match=why):
        sshsig.check_key(public)


def test_verification_refuses_a_weak_key_in_both_forms() -> None:
    weak = line("ssh-ed25519", point(1))
    forged = point(1) + bytes(32)  # R neutral, S zero: fits every message under that key
    with pytest.raises(VerificationFailed, match="small order"):
        attestations.check_signature(weak, Signature("", "raw", forged), MESSAGE)
    blob = sshsig.public_blob(weak)
    inner = sshsig.string(b"ssh-ed25519") + sshsig.string(forged)
    with pytest.raises(VerificationFailed, match="small order"):
        sshsig.verify(sshsig.file_of(blob, SSH_NAMESPACE, inner), weak, SSH_NAMESPACE, MESSAGE)
