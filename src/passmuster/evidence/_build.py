"""Write an evidence pack.

It is made in a folder beside the one asked for and renamed when it is whole, so that there is
never half a pack under its name. Every file streams; the workspace is only read, but for the one
statement that signs the pack, which goes into the log first.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from passmuster import attestations, blobs, campaigns, roster, tlog
from passmuster.attestations import Attestation, unchecked
from passmuster.campaigns import Campaign
from passmuster.config import Settings
from passmuster.errors import Conflict, NotFound, UsageError
from passmuster.evidence import _log, _page, _remedies, _sources, _standing, _tables, formats
from passmuster.evidence._after import After
from passmuster.evidence._files import Folder, Writer
from passmuster.evidence._log import Authority
from passmuster.evidence._remedies import Newest
from passmuster.evidence._statements import (
    CHAIN,
    CHAIN_COLUMNS,
    ENVELOPE,
    HEADS,
    HEADS_FILE,
    PRINCIPALS,
    RESULTS,
    ROSTER,
    ROWS,
    SEAL,
    SIGNERS,
    SUMS,
    Statement,
    allowed_signers,
    key_files,
    policy,
    principals,
    principals_file,
    risk_analysis,
    side_files,
    table_line,
)  # fmt: skip
from passmuster.evidence._walk import walk
from passmuster.evidence.formats import Draft, Format
from passmuster.keys import SigningKey
from passmuster.store import Database
from passmuster.text import Json, sha256, strict_json

Progress = Callable[[int, int], None]
"""Called with items written and items in all."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack as it was written."""

    path: Path
    files: int
    """Files that `SHA256SUMS` lists."""
    items: int
    outcomes: dict[str, int]
    statement: str
    """SHA-256 of the statement that signs it."""


def build_pack(
    db: Database,
    campaign: Campaign,
    out: Path,
    key: SigningKey,
    now: str,
    progress: Progress | None = None,
    authority: Authority | None = None,
    settings: Settings | None = None,
) -> Pack:
    """Write the evidence of *campaign* to the folder *out*, signed by the one who opened it.

    *settings* name the owners of controls. Raises UsageError when *out* is there already or the
    key is another person's, Conflict when somebody signed something for the campaign meanwhile.
    """
    if campaign.travels == "in":
        raise UsageError(
            f"{campaign.name!r} came from another workspace: its evidence is written where it was "
            f"opened, by {campaign.opened_by}"
        )
    if key.principal.lower() != campaign.opened_by.lower():
        raise UsageError(
            f"{campaign.opened_by} opened it and signs its evidence; the key is {key.principal}'s"
        )
    out = out.absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already: name a new folder")
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent}: no such folder")
    try:
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise UsageError(f"no folder can be made in {out.parent}: {error.strerror}") from None
    try:
        made = _Build(db, campaign, draft, key, now, authority, settings or Settings())
        pack = made.run(progress or (lambda _done, _all: None))
        if out.exists():
            out.rmdir()
        draft.rename(out)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return Pack(out, *pack)


