"""Check a pack: everything that `VERIFY.md` does, and the trees, every dossier, every table.

Order: the seal (which files there are), then the statements and their chain, then what the
statements are about. The root of trust is the key that opened the campaign: the chain of `prev`
lies under its signatures, so no key and no statement can be slipped in without it. Who holds
that key, and each other one, is told by comparing fingerprints alone.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from passmuster import attestations, tlog
from passmuster.attestations import Attestation
from passmuster.errors import VerificationFailed
from passmuster.evidence import _contents, _log, _standing, _times
from passmuster.evidence._files import Files, json_lines, lines, whole
from passmuster.evidence._report import Report, Trusted, check_trust
from passmuster.evidence._rosters import Rosters
from passmuster.evidence._statements import (
    CHAIN,
    CHAIN_COLUMNS,
    ENVELOPE,
    HEADS,
    HEADS_FILE,
    PRINCIPALS,
    RESULTS,
    ROWS,
    SEAL,
    SIGNERS,
    SUMS,
    Statement,
    allowed_signers,
    belongs,
    emergencies,
    key_files,
    principals,
    principals_file,
    side_files,
    table_line,
)  # fmt: skip
from passmuster.keys import fingerprint
from passmuster.note import VerifierKey
from passmuster.roster import Proven
from passmuster.text import plural

KINDS = (
    "enrolment", "roster", "campaign", "decisions", "own", "countersign", "close", "pack",
    "acknowledgement", "publication", "remediation",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sealed:
    """The statements of a pack, each verified."""

    statements: list[Statement]
    opened: Statement
    closed: Statement | None
    seal: Attestation
    gaps: int
    lacking: int
    """Statements of other devices that are not even named: they stayed where they were signed."""
    rosters: Rosters


@contextmanager
def _known_form() -> Iterator[None]:
    """Turn what a signed file of another form than version 1 leads to into a refusal."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise VerificationFailed(f"the pack is not of a form known here: {error!r}") from None


def check(
    files: Files, trusted: Trusted | None = None, roots: bytes | None = None,
    witnesses: Collection[VerifierKey] = (),
) -> Report:  # fmt: skip
    """The report on the pack in *files*; VerificationFailed names the file and the reason."""
    with _known_form():
        names = files.names()
        keys = _claimed_keys(files, names)
        seal = _seal(files, names, keys)
        return check_contents(files, names, seal, trusted, roots, witnesses)


def check_contents(
    files: Files, names: set[str], seal: Attestation, trusted: Trusted | None = None,
    roots: bytes | None = None, witnesses: Collection[VerifierKey] = (),
) -> Report:  # fmt: skip
    """All that holds whoever sealed the pack: the statements, and what they are about.

    *witnesses* are those whose keys the caller got by another way: only they prove a time.
    """
    with _known_form():
        seen = _times.read(files, names, _log.origin_of(seal))
        asked = _times.trusted(seen, witnesses)
        sealed = _statements(files, names, seal, _times.proven(seen))
        void = _standing.check_void(
            sealed.statements, seal, sealed.rosters.void(),
            sealed.rosters.void(_times.proven(seen)), sealed.rosters.void(_times.proven(asked)),
        )  # fmt: skip
        people = [(str(s.attestation.predicate["principal"]), s.attestation.keyid)
                  for s in principals(sealed.statements)]  # fmt: skip
        report = Report("pack", people, len(sealed.statements) + 1, gaps=sealed.gaps)
        sealed.rosters.tell(report, _times.proven(asked), named_witnesses=bool(witnesses))
        _standing.tell(report, sealed.statements, void)
        check_trust(report, trusted or {})
        _owner_key(sealed, trusted or {})
        _contents.check(files, names, sealed.statements, sealed.opened, report, void)
        _totals(files, sealed, report, void)
        sealer = {s.attestation.keyid: s.attestation.predicate["publicKey"]
                  for s in principals(sealed.statements)}[seal.keyid]  # fmt: skip
        stamped = _log.check(files, names, sealed.statements, seal, sealer, report, seen, roots)
        _times.tell(report, sealed.statements, [*asked, *stamped], witnesses)
        return report


def _claimed_keys(files: Files, names: set[str]) -> dict[str, str]:
    """Fingerprint → line of the keys in `keys/`; that they were enrolled is checked later."""
    found = {}
    for name in sorted(n for n in names if n.startswith("keys/") and n.endswith(".pub")):
        try:
            line = whole(files, name).decode().removesuffix("\n")
            found[fingerprint(line)] = line
        except (ValueError, IndexError):
            raise VerificationFailed(f"{name}: not a public key") from None
    return found


