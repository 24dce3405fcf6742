"""Check what the statements of a pack are about: files, rows, trees, outcomes and tables."""

import hashlib
import itertools
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from passmuster import campaigns, merkle
from passmuster.attestations import is_emergency
from passmuster.errors import VerificationFailed
from passmuster.evidence import _remedies, _standing, _tables
from passmuster.evidence._files import Files, json_lines, lines, parsed, whole
from passmuster.evidence._log import PROOF, names_of
from passmuster.evidence._remedies import Newest
from passmuster.evidence._report import Report
from passmuster.evidence._standing import Void
from passmuster.evidence._statements import (
    ENVELOPE,
    HEADS,
    HEADS_FILE,
    ROSTER,
    SEAL,
    SUMS,
    Statement,
    policy,
    risk_analysis,
    side_files,
)
from passmuster.evidence._walk import POPULATION, Judged, walk
from passmuster.evidence.formats import is_ours
from passmuster.seconds import Policy
from passmuster.text import Json, canonical, sha256

FROZEN = (
    "assignments.jsonl", "definition.json", "dossiers.jsonl", "excluded.jsonl", "population.jsonl",
)  # fmt: skip
SUBJECTS = {
    "enrolment": ("key.pub",), "campaign": FROZEN, "decisions": ("decisions.jsonl",),
    "own": ("own.jsonl",), "countersign": ("countersignatures.jsonl",), "close": (), "pack": (),
    "emergency": ("decisions.jsonl", "dossier.json"),
    "acknowledgement": (), "roster": ("allowed_signers",), "publication": ("queues.jsonl",),
    "remediation": ("remediations.jsonl",),
}  # fmt: skip
DERIVED = ("findings.jsonl", "problems.jsonl", "rules.jsonl", "sources.jsonl")
PAGE = "VERIFY.md"


def check(
    files: Files, names: set[str], statements: list[Statement], opened: Statement,
    report: Report, void: Void,
) -> None:  # fmt: skip
    """Check every file of the pack against *statements* and fill *report*."""
    expected = {SUMS, PAGE, "chain.tsv", _tables.OUTCOMES, _tables.OUTCOMES_CSV,
                _tables.REMEDIATIONS, *DERIVED, *names_of(names)}  # fmt: skip
    for statement in statements:
        expected |= _subject(files, statement)
        if statement.batch is not None:
            _batch(files, statement)
    body = opened.attestation.predicate
    report.campaign, report.digest = body["name"], opened.attestation.name
    report.opened_at = body["openedAt"]
    found = Newest(files, statements, void)
    _items(files, opened, statements, report, void, found)
    if found:
        expected.add(_remedies.FILE)
        _same(files, _remedies.FILE, found.lines())
    if void:
        expected.add(_tables.VOID_CSV)
        if whole(files, _tables.VOID_CSV) != b"".join(_tables.void_lines(statements, void)):
            raise VerificationFailed(f"{_tables.VOID_CSV}: is not what is void")
    _excluded(files, opened)
    expected |= _rules(files, opened)
    expected |= _sources(files, opened)
    for _ in json_lines(files, "findings.jsonl"):
        pass  # each line is canonical JSON; what it says is vouched for by the seal alone
    if any(s.attestation.kind == "roster" for s in statements):
        expected.add(ROSTER)
    rest = names - expected
    extra = [n for n in sorted(rest) if not n.startswith(("keys/", f"{SEAL}/")) and not is_ours(n)]
    if extra:
        raise VerificationFailed(f"{extra[0]}: has no place in a pack")


def _same(files: Files, name: str, expected: Iterable[bytes]) -> None:
    """The file of results has the *expected* lines and no other."""
    there = (line + b"\n" for line in lines(files, name))
    if any(one != other for one, other in itertools.zip_longest(there, expected)):
        raise VerificationFailed(f"{name}: is not what the signed results come to")


def _subject(files: Files, statement: Statement) -> set[str]:
    """The files of a statement's folder, once they are the ones it is about."""
    folder, kind = statement.folder, statement.attestation.kind
    subject = statement.attestation.subject
    if is_emergency(statement.attestation):
        _emergency(files, statement)
        kind = "emergency"
    if SUBJECTS[kind] and tuple(sorted(name for name, _ in subject)) != SUBJECTS[kind]:
        raise VerificationFailed(f"{folder}: is about other files than a {kind} statement is")
    for name, digest in subject if SUBJECTS[kind] else ():
        if _digest(files, f"{folder}/{name}") != digest:
            raise VerificationFailed(f"{folder}/{name}: is not the file that was signed")
    beside = [ENVELOPE, PROOF, *side_files(statement.attestation), *SUBJECTS[kind]]
    if HEADS in statement.attestation.predicate["ext"]:
        beside.append(HEADS_FILE)
    return {f"{folder}/{name}" for name in beside}


