"""The file that a packet is: what is no packet is refused before it is looked into."""

import base64
import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from passmuster import merkle, packets, store, sync, tlog
from passmuster.errors import MusterError, VerificationFailed
from passmuster.packets import Packet
from passmuster.text import canonical, sha256
from tests.sync.carrying import (
    alone,
    archive_of,
    bring,
    hand_over,
    members,
    offline,
    person,
    published,
    sums,
)
from tests.sync.test_packets import everything
from tests.sync.town import REV, Plan, built

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def carried(at_rest: Plan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a packet of each kind, and the workspace that two of them are for."""
    folder = tmp_path_factory.mktemp("carried")
    with built(at_rest, folder / "town") as place:
        published(place, folder)
        away = offline(place.rev, folder=folder / "away")
        sync.pack_campaigns(place.boss.db, REV, 0, folder / "campaign")
        bring(away, folder / "campaign", place)
        away.db.close()
        shutil.copytree(away.folder, folder / "before")
        away.reopen()
        person(away).decide("deploy", "approve")
        sync.pack_upload(alone(away), folder / "upload")
        hand_over(place, folder / "upload", folder / "receipt")
        away.db.close()
    yield folder


def opens(path: Path) -> Packet:
    with packets.opened(path) as packet:
        return packet


@pytest.mark.parametrize("kind", packets.KINDS)
def test_others_tools_read_a_packet_and_its_bytes_come_again(carried: Path, kind: str) -> None:
    files = members(carried / kind)
    assert list(files) == sorted(files)
    assert next(iter(files)) == "SHA256SUMS"
    assert sums(files) == files
    assert gzip.decompress(archive_of(files.items())) == gzip.decompress(
        (carried / kind).read_bytes()
    )
    head = (carried / kind).read_bytes()[:10]
    assert (head[3], head[4:8]) == (0, bytes(4)), "neither a name nor a time"
    with tarfile.open(carried / kind) as archive:
        for one in archive:
            assert (one.mtime, one.uid, one.gid, one.uname, one.mode) == (0, 0, 0, "", 0o644)


@pytest.mark.parametrize("kind", packets.KINDS)
def test_a_changed_byte_in_any_file_is_refused(carried: Path, tmp_path: Path, kind: str) -> None:
    files = members(carried / kind)
    for name, data in files.items():
        for at in {0, len(data) // 2, len(data) - 1}:
            changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            (tmp_path / "p").write_bytes(archive_of((files | {name: changed}).items()))
            with pytest.raises(VerificationFailed):
                opens(tmp_path / "p")


def with_manifest(files: Files, **more: Any) -> Files:
    said = json.loads(files["manifest.json"]) | more
    return files | {"manifest.json": canonical(said) + b"\n"}


def lines(files: Files, change: Callable[[list[bytes]], list[bytes]]) -> Files:
    found = change(files["records.ndjson"].splitlines(keepends=True))
    return with_manifest(files | {"records.ndjson": b"".join(found)}, records=len(found))


def hide(rows: list[bytes]) -> list[bytes]:
    said = [json.loads(row) for row in rows]
    said[1]["leaf"] = "0" * 64
    said[1]["line"] = None
    return [canonical(row) + b"\n" for row in said]


def other_line(rows: list[bytes]) -> list[bytes]:
    said = [json.loads(row) for row in rows]
    said[1]["line"] = said[0]["line"]
    return [canonical(row) + b"\n" for row in said]


def at_place(files: Files) -> Files:
    said = json.loads(files["manifest.json"])["after"]
    return with_manifest(files, after=said | {"root": "0" * 64})


def no_blob(files: Files) -> Files:
    name = next(name for name in files if name.startswith("blobs/"))
    return {n: data for n, data in files.items() if n != name}


def other_blob(files: Files) -> Files:
    name = next(name for name in files if name.startswith("blobs/"))
    return files | {name: b"other bytes"}


def other_proof(files: Files) -> Files:
    one, two = [name for name in files if name.startswith("receipts/")]
    return files | {one: files[two]}


CHANGES: dict[str, tuple[str, Callable[[Files], Files], str]] = {
    "a kind": ("campaign", lambda f: with_manifest(f, kind="gift"), "unknown kind"),
    "a version": ("campaign", lambda f: with_manifest(f, format="muster-packet/v2"), "version"),
    "a field": ("campaign", lambda f: with_manifest(f, more=1), "form"),
    "a count": ("campaign", lambda f: with_manifest(f, records=3), "another number"),
    "a count of blobs": ("campaign", lambda f: with_manifest(f, blobs=0), "another number"),
    "a count that is none": ("campaign", lambda f: with_manifest(f, blobs=True), "no number"),
    "the place": ("campaign", at_place, "subtrees"),
    "spaces": ("campaign", lambda f: f | {
        "manifest.json": json.dumps(json.loads(f["manifest.json"])).encode()}, "form"),
    "a log": ("campaign", lambda f: f | {
        "checkpoint": f["checkpoint"].replace(b"central", b"c", 1)}, "another log"),
    "a size": ("campaign", lambda f: f | {
        "checkpoint": f["checkpoint"].replace(b"\n5\n", b"\n6\n")}, "do not lead to the root"),
    "a record cut off": ("campaign", lambda f: lines(f, lambda rows: rows[:-1]), "do not lead"),
    "records in another order": ("campaign", lambda f: lines(
        f, lambda rows: [rows[1], rows[0], *rows[2:]]), "does not follow"),
    "a record twice": ("campaign", lambda f: lines(f, lambda rows: [*rows, rows[-1]]), "follow"),
    "another leaf": ("campaign", lambda f: lines(f, hide), "do not lead"),
    "another record": ("campaign", lambda f: lines(f, other_line), "not what its leaf names"),
    "no end": ("campaign", lambda f: f | {"records.ndjson": f["records.ndjson"][:-1]}, "no end"),
    "no checkpoint": ("campaign", lambda f: {
        n: d for n, d in f.items() if n != "checkpoint"}, "no checkpoint"),
    "a blob less": ("campaign", no_blob, "another number"),
    "other bytes": ("campaign", other_blob, "called by another digest"),
    "an upload twice": ("upload", lambda f: lines(f, lambda rows: [*rows, rows[0]]), "twice"),
    "an upload of nothing": ("upload", lambda f: lines(f, lambda _: [b"{}\n"]), "envelope"),
    "an upload with results": ("upload", lambda f: f | {"results.json": b"[]"}, "neither"),
    "an upload seen elsewhere": ("upload", lambda f: with_manifest(
        f, after={"size": 0, "root": merkle.EMPTY_ROOT, "subtrees": []}), "not of the place"),
    "another proof": ("receipt", other_proof, "inclusion proof"),
    "results of another form": ("receipt", lambda f: f | {"results.json": b'[{"leaf":1}]'}, "form"),
    "results that are none": ("receipt", lambda f: f | {"results.json": b"[1]"}, "form"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_somebody_changed_and_summed_anew_is_refused(
    carried: Path, tmp_path: Path, change: str
) -> None:
    kind, alter, match = CHANGES[change]
    files = members(carried / kind)
    changed = sums(alter(files))
    assert changed != files
    (tmp_path / "p").write_bytes(archive_of(changed.items()))
    with pytest.raises(VerificationFailed, match=match):
        opens(tmp_path / "p")


@pytest.mark.parametrize("change", ["checkpoint", "log"])
def test_a_checkpoint_that_the_log_has_not_signed_changes_nothing(
    carried: Path, tmp_path: Path, change: str
) -> None:
    """A stranger can make a packet that adds up; it is not the log's, and it halts nothing."""
    files = members(carried / "receipt")
    if change == "checkpoint":
        rows = [json.loads(row) for row in files["records.ndjson"].splitlines()][:-1]
        after = json.loads(files["manifest.json"])["after"]
        frontier = merkle.Frontier(after["size"], [bytes.fromhex(h) for h in after["subtrees"]])
        for row in rows:
            frontier.append(bytes.fromhex(row["leaf"]))
        text, _, tail = files["checkpoint"].decode().partition("\n\n")
        origin = text.split("\n")[0]
        root = base64.b64encode(bytes.fromhex(frontier.root())).decode()
        files["checkpoint"] = f"{origin}\n{frontier.size}\n{root}\n\n{tail}".encode()
        files = {n: d for n, d in files.items() if not n.startswith("receipts/")}
        files = lines(files, lambda old: old[:-1])
    else:
        files = with_manifest(files, key=json.loads(files["manifest.json"])["key"][:-2] + "A=")
    (tmp_path / "p").write_bytes(archive_of(sums(files).items()))
    shutil.copytree(carried / "away", tmp_path / "away")
    db = store.open_(tmp_path / "away")
    before = everything(db)
    with pytest.raises(MusterError), packets.opened(tmp_path / "p") as packet:
        packet.signed_by(tlog.pinned(db).key)
        sync.bring(sync.Work(db, None, REV, lambda: "2026-11-23T08:00:00Z"), packet)
    assert everything(db) == before
    assert tlog.halts(db) == []
    db.close()


# --- archives that are none


def entry(name: str, data: bytes = b"", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    for field, value in more.items():
        setattr(info, field, value)
    return info, data


def packed(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)


GOOD = f"{sha256(b'x')}  checkpoint\n".encode()
ARCHIVES = {
    "a path": packed(entry("SHA256SUMS", GOOD), entry("../checkpoint", b"x")),
    "an absolute path": packed(entry("SHA256SUMS", GOOD), entry("/checkpoint", b"x")),
    "a folder": packed(entry("SHA256SUMS", GOOD), entry("blobs", type=tarfile.DIRTYPE)),
    "a link": packed(entry("SHA256SUMS", GOOD),
                     entry("checkpoint", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
    "a hard link": packed(entry("SHA256SUMS", GOOD),
                          entry("checkpoint", type=tarfile.LNKTYPE, linkname="SHA256SUMS")),
    "a device": packed(entry("SHA256SUMS", GOOD), entry("checkpoint", type=tarfile.CHRTYPE)),
    "a pipe": packed(entry("SHA256SUMS", GOOD), entry("checkpoint", type=tarfile.FIFOTYPE)),
    "a name twice": packed(entry("SHA256SUMS", GOOD), entry("checkpoint", b"x"),
                           entry("checkpoint", b"x")),
    "sums of a name twice": packed(entry("SHA256SUMS", GOOD * 2), entry("checkpoint", b"x"),
                                   entry("checkpoint", b"x")),
    "sums of another name": packed(entry("SHA256SUMS", GOOD.replace(b"check", b"../check")),
                                   entry("../checkpoint", b"x")),
    "no sums": packed(entry("checkpoint", b"x")),
    "sums at the end": packed(entry("checkpoint", b"x"), entry("SHA256SUMS", GOOD)),
    "a file that is not summed": packed(entry("SHA256SUMS", b""), entry("checkpoint", b"x")),
    "a summed file that is not there": packed(entry("SHA256SUMS", GOOD)),
    "a mode": packed(entry("SHA256SUMS", GOOD), entry("checkpoint", b"x", mode=0o4755)),
    "an owner": packed(entry("SHA256SUMS", GOOD), entry("checkpoint", b"x", uname="root")),
    "a time": packed(entry("SHA256SUMS", GOOD), entry("checkpoint", b"x", mtime=1)),
    "headers of pax": packed(entry("SHA256SUMS", GOOD), entry("checkpoint", b"x", pax_headers={
        "comment": "x" * 9999}), form=tarfile.PAX_FORMAT),
    "a long name": packed(entry("SHA256SUMS", GOOD), entry("x" * 300, b"x"),
                          form=tarfile.GNU_FORMAT),
    "no gzip": b"PK\x03\x04",
    "two streams": gzip.compress(b"") * 2,
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("archive", ARCHIVES)
def test_an_archive_of_another_form_is_refused_and_writes_nothing(
    tmp_path: Path, archive: str
) -> None:
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    (tmp_path / "p").write_bytes(ARCHIVES[archive])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(VerificationFailed), packets.opened(tmp_path / "p", folder):
        pass
    assert sorted(tmp_path.rglob("*")) == before


def test_a_packet_that_is_cut_off_anywhere_or_goes_on_is_refused(
    carried: Path, tmp_path: Path
) -> None:
    data = (carried / "receipt").read_bytes()
    plain = gzip.decompress(data)
    cut = [data[: len(data) * n // 23] for n in range(23)]
    cut += [gzip.compress(plain[: len(plain) * n // 23], mtime=0) for n in range(23)]
    more = [data + b"\x00", data + data, gzip.compress(plain + bytes(10240), mtime=0),
            gzip.compress(plain + b"x" * 10240, mtime=0)]  # fmt: skip
    for one in (*cut, *more):
        (tmp_path / "p").write_bytes(one)
        with pytest.raises(VerificationFailed):
            opens(tmp_path / "p")


@pytest.mark.parametrize("size", [10, pytest.param(100, marks=pytest.mark.ci)])
@pytest.mark.parametrize("where", ["in a file", "in the sums", "behind the end", "everywhere"])
def test_a_packet_that_unpacks_to_much_more_is_refused_after_little(
    tmp_path: Path, where: str, size: int
) -> None:
    """97 KB that would be 100 MB."""
    size *= 1024 * 1024
    zeros = bytes(size)
    digest = sha256(zeros)
    name = f"blobs/{digest}"
    if where == "in a file":
        made = archive_of([("SHA256SUMS", f"{digest}  {name}\n".encode()), (name, zeros)])
    elif where == "in the sums":
        made = archive_of([("SHA256SUMS", zeros)])
    elif where == "behind the end":
        made = gzip.compress(gzip.decompress(archive_of([("SHA256SUMS", b"")])) + zeros, mtime=0)
    else:
        made = gzip.compress(zeros, mtime=0)
    assert len(made) < size / 900
    (tmp_path / "p").write_bytes(made)
    kept = tmp_path / "kept"
    kept.mkdir()
    found = {}
    with pytest.raises(VerificationFailed), packets.opened(tmp_path / "p", kept) as packet:
        found = packet.names
    assert found == {}
    assert list(kept.iterdir()) == []


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(data=st.data())
def test_whatever_bytes_come_only_our_own_errors_are_raised(
    carried: Path, tmp_path: Path, data: st.DataObject
) -> None:
    plain = bytearray(gzip.decompress((carried / data.draw(st.sampled_from(packets.KINDS))
                                       ).read_bytes()))  # fmt: skip
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(plain) - 1))
        plain[at] = data.draw(st.integers(0, 255))
    (tmp_path / "p").write_bytes(gzip.compress(bytes(plain), 1, mtime=0))
    with ExitStack() as stack:
        try:
            stack.enter_context(packets.opened(tmp_path / "p"))
        except MusterError:
            return
        assert bytes(plain) == gzip.decompress(archive_of(members(tmp_path / "p").items()))


# --- the tree that a packet goes on from


@given(size=st.integers(0, 600), more=st.integers(0, 40))
@settings(max_examples=80, deadline=None)
def test_the_subtrees_of_a_tree_lead_to_its_root_and_to_every_later_one(
    size: int, more: int
) -> None:
    leaves = [merkle.leaf_hash(str(n).encode()) for n in range(size + more)]
    held = {(level, index): hashes for level, index, hashes
            in merkle.grow(lambda *_: b"", 0, leaves)}  # fmt: skip

    def read(level: int, index: int) -> bytes:
        return held.get((level, index), b"")

    there = merkle.Frontier(size, merkle.subtrees(read, size))
    assert there.root() == merkle.root_at(read, size).hex()
    for leaf in leaves[size:]:
        there.append(leaf)
    assert there.root() == merkle.root_at(read, size + more).hex()


def test_subtrees_of_another_number_are_refused() -> None:
    with pytest.raises(VerificationFailed, match="stand for"):
        merkle.Frontier(3, [bytes(32)])
    with pytest.raises(VerificationFailed, match="32 bytes"):
        merkle.Frontier(1, [bytes(31)])
