"""Notes, checkpoints, cosignatures, receipts and policies: published ones, our own, and damaged."""

import base64
import contextlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from passmuster import merkle, note, sshsig
from passmuster.errors import VerificationFailed
from passmuster.model import SSH_NAMESPACE
from passmuster.note import Checkpoint, Line, Note, Policy, Receipt, VerifierKey
from tests.conftest import SHARED

FOLDER = SHARED / "vectors" / "c2sp"
here = pytest.mark.skipif(not FOLDER.exists(), reason="the shared vectors are not here")
AT = 1_795_000_000
ORIGIN, W1, W2 = "log.example/passmuster", "auditor.example/w1", "dpo.example/w2"


def vectors(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text()) if FOLDER.exists() else {}


def pair(seed: int) -> tuple[Ed25519PrivateKey, bytes]:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return private, private.public_key().public_bytes_raw()


LOG, LOG_KEY = pair(1)[0], note.ed25519_key(ORIGIN, pair(1)[1])
WITNESS, WITNESS_KEY = pair(2)[0], note.witness_key(W1, pair(2)[1])
OTHER, OTHER_KEY = pair(3)[0], note.witness_key(W2, pair(3)[1])
LEAVES = [b"entry %d" % i for i in range(5)]
SAID = Checkpoint(ORIGIN, 5, bytes.fromhex(merkle.root(LEAVES)))


def signed(*witnesses: tuple[VerifierKey, Ed25519PrivateKey], said: Checkpoint = SAID) -> Note:
    lines = [note.sign(said.text, LOG_KEY, LOG.sign)]
    lines += [note.cosign(said.text, key, private.sign, AT) for key, private in witnesses]
    return Note(said.text, tuple(lines))


def receipt() -> Receipt:
    tiles = {(level, index): data for level, index, data in merkle.grow(
        lambda *_: b"", 0, map(merkle.leaf_hash, LEAVES))}  # fmt: skip
    proof = merkle.inclusion(lambda level, index: tiles[level, index], 3, 5)
    return Receipt(3, tuple(proof), str(signed((WITNESS_KEY, WITNESS))))


# --- published


@here
def test_go_s_own_note_is_read_signed_and_written_alike() -> None:
    case = vectors("go-x-mod-sumdb-note")
    key = note.parse_key(case["vkey"])
    assert str(key) == case["vkey"]
    read = note.parse(case["note"])
    assert (read.text, str(read)) == (case["text"], case["note"])
    seed = base64.b64decode(case["skey"].split("+", 4)[4])[1:]
    private = Ed25519PrivateKey.from_private_bytes(seed)
    assert Note(read.text, (note.sign(read.text, key, private.sign),)) == read


@here
@pytest.mark.parametrize("case", vectors("go-x-mod-sumdb-note").get("openCases", ()),
                         ids=lambda c: c["name"])  # fmt: skip
def test_a_note_opens_for_whom_go_opens_it(case: dict[str, Any]) -> None:
    keys = [note.parse_key(key) for key in case["vkeys"]]
    if case["verifiedBy"] is None:
        with pytest.raises(VerificationFailed):
            note.verify(note.parse(case["note"]), keys)
    else:
        found = note.verify(note.parse(case["note"]), keys)
        assert [one.key.name for one in found] == case["verifiedBy"]


@here
def test_the_examples_of_the_specifications_are_read() -> None:
    case = vectors("spec-examples")
    key = note.parse_key(case["signed-note"]["vkey"])
    assert note.verify(note.parse(case["signed-note"]["note"]), [key])[0].key == key
    for name, lines in (("tlog-checkpoint", 1), ("tlog-cosignature", 2)):
        read = note.parse(case[name]["note"])
        said = note.parse_checkpoint(read.text)
        assert (said.origin, said.size) == ("example.com/behind-the-sofa", 20852163)
        assert (said.text, len(read.lines), str(read)) == (read.text, lines, case[name]["note"])
    assert int.from_bytes(read.lines[1].signature[:8]) == 1679315147


