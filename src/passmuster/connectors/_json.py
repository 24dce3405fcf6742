"""JSON larger than memory: members of the top-level objects, arrays one element at a time.

A window of text slides over `JSONDecoder.raw_decode`. Research 7 §0: 117 MB in 0.68 s and 18 MB
of memory, against 3.0 s and 596 MB for `json.load`. Several objects after one another are one
export: `--no-paginate` loops and `gh api --paginate` write them so.
"""

import codecs
import io
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, NamedTuple, NoReturn

from passmuster import text
from passmuster.connectors._input import encoding_of
from passmuster.errors import ImportRefused
from passmuster.model import Problem, Record

CHUNK = 256 * 1024
MAX_VALUE = 16 * 1024 * 1024
"""Characters of one element; the largest object of a Kubernetes API is 1.5 MiB."""
MAX_NESTING = 100

_SPACE = re.compile(r"[ \t\n\r]*")
_AFTER_SCALAR = re.compile(r"[,\]}\s]")


class Part(NamedTuple):
    """A member of a top-level object, or one element of an array that is one."""

    key: str | None
    """None closes the object."""
    value: Any
    line: int


def parts(stream: BinaryIO, arrays: Collection[str]) -> Iterator[Part]:
    """Members of each object in *stream*; those named in *arrays* come element by element.

    ImportRefused, with line and character, when the text is cut off, malformed, nested too
    deeply, or has one value that is too large.
    """
    window = Window(stream)
    if not window.peek():
        raise ImportRefused("the file is empty")
    while window.peek():
        for key in window.names():
            if window.peek() == "[" and key in arrays:
                yield from _elements(window, key)
            else:
                line = window.line()
                yield Part(key, window.value(), line)
        yield Part(None, None, window.line())


def _elements(window: "Window", key: str) -> Iterator[Part]:
    for line, value in window.items():
        yield Part(key, value, line)


def outline(head: bytes, arrays: Collection[str] = ()) -> dict[str, list[Any]]:
    """For sniffing: top-level names in *head* with their values, as far as it goes.

    A name whose value is cut off has an empty list.
    """
    found: dict[str, list[Any]] = {}
    start = head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")[:1]
    if start != b"{":
        return found
    window = Window(io.BytesIO(head))
    try:
        window.expect("{")
        going = True
        while going:
            key = str(window.value())
            window.expect(":")
            values = found.setdefault(key, [])
            if key in arrays and window.peek() == "[":
                values.extend(p.value for p in _elements_until_cut(window, key))
            else:
                values.append(window.value())
            going = window.goes_on("}")
    except ImportRefused:
        pass
    return found


def _elements_until_cut(window: "Window", key: str) -> Iterator[Part]:
    elements = _elements(window, key)
    while True:
        try:
            yield next(elements)
        except (ImportRefused, StopIteration):
            return


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decode: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(
    parse_constant=_no_constant
).raw_decode


