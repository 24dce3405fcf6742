"""The log in a pack: one checkpoint of it, and of each statement the proof that it stands in it.

The checkpoint is signed with the key that seals the pack. What a witness cosigned, or an authority
stamped, was there by then (`_times`); without either the times are the signers' own, and the
report says so.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass

from passmuster import note, tlog
from passmuster.attestations import Attestation
from passmuster.errors import MusterError, VerificationFailed
from passmuster.evidence import _times, _tsa
from passmuster.evidence._files import Files, Writer, whole
from passmuster.evidence._report import Report
from passmuster.evidence._statements import ENVELOPE, Statement
from passmuster.evidence._times import CHECKPOINT, COSIGNED, WITNESSES, Seen, named
from passmuster.keys import SigningKey
from passmuster.model import DOMAIN
from passmuster.store import Database

PROOF = "statement.tlog-proof"
STAMP, ROOTS = "tsa/checkpoint.tsr", "tsa/ca.pem"
_NAMES = (CHECKPOINT, WITNESSES, STAMP, ROOTS)


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
    Earlier ones that a witness cosigned are beside it, each with the proof that the log only grew.
    """
    cosigned = [k for k in tlog.checkpoints(db)
                if k.witnessed and k.checkpoint.origin == tlog.origin(db)]  # fmt: skip
    reach = max(s.index for s in statements)
    reach = max([reach, *(k.checkpoint.size for k in cosigned)])
    one = _cosigned(db, key, reach)
    if one is None:
        tlog.checkpoint(db, key, now)
        mine = (k for k in tlog.checkpoints(db) if k.checkpoint.origin == tlog.origin(db))
        one = max(mine, key=lambda k: k.checkpoint.size)
    writer.add(CHECKPOINT, one.text.encode())
    last = one.checkpoint.size
    cosigned = [one, *(k for k in cosigned if k.checkpoint.size < last)]
    if keys := sorted({f"{c.witness}\n" for kept in cosigned for c in kept.witnessed}):
        writer.add(WITNESSES, "".join(keys).encode())
    for kept in cosigned[1:]:
        name, grown = _times.called(kept.checkpoint.size)
        lines = tuple(c.line for c in kept.witnessed if c.line is not None)
        writer.add(name, str(note.Note(kept.note.text, lines)).encode())
        growth = tlog.consistency(db, kept.checkpoint.size, last)
        writer.add(grown, "".join(f"{base64.b64encode(one).decode()}\n" for one in growth).encode())
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
    return {n for n in names if n.startswith(COSIGNED) or n in _NAMES}


def check(
    files: Files, names: set[str], statements: list[Statement], seal: Attestation, public: str,
    report: Report, seen: list[Seen], roots: bytes | None = None,
) -> list[Seen]:  # fmt: skip
    """The checkpoint by the key (its line *public*) that sealed the pack, and every proof.

    *seen* is what `_times.read` found. *roots* are the certificates of a time-stamp authority that
    the caller trusts; without them those in the pack are used, and the report says so. What such
    an authority proves is returned.
    """
    data = whole(files, CHECKPOINT)
    witnesses = tuple(dict.fromkeys(one.by for one in seen if one.by is not None))
    policy = note.Policy(tuple(tlog.key_forms(public, origin_of(seal))), witnesses)
    opened = named(CHECKPOINT, lambda: policy.check(data))
    for statement in statements:
        name = f"{statement.folder}/{PROOF}"
        proof = named(name, lambda name=name: note.parse_receipt(whole(files, name)))  # type: ignore[misc]
        if proof.checkpoint.encode() != data or proof.extra is not None:
            raise VerificationFailed(f"{name}: is of another checkpoint than the pack's")
        if proof.index != statement.index - 1:
            raise VerificationFailed(f"{name}: is of another entry than number {statement.index}")
        entry = whole(files, f"{statement.folder}/{ENVELOPE}")
        named(name, lambda p=proof, e=entry: note.verify_receipt(p, e, policy))  # type: ignore[misc]
    size = opened.checkpoint.size
    newest: dict[note.VerifierKey, Seen] = {}
    for one in sorted(seen, key=lambda s: s.size):
        if one.by is not None:
            newest[one.by] = one
    times = [
        f"witness {key.name} ({key}) cosigned the log of {one.size:,} entries at {one.at}"
        for key, one in newest.items()
    ]
    said, stamped = _stamped(files, names, opened.checkpoint.text.encode(), roots)
    times += said
    report.notes += times or ["no witness and no time stamp: times are what the signers say"]
    return [Seen(size, stamped, None)] if stamped and roots else []


def origin_of(seal: Attestation) -> str:
    """The name of the log of the workspace where the pack was sealed."""
    return f"{DOMAIN}/log/{seal.predicate['device']}"


def _stamped(
    files: Files, names: set[str], body: bytes, roots: bytes | None
) -> tuple[list[str], str]:
    """(what to say, the time; empty where none was checked)."""
    if STAMP not in names:
        return [], ""
    token, own = whole(files, STAMP), whole(files, ROOTS)
    try:
        when = named(STAMP, lambda: _tsa.check(token, body, roots or own))
    except VerificationFailed:
        raise
    except MusterError as error:
        return [f"the time stamp was not checked: {error}"], ""
    whose = "" if roots else ", by the certificates in the pack: compare them, or give --tsa-ca"
    return [f"the time-stamp authority saw the log at {when}{whose}"], str(when)
