"""Check a pack, a workspace, or one envelope, whichever *path* is."""

from collections.abc import Callable, Collection
from pathlib import Path

from passmuster import attestations, blobs, campaigns, keys, merkle, store, tlog
from passmuster.errors import MusterError, NotFound, UsageError, VerificationFailed
from passmuster.evidence import _check
from passmuster.evidence._files import Folder
from passmuster.evidence._report import Report, Trusted, check_trust
from passmuster.evidence._statements import SUMS
from passmuster.note import VerifierKey
from passmuster.store import Database
from passmuster.text import sha256, strict_json

_TABLES = {
    "decisions": "decision", "countersign": "countersignature", "remediation": "remediation_result",
}  # fmt: skip


def verify(
    path: Path, trusted: Trusted | None = None, roots: bytes | None = None,
    witnesses: Collection[VerifierKey] = (),
) -> Report:  # fmt: skip
    """Check the evidence at *path*; *trusted* are fingerprints that were got by another way.

    *roots* (PEM) are the certificates of a time-stamp authority that were got by another way,
    *witnesses* the keys of witnesses: of a pack, only these prove by when a statement was there.
    Raises VerificationFailed naming the file and what is wrong with it.
    """
    if (path / SUMS).is_file():
        return _check.check(Folder(path), trusted, roots, witnesses)
    if witnesses:
        raise UsageError("--witness is for a pack: a workspace knows its witnesses itself")
    if (path / store.FILE).is_file():
        report = _workspace(path)
    elif path.is_file():
        report = _envelope(path)
    elif path.is_dir():
        raise VerificationFailed(f"{path}: no pack (it has no {SUMS}) and no workspace")
    else:
        raise NotFound(f"{path}: no such pack, workspace or envelope")
    check_trust(report, trusted or {})
    return report


def _workspace(path: Path) -> Report:
    """Every entry of the log, the chain, all kept bytes, and the rows against what was signed."""
    db = store.open_(path, read_only=True)
    try:
        count = tlog.check(db)
        fallen = tlog.voids(db)
        void = [
            {"statement": f"log entry {entry.id}", "kind": entry.kind, "principal": entry.principal,
             "fingerprint": attestations.unchecked(entry.envelope).keyid, "why": fallen[entry.id]}
            for entry in (tlog.entries(db) if fallen else ()) if entry.id in fallen
        ]  # fmt: skip
        for (digest,) in db.execute("SELECT sha256 FROM blob ORDER BY sha256"):
            for _ in blobs.pieces(db, digest):
                pass
        _rows(db)
        people = db.execute(
            "SELECT DISTINCT principal, fingerprint FROM signing_key ORDER BY made_at"
        ).fetchall()
    except VerificationFailed:
        raise
    except (MusterError, store.SqliteError) as error:
        raise VerificationFailed(f"{path}: {error}") from None
    finally:
        db.close()
    return Report("workspace", [(p, f) for p, f in people], count, void=void)


def _rows(db: Database) -> None:
    """The tables of decisions and countersignatures against the signed files: they hold their
    rows and no other.
    """
    known = tlog.known_keys(db)
    for entry in tlog.entries(db):
        if entry.kind not in _TABLES:
            continue
        said = attestations.verify(entry.envelope, known)
        digest = said.subject[0][1]
        table, count = _TABLES[entry.kind], 0
        if attestations.is_emergency(said):
            table = "emergency"
        there = db.value(f"SELECT count(*) FROM {table} WHERE entry_id = ?", (entry.id,))
        # what came after the end is kept where it was signed and counts for nothing
        if not there and entry.id in campaigns.late(db, entry.campaign or ""):
            continue
        counts = _counts(db, entry)
        for line in blobs.lines(db, digest):
            if not counts(line):
                continue
            count += 1
            kept = db.one(f"SELECT entry_id, row FROM {table} WHERE leaf = ?",
                          (merkle.leaf_hash(line).hex(),))  # fmt: skip
            if kept is None or (kept[0], kept[1].encode()) != (entry.id, line):
                raise VerificationFailed(f"log entry {entry.id}: its rows are not what was signed")
        if there != count:
            raise VerificationFailed(f"log entry {entry.id}: its rows are not what was signed")


def _counts(db: Database, entry: tlog.Entry) -> Callable[[bytes], bool]:
    """Which of the signed rows are in a table: all of this workspace's; of another's those about
    an item that is here, and that was its signer's to decide.
    """
    device = db.value("SELECT device FROM entry WHERE id = ?", (entry.id,))
    if device == store.device(db) or entry.campaign is None or entry.kind == "remediation":
        return lambda _: True
    items = dict(db.execute(
        "SELECT n.uri, n.reviewer FROM campaign c JOIN item n ON n.campaign_id = c.id"
        " WHERE c.digest = ?", (entry.campaign,),
    ))  # fmt: skip
    asked, who = campaigns.asked(db, entry.campaign or ""), entry.principal.lower()

    def one(line: bytes) -> bool:
        uri = strict_json(line)["item"]
        if uri not in items:
            return False
        return entry.kind == "countersign" or asked.at(uri, items[uri], entry.id) == who

    return one


def _envelope(path: Path) -> Report:
    """One envelope, with the public keys that lie beside it (`*.pub`)."""
    known = {}
    for file in sorted(path.parent.glob("*.pub")):
        try:
            line = file.read_text("utf-8").strip()
            known[keys.fingerprint(line)] = line
        except (ValueError, IndexError):
            raise VerificationFailed(f"{file}: not a public key") from None
    if not known:
        raise VerificationFailed(
            f"{path}: no pack, no workspace, and no statement with public keys (*.pub) beside it:"
            " name the folder of the pack"
        )
    try:
        found = attestations.verify(path.read_bytes(), known)
    except VerificationFailed as error:
        raise VerificationFailed(f"{path}: {error}") from None
    for name, digest in found.subject:
        beside = path.parent / name
        if beside.is_file() and sha256(beside.read_bytes()) != digest:
            raise VerificationFailed(f"{beside}: is not the file that was signed")
    return Report("envelope", [(found.predicate["principal"], found.keyid)], 1,
                  notes=[f"{found.kind} statement {found.name}"])  # fmt: skip