class Window:
    """The part of the text that is being read, with where it stands in the file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        head = b""
        while len(head) < len(codecs.BOM_UTF8) and (data := stream.read(CHUNK)):
            head += data
        self._decoder = codecs.getincrementaldecoder(encoding_of(head))()
        self._ended = False
        self._text = ""
        self._at = 0
        self._lines = 1
        self._counted = 0
        self._gone = 0
        self._take(head)

    def _take(self, data: bytes) -> bool:
        """Drop what was read and add *data*; False when there is no more."""
        self._ended = not data
        try:
            fresh = self._decoder.decode(data, not data)
        except UnicodeDecodeError as bad:
            self.refuse(f"not {bad.encoding} text ({bad.reason})", len(self._text))
        if data:
            self.line()
            self._gone += self._at
            self._text = self._text[self._at :] + fresh
            self._at = self._counted = 0
        return not self._ended

    def _more(self) -> bool:
        """At least as much again as is held, so that a large value costs a few tries only."""
        if self._ended:
            return False
        return self._take(self._stream.read(max(CHUNK, len(self._text) - self._at)))

    def line(self) -> int:
        """The line where the reading stands."""
        self._lines += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._lines

    def refuse(self, why: str, at: int | None = None) -> NoReturn:
        """Raise ImportRefused for the place *at* in the window, or for where reading stands."""
        line = self.line()
        if at is not None and at > self._at:
            line += self._text.count("\n", self._at, at)
        place = self._gone + (self._at if at is None else at)
        what = "the JSON is cut off or malformed" if self._ended else "the JSON is malformed"
        raise ImportRefused(f"line {line}, character {place:,}: {what}: {why}")

    def peek(self) -> str:
        """The next character that is no space, without taking it; "" at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def expect(self, char: str) -> None:
        """Take *char*, or refuse."""
        found = self.peek()
        if found != char:
            self.refuse(f"expected {char!r}, found {found!r}" if found else f"expected {char!r}")
        self._at += 1

    def names(self) -> Iterator[str]:
        """The names of the object that stands here; before the next one its value must be taken."""
        self.expect("{")
        going = self.peek() != "}"
        if not going:
            self.expect("}")
        while going:
            if self.peek() != '"':
                self.refuse("expected a name in quotes")
            key = self.value()
            self.expect(":")
            yield str(key)
            going = self.goes_on("}")

    def items(self) -> Iterator[tuple[int, Any]]:
        """(line, value) of each element of the array that stands here."""
        self.expect("[")
        going = self.peek() != "]"
        if not going:
            self.expect("]")
        while going:
            self.peek()
            line = self.line()
            yield line, self.value()
            going = self.goes_on("]")

    def goes_on(self, close: str) -> bool:
        """Take the comma before another member, or *close*."""
        if self.peek() == ",":
            self._at += 1
            return True
        self.expect(close)
        return False

    def value(self) -> Any:
        """Take one whole value."""
        if self.peek() not in '{["':
            # `1.` at the end of the window would read as 1: wait for what ends the number
            while not _AFTER_SCALAR.search(self._text, self._at) and self._more():
                self._check_size("a number or word without an end", self._at)
        while True:
            try:
                value, end = _decode(self._text, self._at)
                break
            except json.JSONDecodeError as bad:
                self._check_size(bad.msg, bad.pos)
                if not self._more():
                    self.refuse(bad.msg, bad.pos)
            except RecursionError:
                self.refuse(f"nested more than {MAX_NESTING} deep")
            except ValueError as bad:
                self.refuse(str(bad))
        brackets = self._text.count("{", self._at, end) + self._text.count("[", self._at, end)
        if brackets > MAX_NESTING and _deep(value):
            self.refuse(f"nested more than {MAX_NESTING} deep")
        self._at = end
        return value

    def _check_size(self, why: str, at: int) -> None:
        if len(self._text) - self._at > MAX_VALUE:
            self.refuse(f"{why}, or one value is larger than {MAX_VALUE >> 20} MiB", at)


def _deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_NESTING):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


# What handlers of elements share: each raises ValueError or TypeError in words for a person.


def required(element: text.Json, name: str) -> str:
    """The text called *name*, which must be there."""
    value = element.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is missing")
    return value


def optional(element: text.Json, name: str) -> str | None:
    """The text called *name*, if there is one."""
    value = element.get(name)
    return value if isinstance(value, str) and value else None


def mapping(value: Any) -> text.Json:
    """*value* if it is an object; nothing counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, found {type(value).__name__}")
    return value


def listed(value: Any) -> list[Any]:
    """*value* as a list: policies, and PowerShell, write a list of one without brackets."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def when(value: Any) -> str | None:
    """A time as text or as seconds since 1970, in our form; None when there is none."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return text.rfc3339(datetime.fromtimestamp(value, UTC))
        except (OverflowError, OSError):
            raise ValueError(f"{value!r} is not a time") from None
    found = text.utc(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{str(value)[:40]!r} is not a time")
    return found


def guarded(
    make: Callable[[text.Json, int], Iterable[Record]], part: Part, uid_from: Collection[str] = ()
) -> Iterator[Record]:
    """What *make* builds of one element: all of it, or one Problem that says why not."""
    try:
        records = list(make(mapping(part.value), part.line))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as bad:
        uids = [part.value.get(name) for name in uid_from] if isinstance(part.value, dict) else []
        uid = next((u for u in uids if isinstance(u, str)), None)
        yield Problem(part.line, part.key, str(bad) or type(bad).__name__, uid)
    else:
        yield from records