def _emergency(files: Files, statement: Statement) -> None:
    """The one row of a stop outside the campaign, on the dossier that was shown then."""
    folder = statement.folder
    rows, dossier = (whole(files, f"{folder}/{name}") for name in SUBJECTS["emergency"])
    campaigns.check_statement(statement.attestation, rows, dossier, folder)


def _batch(files: Files, statement: Statement) -> None:
    """The tree, the count and the times of a file of rows."""
    assert statement.batch is not None
    name, body = statement.batch.file, statement.attestation.predicate
    tree, times = merkle.Frontier(), set()
    for line, row in json_lines(files, name):
        tree.append(merkle.leaf_hash(line))
        if statement.batch.kind != "own":
            times |= {row["attention"]["decided"]}
            times = {min(times), max(times)}
    if (tree.root(), tree.size) != (body["root"], body["count"]) or not tree.size:
        raise VerificationFailed(f"{name}: does not have the root and count that were signed")
    if times and (min(times), max(times)) != (body["decidedFrom"], body["decidedTo"]):
        raise VerificationFailed(f"{name}: was decided at other times than were signed")


def outcomes(
    files: Files, opened: Statement, statements: list[Statement], void: Collection[int]
) -> dict[str, int]:
    """How many items come to what when just the statements of *void* count for nothing."""
    batches = _standing.batches(files, statements, void)
    items = walk(files, opened.folder, batches, policy(opened))
    return dict(sorted(Counter(judged.outcome.effect for judged in items).items()))


def _items(
    files: Files, opened: Statement, statements: list[Statement], report: Report, void: Void,
    found: Newest,
) -> None:  # fmt: skip
    """Every item: its rows in the trees, its outcome computed again, its lines in the tables."""
    population, assignments = merkle.Frontier(), merkle.Frontier()
    second = policy(opened)
    tables = _Tables(files, second, found)
    seen = array("Q")
    ignored = 0
    batches = _standing.batches(files, statements, void)
    for judged in walk(files, opened.folder, batches, second):
        _strict(judged)
        population.append(merkle.leaf_hash(judged.population))
        assignments.append(merkle.leaf_hash(judged.assignment))
        seen.append(_short(judged.uri))
        tables.compare(judged)
        effect = judged.outcome.effect
        report.outcomes[effect] = report.outcomes.get(effect, 0) + 1
        ignored += len(judged.ignored)
    tables.end()
    report.items = population.size
    _each_once(files, f"{opened.folder}/{POPULATION}", seen)
    body = opened.attestation.predicate
    if (population.size, population.root(), assignments.root()) != (
        body["population"]["count"], body["population"]["root"], body["assignmentsRoot"],
    ):  # fmt: skip
        raise VerificationFailed(f"{opened.folder}: population or assignments are not as signed")
    report.outcomes = dict(sorted(report.outcomes.items()))
    if ignored:
        report.notes.append(f"{ignored} rows are by people who were not asked: they count nothing")
    if urgent := sum(batch.is_emergency for batch in batches):
        report.notes.append(f"stopped in an emergency while the review ran: {urgent}")


def _short(uri: str) -> int:
    """Eight bytes for an item: a million of them are kept at once."""
    return int.from_bytes(hashlib.sha256(uri.encode()).digest()[:8], "big")


def _each_once(files: Files, name: str, seen: "array[int]") -> None:
    """No item stands twice; where two have the same eight bytes their names are compared."""
    twins: set[int] = set()
    for part in range(16):  # sorted all at once they would take five times their memory
        ordered = sorted(mark for mark in seen if mark >> 60 == part)
        twins |= {a for a, b in itertools.pairwise(ordered) if a == b}
    found: set[str] = set()
    for _, row in json_lines(files, name) if twins else ():
        if _short(row["item"]) in twins:
            if row["item"] in found:
                raise VerificationFailed(f"{name}: an item stands there twice")
            found.add(row["item"])


def _strict(judged: Judged) -> None:
    """The lines of an item have the form of version 1 and nothing more."""
    item, asked = parsed(judged.population, "population"), parsed(judged.assignment, "assignments")
    rows = (
        campaigns.population_row(judged.uri, item["dossier"], item["material"], item["salt"]),
        campaigns.assignment_row(judged.uri, asked["reviewer"], asked["assigned"], item["salt"]),
    )
    if rows != (judged.population, judged.assignment):
        raise VerificationFailed(f"population, assignments: {judged.uri} has other fields")


