"""`allowed_signers`: who may sign with which key and when, as ssh-keygen reads it.

The one form that we write (ssh-keygen(1), ALLOWED SIGNERS), so that two readers cannot differ: one
principal without wildcards, our namespace, times with `Z` (a bare time is local time), one key,
no comment. Everything else that OpenSSH knows is refused, `cert-authority` too: whom a
certificate speaks for is said by whoever holds the CA, not by the registrars.
"""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from passmuster import sshsig
from passmuster.errors import UsageError, VerificationFailed
from passmuster.keys import fingerprint
from passmuster.model import SSH_NAMESPACE
from passmuster.text import rfc3339, visible

FILE = "allowed_signers"


@dataclass(frozen=True, slots=True)
class Line:
    """One key of one principal, and when it may sign. Both ends of the window are in it."""

    principal: str
    public: str
    """Type and key, as in a public-key file, without a comment."""
    after: str | None = None
    """`valid-after`, as we store times; None: it was always valid."""
    before: str | None = None

    @property
    def fingerprint(self) -> str:
        """`SHA256:…` of the key."""
        return fingerprint(self.public)

    def holds_at(self, at: str) -> bool:
        """Whether the key may sign at *at*: inclusive at both ends, as ssh-keygen has it."""
        return (self.after or "") <= at and (self.before is None or at <= self.before)


_PRINCIPAL = re.compile(r"[^\s\"#,*?!\\]+@[^\s\"#,*?!\\]+")
_LINE = re.compile(
    rf'(?P<principal>{_PRINCIPAL.pattern}) namespaces="{re.escape(SSH_NAMESPACE)}"'
    r'(?:,valid-after="(?P<after>[0-9]{14})Z")?(?:,valid-before="(?P<before>[0-9]{14})Z")?'
    r" (?P<public>[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2})"
)
_OTHERS = {
    "cert-authority": "certificates are not supported: list each key",
    "*": "a principal is one address, without wildcards",
}


def check_principal(principal: str) -> None:
    """Raise UsageError unless *principal* can stand in the file and means itself alone."""
    if not _PRINCIPAL.fullmatch(principal) or not principal.isprintable():
        raise UsageError(f"{visible(principal)!r} cannot stand in allowed_signers: it must be an "
                         "e-mail address without spaces, quotes, commas and wildcards")  # fmt: skip


def check_key(public: str) -> None:
    """Raise VerificationFailed unless a key may sign and is written in its one way."""
    sshsig.check_key(public)
    if base64.b64encode(sshsig.public_blob(public)).decode() != public.split()[1]:
        raise VerificationFailed("not a key that may sign: its base64 is not canonical")


def written(lines: tuple[Line, ...]) -> bytes:
    """The file of *lines*, in their order."""
    return "".join(map(_written, lines)).encode()


def _written(line: Line) -> str:
    options = [f'namespaces="{SSH_NAMESPACE}"']
    options += [f'valid-after="{stamp(line.after)}"'] if line.after else []
    options += [f'valid-before="{stamp(line.before)}"'] if line.before else []
    return f"{line.principal} {','.join(options)} {line.public}\n"


def parsed(data: bytes) -> tuple[Line, ...]:
    """The lines of a file in our form; VerificationFailed names the first that is not."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise VerificationFailed(f"{FILE}: not UTF-8") from None
    if not text.endswith("\n"):
        raise VerificationFailed(f"{FILE}: empty, or its last line is cut off")
    found = tuple(_parsed(line, n) for n, line in enumerate(text[:-1].split("\n"), 1))
    assert written(found) == data
    return found


def _parsed(text: str, number: int) -> Line:
    where = f"{FILE} line {number}"
    found = _LINE.fullmatch(text)
    if found is None or not text.isprintable():
        why = next((why for mark, why in _OTHERS.items() if mark in text), "not of our form")
        raise VerificationFailed(f"{where}: {why}")
    after, before = (_time(found[end], where) for end in ("after", "before"))
    if after and before and after >= before:  # ssh-keygen leaves out such a line
        raise VerificationFailed(f"{where}: it ends before it begins")
    try:
        check_key(found["public"])
    except VerificationFailed as error:
        raise VerificationFailed(f"{where}: {error}") from None
    return Line(found["principal"], found["public"], after, before)


def stamp(at: str) -> str:
    """A time as we store it, as ssh-keygen writes it."""
    return at.translate({ord(c): None for c in "-:T"})


def _time(stamped: str | None, where: str) -> str | None:
    if stamped is None:
        return None
    try:
        return rfc3339(datetime.strptime(stamped, "%Y%m%d%H%M%S").replace(tzinfo=UTC))
    except ValueError:
        raise VerificationFailed(f"{where}: {stamped}Z is no time") from None
