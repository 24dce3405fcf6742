"""Which statements of a pack count, and who is one person with whom: what outcomes follow from.

Whoever seals the folder says inside the seal which statements are void (`ext.void`). That is
believed neither way: what is void by its own claim must be named, and what is named must be void
by a claim or by a witness whose line is in the pack.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from passmuster import roster
from passmuster.attestations import Attestation
from passmuster.errors import VerificationFailed
from passmuster.evidence._files import Files, whole
from passmuster.evidence._report import Report
from passmuster.evidence._statements import Statement
from passmuster.evidence._walk import Batch
from passmuster.roster import FILE, Roster
from passmuster.text import Json

Void = Mapping[int, str]
"""Index of a statement → why it counts for nothing."""


def batches(
    files: Files, statements: list[Statement], void: Collection[int] = ()
) -> list[Batch]:  # fmt: skip
    """The files of rows, each with who signed it by the roster and whether it is void."""
    says, found = _at_the_end(files, statements), []
    for statement in statements:
        if (batch := statement.batch) is not None:
            principal = str(statement.attestation.predicate["principal"])
            by = roster.signer(says, principal, batch.fingerprint)
            found.append(replace(batch, person=by.person, is_robot=by.is_robot,
                                 is_void=statement.index in void))  # fmt: skip
    return found


def _at_the_end(files: Files, statements: list[Statement]) -> Roster | None:
    """The roster in force when the review ended, or the newest: it says who is who."""
    end = next((s.index for s in statements if s.attestation.kind == "close"), None)
    before = [
        s for s in statements
        if s.attestation.kind == "roster" and (end is None or s.index < end)
    ]  # fmt: skip
    if not before:
        return None
    return roster.read(before[-1].attestation, whole(files, f"{before[-1].folder}/{FILE}"))


def ext(statements: Iterable[Statement], void: Collection[int]) -> Json | None:
    """What the seal says of void statements; nothing where there is none."""
    names = sorted(s.attestation.name for s in statements if s.index in void)
    return {"void": names} if names else None


def named(statements: Iterable[Statement], said: Attestation) -> set[int]:
    """The indexes of the statements that *said* (a seal, an end) names as void."""
    by_name = {s.attestation.name: s.index for s in statements}
    names = said.predicate["ext"].get("void", [])
    if names != sorted(set(names)) or not set(names) <= by_name.keys():
        raise VerificationFailed(f"the {said.kind} statement calls void what is not here")
    return {by_name[name] for name in names}


def check_void(
    statements: list[Statement], seal: Attestation, claimed: Void, own: Void, trusted: Void
) -> dict[int, str]:
    """What counts for nothing in the pack, once the seal names just that.

    *claimed* is void by what signers claim, *own* also by the witnesses of the pack, *trusted* by
    those whom the caller vouches for. A witness can take standing away and give none: the one
    who seals could make one up.
    """
    left_out = named(statements, seal)
    folders = {s.index: s.folder for s in statements}
    for index, why in {**trusted, **claimed}.items():
        if index not in left_out:
            whose = "" if index in claimed else ", by the witness that you named"
            raise VerificationFailed(
                f"{folders[index]}: is void{whose}, and the pack counts it: {why}"
            )
    for index in sorted(left_out - own.keys()):
        raise VerificationFailed(f"{folders[index]}: is left out as void, and it is not")
    return {index: own[index] for index in sorted(left_out)}


def tell(report: Report, statements: list[Statement], void: Void) -> None:
    """Put into *report* what counts for nothing."""
    for s in statements:
        if s.index in void:
            said = s.attestation
            report.void.append({
                "statement": s.folder, "kind": said.kind, "principal": said.predicate["principal"],
                "fingerprint": said.keyid, "why": void[s.index],
            })  # fmt: skip
