"""Certificates in PEM files: whose they are, who issued them, until when (RFC 5280, RFC 7468).

An identity is a subject, and each of its certificates is a credential. A private key that stands
beside them is passed over line by line and never kept, not even in memory; that it stands there is
a sighting. A list of revoked certificates names none that is there, so it is refused.

Nothing is done live: revoking is for good (R3), and is the authority's own work.
"""

import base64
import binascii
import hashlib
import re
import shlex
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

from passmuster import text
from passmuster.connectors import Context, Format, Plan
from passmuster.connectors import _directory as directory
from passmuster.connectors._seen import Seen
from passmuster.connectors._table import lines
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Identity, Kind, Owner, Problem, Record, Sighting, Source

_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----\s*")
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
_LISTS = ("X509 CRL", "CRL")
_MAX_BLOCK = 1 << 20
_LINES_BYTES = 1 << 16
_SNIFF = re.compile(
    rb"^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----|^-----BEGIN X509 CRL-----", re.MULTILINE
)
_FOR_PEOPLE = ("emailProtection", "smartcardLogon")
RSA_BITS = 2048
CRL_DAYS = 30
"""`default_crl_days` of OpenSSL: how old a list of revoked certificates may be and still count."""


class _Block(NamedTuple):
    """One PEM block; of a private key nothing but that it was there."""

    label: str
    line: int
    data: str
    is_encrypted: bool = False


class _Read(NamedTuple):
    """What of a certificate becomes a record."""

    uid: str
    subject: str
    name: str
    names: list[str]
    emails: list[str]
    issuer: str
    serial: str
    begins: str
    ends: str
    key: str
    weak: str | None
    is_ca: bool
    is_root: bool
    uses: list[str]
    unread: str | None


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """The certificates of one place: a host, a team, a trust store."""
    tenant = context.named("a PEM file does not name the place that it is of: give --source NAME")
    parser = _Parser(tenant)
    for block in _blocks(stream):
        if block.label.endswith("PRIVATE KEY"):
            yield from parser.key(block)
        elif block.label in _LISTS and parser.subject is None:
            raise ImportRefused(
                f"line {block.line}: a list of revoked certificates: it names none that is there; "
                "import the certificates themselves"
            )
        elif block.label in _CERTIFICATES:
            yield from parser.certificate(block)
        else:
            why = f"{block.label}: not a certificate; it was left out"
            yield Problem(block.line, None, why)
    if parser.subject is None:
        raise ImportRefused("there is no certificate in this file that can be read")


class _Parser:
    """One reading: which subjects were met, and keys that wait for theirs."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._subjects, self._held = Seen(), Seen()
        self._waiting: int | None = None
        self.subject: str | None = None

    def key(self, block: _Block) -> Iterator[Record]:
        """A key before the first certificate is taken for that one's."""
        if block.is_encrypted:
            return
        if self.subject is None:
            self._waiting = self._waiting or block.line
        else:
            yield self._sighting(self.subject, block.line)

    def certificate(self, block: _Block) -> Iterator[Record]:
        try:
            data = base64.b64decode(block.data, validate=True)
            # of a TRUSTED CERTIFICATE, OpenSSL's own list of uses follows
            found = _read(_first(data) if block.label.startswith("TRUSTED") else data)
        except (binascii.Error, ValueError) as error:
            what = "broken base64" if isinstance(error, binascii.Error) else str(error)[:80]
            why = f"not an X.509 certificate ({what}); it was left out"
            yield Problem(block.line, None, why)
            return
        if self.subject is None:
            yield Source("x509", self._place, self._place)
        self.subject = found.subject
        if found.unread:
            why = f"its extensions cannot be read ({found.unread}): names and uses are not known"
            yield Problem(block.line, "extensions", why, found.subject)
        if self._subjects.is_new(found.subject):
            yield from _identity(found, block.line)
        if self._held.is_new(found.uid):
            yield _credential(found, block.line)
        if self._waiting is not None:
            yield self._sighting(found.subject, self._waiting)
            self._waiting = None

    def _sighting(self, subject: str, line: int) -> Sighting:
        place = f"a private key beside its certificate, in this very file of {self._place}"
        return Sighting(subject, "plain_text", place, line=line)


