"""The fingerprint of a public SSH key, as OpenSSH prints it and as people paste it."""

import base64
import binascii
import hashlib


def fingerprint(line: str | None) -> str | None:
    """`SHA256:…` of `ssh-ed25519 AAAA… comment`; None where that is no key (a placeholder)."""
    fields = (line or "").split()
    if len(fields) < 2:
        return None
    try:
        blob = base64.b64decode(fields[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    size = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + size] != fields[0].encode():  # RFC 4253 §6.6: the blob names its own kind
        return None
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