@here
def test_published_verifier_keys_are_taken_or_refused() -> None:
    case = vectors("vkeys")
    for text in case["validVkeys"]:
        assert str(note.parse_key(text)) == text
    for text in case["invalidVkeys"]:
        with pytest.raises(VerificationFailed):
            note.parse_key(text)


@here
@pytest.mark.parametrize("case", vectors("tlog-proof-malformed").get("mustReject", ()),
                         ids=lambda c: c["name"])  # fmt: skip
def test_a_published_malformed_receipt_is_refused(case: dict[str, str]) -> None:
    with pytest.raises(VerificationFailed):
        note.parse_receipt(case["proof"])


# --- notes


def test_lines_of_unknown_keys_are_ignored_and_a_known_one_that_is_wrong_spoils_the_note() -> None:
    whole = signed((WITNESS_KEY, WITNESS))
    stranger = note.sign(
        SAID.text, note.ed25519_key("x.example", pair(9)[1]), lambda _: b"nonsense"
    )
    mixed = Note(whole.text, (stranger, *whole.lines))
    assert [one.key for one in note.verify(mixed, [LOG_KEY, WITNESS_KEY])] == [LOG_KEY, WITNESS_KEY]
    same_name = note.ed25519_key(ORIGIN, pair(9)[1])
    with pytest.raises(VerificationFailed, match="none of the known keys"):
        note.verify(whole, [same_name])
    bad = Note(whole.text, (whole.lines[0], Line(W1, WITNESS_KEY.id, b"\0" * 72)))
    with pytest.raises(VerificationFailed, match=r"auditor\.example"):
        note.verify(bad, [LOG_KEY, WITNESS_KEY])
    assert note.verify(bad, [LOG_KEY])


@pytest.mark.parametrize("text", [
    "", "x", "x\n", "x\n\n", "x\n\n— ", "x\n\n— n AAAAAAAA", "x\n\n- n AAAAAAAA\n",
    "x\n\n—n AAAAAAAA\n", "x\n\n— n  AAAAAAAA\n", "x\n\n— n AAAAAAA\n", "x\n\n— n AAAAAAB=\n",
    "x\n\n— n AAAA\n", "x\n\n— n+m AAAAAAAA\n", "x\n\n— n\u00a0m AAAAAAAA\n",
    "x\ty\n\n— n AAAAAAAA\n",
    "x\r\n\n— n AAAAAAAA\n", "x\n\n— n AAAAAAAA\n\n", "x\n\n— n AAAAAAAA \n", "x\n\n—  AAAAAAAA\n",
])  # fmt: skip
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(VerificationFailed):
        note.parse(text)


def test_bytes_that_are_not_utf_8_are_no_note() -> None:
    with pytest.raises(VerificationFailed, match="UTF-8"):
        note.parse(b"\xff\n\n\xe2\x80\x94 n AAAAAAAA\n")


def test_the_text_of_a_note_may_have_empty_lines() -> None:
    assert note.parse("a\n\nb\n\n— n AAAAAAAA\n").text == "a\n\nb\n"


@given(st.integers(0), st.integers(0, 7))
def test_any_bit_of_a_signed_checkpoint_that_flips_is_found(at: int, bit: int) -> None:
    whole = str(signed((WITNESS_KEY, WITNESS))).encode()
    at %= len(whole)
    bent = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
    try:
        opened = Policy((LOG_KEY,), (WITNESS_KEY,), 1).check(bent)
    except VerificationFailed:
        return
    assert opened.checkpoint == SAID  # never reached with other words


