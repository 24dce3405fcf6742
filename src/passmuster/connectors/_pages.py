"""Lists as REST APIs answer them: arrays after one another, or an object around one.

`gh api --paginate` and `glab api --paginate` write one array for each page, `--slurp` an array of
them, and a loop over repositories one for each repository. What the API answered instead of a list
(`{"message": "Not Found"}`) stands in the same file: it becomes a problem, and so the import marks
nothing as gone of which nobody heard.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, BinaryIO

from passmuster import text
from passmuster.connectors._json import Part, Window, guarded, outline
from passmuster.errors import ImportRefused
from passmuster.model import Problem, Record

_MANY = 8
"""Elements that are looked at to tell one format from another."""
_MAX_MEMBERS = 1_000

Make = Callable[[text.Json, int], Iterable[Record]]


def elements(stream: BinaryIO, inside: str | None = None) -> Iterator[Part]:
    """The elements of every list in *stream*; of an object, those of its member *inside*.

    An object without that member is an element itself. ImportRefused where the text is cut off.
    """
    window = Window(stream)
    if not window.peek():
        raise ImportRefused("the file is empty")
    while sign := window.peek():
        if sign == "[":
            yield from _array(window)
        elif sign == "{":
            yield from _object(window, inside)
        else:
            window.refuse("neither a list nor an object")


def _array(window: Window) -> Iterator[Part]:
    for line, value in window.items():
        for one in value if isinstance(value, list) else (value,):
            yield Part(None, one, line)


def _object(window: Window, inside: str | None) -> Iterator[Part]:
    start, streamed = window.line(), False
    whole: text.Json = {}
    for key in window.names():
        if key == inside and window.peek() == "[":
            streamed = True
            yield from _array(window)
        else:
            whole[key] = window.value()
            if len(whole) > _MAX_MEMBERS:
                window.refuse("one object with too many members")
    if not streamed:
        yield Part(None, whole, start)
    elif whole.get("next_page_token") or (whole.get("has_more") is True and not window.peek()):
        raise ImportRefused("the list goes on elsewhere: its other pages are missing")


def records(
    stream: BinaryIO, make: Make, *, inside: str | None = None, what: str, uid: str = "id"
) -> Iterator[Record]:
    """What *make* says of each element; ImportRefused at the end where it is nothing at all.

    *what* names an element in the words of a refusal; *uid* is the member that names it in a
    problem.
    """
    said = False
    first: Problem | None = None
    for part in elements(stream, inside):
        answer = _answer(part.value)
        if answer:
            said_no = Problem(part.line, None, f"the platform answered instead of a list: {answer}")
            first = first or said_no
            yield said_no
            continue
        for record in guarded(make, part, (uid,)):
            if type(record) is Problem:
                first = first or record
            else:
                said = True
            yield record
    if not said:
        why = f"; first, line {first.line}: {first.why}" if first else ""
        raise ImportRefused(f"it holds no {what} that can be read{why}")


def _answer(value: Any) -> str | None:
    """What an error says, where *value* is one."""
    if not isinstance(value, dict) or "id" in value:
        return None
    said = value.get("message") or value.get("error")
    return str(said)[:80] if said and len(value) <= 4 else None


@lru_cache(maxsize=4)
def first(head: bytes) -> tuple[text.Json, ...]:
    """The first whole elements of the lists in *head*, and single objects."""
    found: list[text.Json] = []
    if head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")[:1] not in (b"[", b"{"):
        return ()
    window = Window(io.BytesIO(head))
    try:
        while len(found) < _MANY and (sign := window.peek()):
            if sign == "[":
                for part in _array(window):
                    found += [part.value] if isinstance(part.value, dict) else []
                    if len(found) >= _MANY:
                        break
            else:
                value = window.value()
                found += [value] if isinstance(value, dict) else []
    except ImportRefused:
        pass
    return tuple(found)


def sniff(
    *names: str, without: tuple[str, ...] = (), inside: str | None = None
) -> Callable[[bytes], bool]:
    """A test for lists whose elements have all of *names* and none of *without*.

    Error answers are passed over; with *inside*, the elements of that member count too.
    """
    wanted, barred = set(names), set(without)

    def test(head: bytes) -> bool:
        found = [e for e in first(head) if _answer(e) is None]
        if inside and (members := outline(head, (inside,)).get(inside)):
            found = [e for e in members if isinstance(e, dict)]
        return bool(found) and all(wanted <= e.keys() and not barred & e.keys() for e in found)

    return test


def number(element: text.Json, name: str) -> str:
    """The platform's id of *element* as text: a whole number, or digits."""
    value = element.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return value
    raise ValueError(f"{name} is no number")


def words(value: Any) -> list[str]:
    """The texts of a list; anything else in it is left out."""
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []
