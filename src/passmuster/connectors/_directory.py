"""What Active Directory and the other LDAP directories have in common: names, times, keys."""

import base64
import hashlib
import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from passmuster import text
from passmuster.connectors._ldif import Entry
from passmuster.model import Credential, Problem, Record, Sighting

_GENERALIZED = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)?(?:[.,]\d+)?(Z|[+-]\d{2,4})?")
SERVICE_NAME = re.compile(
    r"^(svc|srv|sa|service|app|bot|robot|batch|job|task|daemon)[-_. ]|^svc|[-_.](svc|sa|bot)\$?$"
    r"|service[-_. ]?(account|user)",
    re.IGNORECASE,
)
# people write passwords into descriptions; a description is shown, signed and carried about
_PASSWORD_IN_TEXT = re.compile(
    r"\b(pass(?:word|wort|wd|phrase)?|pwd|pw|kennwort|mot de passe|secret)"
    r"(\s*(?:is\b|[:=])\s*)(\S+)",
    re.IGNORECASE,
)


def domain(dn: str) -> str | None:
    """`corp.example.com` from the trailing DC= parts of *dn*; None when there are none."""
    lower = dn.lower()
    return _domain(lower[lower.find("dc=") :])


@lru_cache(maxsize=1024)
def _domain(end: str) -> str | None:
    parts: list[str] = []
    for rdn in reversed(end.split(",")):
        name, _, value = rdn.strip().partition("=")
        if name.strip() != "dc":
            break
        parts.append(value.strip())
    return ".".join(reversed(parts)) or None


def first_rdn(dn: str) -> str:
    """The value of the first RDN, without the backslashes that escape a comma and the like."""
    value = re.split(r"(?<!\\),", dn, maxsplit=1)[0].partition("=")[2]
    return re.sub(r"\\([,+\"\\<>;=# ])", r"\1", value.strip())


def normal(dn: str) -> str:
    """*dn* so that two spellings of one entry are equal: lower case, no blanks around commas.

    OpenLDAP and 389-ds keep a DN as somebody typed it, so `member` and `dn:` often differ.
    """
    lower = dn.lower()
    return re.sub(r"\s*,\s*", ",", lower).strip() if ", " in lower or " ," in lower else lower


