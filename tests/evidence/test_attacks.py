"""Forgers with a plan, and with keys."""

import json
from array import array
from pathlib import Path

import pytest

from passmuster import attestations, evidence, merkle, note, tlog
from passmuster.attestations import Link
from passmuster.errors import VerificationFailed
from passmuster.evidence import _check, _contents
from passmuster.evidence._files import Memory
from passmuster.evidence._statements import pem, side_files
from passmuster.keys import SigningKey
from passmuster.store import Database
from passmuster.text import Json, canonical, sha256, strict_json
from tests.evidence.conftest import read
from tests.scene import BOSS, END, LATER, REV, Scene, freeze_chance, key, open_scene

Content = dict[str, bytes]
DECISIONS = "statements/000005-decisions"


def payload_of(content: Content, folder: str) -> Json:
    import base64

    outer = strict_json(content[f"{folder}/statement.dsse.json"])
    body: dict[str, object] = strict_json(base64.b64decode(outer["payload"]))
    return body


def put(content: Content, folder: str, payload: bytes, signer: SigningKey) -> str:
    """Put a statement signed by *signer* into *folder*, as a pack would hold it."""
    envelope = attestations.sign(payload, signer)
    found = attestations.verify(envelope, {signer.fingerprint: signer.public})
    content[f"{folder}/statement.dsse.json"] = envelope
    for name, data in side_files(found).items():
        content[f"{folder}/{name}"] = data
    return found.name


def relog(content: Content, signer: SigningKey) -> None:
    """Make the log anew over the statements that are there, as its owner could who has no witness.

    Where statements of other reviews are missing nobody can: then it stays as it is.
    """
    folders = sorted({"/".join(n.split("/")[:2]) for n in content if n.startswith("statements/")})
    if [int(f.split("/")[1][:6]) for f in folders] != list(range(1, len(folders) + 1)):
        return
    leaves = [merkle.leaf_hash(content[f"{f}/statement.dsse.json"]) for f in folders]
    tiles = {(level, at): hashes for level, at, hashes in merkle.grow(lambda *_: b"", 0, leaves)}

    def read(level: int, at: int) -> bytes:
        return tiles.get((level, at), b"")

    origin = content["log/checkpoint"].decode().split("\n")[0]
    text = note.Checkpoint(origin, len(leaves), merkle.root_at(read, len(leaves))).text
    line = note.sign(text, tlog.key_forms(signer.public, origin)[0],
                     lambda d: bytes.fromhex(signer.signers[0].sign(d).signature))  # fmt: skip
    signed = str(note.Note(text, (line,)))
    content["log/checkpoint"] = signed.encode()
    for at, folder in enumerate(folders):
        proof = tuple(merkle.inclusion(read, at, len(leaves)))
        receipt = str(note.Receipt(at, proof, signed))
        content[f"{folder}/statement.tlog-proof"] = receipt.encode()


def seal(content: Content, signer: SigningKey, **changes: object) -> Content:
    """Make the log and SHA256SUMS anew and sign them, as somebody who holds *signer* could."""
    relog(content, signer)
    return seal_files(content, signer, **changes)


def seal_files(content: Content, signer: SigningKey, **changes: object) -> Content:
    """Make SHA256SUMS anew and sign it."""
    body = payload_of(content, "pack")
    listed = sorted(n for n in content if n != "SHA256SUMS" and not n.startswith("pack/"))
    content["SHA256SUMS"] = "".join(f"{sha256(content[n])}  {n}\n" for n in listed).encode()
    body["subject"] = [{"name": "SHA256SUMS", "digest": {"sha256": sha256(content["SHA256SUMS"])}}]
    predicate: dict[str, object] = body["predicate"]
    predicate |= {"files": len(listed), **changes}
    put(content, "pack", canonical(body), signer)
    return content


def chain(content: Content) -> list[list[str]]:
    return [line.split("\t") for line in content["chain.tsv"].decode().splitlines()]


def set_chain(content: Content, rows: list[list[str]]) -> None:
    content["chain.tsv"] = "".join("\t".join(map(str, r)) + "\n" for r in rows).encode()


def refused(content: Content, why: str) -> None:
    with pytest.raises(VerificationFailed, match=why):
        _check.check(Memory(content))


def test_sealing_anew_without_a_change_is_not_refused(content: Content, scene: Scene) -> None:
    _check.check(Memory(seal(content, scene.boss)))


