"""OpenSSH certificates, `*-cert.pub`: whose key an authority signed, for which accounts, how long.

The identity is the key, as in `authorized_keys`, so both formats speak of the same one. A
certificate of a user without principals is refused by every sshd since 2010, so it opens nothing.
"""

from collections.abc import Iterator
from typing import BinaryIO

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors import _directory as directory
from passmuster.connectors._table import lines
from passmuster.connectors.ssh._authorized import label_of, login
from passmuster.connectors.ssh._wire import (
    CERT,
    FOREVER,
    LINES_BYTES,
    Certificate,
    blob_of,
    certificate_of,
)
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Grant, Identity, Kind, Problem, Record, Source

_LAST = 253_402_300_799
"""The end of the year 9999."""


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """One certificate a line; several files put together are a file."""
    host = label_of(context)
    good, accounts = False, set()
    for number, raw in enumerate(lines(stream, LINES_BYTES), 1):
        words = raw.split(None, 2)
        if not words or words[0].startswith("#"):
            continue
        try:
            found = certificate_of(blob_of(words[0], words[1] if len(words) > 1 else ""))
        except ValueError as error:
            yield Problem(number, None, f"{error}; the line was left out")
            continue
        if not good:
            good = True
            yield Source("ssh", host, host)
        yield from _records(found, number)
        for account in () if found.is_host else found.principals:
            if account not in accounts:
                accounts.add(account)
                yield Identity(
                    f"account:{account}", None, account, "role", "stated",
                    nhi_detail="ssh.account", line=number,
                )  # fmt: skip
                yield login(account, host)
            yield Grant(
                found.key.fingerprint, f"login:{account}", f"certificate {found.key_id}",
                _condition(found), expires_at=_time(found.ends), line=number,
            )  # fmt: skip
    if not good:
        raise ImportRefused("there is no certificate in this file")


def _records(found: Certificate, line: int) -> Iterator[Record]:
    kind: Kind = "system" if found.is_host else "service"
    if not found.is_host and "@" in found.key_id:
        kind = "service" if directory.SERVICE_NAME.search(found.key_id) else "human"
    about = {
        "algorithm": found.key.algorithm,
        "bits": found.key.bits,
        "certificate for": "hosts" if found.is_host else "users",
        "key id": found.key_id,
        "serial": str(found.serial),
        "principals": list(found.principals) or "none: sshd refuses it",
        "authority": found.authority.fingerprint,
        "critical options": _condition(found),
        "extensions": list(found.extensions) or None,
    }
    yield Identity(
        found.key.fingerprint, None, found.key_id or found.key.fingerprint, kind,
        "stated" if found.is_host else "inferred",
        nhi_detail="ssh.host" if found.is_host else "ssh.key",
        attributes=directory.json_of(about), line=line,
    )  # fmt: skip
    ends = _time(found.ends)
    yield Credential(
        found.key.fingerprint, f"certificate:{found.digest}", "certificate",
        "ssh.certificate", f"{found.key_id} (serial {found.serial})",
        status="enabled", created_at=_time(found.begins), last_rotated_at=_time(found.begins),
        expires_at=ends, expires_state="set" if ends else "none",
        attributes=text.json_text({"authority": found.authority.fingerprint}), line=line,
    )  # fmt: skip


def _condition(found: Certificate) -> str | None:
    """`source-address` and the like; a forced command is told, and not shown."""
    shown = [n if n == "force-command" or not v else f"{n}={v}" for n, v in found.critical]
    return "; ".join(shown) or None


def _time(seconds: int) -> str | None:
    if seconds == FOREVER or seconds > _LAST:
        return None
    return text.from_epoch(seconds)


def sniff(head: bytes) -> bool:
    """The first line that says anything is a certificate."""
    for raw in head.removeprefix(b"\xef\xbb\xbf").splitlines()[:2_000]:
        words = raw.decode("utf-8", "replace").split(None, 2)
        if words and not words[0].startswith("#"):
            return len(words) > 1 and words[0].endswith(CERT) and words[1].startswith("AAAA")
    return False