def _envelope(files: Files, folder: str, keys: Mapping[str, str]) -> tuple[Attestation, bytes]:
    name = f"{folder}/{ENVELOPE}"
    data = whole(files, name)
    try:
        found = attestations.verify(data, keys)
    except VerificationFailed as error:
        raise VerificationFailed(f"{name}: {error}") from None
    for side, expected in side_files(found).items():
        if whole(files, f"{folder}/{side}") != expected:
            raise VerificationFailed(f"{folder}/{side}: is not what the envelope holds")
    return found, data


def _seal(files: Files, names: set[str], keys: Mapping[str, str]) -> Attestation:
    """The statement that signs `SHA256SUMS`, once every file is the one listed there."""
    seal, _ = _envelope(files, SEAL, keys)
    if seal.kind != "pack" or seal.subject != ((SUMS, files.digest(SUMS)),):
        raise VerificationFailed(f"{SUMS}: is not the one that was signed")
    listed: dict[str, str] = {}
    for line in lines(files, SUMS):
        digest, gap, name = line.decode()[:64], line.decode()[64:66], line.decode()[66:]
        if gap != "  " or name in listed:
            raise VerificationFailed(f"{SUMS}: is not of the form of sha256sum")
        listed[name] = digest
    expected = {SUMS, f"{SEAL}/{ENVELOPE}", *(f"{SEAL}/{side}" for side in side_files(seal))}
    for name in sorted(listed.keys() - names):
        raise VerificationFailed(f"{name}: is missing")
    for name in sorted(names - listed.keys() - expected):
        raise VerificationFailed(f"{name}: was added: {SUMS} does not list it")
    for name, digest in listed.items():
        if files.digest(name) != digest:
            raise VerificationFailed(f"{name}: was changed after it was signed")
    if seal.predicate["files"] != len(listed):
        raise VerificationFailed(f"{SUMS}: does not list as many files as were signed")
    return seal


def _statements(
    files: Files, names: set[str], seal: Attestation, proven: Proven = lambda _: None
) -> Sealed:
    """Every statement, signed by a key enrolled before it, and the chain between them.

    Where there is a roster, by one that it lets in at that place.
    """
    folders = {n.split("/")[1] for n in names if n.startswith("statements/")}
    keys: dict[str, str] = {}
    holders: dict[str, str] = {}
    found: list[Statement] = []
    rosters = Rosters(files, names, proven)
    for folder in sorted(folders):
        number, _, kind = folder.partition("-")
        where = f"statements/{folder}"
        if kind == "roster":
            found.append(rosters.take_roster(where))
            continue
        if kind == "enrolment":
            _enrol(files, where, keys)
        attestation, envelope = _envelope(files, where, keys)
        statement = Statement(int(number), attestation, envelope)
        if statement.folder != where or kind not in KINDS:
            raise VerificationFailed(f"{where}: holds a {attestation.kind} statement")
        if kind == "enrolment":
            holders[attestation.keyid] = attestation.predicate["principal"]
        _held(where, attestation, holders)
        rosters.take(statement)
        found.append(statement)
    _held(SEAL, seal, holders)
    rosters.take_seal(seal)
    _keys(files, names, found)
    opened, closed = _one_campaign(found, seal)
    for statement in found:
        if statement.attestation.kind == "acknowledgement":
            _seen(statement, closed)
    if closed:
        _named(files, closed, found)
    gaps, lacking = _chain(files, found, seal)
    return Sealed(found, opened, closed, seal, gaps, lacking, rosters)


def _held(where: str, attestation: Attestation, holders: Mapping[str, str]) -> None:
    principal = attestation.predicate["principal"]
    if holders.get(attestation.keyid) != principal:
        raise VerificationFailed(
            f"{where}: signed by {attestation.keyid}, which was not enrolled for {principal}"
        )


def _enrol(files: Files, where: str, keys: dict[str, str]) -> None:
    """Add the key that an enrolment is about; the envelope must then be signed by that very key."""
    line = whole(files, f"{where}/key.pub").decode().removesuffix("\n")
    mark = fingerprint(line)
    attestation, _ = _envelope(files, where, {mark: line})
    if (attestation.predicate["publicKey"], attestation.predicate["fingerprint"]) != (line, mark):
        raise VerificationFailed(f"{where}: enrols another key than it is signed with")
    if mark in keys:
        raise VerificationFailed(f"{where}: {mark} was enrolled already")
    keys[mark] = line


