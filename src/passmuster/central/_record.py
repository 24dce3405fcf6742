"""A record: the envelope of one statement, as the log holds it."""

from collections.abc import Mapping
from dataclasses import dataclass

from passmuster import attestations, merkle
from passmuster.attestations import Attestation
from passmuster.central._wire import LIMITS
from passmuster.errors import UnknownKind, VerificationFailed

BLOBS: Mapping[str, tuple[str, ...]] = {
    "roster": ("allowed_signers",), "campaign": ("definition.json",),
    "publication": ("queues.jsonl",), "decisions": ("decisions.jsonl",), "own": ("own.jsonl",),
    "countersign": ("countersignatures.jsonl",), "remediation": ("remediations.jsonl",),
}  # fmt: skip
"""Kind → the files among its subject that must have arrived before the record itself."""
FOLDED = ("campaign", "publication", "decisions", "own", "countersign", "close",
          "acknowledgement", "pack", "remediation")  # fmt: skip
"""Kinds that belong to one campaign."""
SHOWN = "dossier.json"
"""What an emergency decision names beside its row: all that was shown to whoever decided."""


@dataclass(frozen=True, slots=True)
class Record:
    """An envelope in its one form. Nothing of it is verified but the form."""

    line: bytes
    leaf: bytes
    """SHA-256(0x00 || line): its name, and its leaf in the log."""
    statement: Attestation
    campaign: str | None
    """Digest of the campaign statement that it belongs to, None for people and keys."""
    blobs: tuple[str, ...]
    """Digests of the bytes that must arrive before it."""


def read(line: bytes) -> Record:
    """Take a record apart. Raises VerificationFailed for what is not one of ours in its one form.

    What signed it is not looked at: `attestations.verify` and `roster.judge` do.
    """
    if len(line) > LIMITS.record_bytes:
        raise VerificationFailed(f"a record of {len(line):,} bytes; {LIMITS.record_bytes:,} fit")
    statement = attestations.unchecked(line)  # refuses what is not in its one canonical form
    try:
        attestations.check_basis(statement)
        campaign, blobs = campaign_of(statement), blobs_of(statement)
    except (KeyError, TypeError, AttributeError) as error:
        raise VerificationFailed(f"the statement lacks what its kind has: {error}") from None
    return Record(line, merkle.leaf_hash(line), statement, campaign, blobs)


def kind_of(line: bytes) -> str | None:
    """The kind of a record, None where it is newer than this release; for what is carried only.

    Raises VerificationFailed for what is no envelope at all.
    """
    try:
        return attestations.unchecked(line).kind
    except UnknownKind:
        return None


def campaign_of(statement: Attestation) -> str | None:
    """Digest of the campaign that a statement belongs to.

    A batch names it in its basis (an emergency has none), the others in a field of their own.
    """
    said, kind = statement.predicate, statement.kind
    if kind == "campaign":
        return statement.name
    if kind in ("decisions", "own", "countersign", "remediation"):
        found = said["basis"].get("campaign")
    elif kind in FOLDED:
        found = said["campaign"]
    else:
        return None
    return None if found is None else str(found)


def blobs_of(statement: Attestation) -> tuple[str, ...]:
    """Digests of the bytes that must have arrived before a statement may be logged."""
    wanted = BLOBS.get(statement.kind, ())
    subject = dict(statement.subject)
    if campaign_of(statement) is None and statement.kind == "decisions":
        wanted = (*wanted, SHOWN)
    with_file = ("decisions", "own", "countersign", "roster", "publication", "remediation")
    if statement.kind in with_file and (set(wanted[:1]) - subject.keys()):
        raise VerificationFailed(f"a {statement.kind} statement that does not name {wanted[0]}")
    more = (statement.predicate["ext"].get(name) for name in ("handed", "heads"))
    return (*(subject[name] for name in wanted if name in subject), *filter(None, more))
