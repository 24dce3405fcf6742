"""Which roster may follow which: TUF's root rule (TUF specification §5.3.4), with people counted.

Version n+1 names the digest of version n, and is signed by the threshold of n's registrars and of
its own. Whoever skips a version, goes back to one, or holds too few keys is refused. Version 1 is
signed by its own registrars alone: that it is the right one is told by comparing its digest or
their fingerprints by another way.
"""

from passmuster import attestations, sshsig
from passmuster.attestations import Attestation, Signature
from passmuster.errors import VerificationFailed
from passmuster.model import SSH_NAMESPACE
from passmuster.roster._allowed import Line
from passmuster.roster._model import Roster, read


def succeed(envelope: bytes, text: bytes, before: Roster | None) -> Roster:
    """The roster of *envelope*, once it may follow *before* (None: be the first).

    *text* is its `allowed_signers`. Raises VerificationFailed that says what is missing.
    """
    new = read(attestations.unchecked(envelope), text)
    _follows(new, before)
    statement = verified(envelope, new, before)
    if lacking := missing(statement, new, before):
        raise VerificationFailed(lacking)
    return new


def verified(envelope: bytes, new: Roster, before: Roster | None) -> Attestation:
    """The statement, once each signature on it holds, by a key of the one roster or the other."""
    statement = attestations.verify(envelope, {**(before.keys if before else {}), **new.keys})
    for roster in (before, new) if before else (new,):
        check_pins(roster, statement)
    return statement


def missing(statement: Attestation, new: Roster, before: Roster | None) -> str:
    """Whose signatures the version *new* still lacks, in words; empty when it has all."""
    for roster, whose in ((before, "the version before it"), (new, "its own")):
        if roster is None:
            continue
        have = len(signed_by(statement, roster, new.signed_at))
        if have < roster.threshold:
            return (
                f"roster version {new.version} is signed by {have} of the {roster.threshold} "
                f"people who must sign as registrars of {whose}"
            )
    return ""


def signed_by(statement: Attestation, roster: Roster, at: str) -> set[str]:
    """The human beings among *roster*'s registrars who signed.

    Never the key ids: one key under two names, or two keys of one person, count once. Only the
    SSHSIG form counts: it is the one that every key makes and that stock tools check.
    """
    listed = {p.principal: p for p in roster.people}
    registrars = roster.registrars(at)
    return {
        listed[line.principal].who
        for signature in statement.signatures if signature.form == "ssh"
        for line in roster.lines_of(signature.fingerprint)
        if line.holds_at(at) and "registrar" in listed[line.principal].roles
        and listed[line.principal].kind == "person" and listed[line.principal].who in registrars
    }  # fmt: skip


def check_pins(roster: Roster, statement: Attestation) -> None:
    """Raise VerificationFailed when a key whose PIN must be given signed without it."""
    for signature in statement.signatures:
        if signature.fingerprint in roster.pins:
            _with_pin(roster.keys[signature.fingerprint], signature, statement.pae)


def _with_pin(public: str, signature: Signature, data: bytes) -> None:
    if signature.form != "ssh":
        raise VerificationFailed(f"{signature.fingerprint} must sign with its PIN")
    sshsig.verify(signature.data, public, SSH_NAMESPACE, data, pin=True)


def _follows(new: Roster, before: Roster | None) -> None:
    if before is None:
        if new.version != 1:
            raise VerificationFailed(
                f"roster version {new.version} has no version before it: the first is 1"
            )
        return
    where = f"roster version {new.version}"
    if new.version <= before.version:
        raise VerificationFailed(f"{where} does not follow version {before.version}: a step back")
    if new.version != before.version + 1:
        raise VerificationFailed(f"{where} skips a version: {before.version} is in force")
    if (new.previous, new.device) != (before.name, before.device):
        raise VerificationFailed(f"{where} follows another version {before.version} than is known")
    if new.signed_at < before.signed_at:
        raise VerificationFailed(f"{where} is older than the version before it")
    _keeps(new, before)


def _keeps(new: Roster, before: Roster) -> None:
    """A key that was once listed stays, and its time only gets shorter.

    So the newest `allowed_signers` alone tells when each key was good, and a compromise that is
    told later holds for what was signed before it was told.
    """
    there: dict[tuple[str, str, str | None], Line] = {
        (line.principal, line.public, line.after): line for line in new.lines
    }
    for old in before.lines:
        now = there.get((old.principal, old.public, old.after))
        if now is None:
            raise VerificationFailed(
                f"roster version {new.version} drops {old.fingerprint} of {old.principal}: "
                "a key is ended with valid-before, never taken out"
            )
        if old.before is not None and (now.before is None or now.before > old.before):
            raise VerificationFailed(
                f"roster version {new.version} makes {old.fingerprint} valid for longer: "
                "list it once more from another time on"
            )
