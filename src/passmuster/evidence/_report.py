"""What a successful check has to say; a failed one raises and says where."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from passmuster.errors import VerificationFailed
from passmuster.text import plural

Trusted = Mapping[str, str | Collection[str]]
"""E-mail → the fingerprint, or fingerprints, that the person gave by another way."""


@dataclass(slots=True)
class Report:
    """What was verified. The fingerprints must be compared with what the people themselves say."""

    kind: str
    """pack, workspace or envelope."""
    people: list[tuple[str, str]] = field(default_factory=list)
    """(principal, fingerprint) of every key that signed."""
    statements: int = 0
    campaign: str | None = None
    digest: str | None = None
    opened_at: str | None = None
    closed_at: str | None = None
    files: int = 0
    items: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    gaps: int = 0
    """Statements in the chain that are named by their digest only: of other reviews, or signed
    after the end of this one.
    """
    roster: str | None = None
    """SHA-256 of the first roster's statement, from which the others follow."""
    roster_version: int = 0
    """Of the newest roster; 0 without one."""
    void: list[dict[str, str]] = field(default_factory=list)
    """Statements that hold and count for nothing, each with the reason."""
    proven: list[dict[str, str]] = field(default_factory=list)
    """Statements that were there by a time which a witness that the caller named, or an authority
    whose certificates he has, vouches for."""
    notes: list[str] = field(default_factory=list)
    """What holds, but somebody should know."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        people = [{"principal": p, "fingerprint": f} for p, f in self.people]
        return {**asdict(self), "people": people}

    def lines(self) -> list[str]:
        """For a terminal."""
        void = f", {plural(len(self.void), 'statement')} void" if self.void else ""
        out = [f"verified{void}: {self.kind}, {self.statements:,} statements"]
        if self.campaign is not None:
            closed = f"closed {self.closed_at}" if self.closed_at else "not closed yet"
            out += [f"review    {self.campaign}, opened {self.opened_at}, {closed}",
                    f"items     {self.items:,} in {self.files:,} files"]  # fmt: skip
            out += [f"outcome   {count:,} {effect}" for effect, count in self.outcomes.items()]
        if self.roster is not None:
            out += [f"roster    version {self.roster_version}; the first is {self.roster}",
                    "          compare that with what a registrar tells you"]  # fmt: skip
        out += [f"void      {one['statement']} by {one['principal']}: it holds and counts for "
                f"nothing: {one['why']}" for one in self.void]  # fmt: skip
        out += self._proven()
        out += [f"note      {note}" for note in self.notes]
        out += ["signed by these keys; compare each with what the person tells you:"]
        return out + [f"  {mark}  {principal}" for principal, mark in self.people]

    def _proven(self) -> list[str]:
        """By whom how many times are proven, and between when."""
        by: dict[str, list[str]] = {}
        for one in self.proven:
            by.setdefault(one["by"], []).append(one["at"])
        return [
            f"proven    {plural(len(times), 'statement')} by {name}: there by {min(times)}"
            + (f", the last by {max(times)}" if max(times) != min(times) else "")
            for name, times in sorted(by.items())
        ]


def check_trust(report: Report, trusted: Trusted) -> None:
    """Compare the keys of *report* with the fingerprints that were got by another way.

    Under `roster` the digest of the first roster may be given.
    """
    trusted = dict(trusted)
    if (first := trusted.pop("roster", None)) is not None and first != report.roster:
        raise VerificationFailed(
            f"the first roster is {report.roster or 'none'}, not the one you gave"
        )
    for principal, mark in report.people:
        known = trusted.get(principal.lower())
        if known is None:
            continue
        if mark not in ([known] if isinstance(known, str) else known):
            raise VerificationFailed(
                f"{principal} signed with {mark}, which is not the fingerprint you gave"
            )
    if trusted:
        rest = [principal for principal, _ in report.people if principal.lower() not in trusted]
        if rest:
            report.notes.append(f"no fingerprint was given to compare for {', '.join(rest)}")
        absent = trusted.keys() - {principal.lower() for principal, _ in report.people}
        report.notes += [f"{principal} signed nothing here" for principal in sorted(absent)]
