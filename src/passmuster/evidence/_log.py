"""The log in a pack: one checkpoint of it, and of each statement the proof that it stands in it.

The checkpoint is signed with the key that seals the pack. What a witness cosigned, or an authority
stamped, was there by then; without either the times are the signers' own, and the report says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from passmuster import note, tlog
from passmuster.attestations import Attestation
from passmuster.errors import MusterError, VerificationFailed
from passmuster.evidence import _tsa
from passmuster.evidence._files import Files, Writer, whole
from passmuster.evidence._report import Report
from passmuster.evidence._statements import ENVELOPE, Statement
from passmuster.keys import SigningKey
from passmuster.model import DOMAIN
from passmuster.store import Database
from passmuster.text import from_epoch

T = TypeVar("T")
CHECKPOINT, WITNESSES, PROOF = "log/checkpoint", "log/witnesses", "statement.tlog-proof"
STAMP, ROOTS = "tsa/checkpoint.tsr", "tsa/ca.pem"


@dataclass(frozen=True, slots=True)
class Authority:
    """Who stamps the checkpoint's time."""

    stamp: Callable[[bytes], bytes]
    roots: bytes
    """Its certificates, PEM."""

    @classmethod
    def at(cls, url: str, certificates: str | None) -> "Authority":
        """The authority at *url*, whose certificates stand in the file *certificates*."""
        roots = _tsa.roots_of(certificates)
        return cls(lambda data: _tsa.stamp(data, url, roots), roots)


def write(
    db: Database, statements: list[Statement], key: SigningKey, now: str, writer: Writer,
    authority: Authority | None,
) -> None:  # fmt: skip
    """Write a checkpoint that has all *statements*, and their proofs.

    The newest that a witness cosigned is taken where it reaches far enough; else one is signed.
    """
    reach = max(s.index for s in statements)
    one = _cosigned(db, key, reach)
    if one is None:
        tlog.checkpoint(db, key, now)
        mine = (k for k in tlog.checkpoints(db) if k.checkpoint.origin == tlog.origin(db))
        one = max(mine, key=lambda k: k.checkpoint.size)
    writer.add(CHECKPOINT, one.text.encode())
    if one.witnessed:
        keys = sorted(f"{c.witness}\n" for c in one.witnessed)
        writer.add(WITNESSES, "".join(keys).encode())
    for statement in statements:
        proof = tlog.receipt(db, statement.index, one.checkpoint.size)
        writer.add(f"{statement.folder}/{PROOF}", proof.encode())
    if authority is not None:
        writer.add(STAMP, authority.stamp(one.checkpoint.text.encode()))
        writer.add(ROOTS, authority.roots)


def _cosigned(db: Database, key: SigningKey, reach: int) -> tlog.Kept | None:
    mine = {(k.name, k.id) for k in tlog.key_forms(key.public, tlog.origin(db))}
    for one in tlog.checkpoints(db):
        signed = any((line.name, line.id) in mine for line in one.note.lines)
        if signed and one.witnessed and one.checkpoint.size >= reach:
            return one
    return None


def names_of(names: set[str]) -> set[str]:
    """Those of *names* that are the log's, outside the folders of statements."""
    return names & {CHECKPOINT, WITNESSES, STAMP, ROOTS}


def check(
    files: Files, names: set[str], statements: list[Statement], seal: Attestation, public: str,
    report: Report, roots: bytes | None = None,
) -> None:  # fmt: skip
    """The checkpoint by the key (its line *public*) that sealed the pack, and every proof.

    *roots* are the certificates of a time-stamp authority that the caller trusts; without them
    those in the pack are used, and the report says so.
    """
    data = whole(files, CHECKPOINT)
    origin = f"{DOMAIN}/log/{seal.predicate['device']}"
    policy = note.Policy(tuple(tlog.key_forms(public, origin)), _witnesses(files, names))
    opened = _named(CHECKPOINT, lambda: policy.check(data))
    for statement in statements:
        name = f"{statement.folder}/{PROOF}"
        proof = _named(name, lambda name=name: note.parse_receipt(whole(files, name)))  # type: ignore[misc]
        if proof.checkpoint.encode() != data or proof.extra is not None:
            raise VerificationFailed(f"{name}: is of another checkpoint than the pack's")
        if proof.index != statement.index - 1:
            raise VerificationFailed(f"{name}: is of another entry than number {statement.index}")
        entry = whole(files, f"{statement.folder}/{ENVELOPE}")
        _named(name, lambda p=proof, e=entry: note.verify_receipt(p, e, policy))  # type: ignore[misc]
    size = opened.checkpoint.size
    times = [
        f"witness {one.key.name} ({one.key}) cosigned the log of {size:,} entries at "
        f"{from_epoch(one.at)}"
        for one in opened.signed
        if one.key in policy.witnesses and one.at is not None
    ]
    if len(times) != len(policy.witnesses):
        raise VerificationFailed(f"{WITNESSES}: names a witness that did not cosign")
    times += _stamped(files, names, opened.checkpoint.text.encode(), roots)
    report.notes += times or ["no witness and no time stamp: times are what the signers say"]


def _named(name: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except VerificationFailed as error:
        raise VerificationFailed(f"{name}: {error}") from None


def _witnesses(files: Files, names: set[str]) -> tuple[note.VerifierKey, ...]:
    if WITNESSES not in names:
        return ()
    lines = whole(files, WITNESSES).decode().splitlines()
    return tuple(_named(WITNESSES, lambda: note.parse_key(line)) for line in lines)  # noqa: B023


def _stamped(files: Files, names: set[str], body: bytes, roots: bytes | None) -> list[str]:
    if STAMP not in names:
        return []
    token, own = whole(files, STAMP), whole(files, ROOTS)
    try:
        when = _named(STAMP, lambda: _tsa.check(token, body, roots or own))
    except VerificationFailed:
        raise
    except MusterError as error:
        return [f"the time stamp was not checked: {error}"]
    whose = "" if roots else ", by the certificates in the pack: compare them, or give --tsa-ca"
    return [f"the time-stamp authority saw the log at {when}{whose}"]