def test_a_decision_is_not_replayed_from_another_campaign(
    content: Content, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same person approved the same item, elsewhere: the row is genuine, its place is not."""
    winter = open_scene(scene.db, tmp_path, monkeypatch, name="Winter")
    winter.decide()
    evidence.build_pack(winter.db, winter.campaign, tmp_path / "winter", winter.boss, END)
    other = read(tmp_path / "winter")
    folder = next(n for n in sorted(other) if n.endswith("decisions.jsonl")).rsplit("/", 1)[0]
    for name, data in other.items():
        if name.startswith(f"{folder}/"):
            content[name] = data
    rows = chain(other)
    place = next(r for r in rows if r[6] == folder)
    for row in rows[len(chain(content)) :]:
        if int(row[0]) <= int(place[0]):
            content["chain.tsv"] += ("\t".join([*row[:6], folder if row == place else "-"])
                                     + "\n").encode()  # fmt: skip
    seal(content, scene.boss, seq=int(place[2]) + 1, prev=place[4], statements=9)
    refused(content, "belongs to another campaign")


def test_a_strangers_signature_is_refused_though_the_key_lies_there(
    content: Content, scene: Scene
) -> None:
    stranger = key(REV, 99)
    payload = canonical(payload_of(content, DECISIONS))
    put(content, DECISIONS, payload, stranger)
    content["keys/4.pub"] = f"{stranger.public}\n".encode()
    content["keys/4.pem"] = pem(stranger.public)
    content["keys/principals.tsv"] += f"4\t{REV}\t{stranger.fingerprint}\t{DECISIONS}\n".encode()
    refused(seal(dict(content), scene.boss), "not among the known keys")


def test_a_strangers_seal_is_refused_though_the_key_lies_there(content: Content) -> None:
    stranger = key(BOSS, 99)
    content["keys/4.pub"] = f"{stranger.public}\n".encode()
    refused(seal(content, stranger), "was not enrolled")


def enrol_at_the_end(content: Content, stranger: SigningKey) -> Link:
    """Put an enrolment of *stranger* after the last statement; where the next one goes."""
    rows = chain(content)
    last = rows[-1]
    index = int(last[0]) + 1
    folder = f"statements/{index:06d}-enrolment"
    line = f"{stranger.public}\n".encode()
    body = {"publicKey": stranger.public, "fingerprint": stranger.fingerprint,
            "keyKind": "software", "store": "file"}  # fmt: skip
    link = Link(last[1], int(last[2]) + 1, last[4])
    payload = attestations.statement(
        "enrolment", {"key.pub": sha256(line)}, body, link, END, stranger.principal
    )
    name = put(content, folder, payload, stranger)
    content[f"{folder}/key.pub"] = line
    content["keys/4.pub"], content["keys/4.pem"] = line, pem(stranger.public)
    content["keys/allowed_signers"] += (
        f'{stranger.principal} namespaces="attestation@passmuster.example" '.encode()
        + line.rsplit(b" ", 1)[0] + b"\n"
    )  # fmt: skip
    content["keys/principals.tsv"] += (
        f"4\t{stranger.principal}\t{stranger.fingerprint}\t{folder}\n".encode()
    )
    rows.append([str(index), last[1], str(link.seq), "enrolment", name, last[4], folder])
    set_chain(content, rows)
    return Link(last[1], link.seq + 1, name)


def test_a_stranger_who_enrols_in_the_openers_name_is_refused(
    content: Content, scene: Scene
) -> None:
    stranger = key(BOSS, 99)
    at = enrol_at_the_end(content, stranger)
    seal(content, stranger, seq=at.seq, prev=at.prev, statements=9)
    refused(content, "if boss@example.com says that both are theirs")
    both = {BOSS: [scene.boss.fingerprint, stranger.fingerprint]}
    _check.check(Memory(content), both)


def test_a_key_cannot_be_slipped_in_before_what_it_signs(content: Content, scene: Scene) -> None:
    """The chain lies under the signatures of those who came after."""
    stranger = key(REV, 99)
    enrol_at_the_end(content, stranger)
    put(content, DECISIONS, canonical(payload_of(content, DECISIONS)), stranger)
    refused(seal(content, scene.boss, seq=10, statements=9), "not among the known keys")


def test_a_person_cannot_sign_under_the_name_of_another_who_is_enrolled(
    content: Content, scene: Scene
) -> None:
    """The statement stays the same, and so does the chain: only the signature is Second's."""
    put(content, DECISIONS, canonical(payload_of(content, DECISIONS)), scene.second)
    refused(seal(content, scene.boss), f"was not enrolled for {REV}")


def test_a_key_that_is_enrolled_for_two_people_is_caught(scene: Scene, tmp_path: Path) -> None:
    """Whoever signs for two would be two of the persons that a rule asks for."""
    payload = attestations.statement(
        "enrolment", {"key.pub": sha256(f"{scene.rev.public}\n".encode())},
        {"publicKey": scene.rev.public, "fingerprint": scene.rev.fingerprint,
         "keyKind": "software", "store": "memory"},
        tlog.next_link(scene.db), END, "alias@example.com",
    )  # fmt: skip
    with scene.db.atomic():
        tlog.append(scene.db, attestations.sign(payload, scene.rev), tlog.known_keys(scene.db),
                    None, END)  # fmt: skip
    evidence.build_pack(scene.db, scene.campaign, tmp_path / "two", scene.boss, END)
    with pytest.raises(VerificationFailed, match="was enrolled already"):
        evidence.verify(tmp_path / "two")


def test_a_stop_that_is_left_out_shows(content: Content, scene: Scene) -> None:
    """The sealer calls the statement that stops access one of another review."""
    folder = "statements/000007-decisions"
    for name in [n for n in content if n.startswith(f"{folder}/")]:
        del content[name]
    set_chain(content, [[*r[:6], "-" if r[6] == folder else r[6]] for r in chain(content)])
    refused(seal(dict(content), scene.boss, statements=7, namedByDigestOnly=1),
            "outcomes.jsonl: is not what the signed rows come to")  # fmt: skip
    lines = content["outcomes.jsonl"].splitlines(keepends=True)
    row = json.loads(lines[1]) | {"effect": "no_response", "remediations": [], "rows": []}
    lines[1] = canonical(row) + b"\n"
    content["outcomes.jsonl"] = b"".join(lines)
    rows = content["outcomes.csv"].splitlines(keepends=True)
    cells = rows[2].decode().split(",")
    cells[4], cells[6], cells[8:14], cells[16:] = "no_response", "", [""] * 6, ["", "\n"]
    rows[2] = ",".join(cells).encode()
    content["outcomes.csv"] = b"".join(rows)
    content["remediations.csv"] = b"".join(
        content["remediations.csv"].splitlines(keepends=True)[:2]
    )
    counts = {"no_response": 2, "stands_until": 1}
    refused(seal(content, scene.boss, statements=7, namedByDigestOnly=1, outcomes=counts),
            "close: signs other outcomes")  # fmt: skip


def test_a_row_by_somebody_who_was_not_asked_counts_for_nothing(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workspace that was bent to take it still gives a pack that says so."""
    from passmuster import campaigns
    from tests.scene import draft

    winter = open_scene(scene.db, tmp_path, monkeypatch, name="Winter")
    item = winter.item("vendor-etl")
    with winter.db.atomic():
        winter.db.execute("UPDATE item SET reviewer = ? WHERE id = ?", (BOSS, item))
    campaigns.save_draft(winter.db, item, draft("approve", "fine"), LATER)
    winter.sign(winter.boss)
    with winter.db.atomic():
        winter.db.execute("UPDATE item SET reviewer = ? WHERE id = ?", (REV, item))
    evidence.build_pack(winter.db, winter.campaign, tmp_path / "w", winter.boss, END)
    report = evidence.verify(tmp_path / "w")
    assert report.outcomes == {"no_response": 3}
    assert any("not asked" in note for note in report.notes)


def test_a_whole_pack_of_anothers_making_is_told_by_the_fingerprints(
    scene: Scene, other_db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same names, other keys, all consistent: only what people say of their keys tells."""
    freeze_chance(other_db, monkeypatch)
    forged = open_scene(other_db, tmp_path, monkeypatch, seed=50)
    forged.decide()
    forged.close()
    evidence.build_pack(other_db, forged.campaign, tmp_path / "forged", forged.boss, END)
    assert evidence.verify(tmp_path / "forged").campaign == "Autumn"
    with pytest.raises(VerificationFailed, match="not the fingerprint you gave"):
        evidence.verify(tmp_path / "forged", {BOSS: scene.boss.fingerprint})


def test_a_link_among_the_files_is_refused(pack: Path) -> None:
    (pack / "link").symlink_to("outcomes.csv")
    with pytest.raises(VerificationFailed, match="no plain file"):
        evidence.verify(pack)


@pytest.mark.parametrize("line", [
    b'{"a":1,"a":2}', b'{"b":1,"a":2}', b'{"a": 1}', b'{"a":1.5}', b'{"a":NaN}', b'{"a":',
    b"[1]", b'{"a":9007199254740992}', b"\xff",
])  # fmt: skip
def test_json_that_two_readers_may_read_differently_is_refused(
    content: Content, scene: Scene, line: bytes
) -> None:
    content["findings.jsonl"] += line + b"\n"
    refused(seal(content, scene.boss), "findings.jsonl|not of a form")


@pytest.mark.parametrize("at", range(0, 40, 3))
def test_an_item_that_stands_twice_is_found_wherever_its_digest_falls(at: int) -> None:
    names = [f"muster:t/identity/u{n}" for n in range(40)]
    for rows in (names, [*names, names[at]]):
        content = Memory({"p": b"".join(canonical({"item": n}) + b"\n" for n in rows)})
        seen = array("Q", [_contents._short(n) for n in rows])
        if len(rows) == len(names):
            _contents._each_once(content, "p", seen)
            continue
        with pytest.raises(VerificationFailed, match="stands there twice"):
            _contents._each_once(content, "p", seen)
