"""A dossier as it is signed: the canonical JSON, laid out to be read, under its sha256. Pure."""

import json
import re

from rich.cells import cell_len

from passmuster import campaigns
from passmuster.text import Json
from passmuster.tui.lines import Line, Span, fold, say

_KEYED = re.compile(r'( *)("(?:[^"\\]|\\.)*": )?(.*)', re.DOTALL)


def lines(dossier: Json, width: int) -> list[Line]:
    """The digest that a decision on this item carries, then every value, folded to *width*."""
    data, digest, _ = campaigns.digests(dossier)
    head: Line = [Span("sha256 ", "dim"), Span(digest, "strong")]
    about: Line = [Span(f"of {len(data):,} bytes of canonical JSON (RFC 8785), laid out here;"
                        " Y copies those bytes", "dim")]  # fmt: skip
    out = [*fold(head, width), *fold(about, width), []]
    pretty = json.dumps(dossier, ensure_ascii=False, sort_keys=True, indent=2)
    for text in pretty.split("\n"):
        out += _line(text, width)
    return out


def _line(text: str, width: int) -> list[Line]:
    found = _KEYED.fullmatch(text)
    assert found is not None
    indent, key, value = found.groups()
    line: Line = [Span(indent)]
    if key:
        line.append(say(key, "accent"))
    line.append(say(value))
    if cell_len(text) <= width:
        return [line]
    hang = min(len(indent) + 2, width // 2)
    folded = fold(line[1:], width - hang)
    return [
        [Span(indent[: width // 2] if not n else " " * hang), *piece]
        for n, piece in enumerate(folded)
    ]


def canonical(dossier: Json) -> str:
    """The very text whose sha256 is shown."""
    return campaigns.digests(dossier)[0].decode()