def generalized(value: str | None) -> str | None:
    """A GeneralizedTime (`20261122072733.0Z`) as we store times; None for what is none."""
    if value is None:
        return None
    if len(value) >= 15 and value[:14].isdigit() and value.endswith(("Z", ".0Z")):
        month, day, hour = value[4:6], value[6:8], value[8:10]
        if "01" <= month <= "12" and "01" <= day <= "28" and hour <= "23":
            minute, second = value[10:12], value[12:14]
            if minute <= "59" and second <= "59":
                return f"{value[:4]}-{month}-{day}T{hour}:{minute}:{second}Z"
    found = _GENERALIZED.fullmatch(value.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, zone = found.groups()
    offset = "+0000" if zone in (None, "Z") else zone.ljust(5, "0")
    try:
        moment = datetime.strptime(
            f"{year}{month}{day}{hour}{minute or '00'}{second or '00'}{offset}", "%Y%m%d%H%M%S%z"
        )
        return text.rfc3339(moment.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def filetime(value: str) -> str | None:
    """A Windows FILETIME (100 ns since 1601) as we store times; None for 0 and "never".

    Raises ValueError for what is no time.
    """
    if value in ("0", "9223372036854775807"):
        return None
    day, rest = divmod(int(value), 864_000_000_000)
    if not 0 <= day < 2_900_000:
        raise ValueError("beyond the year 9999")
    minute, second = divmod(rest // 10_000_000, 60)
    return f"{_day(day)}T{minute // 60:02d}:{minute % 60:02d}:{second:02d}Z"


@lru_cache(maxsize=8192)
def _day(number: int) -> str:
    return (date(1601, 1, 1) + timedelta(number)).isoformat()


def json_of(values: Mapping[str, object]) -> str:
    """JSON of those *values* that are there."""
    present = {k: v for k, v in values.items() if v is not None}
    return text.json_text(present) if present else "{}"


def without_passwords(uid: str, where: str, entry: Entry) -> tuple[str | None, list[Record]]:
    """The entry's description with passwords taken out, and a sighting if there was one."""
    description = entry.first("description")
    if not description or _PASSWORD_IN_TEXT.search(description) is None:
        return description or None, []
    clean = _PASSWORD_IN_TEXT.sub(lambda m: f"{m[1]}{m[2]}(removed by muster)", description)
    return clean, [Sighting(uid, "plain_text", f"{where}: description", line=entry.line)]


def certificates(uid: str, entry: Entry, detail: str) -> Iterator[Record]:
    """One credential for each `userCertificate`, by fingerprint; the bytes are not kept."""
    for encoded in entry.values.get("usercertificate", ()):
        data = base64.b64decode(encoded)
        fingerprint = hashlib.sha256(data).hexdigest()
        # late: only directories with certificates pay for the import
        from cryptography import x509

        try:
            certificate = x509.load_der_x509_certificate(data)
            begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            subject = certificate.subject.rfc4514_string()
            about = {
                "serial": f"{certificate.serial_number:x}",
                "subject": subject,
                "issuer": certificate.issuer.rfc4514_string(),
            }
        except ValueError:
            why = "userCertificate is not an X.509 certificate in DER; left out"
            yield Problem(entry.line, "userCertificate", why, uid)
            continue
        yield Credential(
            uid, f"sha256:{fingerprint}", "certificate", detail, subject or None,
            status="enabled", created_at=text.rfc3339(begins), last_rotated_at=text.rfc3339(begins),
            expires_at=text.rfc3339(ends), expires_state="set",
            attributes=text.json_text(about), line=entry.line,
        )  # fmt: skip


def ssh_keys(uid: str, entry: Entry) -> Iterator[Record]:
    """One credential for each `sshPublicKey`, by the fingerprint that sshd logs."""
    for key in entry.values.get("sshpublickey", ()):
        parts = key.split()
        at = next((i for i, p in enumerate(parts) if p.startswith("AAAA")), 0)
        try:
            digest = hashlib.sha256(base64.b64decode(parts[at], validate=True)).digest()
        except (ValueError, IndexError):
            yield Problem(entry.line, "sshPublicKey", "not an OpenSSH public key; left out", uid)
            continue
        print_ = "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
        yield Credential(
            uid, print_, "asymmetric_key", "ldap.ssh_key", " ".join(parts[at + 1 :]) or None,
            status="enabled", expires_state="none", line=entry.line,
        )  # fmt: skip


GSSAPI = "-Y GSSAPI"
SIMPLE = '-x -D "$LDAP_BIND_DN" -W'


def ldif_line(name: str, value: str) -> str:
    """`name: value`; in base64 what LDIF does not allow as it is, so no value can add a line."""
    safe = value.isascii() and value.isprintable() and value[:1] not in " :<"
    if safe and not value.endswith(" "):
        return f"{name}: {value}"
    return f"{name}:: {base64.b64encode(value.encode()).decode()}"


def piped(dn: str, *lines: str, bind: str = GSSAPI) -> str:
    """One shell line that gives an LDIF change of *dn* to ldapmodify."""
    change = (ldif_line("dn", dn), "changetype: modify", *lines)
    quoted = " ".join(shlex.quote(line) for line in change)
    return f"printf '%s\\n' {quoted} | ldapmodify -H \"$LDAP_URI\" {bind}"


def attribute(dossier: text.Json, name: str) -> str | None:
    """The attribute *name* of the identity of *dossier*, as text."""
    for key, value in dossier["identity"]["attributes"]:
        if key == name and value is not None:
            return str(value)
    return None


def membership(group: str) -> str:
    """The uid of the entitlement of being a member of *group*."""
    return f"{group.lower()}#member"


_AD_SIGNS = re.compile(
    rb"^(objectsid|objectguid|samaccountname|objectcategory|useraccountcontrol|instancetype):",
    re.MULTILINE | re.IGNORECASE,
)


def is_ad(head: bytes) -> bool:
    """Whether LDIF has attributes that only Active Directory and Samba have."""
    return _AD_SIGNS.search(head) is not None