def _keys(files: Files, names: set[str], found: list[Statement]) -> None:
    """`keys/` is what the enrolments say, and nothing else."""
    expected = {PRINCIPALS: b"".join(principals_file(found)), SIGNERS: allowed_signers(found)}
    for number, enrolment in enumerate(principals(found), 1):
        expected |= key_files(number, enrolment)
    for name in sorted(n for n in names if n.startswith("keys/")):
        if name not in expected or whole(files, name) != expected[name]:
            raise VerificationFailed(f"{name}: is not what the enrolments say")
    for name in expected.keys() - names:
        raise VerificationFailed(f"{name}: is missing")


def _one_campaign(found: list[Statement], seal: Attestation) -> tuple[Statement, Statement | None]:
    """The campaign that all statements must belong to, and its end."""
    opening = [s for s in found if s.attestation.kind == "campaign"]
    closing = [s for s in found if s.attestation.kind == "close"]
    if len(opening) != 1 or len(closing) > 1:
        raise VerificationFailed("statements: a pack has one campaign, which ends once at most")
    opened, closed = opening[0], closing[0] if closing else None
    digest, urgent = opened.attestation.name, emergencies(found)
    for statement in found:
        body, kind = statement.attestation.predicate, statement.attestation.kind
        elsewhere = kind in (*ROWS, *RESULTS) and not belongs(statement, digest, urgent)
        named = kind in ("close", "pack", "acknowledgement", "publication")
        if elsewhere or (named and body["campaign"] != digest):
            raise VerificationFailed(f"{statement.folder}: belongs to another campaign")
        if kind in ROWS and closed and statement.index > closed.index:
            raise VerificationFailed(f"{statement.folder}: was signed after the end")
        if kind not in ("enrolment", "roster", "campaign") and statement.index < opened.index:
            raise VerificationFailed(f"{statement.folder}: was signed before the campaign")
    if closed and closed.attestation.subject != (("campaign", digest),):
        raise VerificationFailed(f"{closed.folder}: closes another campaign")
    if seal.predicate["campaign"] != digest:
        raise VerificationFailed(f"{SEAL}: was signed for another campaign")
    return opened, closed


def _seen(statement: Statement, closed: Statement | None) -> None:
    """An acknowledgement is of the very end that is in the pack, and came after it."""
    said = statement.attestation
    if (
        closed is None
        or statement.index < closed.index
        or said.subject != (("close", closed.attestation.name),)
        or said.predicate["outcomes"] != closed.attestation.predicate["outcomes"]
    ):
        raise VerificationFailed(f"{statement.folder}: acknowledges another end than this one")


def _named(files: Files, closed: Statement, found: list[Statement]) -> None:
    """The end names, of each device with rows in the pack, its last statement or a later one."""
    body = closed.attestation.predicate
    heads = {head["device"]: head["seq"] for head in body["heads"]}
    if digest := body["ext"].get(HEADS):
        name = f"{closed.folder}/{HEADS_FILE}"
        if files.digest(name) != digest:
            raise VerificationFailed(f"{name}: is not the one that was signed")
        heads |= {head["device"]: head["seq"] for _, head in json_lines(files, name)}
    for statement in found:
        said = statement.attestation.predicate
        if statement.attestation.kind in ROWS and said["seq"] > heads.get(said["device"], 0):
            raise VerificationFailed(f"{statement.folder}: the end does not name it")


