"""The rosters of a pack: that each follows from the one before, and let in whoever signed.

All are in the pack, from the first, whose digest is compared by another way. What a registrar
signed only for the roster needs no enrolment in this log: the rosters have the keys.
"""

from passmuster import attestations, roster
from passmuster.attestations import Attestation
from passmuster.errors import VerificationFailed
from passmuster.evidence._files import Files, whole
from passmuster.evidence._report import Report
from passmuster.evidence._statements import ENVELOPE, ROSTER, SEAL, Statement, side_files
from passmuster.roster import FILE, Proven, Replay


class Rosters:
    """A walk through the statements of a pack in their order, with the roster in force."""

    def __init__(self, files: Files, names: set[str], proven: Proven) -> None:
        self._files = files
        self._signers: dict[tuple[str, str], None] = {}
        folders = sorted(
            name.rpartition("/")[0] for name in names if name.endswith(f"-roster/{ENVELOPE}")
        )
        known = [self._read(folder)[1] for folder in folders]
        if (ROSTER in names) != bool(known) or (known and whole(files, ROSTER) != known[-1].text):
            raise VerificationFailed(f"{ROSTER}: is not that of the newest roster")
        self._known, self._replay = known, Replay(known, proven)
        self._judged: list[tuple[int, Attestation, int]] = []

    def _read(self, where: str) -> tuple[bytes, roster.Roster]:
        """(envelope, roster), not judged yet."""
        envelope = whole(self._files, f"{where}/{ENVELOPE}")
        try:
            said = attestations.unchecked(envelope)
            return envelope, roster.read(said, whole(self._files, f"{where}/{FILE}"))
        except VerificationFailed as error:
            raise VerificationFailed(f"{where}: {error}") from None

    def take_roster(self, where: str) -> Statement:
        """The next version, which lies in the folder *where*."""
        envelope, read = self._read(where)
        try:
            self._replay.take_roster(envelope, read.text)
        except VerificationFailed as error:
            raise VerificationFailed(f"{where}: {error}") from None
        said = attestations.unchecked(envelope)
        for name, expected in side_files(said).items():
            if whole(self._files, f"{where}/{name}") != expected:
                raise VerificationFailed(f"{where}/{name}: is not what the envelope holds")
        number = where.removeprefix("statements/").partition("-")[0]
        statement = Statement(int(number), said, envelope)
        if statement.folder != where:
            raise VerificationFailed(f"{where}: has another name than a roster's folder")
        for mark in said.signers:
            for line in (x for r in self._replay.rosters[-2:] for x in r.lines_of(mark)):
                self._signers[line.principal, mark] = None
        return statement

    def take(self, statement: Statement) -> None:
        """Any other statement, in its order."""
        self._judge(statement.folder, statement.index, statement.attestation)

    def take_seal(self, seal: Attestation) -> None:
        """The statement over the pack, after all others."""
        self._judge(SEAL, 0, seal)

    def _judge(self, where: str, index: int, attestation: Attestation) -> None:
        try:
            self._replay.take(index, attestation)
        except VerificationFailed as error:
            raise VerificationFailed(f"{where}: {error}") from None
        self._judged.append((index, attestation, len(self._replay.rosters)))

    def void(self, proven: Proven = lambda _: None) -> dict[int, str]:
        """Index → why what was taken there counts for nothing, by those times."""
        times = {
            index: roster.judge(said, self._known[:count], self._known, proven(index))
            for index, said, count in self._judged
        }
        return {index: time.void for index, time in times.items() if time and time.void}

    def tell(self, report: Report, proven: Proven, *, named_witnesses: bool) -> None:
        """Put into *report* whose keys the rosters rest on, and what was only claimed."""
        if not self._replay.rosters:
            return
        report.roster = self._replay.rosters[0].name
        report.roster_version = self._replay.rosters[-1].version
        report.people += [who for who in self._signers if who not in report.people]
        claimed = sum(not one for one in self._proven_of(proven))
        if claimed:
            report.notes.append(
                f"{claimed} statements are judged by the time that they claim, in the order of the "
                "log: " + ("the witnesses that you named have not seen them" if named_witnesses
                           else "no witness that you named (--witness) has seen them")
            )  # fmt: skip

    def _proven_of(self, proven: Proven) -> list[str | None]:
        return [proven(index) for index, _, count in self._judged if count]