def test_a_cosignature_tells_when_and_is_no_signature_of_a_log() -> None:
    (mine,) = note.verify(signed((WITNESS_KEY, WITNESS)), [WITNESS_KEY])
    assert mine.at == AT
    as_log = note.ed25519_key(W1, WITNESS_KEY.material)
    assert as_log.id != WITNESS_KEY.id
    moved = Line(W1, as_log.id, mine.line.signature[8:])
    with pytest.raises(VerificationFailed):
        note.verify(Note(SAID.text, (moved,)), [as_log])
    for at in (AT + 1, 2**63, 2**64 - 1):
        late = Line(W1, WITNESS_KEY.id, at.to_bytes(8) + mine.line.signature[8:])
        with pytest.raises(VerificationFailed):
            note.verify(Note(SAID.text, (late,)), [WITNESS_KEY])


def test_an_ssh_key_signs_a_checkpoint_in_its_own_form() -> None:
    private, public = pair(4)
    blob = sshsig.string(b"ssh-ed25519") + sshsig.string(public)
    line = f"ssh-ed25519 {base64.b64encode(blob).decode()}"
    key = note.ssh_key(ORIGIN, blob)
    assert note.parse_key(str(key)) == key
    assert key.ssh_line == line

    def made(namespace: str) -> Note:
        def raw(data: bytes) -> bytes:
            return sshsig.armored(line, namespace, private.sign, data)

        return Note(SAID.text, (note.sign(SAID.text, key, raw),))

    assert Policy((key,)).check(str(made(SSH_NAMESPACE))).checkpoint == SAID
    with pytest.raises(VerificationFailed, match="'git'"):
        Policy((key,)).check(made("git"))
    with pytest.raises(VerificationFailed):
        Policy((note.ed25519_key(ORIGIN, public),)).check(made(SSH_NAMESPACE))


# --- checkpoints


ROOT = "A" * 43 + "="


@pytest.mark.parametrize("text", [
    "o\n5\n", "o\n5\nAAAA\n", f"o\n05\n{ROOT}\n", f"o\n-5\n{ROOT}\n", f"\n5\n{ROOT}\n",
    f"o\n5\n{ROOT}", f"o\n5\n{ROOT}\n\n", f"o\n5\n{ROOT[:-2]}B=\n", f"o\n+5\n{ROOT}\n",
    f"o\n{2**63}\n{ROOT}\n", f"o\n٥\n{ROOT}\n", f"o\n5 \n{ROOT}\n", f"o\n\n{ROOT}\n",
])  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(VerificationFailed):
        note.parse_checkpoint(text)


def test_further_lines_of_a_checkpoint_are_kept_and_signed() -> None:
    said = Checkpoint(ORIGIN, 5, SAID.root, ("more", "and more"))
    assert note.parse_checkpoint(said.text) == said
    assert Policy((LOG_KEY,)).check(signed(said=said)).checkpoint.extensions == said.extensions
    with pytest.raises(VerificationFailed):
        Policy((LOG_KEY,)).check(Note(SAID.text, signed(said=said).lines))


# --- policies


def test_a_log_s_key_vouches_for_no_other_log() -> None:
    other = Checkpoint("other.example/log", 5, SAID.root)
    with pytest.raises(VerificationFailed, match=r"no trusted key of other\.example"):
        Policy((LOG_KEY,)).check(signed(said=other))


def test_a_quorum_counts_witnesses_and_not_lines() -> None:
    both = Policy((LOG_KEY,), (WITNESS_KEY, OTHER_KEY), 2)
    assert len(both.check(signed((WITNESS_KEY, WITNESS), (OTHER_KEY, OTHER))).signed) == 3
    twice = signed((WITNESS_KEY, WITNESS), (WITNESS_KEY, WITNESS))
    with pytest.raises(VerificationFailed, match="1 of the 2 witnesses"):
        both.check(twice)
    with pytest.raises(VerificationFailed, match="no trusted key"):
        both.check(Note(SAID.text, signed((WITNESS_KEY, WITNESS)).lines[1:]))