def _chain(files: Files, found: list[Statement], seal: Attestation) -> tuple[int, int]:
    """The order of all that was signed, in the chain of the sealing device without a hole.

    How much of it is not in the pack, and how much of other devices' chains is not even named.
    """
    included = {s.index: s for s in found}
    own = {s.attestation.predicate["device"] for s in found if s.attestation.kind == "roster"}
    own.add(seal.predicate["device"])
    heads: dict[str, tuple[int, str]] = {}
    chains = tlog.Chains(own)
    rows = list(lines(files, CHAIN))
    if not rows or rows[0] + b"\n" != table_line(CHAIN_COLUMNS):
        raise VerificationFailed(f"{CHAIN}: has other columns")
    last = gaps = 0
    for row in rows[1:]:
        index, device, seq, kind, name, prev, folder = row.decode().split("\t")
        try:
            chains.take(device, int(seq), name, None if prev == "-" else prev)
        except VerificationFailed as error:
            raise VerificationFailed(f"{CHAIN}: {error} (at {index})") from None
        if int(index) <= last:
            raise VerificationFailed(f"{CHAIN}: something was dropped or reordered at {index}")
        statement = included.pop(int(index), None)
        if statement is None:
            if kind == "roster":
                raise VerificationFailed(f"{CHAIN}: the roster at {index} is not in the pack")
            gaps += 1
            expected: tuple[Any, ...] = (int(index), device, int(seq), kind, name, prev, "-")
        else:
            a = statement.attestation
            expected = (int(index), a.predicate["device"], a.predicate["seq"], a.kind, a.name,
                        a.predicate["prev"] or "-", statement.folder)  # fmt: skip
        if table_line(expected) != row + b"\n":
            raise VerificationFailed(f"{CHAIN}: {folder} is not what the chain says at {index}")
        heads[device], last = (int(seq), name), int(index)
    for statement in included.values():
        raise VerificationFailed(f"{statement.folder}: does not stand in the chain")
    at = (seal.predicate["seq"] - 1, seal.predicate["prev"])
    if heads.get(seal.predicate["device"]) != at:
        raise VerificationFailed(f"{SEAL}: was not signed right after the last statement")
    return gaps, chains.lacking


def _owner_key(sealed: Sealed, trusted: Trusted) -> None:
    """The end and the seal are signed with the key of the opening, or one known by another way.

    Otherwise a stranger could enrol a key in the opener's name at the end of the chain. Where
    the opening names a roster, the opener's key vouches for it, and it for the opener's next key.
    """
    rooted = sealed.opened.attestation.predicate["rosterDigest"] is not None
    opener = sealed.opened.attestation
    principal = opener.predicate["principal"]
    later = [sealed.seal, *([sealed.closed.attestation] if sealed.closed else [])]
    for attestation in later:
        if attestation.predicate["principal"] != principal:
            raise VerificationFailed(f"the {attestation.kind} statement is not by {principal}")
        other = attestation.keyid != opener.keyid
        if other and not rooted and principal.lower() not in trusted:
            raise VerificationFailed(
                f"the {attestation.kind} statement is signed with {attestation.keyid}, the "
                f"campaign with {opener.keyid}: if {principal} says that both are theirs, "
                "give both with --trust"
            )


def _at_the_end(
    files: Files, sealed: Sealed, report: Report, void: Mapping[int, str]
) -> dict[str, int]:
    """The outcomes as they were when the review ended: what fell since then still counted."""
    assert sealed.closed is not None
    then = _standing.named(sealed.statements, sealed.closed.attestation)
    if not then <= void.keys():
        raise VerificationFailed(f"{sealed.closed.folder}: calls void what is not")
    if then == {index for index in void if index < sealed.closed.index}:
        return report.outcomes
    report.notes.append("some of what is void fell after the end: it signs the outcomes of then")
    return _contents.outcomes(files, sealed.opened, sealed.statements, then)


def _totals(files: Files, sealed: Sealed, report: Report, void: Mapping[int, str]) -> None:
    """The numbers that were signed against those that were counted."""
    body = sealed.seal.predicate
    signed = (body["outcomes"], body["population"], body["statements"], body["namedByDigestOnly"])
    counted = (report.outcomes, sealed.opened.attestation.predicate["population"],
               len(sealed.statements), sealed.gaps)  # fmt: skip
    if signed != counted:
        raise VerificationFailed(f"{SEAL}: signs other numbers than there are")
    if sealed.closed:
        end = sealed.closed.attestation.predicate
        report.closed_at = end["signedAt"]
        if end["outcomes"] != _at_the_end(files, sealed, report, void):
            raise VerificationFailed(f"{sealed.closed.folder}: signs other outcomes than there are")
    report.files = body["files"]
    if sealed.gaps:
        named = plural(sealed.gaps, "statement")
        report.notes.append(f"named by digest only (of other reviews, or after the end): {named}")
    if sealed.lacking:
        report.notes.append(
            f"{sealed.lacking} statements of other devices are not named: by those devices' own "
            "count they were signed, and never came here"
        )
    if not sealed.closed:
        report.notes.append("not closed: later decisions may exist, and the last may be left out")