class _Build:
    """The state of one pack in the making."""

    def __init__(
        self, db: Database, campaign: Campaign, root: Path, key: SigningKey, now: str,
        authority: Authority | None, settings: Settings,
    ) -> None:  # fmt: skip
        self.db, self.campaign, self.key, self.now = db, campaign, key, now
        self.settings = settings
        self.writer, self.files = Writer(root), Folder(root)
        tlog.enrol(db, key, now)
        self.known = tlog.known_keys(db)
        self.authority = authority
        self.last = 0
        self.void: dict[int, str] = {}
        self.all_void: dict[int, str] = {}
        self.outcomes: dict[str, int] = {}

    def run(self, progress: Progress) -> tuple[int, int, dict[str, int], str]:
        statements = self._statements()
        opened = next(s for s in statements if s.attestation.kind == "campaign")
        self._frozen(opened, progress)
        after = After(self.db, self.campaign, opened.attestation.predicate["runs"])
        draft = Draft(
            self.db, self.campaign, self.files, self.writer, statements, opened, self.now,
            self.settings, after.unseen, self.void,
            results=Newest(self.files, statements, self.void),
        )  # fmt: skip
        written = [module.begin(draft) for module in formats.modules()]
        self._judged(draft, after, written)
        _sources.write(self.db, self.campaign, self.writer)
        self._keys(statements)
        _log.write(self.db, statements, self.key, self.now, self.writer, self.authority)
        for each in written:
            each.end()
        self.writer.add("VERIFY.md", _page.render(self.campaign, principals(statements)))
        return self._seal(statements, opened)

    def _last_entry(self) -> int:
        return int(self.db.value(
            "SELECT max(coalesce((SELECT max(id) FROM entry WHERE campaign = ?), 0),"
            " coalesce((SELECT max(id) FROM entry WHERE campaign IS NULL"
            " AND predicate IN ('decisions', 'remediation')), 0))", (self.campaign.digest,)
        ))  # fmt: skip

    def _refuse_moved(self, size: int) -> None:
        """Raise Conflict when this campaign, or since the log had *size* entries any, was signed
        for: the pack would lack it.
        """
        moved = self._last_entry() != self.last or tlog.size(self.db) != size
        if moved or tlog.voids(self.db) != self.all_void:
            raise Conflict("something was signed while the pack was written: write it again")

    def _statements(self) -> list[Statement]:
        """Write the campaign's statements, those by which their keys were enrolled, all rosters.

        The rosters are not judged here: nothing that does not hold gets into the log.
        """
        self.last = self._last_entry()
        found: list[Statement] = []
        signers = {self.key.fingerprint}
        enrolled: set[tuple[str, str]] = set()
        too_late = campaigns.late(self.db, self.campaign.digest)
        urgent = campaigns.emergencies_in(self.db, self.campaign)
        for entry in (*tlog.entries(self.db, self.campaign.digest), *urgent):
            if entry.id in too_late:  # it is named in the chain, and counts for nothing
                continue
            attestation = attestations.verify(entry.envelope, self.known)
            signers.add(attestation.keyid)
            found.append(Statement(entry.id, attestation, entry.envelope))
        for entry in tlog.entries(self.db):
            if entry.kind == "roster":
                found.append(Statement(entry.id, unchecked(entry.envelope), entry.envelope))
            elif entry.kind == "enrolment":
                attestation = attestations.verify(entry.envelope, self.known)
                who = (attestation.keyid, entry.principal)
                if attestation.keyid in signers and who not in enrolled:
                    enrolled.add(who)  # a key of two workspaces is enrolled in each
                    found.append(Statement(entry.id, attestation, entry.envelope))
        found.sort(key=lambda s: s.index)
        self.all_void = tlog.voids(self.db)
        self.void = {s.index: self.all_void[s.index] for s in found if s.index in self.all_void}
        for statement in found:
            self._write_statement(statement.folder, statement.attestation, statement.envelope)
        return found

    def _write_statement(self, folder: str, attestation: Attestation, envelope: bytes) -> None:
        self.writer.add(f"{folder}/{ENVELOPE}", envelope)
        for name, data in side_files(attestation).items():
            self.writer.add(f"{folder}/{name}", data)
        if attestation.kind == "enrolment":
            self.writer.add(f"{folder}/key.pub", f"{attestation.predicate['publicKey']}\n".encode())
        elif attestation.kind in (*ROWS, *RESULTS, "roster", "publication"):
            for name, digest in attestation.subject:
                self.writer.add(f"{folder}/{name}", blobs.pieces(self.db, digest))
        elif heads := attestation.predicate["ext"].get(HEADS):
            self.writer.add(f"{folder}/{HEADS_FILE}", blobs.pieces(self.db, heads))

    def _frozen(self, opened: Statement, progress: Progress) -> None:
        """Write what the campaign froze: the files that its statement names."""
        db, folder, at = self.db, opened.folder, self.campaign
        self.writer.add(f"{folder}/definition.json", blobs.get(db, at.definition))
        analysis = risk_analysis(strict_json(blobs.get(db, at.definition)))
        if analysis is not None:
            self.writer.add(analysis[0], blobs.pieces(db, analysis[1]))
        self.writer.add(f"{folder}/population.jsonl", (
            campaigns.population_row(*row) + b"\n"
            for row in campaigns.items_in_order(db, at.id, "i.uri, i.dossier, i.material, i.salt")
        ))  # fmt: skip
        self.writer.add(f"{folder}/assignments.jsonl", (
            campaigns.assignment_row(*row) + b"\n" for row in campaigns.items_in_order(
                db, at.id, "i.uri, coalesce(i.first_reviewer, i.reviewer),"
                " coalesce(i.first_assigned, i.assigned), i.salt")
        ))  # fmt: skip
        self.writer.add(f"{folder}/excluded.jsonl", (
            campaigns.excluded_row(*row) + b"\n" for row in db.execute(
                "SELECT uri, why, salt FROM exclusion WHERE campaign_id = ? ORDER BY uri",
                (at.id,))
        ))  # fmt: skip
        self.writer.add(f"{folder}/dossiers.jsonl", self._dossiers(progress))
        for name, digest in opened.attestation.subject:
            if self.writer.digests.get(f"{folder}/{name}") != digest:
                raise NotFound(
                    f"the workspace no longer has {name} as it was signed: restore a backup"
                )

    def _dossiers(self, progress: Progress) -> Iterator[bytes]:
        """The frozen dossiers in item order; one chunk of them is in RAM at a time."""
        held, chunk = "", []
        rows = campaigns.items_in_order(self.db, self.campaign.id, "i.chunk, i.position")
        for count, (digest, position) in enumerate(rows, 1):
            if digest != held:
                held, chunk = digest, blobs.get(self.db, digest).split(b"\n")
                progress(count, self.campaign.population)
            yield chunk[position] + b"\n"
        progress(self.campaign.population, self.campaign.population)

    def _judged(self, draft: Draft, after: After, written: list[Format]) -> None:
        """Write the outcomes and what follows from them, from the files written so far."""
        batches = _standing.batches(self.files, draft.statements, self.void)
        if self.void:
            self.writer.add(_tables.VOID_CSV, _tables.void_lines(draft.statements, self.void))
        second = policy(draft.opened)
        found = draft.results
        if found:
            self.writer.add(_remedies.FILE, found.lines())
        with (
            self.writer.stream(_tables.OUTCOMES) as as_json,
            self.writer.stream(_tables.OUTCOMES_CSV) as as_csv,
            self.writer.stream(_tables.REMEDIATIONS) as remediations,
        ):
            as_csv(_tables.csv_line(_tables.outcome_columns(second)))
            remediations(_tables.csv_line(_tables.REMEDIATION_COLUMNS))
            for judged in after.beside(walk(self.files, draft.opened.folder, batches, second)):
                as_json(_tables.outcome_line(judged, second))
                as_csv(_tables.outcome_cells(judged, second))
                for line in _tables.remediation_lines(judged, found):
                    remediations(line)
                for each in written:
                    each.item(judged)
                effect = judged.outcome.effect
                self.outcomes[effect] = self.outcomes.get(effect, 0) + 1

    def _keys(self, statements: list[Statement]) -> None:
        for number, statement in enumerate(principals(statements), 1):
            for name, data in key_files(number, statement).items():
                self.writer.add(name, data)
        self.writer.add(PRINCIPALS, principals_file(statements))
        self.writer.add(SIGNERS, allowed_signers(statements))
        if (newest := roster.current(self.db)) is not None:
            self.writer.add(ROSTER, newest.text)

    def _chain(self, statements: list[Statement]) -> int:
        """Write the order of everything that was ever signed here; how much is not in the pack."""
        included = {s.index: s.folder for s in statements}
        rows = self.db.execute(
            "SELECT id, device, seq, predicate, statement FROM entry ORDER BY id"
        ).fetchall()
        heads: dict[str, tuple[int, str]] = {}
        out = [table_line(CHAIN_COLUMNS)]
        for index, device, seq, kind, name in rows:
            before, prev = heads.get(device, (0, "-"))
            if seq != before + 1:  # of another device, whose other statements did not come
                prev = self._prev(index)
            cells = (index, device, seq, kind, name, prev, included.get(index, "-"))
            out.append(table_line(cells))
            heads[device] = (seq, name)
        self.writer.add(CHAIN, out)
        return len(rows) - len(included)

    def _prev(self, index: int) -> str:
        envelope = self.db.value("SELECT envelope FROM entry WHERE id = ?", (index,))
        return unchecked(bytes(envelope)).predicate["prev"] or "-"

    def _seal(
        self, statements: list[Statement], opened: Statement
    ) -> tuple[int, int, dict[str, int], str]:
        """Sign `SHA256SUMS`, log the statement, put both into the pack."""
        with self.db.snapshot():
            link, size = tlog.next_link(self.db), tlog.size(self.db)
            self._refuse_moved(size)
            gaps = self._chain(statements)
        sums = self.writer.sums()
        files = len(self.writer.digests)
        body: Json = {
            "campaign": self.campaign.digest, "files": files,
            "population": opened.attestation.predicate["population"],
            "outcomes": dict(sorted(self.outcomes.items())), "statements": len(statements),
            "namedByDigestOnly": gaps,
        }  # fmt: skip
        payload = attestations.statement(
            "pack", {SUMS: sha256(sums)}, body, link, self.now, self.key.principal,
            _standing.ext(statements, self.void),
        )  # fmt: skip
        envelope = attestations.sign(payload, self.key)  # a hardware key waits: nobody else does
        with self.db.atomic():
            self._refuse_moved(size)
            tlog.append(self.db, envelope, self.known, self.campaign.digest, self.now)
        sealed = attestations.verify(envelope, self.known)
        self.writer.add(SUMS, sums)
        self._write_statement(SEAL, sealed, envelope)
        return files, self.campaign.population, self.outcomes, sealed.name
