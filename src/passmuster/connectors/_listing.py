"""Lists as vendors' tools write them: whatever is around the objects, and however names are spelt.

One command prints an array, another `{"value": [...]}`, a loop over it prints several of them
after one another, `gcloud asset export` one object a line, and PowerShell 5.1 writes a list of
one as that one. Names come as `principalId`, `PrincipalId` or `principal_id`. What an object is
stays the connector's matter; here it is only found, one at a time, in bounded memory.
"""

import io
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, BinaryIO

from passmuster import text
from passmuster.connectors import _json
from passmuster.connectors._json import Part, Window
from passmuster.connectors._secrets import REMOVED, is_secret
from passmuster.errors import ImportRefused

NEXT_PAGE = ("nextpagetoken", "odata.nextlink", "@odata.nextlink", "nextlink")
MAX_MEMBERS = 2_000
_POWERSHELL = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{4})?\)/")
_NAMES = re.compile(r'"([^"\\]{1,100})"\s*:')

Known = Callable[[text.Json], object]
"""Whether an object (its names folded) is one that the connector reads: anything true."""


def fold(element: Any) -> text.Json:
    """*element* by its names in small letters without underscores; TypeError if it is no object."""
    return {k.replace("_", "").lower(): v for k, v in _json.mapping(element).items()}


def when(value: Any) -> str | None:
    """As `_json.when`, and the `/Date(1733963922394)/` (milliseconds) of PowerShell 5.1."""
    if isinstance(value, str) and (match := _POWERSHELL.fullmatch(value)):
        return _json.when(int(match[1]) / 1000)
    return _json.when(value)


def shown(value: Any) -> str | None:
    """Text for people to read; what looks like a secret in it is left out."""
    if not isinstance(value, str) or not value.strip():
        return None
    return REMOVED if is_secret(value) else value.strip()


def attributes(**values: Any) -> str:
    """The column of that name: those that say something."""
    return text.json_text({k: v for k, v in values.items() if v not in (None, "", [], {})})


def objects(stream: BinaryIO, arrays: Collection[str], known: Known) -> Iterator[Part]:
    """Each object that the export lists; `key` is the name of the array that it stood in, or "".

    Elements of a top-level array, and of a member named in *arrays*, come one at a time and all of
    them. Of another top-level object: it itself if it is *known*, else the known ones in it.
    ImportRefused when the text is cut off or malformed, or when its last page is missing.
    """
    window = Window(stream)
    if not window.peek():
        raise ImportRefused("the file is empty")
    unfinished = False
    while start := window.peek():
        if start == "[":
            for part in _elements(window, ""):
                yield from _flat(part)
            unfinished = False
            continue
        rest: text.Json = {}
        first = window.line()
        for part in _members(window, arrays, rest):
            yield from _flat(part)
        unfinished = any(rest[k] for k in rest if k.lower() in NEXT_PAGE)
        yield from _close(rest, first, known)
    if unfinished:
        raise ImportRefused("the list goes on elsewhere: its other pages are missing")


def _flat(part: Part) -> Iterator[Part]:
    """A list in a list is a list: several pages, or samples, one beside the other."""
    if isinstance(part.value, list):
        for each in part.value:
            yield Part(part.key, each, part.line)
    else:
        yield part


def _elements(window: Window, key: str) -> Iterator[Part]:
    for line, value in window.items():
        yield Part(key, value, line)


def _members(window: Window, arrays: Collection[str], rest: text.Json) -> Iterator[Part]:
    """Members named in *arrays*, element by element; the others go into *rest*."""
    for key in window.names():
        if key in arrays and window.peek() == "[":
            yield from _elements(window, key)
            rest.setdefault("", True)
        else:
            rest[key] = window.value()
            if len(rest) > MAX_MEMBERS:
                window.refuse("one object with too many members")


def _close(rest: text.Json, line: int, known: Known) -> Iterator[Part]:
    listed = rest.pop("", False)
    folded = fold(rest)
    if known(folded):
        yield Part("", rest, line)
    elif isinstance(folded.get("error"), dict):
        yield Part("error", rest, line)
    elif not listed:
        yield from _inner(rest, line, known, 3)


def _inner(value: Any, line: int, known: Known, depth: int) -> Iterator[Part]:
    inner = value.values() if isinstance(value, dict) else value
    for each in inner:
        if isinstance(each, dict) and known(fold(each)):
            yield Part("", each, line)
        elif isinstance(each, dict | list) and depth:
            yield from _inner(each, line, known, depth - 1)


def refused(part: Part) -> str | None:
    """What the platform said in place of an answer, if that is what *part* is."""
    if part.key != "error":
        return None
    said = fold(fold(part.value)["error"])
    words = shown(said.get("message")) or shown(said.get("code")) or "an error"
    return f"the platform answered with an error: {words[:200]}"


def peek(head: bytes, arrays: Collection[str], known: Known) -> list[text.Json]:
    """For sniffing: the known objects in *head*, folded, as far as it goes.

    Where not even one object ends in *head* (Microsoft Graph has one of 600 roles), one object
    that has every name which stands in it.
    """
    if head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")[:1] not in (b"{", b"["):
        return []
    found: list[Any] = []
    try:
        found.extend(part.value for part in objects(io.BytesIO(head), arrays, known))
    except ImportRefused:
        if not found:
            cut = _json.outline(head, arrays)
            found = [v for name in cut if name in arrays for v in cut[name]]
            found.append({name: values[0] for name, values in cut.items() if values})
    whole = [each for each in found if isinstance(each, dict) and each]
    if not whole:
        names = set(_NAMES.findall(head.decode("utf-8", "replace")))
        whole = [dict.fromkeys(names)]
    return [fold(p.value) for p in _inner(whole, 0, known, 3)]
