"""`authorized_keys`: which keys open which accounts of a host (sshd(8), AUTHORIZED_KEYS).

An identity is a key, by its fingerprint: one key in ten accounts is one identity with ten grants,
and somebody's comment beside it is weak evidence of whose it is. The account that it opens is a
role. The file names neither host nor account: the host is `--source`, and the account stands in
the line `# file: PATH` that the export command of `FORMATS` writes before each file.

What stands in `command=` and `environment=` is shown without what looks like a secret.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from passmuster import text
from passmuster.connectors import Context, _secrets
from passmuster.connectors import _directory as directory
from passmuster.connectors._seen import Seen
from passmuster.connectors._table import lines
from passmuster.connectors.ssh._wire import CERT, KEY_TYPES, LINES_BYTES, Key, blob_of, key_of
from passmuster.errors import ImportRefused
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Kind,
    Owner,
    Problem,
    Record,
    Source,
    Trust,
)  # fmt: skip

FILE = "# file:"
UNKNOWN_ACCOUNT = "account not named"
EVERY_ACCOUNT = "every account"
"""What a file of nobody in particular opens: `AuthorizedKeysFile /etc/ssh/authorized_keys`."""
_FLAGS = (
    "agent-forwarding", "cert-authority", "no-agent-forwarding", "no-port-forwarding", "no-pty",
    "no-touch-required", "no-user-rc", "no-x11-forwarding", "port-forwarding", "pty", "restrict",
    "user-rc", "verify-required", "x11-forwarding",
)  # fmt: skip
_VALUED = (
    "command", "environment", "expiry-time", "from", "permitlisten", "permitopen", "principals",
    "tunnel",
)  # fmt: skip
_OPTION = re.compile(r'([A-Za-z0-9-]+)(?:="((?:[^"\\]|\\.)*)")?(,|(?=[ \t])|$)')
_HOSTS = re.compile(
    r"(?:@(?:cert-authority|revoked)\s+)?(\S+)\s+((?:ssh|ecdsa|sk)-[\w@.-]+)\s+AAAA"
)
_SECRET_WORDS = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|secret|token|api-?key|auth)\w*(?:=|:|\s+))\S+", re.IGNORECASE
)
_EXPIRY = re.compile(r"(\d{8})(\d{4}(?:\d\d)?)?(Z?)")


class Line(NamedTuple):
    """One line with a key."""

    options: tuple[tuple[str, str], ...]
    """Names in lower case; "" for a flag."""
    key: Key
    comment: str


def split(line: str) -> Line:
    """A line of `authorized_keys`; ValueError says why sshd would pass over it."""
    options: list[tuple[str, str]] = []
    rest = line.strip()
    if CERT in rest.split(None, 1)[0]:
        raise ValueError("a certificate: sshd takes only its authority here (cert-authority)")
    if rest.split(None, 1)[0] not in KEY_TYPES:
        rest = _options(rest, options)
    words = rest.split(None, 2)
    if len(words) < 2:
        raise ValueError("no key")
    if words[0] not in KEY_TYPES:
        raise ValueError(f"{words[0][:40]}: no type of key that OpenSSH knows")
    key = key_of(blob_of(words[0], words[1]))
    return Line(tuple(options), key, words[2].strip() if len(words) > 2 else "")


def _options(rest: str, found: list[tuple[str, str]]) -> str:
    """What stands after the options, which go into *found*."""
    at = 0
    while at < len(rest) and rest[at] not in " \t":
        match = _OPTION.match(rest, at)
        if match is None:
            raise ValueError("its options cannot be read; sshd passes over such a line")
        name, value = match[1].lower(), match[2]
        if name not in (_FLAGS if value is None else _VALUED):
            raise ValueError(f"unknown option {name[:30]!r}; sshd passes over such a line")
        found.append((name, (value or "").replace('\\"', '"')))
        at = match.end()
        if match[3] == ",":
            continue
        break
    return rest[at:].strip()


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """The keys of one host."""
    parser = _Parser(context)
    good = False
    for number, raw in enumerate(lines(stream, LINES_BYTES), 1):
        line = raw.strip()
        if line.startswith(FILE):
            parser.file = line.removeprefix(FILE).strip()
        elif line and not line.startswith("#"):
            try:
                found = split(line)
            except ValueError as error:
                if not good and _is_known_hosts(line):
                    raise ImportRefused(
                        f"line {number}: this is known_hosts: which hosts somebody trusts, and not "
                        "who may log in; import authorized_keys of the host"
                    ) from None
                yield Problem(number, None, f"{error}; the line was left out")
                continue
            good = True
            yield from parser.records(found, number)
    if not good:
        raise ImportRefused("there is no key in this file")


class _Parser:
    """One reading: whose file it is, and what was described already."""

    def __init__(self, context: Context) -> None:
        self._host = label_of(context)
        self.file: str | None = None
        self._accounts: set[str] = set()
        self._seen = Seen()
        self._begun = False

    def records(self, found: Line, line: int) -> Iterator[Record]:
        if not self._begun:
            self._begun = True
            yield Source("ssh", self._host, self._host)
        account = account_of(self.file, self._host)
        yield from self._account(account, line)
        options = dict(found.options)
        expires = _expiry(options.get("expiry-time"))
        if "expiry-time" in options and expires is None:
            why = "expiry-time is no time; sshd passes over such a line, and it was left out"
            yield Problem(line, "expiry-time", why, found.key.fingerprint)
            return
        if "cert-authority" in options:
            yield Trust(
                f"account:{account}", found.key.fingerprint, "ssh_ca", "ssh_certificate",
                subject_pattern=options.get("principals") or account,
                condition=_condition(found.options), line=line,
            )  # fmt: skip
            return
        if self._seen.is_new(found.key.fingerprint):
            yield from _key(found, expires, line)
        yield Grant(
            found.key.fingerprint, f"login:{account}", self.file or "direct",
            _condition(found.options), expires_at=expires, line=line,
        )  # fmt: skip

    def _account(self, account: str, line: int) -> Iterator[Record]:
        if account not in self._accounts:
            self._accounts.add(account)
            about = {"file": self.file} if self.file else {}
            yield Identity(
                f"account:{account}", None, account, "role", "stated", nhi_detail="ssh.account",
                attributes=text.json_text(about), line=line,
            )  # fmt: skip
            yield login(account, self._host)


def label_of(context: Context) -> str:
    """The host; ImportRefused where nobody says it."""
    return context.named(
        "files of SSH do not name their host: give --source <host>, "
        "or --source <account>@<host> for the file of one account"
    )


def login(account: str, host: str) -> Entitlement:
    """The right to log in as *account*."""
    is_root = account in ("root", EVERY_ACCOUNT)
    return Entitlement(
        f"login:{account}", f"log in as {account}", "assignment", f"account:{account}", "account",
        "admin" if is_root else "unknown", "root may do everything" if is_root else None,
        scope=host,
    )  # fmt: skip


def account_of(file: str | None, host: str) -> str:
    """Whose file: `/home/ci/.ssh/authorized_keys` and `/etc/ssh/keys/ci` are ci's."""
    if file is None:
        return host.rpartition("@")[0] or UNKNOWN_ACCOUNT
    parts = [part for part in file.split("/") if part]
    if ".ssh" in parts[1:]:
        return parts[parts.index(".ssh") - 1]
    if parts and parts[-1].startswith("authorized_keys"):
        return EVERY_ACCOUNT
    return parts[-1] if parts else UNKNOWN_ACCOUNT


