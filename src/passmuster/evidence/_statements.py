"""Statements in a pack: where each lies, what stands beside it, the keys, and their chain.

Beside each envelope lie its pre-authentication encoding and its raw signature, so that openssl
alone can check it. All tables here follow from the envelopes, and the check makes them again.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from passmuster import seconds
from passmuster.attestations import Attestation, is_emergency
from passmuster.campaigns import file_name
from passmuster.errors import VerificationFailed
from passmuster.evidence._walk import Batch
from passmuster.keys import allowed_signer
from passmuster.seconds import Policy
from passmuster.text import Json

SUMS = "SHA256SUMS"
SEAL = "pack"
"""The folder of the statement that signs `SHA256SUMS`; the only one that it does not list."""
ENVELOPE = "statement.dsse.json"
PRINCIPALS = "keys/principals.tsv"
SIGNERS = "keys/allowed_signers"
ROSTER = "roster/allowed_signers"
"""Of the newest roster: it has every key that was ever listed, and when each was good."""
HEADS, HEADS_FILE = "heads", "heads.jsonl"
"""In `ext` of the end of a campaign that travels, the digest of this file beside it: the last
statement of each device that the end knows of."""
CHAIN = "chain.tsv"
CHAIN_COLUMNS = ("index", "device", "seq", "kind", "statement", "prev", "folder")
PRINCIPAL_COLUMNS = ("n", "principal", "fingerprint", "enrolment")
ROWS = {
    "decisions": "decisions.jsonl", "own": "own.jsonl", "countersign": "countersignatures.jsonl",
}  # fmt: skip
RESULTS = {"remediation": "remediations.jsonl"}
"""Rows that no outcome follows from, and that may come after the end."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement in a pack."""

    index: int
    """Its position in the log of the workspace."""
    attestation: Attestation
    envelope: bytes

    @property
    def folder(self) -> str:
        """Where it lies."""
        return f"statements/{self.index:06d}-{self.attestation.kind}"

    @property
    def batch(self) -> Batch | None:
        """Its file of rows, when it has one."""
        kind = self.attestation.kind
        if kind not in ROWS:
            return None
        principal = str(self.attestation.predicate["principal"]).lower()
        urgent = is_emergency(self.attestation)
        return Batch(self.index, kind, principal, f"{self.folder}/{ROWS[kind]}",
                     self.attestation.keyid, is_emergency=urgent)  # fmt: skip


def emergencies(statements: Iterable[Statement]) -> set[str]:
    """The names of the decisions among *statements* that were made in an emergency."""
    return {s.attestation.name for s in statements if is_emergency(s.attestation)}


def belongs(statement: Statement, campaign: str, urgent: Collection[str]) -> bool:
    """Whether rows are of *campaign*, or of an emergency that is here (*urgent*)."""
    basis = statement.attestation.predicate["basis"]
    if statement.attestation.kind in RESULTS and basis.keys() == {"emergency"}:
        return basis["emergency"] in urgent
    return basis == {"campaign": campaign} or is_emergency(statement.attestation)


def risk_analysis(definition: Json) -> tuple[str, str] | None:
    """Where the analysis lies that set how often this is reviewed, and its digest; None without."""
    found = definition.get("riskAnalysis")
    return None if found is None else (f"frequency/{file_name(found['fileName'])}", found["sha256"])


def side_files(attestation: Attestation) -> dict[str, bytes]:
    """What stands beside an envelope for people without a JSON tool.

    Beside a roster, which several sign, the SSH signature of each.
    """
    if attestation.kind == "roster":
        signed = [s.data for s in attestation.signatures if s.form == "ssh"]
        numbered = {f"{n}.sshsig": data for n, data in enumerate(signed, 1)}
        return {"statement.pae": attestation.pae, **numbered}
    raw, ssh = attestation.signature("raw"), attestation.signature("ssh")
    found = {"statement.pae": attestation.pae, "statement.sig": raw, "statement.sshsig": ssh}
    return {name: data for name, data in found.items() if data is not None}


def policy(opened: Statement) -> Policy | None:
    """The two-person rule that the campaign statement signs; None where it has none."""
    found = opened.attestation.predicate["ext"].get("second")
    try:
        return seconds.parse(found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VerificationFailed(f"{opened.folder}: {error}") from None


def principals(statements: Iterable[Statement]) -> list[Statement]:
    """The enrolments, in log order: whose keys signed something in the pack."""
    return [s for s in statements if s.attestation.kind == "enrolment"]


def principals_file(statements: Iterable[Statement]) -> list[bytes]:
    """The lines of `keys/principals.tsv`."""
    enrolled = principals(statements)
    return [
        table_line(PRINCIPAL_COLUMNS),
        *(
            table_line((n, s.attestation.predicate["principal"], s.attestation.keyid, s.folder))
            for n, s in enumerate(enrolled, 1)
        ),
    ]


def key_files(number: int, enrolment: Statement) -> dict[str, bytes]:
    """The public key for ssh-keygen and, where it can sign in the raw form, for openssl."""
    line: str = enrolment.attestation.predicate["publicKey"]
    found = {f"keys/{number}.pub": f"{line}\n".encode()}
    if line.startswith("ssh-ed25519 "):
        found[f"keys/{number}.pem"] = pem(line)
    return found


def allowed_signers(statements: Iterable[Statement]) -> bytes:
    """`keys/allowed_signers`: who may sign with which key, for `ssh-keygen -Y verify`."""
    lines = []
    for enrolled in principals(statements):
        said = enrolled.attestation.predicate
        lines.append(f"{allowed_signer(said['principal'], said['publicKey'])}\n")
    return "".join(lines).encode()


def pem(line: str) -> bytes:
    """An OpenSSH public-key line as openssl reads it (ssh-keygen 9.2 cannot convert Ed25519)."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_ssh_public_key,
    )

    key = load_ssh_public_key(line.encode())
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def table_line(cells: Sequence[Any]) -> bytes:
    """One line of a table whose cells are separated by tabs and never empty."""
    return ("\t".join(map(str, cells)) + "\n").encode()