def test_a_policy_that_counts_one_key_twice_is_refused() -> None:
    again = note.witness_key("second.example", WITNESS_KEY.material)
    itself = note.witness_key(ORIGIN, LOG_KEY.material)
    for logs, witnesses, quorum in (
        ((LOG_KEY,), (WITNESS_KEY, again), 1), ((LOG_KEY,), (itself,), 1), ((), (WITNESS_KEY,), 0),
        ((LOG_KEY,), (WITNESS_KEY,), 2), ((WITNESS_KEY,), (), 0), ((LOG_KEY,), (LOG_KEY,), 1),
        ((LOG_KEY,), (WITNESS_KEY,), -1),
    ):  # fmt: skip
        with pytest.raises(VerificationFailed):
            Policy(logs, witnesses, quorum)


def test_a_policy_is_read_as_tlog_policy_writes_it() -> None:
    text = (f"# ours\n\nlog {LOG_KEY} https://log.example/\nwitness A {WITNESS_KEY}\n"
            f"witness\tB {OTHER_KEY}\ngroup G any A B\nquorum G\n")  # fmt: skip
    assert note.parse_policy(text.encode()) == Policy((LOG_KEY,), (WITNESS_KEY, OTHER_KEY), 1)
    assert note.parse_policy(text.replace("any", "all").encode()).quorum == 2
    assert note.parse_policy(f"log {LOG_KEY}\nquorum none\n").quorum == 0
    for wrong in (
        text.replace("any", "3"), text.replace("any", "0"), text.replace("A B", "A C"),
        text.replace("A B", "A A"), text.replace("quorum G", ""), text + "quorum A\n",
        text.replace("quorum G", "quorum X"), text + "maybe\n",
        text.replace("witness A", "witness B"), text.replace("G", "none"),
        text.replace("group G any A B", "group H any A B\ngroup G any H"),
    ):  # fmt: skip
        with pytest.raises(VerificationFailed):
            note.parse_policy(wrong.replace("\t", " "))


# --- receipts and requests


def test_a_receipt_proves_its_entry_and_no_other() -> None:
    policy = Policy((LOG_KEY,), (WITNESS_KEY,), 1)
    text = str(receipt())
    assert note.parse_receipt(text) == receipt()
    opened = note.verify_receipt(text, LEAVES[3], policy)
    assert [one.at for one in opened.signed] == [None, AT]
    with pytest.raises(VerificationFailed, match="another root"):
        note.verify_receipt(text, LEAVES[2], policy)
    with pytest.raises(VerificationFailed):
        note.verify_receipt(text.replace("index 3", "index 2"), LEAVES[3], policy)
    with pytest.raises(VerificationFailed, match="0 of the 1"):
        note.verify_receipt(text, LEAVES[3], Policy((LOG_KEY,), (OTHER_KEY,), 1))


def test_the_extra_data_of_a_receipt_comes_back_and_proves_nothing() -> None:
    with_more = Receipt(3, receipt().proof, receipt().checkpoint, b"\0more")
    assert note.parse_receipt(str(with_more)) == with_more


def test_a_request_is_read_as_it_was_written() -> None:
    asked = note.Request(3, receipt().proof, str(signed()))
    assert note.parse_request(asked.text) == asked
    assert asked.text.startswith("old 3\n")


@pytest.mark.parametrize("text", [
    "", "old 3", "old 3\n", "old  3\n\nx", "old 03\n\nx", "new 3\n\nx", "old -1\n\nx", "old x\n\nx",
    f"old 3\n{'A' * 42}\n\nx", "old 3\n" + f"{'A' * 43}=\n" * 64 + "\nx",
])  # fmt: skip
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(VerificationFailed):
        note.parse_request(text)


@given(st.one_of(st.text(), st.binary()))
def test_no_garbage_raises_anything_but_a_refusal(data: str | bytes) -> None:
    for read in (note.parse, note.parse_receipt, note.parse_request, note.parse_policy,
                 note.parse_lines):  # fmt: skip
        with contextlib.suppress(VerificationFailed):
            read(data)
    if isinstance(data, str):
        for read_text in (note.parse_key, note.parse_checkpoint):
            with contextlib.suppress(VerificationFailed):
                read_text(data)