def _key(found: Line, expires: str | None, line: int) -> Iterator[Record]:
    key, comment = found.key, found.comment
    short = f"{key.algorithm} {key.fingerprint[:15]}…"
    options = dict(found.options)
    yield Identity(
        key.fingerprint, None, comment or short, _kind(comment, "command" in options),
        nhi_detail="ssh.key", attributes=directory.json_of(_about(key, comment)), line=line,
    )  # fmt: skip
    yield Credential(
        key.fingerprint, key.fingerprint, "asymmetric_key", "ssh.public_key",
        comment or None, status="enabled", expires_at=expires,
        expires_state="set" if expires else "none", line=line,
    )  # fmt: skip
    if re.fullmatch(r"\S+@\S+", comment):
        # whoever makes a key writes there what they like
        yield Owner(
            key.fingerprint, comment, "technical", "annotation", f"comment of the key: {comment}",
            line,
        )  # fmt: skip


def _about(key: Key, comment: str) -> dict[str, object]:
    weak = "sshd 7.0 and later refuse it" if key.algorithm == "ssh-dss" else None
    if key.bits is not None and key.algorithm == "ssh-rsa" and key.bits < 2048:
        weak = f"{key.bits} bits are too few"
    return {"algorithm": key.algorithm, "bits": key.bits, "weak": weak, "comment": comment or None}


def _kind(comment: str, is_forced: bool) -> Kind:
    """A guess: a forced command is a machine's, a comment like an address is a person's."""
    if is_forced or directory.SERVICE_NAME.search(comment):
        return "service"
    return "human" if re.fullmatch(r"(?!root@)\S+@\S+", comment) else "service"


def _condition(options: tuple[tuple[str, str], ...]) -> str | None:
    shown = []
    for name, value in options:
        if name == "environment":
            shown.append(f"environment={value.partition('=')[0]}")
        elif name == "command":
            shown.append(f"command={_without_secret(value)}")
        elif name != "cert-authority":
            shown.append(f"{name}={value}" if name in _VALUED else name)
    return "; ".join(shown) or None


def _without_secret(command: str) -> str:
    clean = _SECRET_WORDS.sub(lambda m: f"{m[1]}{_secrets.REMOVED}", command)
    return _secrets.REMOVED if _secrets.is_secret(clean) else clean


def holds_secret(line: str) -> bool:
    """Whether a line of the file has something that looks like a secret in its options."""
    return _without_secret(line) != line


def _expiry(value: str | None) -> str | None:
    """`YYYYMMDD[HHMM[SS]]`; without a `Z` it is the host's own time, which is taken as UTC."""
    found = _EXPIRY.fullmatch(value or "")
    if found is None:
        return None
    return directory.generalized(f"{found[1]}{(found[2] or '').ljust(6, '0')}Z")


def _is_known_hosts(line: str) -> bool:
    found = _HOSTS.match(line)
    return found is not None and '"' not in found[1] and (
        line.startswith(("@", "|1|")) or any(sign in found[1] for sign in ".:*[")
    )  # fmt: skip


def sniff(head: bytes) -> bool:
    """The first line that says anything has a key of an account, or of known_hosts.

    known_hosts too, so that its refusal says what it is.
    """
    for raw in head.removeprefix(b"\xef\xbb\xbf").splitlines()[:2_000]:
        line = raw.decode("utf-8", "replace").strip()
        if not line or line.startswith("#"):
            continue
        try:
            split(line)
        except ValueError:
            return _is_known_hosts(line)
        return True
    return False
