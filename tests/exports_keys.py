"""Makers of files of SSH and of certificates (see `exports`), from bytes: no key is generated."""

import base64
import hashlib
import struct
from functools import cache
from typing import Any


def text(data: bytes | str) -> bytes:
    """An SSH string (RFC 4251 §5)."""
    raw = data.encode() if isinstance(data, str) else data
    return struct.pack(">I", len(raw)) + raw


def key(at: int) -> bytes:
    """The blob of an ed25519 key that nobody has the private half of."""
    return text("ssh-ed25519") + text(hashlib.sha256(b"key %d" % at).digest())


def fingerprint(at: int) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(key(at)).digest()).decode().rstrip("=")


def line(at: int, comment: str = "", options: str = "") -> str:
    """A line of `authorized_keys`."""
    return f"{options} ssh-ed25519 {base64.b64encode(key(at)).decode()} {comment}".strip()


def certificate(
    at: int, key_id: str, *, role: int = 1, principals: tuple[str, ...] = ("deploy",),
    critical: tuple[tuple[str, str], ...] = (), ends: int = 1_800_000_000, serial: int = 7,
) -> str:  # fmt: skip
    """A line of a `-cert.pub`; the signature is of nobody."""
    body = text("ssh-ed25519-cert-v01@openssh.com") + text(b"nonce")
    body += text(hashlib.sha256(b"key %d" % at).digest())
    body += struct.pack(">QI", serial, role) + text(key_id)
    body += text(b"".join(map(text, principals))) + struct.pack(">QQ", 1_700_000_000, ends)
    body += text(b"".join(text(n) + text(text(v) if v else b"") for n, v in critical))
    body += text(text("permit-pty") + text(b"")) + text(b"") + text(key(-1)) + text(b"nothing")
    return f"ssh-ed25519-cert-v01@openssh.com {base64.b64encode(body).decode()} x"


def make_authorized(n: int, name: str, secret: str, bad: bool) -> bytes:
    called = "".join(name.splitlines())
    options = 'command="/usr/bin/job --password=%s",environment="API_TOKEN=%s"' % (secret, secret)
    found = [line(at, f"{called}{at}", options if secret else "") for at in range(n)]
    if bad:
        found.insert(n // 2, "ssh-ed25519 AAAA broken")
    return ("# file: /home/deploy/.ssh/authorized_keys\n" + "\n".join(found) + "\n").encode()


def make_certificates(n: int, name: str, secret: str, bad: bool) -> bytes:
    forced = (("force-command", f"/bin/x {secret}"),) if secret else ()
    found = [certificate(at, f"{name}{at}", critical=forced) for at in range(n)]
    if bad:
        found.insert(n // 2, found[0][:80])
    return ("\n".join(found) + "\n").encode()


def logged(at: int, when: str, how: str = "") -> str:
    """A line of sshd's log."""
    return (
        f"{when} web1 sshd[{at}]: Accepted publickey for deploy from 10.0.0.{at % 200} port 4711 "
        f"ssh2: ED25519 {fingerprint(at)}{how}"
    )


def make_log(n: int, name: str, secret: str, bad: bool) -> bytes:
    called = "".join(name.splitlines())
    found = [f"2026-11-26T06:00:02+0000 web1 sshd[1]: Failed password for {secret} from 10.0.0.1"]
    for at in range(n):
        how = f" ID {called}{at} (serial 7) CA ED25519 {fingerprint(-1)}"
        found.append(logged(at % 9, "2026-11-26T06:00:02+0000", how))
    if bad:
        found.insert(n // 2, "2026-11-26T06:00:02+0000 web1 sshd[1]: Accepted publickey for x")
    return ("\n".join(found) + "\n").encode()


@cache
def pem(subject: str, **about: Any) -> str:
    """A certificate as a PEM block, of a key that is forgotten at once."""
    from datetime import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding

    signer = Ed25519PrivateKey.generate()
    common = [x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)] if subject else []
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(common))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")]))
        .public_key(signer.public_key())
        .serial_number(about.get("serial", 0xABC))
        .not_valid_before(datetime(2026, 1, 1))
        .not_valid_after(datetime(2027, 1, 1))
    )
    if names := about.get("names"):
        found = [x509.UniformResourceIdentifier(n) if "://" in n else x509.DNSName(n)
                 for n in names]  # fmt: skip
        builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    if about.get("is_ca"):
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    return builder.sign(signer, None).public_bytes(Encoding.PEM).decode()


def make_pem(n: int, name: str, secret: str, bad: bool) -> bytes:
    found = [pem(f"{name}{at % 9}") for at in range(n)]
    if bad:
        found.insert(n // 2, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    if secret:
        hidden = f"PRIVATE KEY-----\n{secret}\n-----"
        found.insert(0, f"-----BEGIN {hidden}END PRIVATE KEY-----\n")
    return "".join(found).encode()


KEY_MAKERS = {
    "ssh.authorized_keys": make_authorized,
    "ssh.certificates": make_certificates,
    "ssh.log": make_log,
    "x509.pem": make_pem,
}
