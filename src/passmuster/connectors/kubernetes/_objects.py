"""Objects of a kubectl export, one at a time, from JSON or YAML; and what a file begins with.

A list is `kind: List` (kubectl) or `RoleList` and the like (the API, whose items name no kind);
a single object and several documents after one another are as good. YAML is built from parser
events: no tag ever constructs anything, and aliases and anchors, which could unfold a small file
into a huge one, are refused.
"""

import io
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple, NoReturn

import yaml

from passmuster.connectors._input import encoding_of, head_text, read_all
from passmuster.connectors._json import MAX_NESTING, mapping, outline, parts
from passmuster.errors import ImportRefused

RBAC_KINDS = frozenset(
    ("ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
)
SECRET, POD = frozenset({"Secret"}), frozenset({"Pod"})
CONTENTS = (RBAC_KINDS, SECRET, POD)
_MAX_MEMBERS = 1_000
_YAML_KIND = re.compile(
    rf"^[ -]*kind:[ ]*[\"']?(?:{'|'.join(sorted(RBAC_KINDS))})(?:List)?[\"']?[ ]*\r?$", re.MULTILINE
)
_YAML_API = re.compile(r"^[ -]*apiVersion:[ ]*[\"']?[\w./]+", re.MULTILINE)
_EventLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Object(NamedTuple):
    """One API object."""

    kind: str | None
    value: Any
    line: int


def sniff_json(kinds: frozenset[str]) -> Callable[[bytes], bool]:
    """A test for an object or list that is, first of all `CONTENTS`, about *kinds*."""

    def sniff(head: bytes) -> bool:
        found = outline(head, ("items",))
        if "apiVersion" not in found and "items" not in found:
            return False
        seen = {item.get("kind") for item in found.get("items", ()) if isinstance(item, dict)}
        seen |= {w.removesuffix("List") for w in found.get("kind", ()) if isinstance(w, str)}
        return next((of for of in CONTENTS if not seen.isdisjoint(of)), None) == kinds

    return sniff


def sniff_yaml(head: bytes) -> bool:
    """YAML with an object of RBAC in it."""
    start = head_text(head)
    if start.lstrip().startswith(("{", "[")):
        return False
    return bool(_YAML_KIND.search(start) and _YAML_API.search(start))


def from_json(stream: BinaryIO) -> Iterator[Object]:
    """The objects of a JSON export; ImportRefused when it is cut off or a page is missing."""
    document: dict[str, Any] = {}
    items = 0
    start = 1
    for part in parts(stream, ("items",)):
        if part.key == "items" and part.value is not None:
            items += 1
            yield _item(part.value, document.get("kind"), part.line)
        elif part.key is not None:
            start = start if document else part.line
            document[part.key] = None if part.key in ("data", "stringData") else part.value
            if len(document) > _MAX_MEMBERS:
                raise ImportRefused(f"line {part.line}: one object with too many members")
        else:
            yield from _close(document, items, start)
            document, items = {}, 0


def _item(value: Any, list_kind: Any, line: int) -> Object:
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind is None and isinstance(list_kind, str) and list_kind not in ("List", ""):
        kind = list_kind.removesuffix("List")
    return Object(kind if isinstance(kind, str) else None, value, line)


def _close(document: dict[str, Any], items: int, line: int) -> Iterator[Object]:
    """The end of a document: a single object is complete now, a list is checked."""
    kind = document.get("kind")
    if not isinstance(kind, str):
        raise ImportRefused(f"line {line}: an object without a kind; is the export cut off?")
    if items or kind.endswith("List"):
        page = document.get("metadata")
        if isinstance(page, dict) and page.get("continue"):
            raise ImportRefused("the list has a `continue` mark: its other pages are missing")
    else:
        yield Object(kind, document, line)


def from_yaml(stream: BinaryIO, limit: int) -> Iterator[Object]:
    """The objects of a YAML export or manifest of at most *limit* bytes."""
    data = read_all(stream, limit, "the YAML file (export it as JSON, which has no limit)")
    content = data.decode(encoding_of(data), "backslashreplace")
    try:
        for document, lines in _Yaml(content).documents():
            if document is None:
                continue
            if not isinstance(document, dict):
                raise ImportRefused("a YAML document that is no API object")
            items = document.pop("items", None)
            if items is not None and not isinstance(items, list):
                raise ImportRefused("items is no list")
            for item in items or ():
                yield _item(item, document.get("kind"), lines.get(id(item), 0))
            line = lines.get(id(document), 1)
            yield from _close(document, len(items or ()), line)
    except yaml.YAMLError as bad:
        mark = getattr(bad, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        why = getattr(bad, "problem", None) or "not YAML"
        raise ImportRefused(f"{where}the YAML is cut off or malformed: {why}") from None


class _Yaml:
    """Plain values from YAML events: text, null, booleans, lists, mappings."""

    def __init__(self, content: str) -> None:
        self._events = yaml.parse(io.StringIO(content), Loader=_EventLoader)
        self._lines: dict[int, int] = {}

    def documents(self) -> Iterator[tuple[Any, dict[int, int]]]:
        """Each document with the lines of its mappings, by `id`."""
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._lines = {}
                yield self._value(next(self._events), 0), self._lines

    def _value(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, "anchors and aliases are not accepted")
        if getattr(event, "tag", None):
            self._refuse(event, f"the tag {event.tag[:40]} is not accepted")
        if depth > MAX_NESTING:
            self._refuse(event, f"nested more than {MAX_NESTING} deep")
        if isinstance(event, yaml.ScalarEvent):
            return event.value if event.style else _plain(event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            found = []
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                found.append(self._value(item, depth + 1))
            return found
        return self._mapping(event, depth)

    def _mapping(self, start: Any, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.anchor:
                self._refuse(event, "a key that is no text")
            if event.value in found:
                self._refuse(event, f"the key {event.value[:40]!r} stands twice")
            found[event.value] = self._value(next(self._events), depth + 1)
        self._lines[id(found)] = start.start_mark.line + 1
        return found

    def _refuse(self, event: Any, why: str) -> NoReturn:
        raise ImportRefused(f"line {event.start_mark.line + 1}: {why}")


def _plain(value: str) -> str | bool | None:
    """What an unquoted word means; numbers stay text, as names and dates are wanted as written."""
    return {
        "": None, "~": None, "null": None, "Null": None, "true": True, "True": True,
        "false": False, "False": False,
    }.get(value, value)  # fmt: skip


def metadata(value: dict[str, Any]) -> dict[str, Any]:
    """`metadata`, which every object has."""
    return mapping(value.get("metadata"))