def _blocks(stream: BinaryIO) -> Iterator[_Block]:
    label, began, encrypted = "", 0, False
    body: list[str] = []
    size = 0
    for number, raw in _pieces(stream):
        line = raw.strip()
        begin = _BEGIN.fullmatch(line)
        if begin is not None:
            if label:
                raise ImportRefused(f"line {number}: a block begins where {label} has no end")
            label, began, encrypted, size = begin[1], number, "ENCRYPTED" in begin[1], 0
            body.clear()
        elif label and line == f"-----END {label}-----":
            yield _Block(label, began, "".join(body), encrypted)
            label = ""
        elif label.endswith("PRIVATE KEY"):
            encrypted = encrypted or line == "Proc-Type: 4,ENCRYPTED"
        elif label and ":" not in line:
            size += len(line)
            if size > _MAX_BLOCK:
                raise ImportRefused(f"line {began}: a block of more than {_MAX_BLOCK >> 20} MiB")
            body.append(line)
    if label:
        raise ImportRefused(f"line {began}: {label} has no end: the file was cut; copy it again")


def _pieces(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; parted where a file ended without a newline before the next."""
    for number, line in enumerate(lines(stream, _LINES_BYTES), 1):
        if line.find("-----BEGIN ", 1) > 0:
            for piece in line.replace("-----BEGIN ", "\n-----BEGIN ").split("\n"):
                yield number, piece
        else:
            yield number, line


def _first(data: bytes) -> bytes:
    """The first DER object of *data*."""
    if len(data) > 4 and data[0] == 0x30 and data[1] == 0x82:
        return data[: 4 + int.from_bytes(data[2:4])]
    return data


# the chains of many services repeat their authorities
@lru_cache(maxsize=64)
def _read(data: bytes) -> _Read:
    """Raises ValueError for what is no certificate."""
    # late: only certificates pay for the import
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    with warnings.catch_warnings():
        # serial numbers of zero and the like: older than the rule, and there
        warnings.simplefilter("ignore")
        found = x509.load_der_x509_certificate(data)
        subject, issuer = found.subject.rfc4514_string(), found.issuer.rfc4514_string()
        serial, unread = f"{found.serial_number:x}", None
        extensions: Any = ()
        try:
            extensions = found.extensions
        except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
            unread = str(error)[:60]
    values = {type(e.value).__name__: e.value for e in extensions}
    names, emails = _names(values.get("SubjectAlternativeName", ()))
    emails += [str(a.value) for a in found.subject if a.oid == x509.NameOID.EMAIL_ADDRESS]
    common = [str(a.value) for a in found.subject if a.oid == x509.NameOID.COMMON_NAME]
    basic = values.get("BasicConstraints")
    key, weak = _key(found)
    print_ = hashlib.sha256(data).hexdigest()
    name = next(iter((*common, *names)), subject) or print_[:16]
    return _Read(
        f"sha256:{print_}", subject or next(iter(names), f"sha256:{print_}"), name, names,
        list(dict.fromkeys(emails)), issuer, serial,
        text.rfc3339(found.not_valid_before_utc), text.rfc3339(found.not_valid_after_utc),
        key, weak, bool(basic and basic.ca), subject == issuer,
        [use._name for use in values.get("ExtendedKeyUsage", ())], unread,  # noqa: SLF001 - no other way to its name
    )  # fmt: skip


def _names(names: Any) -> tuple[list[str], list[str]]:
    """The names that it is good for, and those that are addresses of people."""
    found, emails = [], []
    for name in names:
        kind, value = type(name).__name__, name.value
        if kind == "RFC822Name":
            emails.append(str(value))
        elif kind in ("DNSName", "UniformResourceIdentifier", "IPAddress"):
            found.append(str(value))
        elif kind == "DirectoryName":
            found.append(value.rfc4514_string())
        elif kind == "RegisteredID":
            found.append(value.dotted_string)
        else:
            found.append(f"another name ({name.type_id.dotted_string})")
    return found, emails


def _key(certificate: Any) -> tuple[str, str | None]:
    """The kind of its key, and what is weak about it or the signature."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        key = certificate.public_key()
        digest = certificate.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return "of a kind that muster does not know", None
    kind = type(key).__name__.removesuffix("PublicKey").lstrip("_")
    bits = getattr(key, "key_size", None)
    weak = None
    if digest is not None and digest.name in ("md5", "sha1"):
        weak = f"signed with {digest.name}"
    if kind in ("RSA", "DSA") and bits and bits < RSA_BITS:
        weak = f"{bits} bits are too few"
    return f"{kind} {bits}" if bits else kind, weak


def _identity(found: _Read, line: int) -> Iterator[Record]:
    about = {
        "names": found.names or None,
        "mail": found.emails or None,
        "authority": True if found.is_ca else None,
        "self-signed": True if found.is_root else None,
        "key": found.key,
        "weak": found.weak,
        "for": found.uses or None,
    }
    yield Identity(
        found.subject, None, found.name, _kind(found), nhi_detail=_detail(found),
        attributes=directory.json_of(about), line=line,
    )  # fmt: skip
    for mail in found.emails:
        yield Owner(found.subject, mail, "technical", "annotation", f"name in it: {mail}", line)


def _detail(found: _Read) -> str:
    if not found.is_ca:
        return "x509.subject"
    return "x509.root" if found.is_root else "x509.authority"


def _kind(found: _Read) -> Kind:
    if found.is_ca:
        return "system"
    if any(name.startswith("spiffe://") for name in found.names):
        return "workload"
    if any(use in _FOR_PEOPLE for use in found.uses) and found.emails:
        return "human"
    return "service"


def _credential(found: _Read, line: int) -> Credential:
    return Credential(
        found.subject, found.uid, "certificate", _detail(found).replace("subject", "certificate"),
        f"{found.name} (serial {found.serial})", status="enabled", created_at=found.begins,
        created_by=found.issuer or None, last_rotated_at=found.begins, expires_at=found.ends,
        expires_state="set", line=line,
    )  # fmt: skip


def plan(dossier: text.Json, verb: str, target: str | None = None) -> list[Plan]:
    """The authority's lines for each certificate, or for *target*; for good (R3).

    Of OpenSSL's own authority (`openssl ca`), which keeps what it issued by serial number. Nothing
    for a root: nobody stands above it who could revoke it.
    """
    if verb != "revoke" or dossier["identity"]["nhi_detail"] == "x509.root":
        return []
    found = []
    for credential in dossier.get("credentials") or ():
        serial = re.search(r"\(serial ([0-9a-f]+)\)$", credential["display_name"] or "")
        if target in (None, credential["uid"], dossier["identity"]["uid"]) and serial:
            found.append(_revoked(credential, serial[1]))
    return found


def _revoked(credential: text.Json, serial: str) -> Plan:
    number = serial.upper().zfill(len(serial) + len(serial) % 2)
    issuer = shlex.quote(f"issuer: {credential.get('created_by') or 'not known'}")
    return Plan(
        f"revoke the certificate {credential['display_name']} at its authority",
        (
            f': {issuer}; openssl ca -config "$CA_CONF" -revoke "$CA_DIR/newcerts/{number}.pem"',
            'openssl ca -config "$CA_CONF" -gencrl -out "$CA_DIR/crl.pem"',
        ),
        (), "R3", CRL_DAYS * 86_400,
        "whoever has the old list of revoked certificates takes it until that list ends, and "
        f"whoever never asks takes it until {credential['expires_at'] or 'it ends'}; open "
        "connections stay; a new certificate needs a new key",
    )  # fmt: skip


def sniff(head: bytes) -> bool:
    """A certificate, or a list of revoked ones, at the beginning of a line."""
    return _SNIFF.search(head) is not None


FORMATS = (
    Format(
        name="x509.pem",
        title="X.509 certificates (PEM)",
        sniff=sniff,
        parse=parse,
        howto=(
            "cat /etc/ssl/private-services/*.crt > certificates.pem; "
            "muster import certificates.pem --source HOST"
        ),
        covers=("display_name", "kind", "nhi_detail", "attributes"),
        supplies=("credential", "owner", "sighting"),
    ),
)