class _Tables:
    """Compares the tables with what the signed rows come to, line by line."""

    def __init__(self, files: Files, second: Policy | None, found: Newest) -> None:
        self._second, self._found = second, found
        self._lines = {
            name: lines(files, name) for name in (_tables.OUTCOMES, _tables.OUTCOMES_CSV)
        }
        self._stops = _tables.remediations(whole_lines(files, _tables.REMEDIATIONS))
        self._next(_tables.OUTCOMES_CSV, _tables.csv_line(_tables.outcome_columns(second)))

    def _next(self, name: str, expected: bytes) -> None:
        if next(self._lines[name], b"") + b"\n" != expected:
            raise VerificationFailed(f"{name}: is not what the signed rows come to")

    def compare(self, judged: Judged) -> None:
        """The next item's lines."""
        self._next(_tables.OUTCOMES, _tables.outcome_line(judged, self._second))
        self._next(_tables.OUTCOMES_CSV, _tables.outcome_cells(judged, self._second))
        for verb, part in judged.outcome.remediations:
            came = self._found.cells(judged.uri, verb, part)
            expected = (judged.uri, verb, part, *came)
            if next(self._stops, None) != tuple(map(_tables.cell, expected)):
                raise VerificationFailed(
                    f"{_tables.REMEDIATIONS}: lacks that {judged.uri} is to {verb}, or says "
                    "that something else came of it"
                )

    def end(self) -> None:
        """There must be nothing more."""
        for name, rest in [*self._lines.items(), (_tables.REMEDIATIONS, self._stops)]:
            if next(rest, None) is not None:
                raise VerificationFailed(f"{name}: has more lines than there are items")


def whole_lines(files: Files, name: str) -> Iterator[str]:
    """The lines of a text file, for the CSV reader."""
    for line in lines(files, name):
        yield line.decode() + "\n"


def _excluded(files: Files, opened: Statement) -> None:
    tree, last = merkle.Frontier(), ""
    name = f"{opened.folder}/excluded.jsonl"
    for line, row in json_lines(files, name):
        if row.keys() != {"item", "why", "salt"} or row["item"] <= last:
            raise VerificationFailed(f"{name}: not in order, or with other fields")
        tree.append(merkle.leaf_hash(line))
        last = row["item"]
    signed = opened.attestation.predicate["population"]
    if (tree.size, tree.root()) != (signed["excludedCount"], signed["excludedRoot"]):
        raise VerificationFailed(f"{name}: does not have the root and count that were signed")


def _rules(files: Files, opened: Statement) -> set[str]:
    """The files that the definition names, once they are those: rules, and the risk analysis."""
    body = opened.attestation.predicate
    data = whole(files, f"{opened.folder}/definition.json")
    document = parsed(data, "definition.json")
    rules: dict[str, Json] = document["rules"]
    if document.get("second") != body["ext"].get("second"):
        raise VerificationFailed(f"{opened.folder}/definition.json: has another two-person rule")
    if (sha256(data), sha256(canonical(rules))) != (body["definitionDigest"], body["rulesDigest"]):
        raise VerificationFailed(f"{opened.folder}/definition.json: is not as signed")
    analysis = risk_analysis(parsed(data, "definition.json"))
    if analysis is not None and _digest(files, analysis[0]) != analysis[1]:
        raise VerificationFailed(f"{analysis[0]}: is not the analysis that the campaign names")
    listed = {row["id"]: row for _, row in json_lines(files, "rules.jsonl")}
    if listed.keys() != rules.keys():
        raise VerificationFailed("rules.jsonl: has other rules than the definition")
    for rule_id, as_run in rules.items():
        if {name: listed[rule_id][name] for name in as_run} != as_run:
            raise VerificationFailed(f"rules.jsonl: {rule_id} is not as the definition has it")
        if files.digest(f"rules/{rule_id}.sql") != as_run["sha256"]:
            raise VerificationFailed(f"rules/{rule_id}.sql: is not the rule that was run")
    return {f"rules/{rule_id}.sql" for rule_id in rules} | ({analysis[0]} if analysis else set())


def _digest(files: Files, name: str) -> str:
    try:
        return files.digest(name)
    except (KeyError, OSError):
        raise VerificationFailed(f"{name}: is missing") from None


def _sources(files: Files, opened: Statement) -> set[str]:
    """The original files that are kept, once `sources.jsonl` has what the campaign signed."""
    runs: list[Json] = opened.attestation.predicate["runs"]
    missing = [canonical(run) for run in runs]
    raw: dict[str, str] = {}
    problems = 0
    for _, run in json_lines(files, "sources.jsonl"):
        as_signed = canonical({name: run.get(name) for name in (runs[0] if runs else ())})
        if as_signed in missing:
            missing.remove(as_signed)
        problems += run["problems"]
        if run["raw"] is not None:
            raw[run["raw"]] = run["sha256"]
    if missing:
        raise VerificationFailed("sources.jsonl: lacks an import that the campaign names")
    for name, digest in raw.items():
        if files.digest(name) != digest:
            raise VerificationFailed(f"{name}: is not the file that was imported")
    if sum(1 for _ in json_lines(files, "problems.jsonl")) != problems:
        raise VerificationFailed("problems.jsonl: has not as many lines as there were problems")
    return set(raw)
