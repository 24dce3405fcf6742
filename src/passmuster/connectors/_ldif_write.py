"""Entries as `ldapsearch -LLL -o ldif-wrap=no` writes them, byte for byte.

So that an export made by muster has the digest of one that the vendor's command made.
"""

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path

from passmuster.connectors._ldap3 import Found
from passmuster.text import visible


def written(dn: str, values: Mapping[str, Iterable[bytes]]) -> bytes:
    """One entry, with the blank line that ends it."""
    lines = [_line("dn", dn.encode())]
    lines += [_line(name, value) for name, found in values.items() for value in found]
    return b"".join(lines) + b"\n"


def referred(address: str) -> bytes:
    """A part of the tree that another server has, as a comment."""
    return b"# ref" + visible(address).encode("ascii", "replace") + b"\n\n"


def export(path: Path, entries: Iterable[Found | str]) -> None:
    """Write a whole search: entries, and the addresses of what other servers have."""
    with path.open("wb") as out:
        for item in entries:
            out.write(written(item.dn, item.values) if isinstance(item, Found) else referred(item))


def _line(name: str, value: bytes) -> bytes:
    # as ldif_is_not_printable() of OpenLDAP: stricter than RFC 2849, and no ASCII control either
    first, last = value[:1], value[-1:]
    plain = (
        value.isascii()
        and all(32 <= byte < 127 for byte in value)
        and first not in (b"", b" ", b":", b"<")
        and last != b" "
    )
    coded = b": " + value if plain else b":: " + base64.b64encode(value)
    return name.encode() + coded + b"\n"
