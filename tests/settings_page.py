"""Writes the two tables of `docs/settings.md` from the code: `python -m tests.settings_page`.

A setting or a key that is new has its line in the page by this; a test compares.
"""

import json
import re
from pathlib import Path
from typing import Any

from passmuster import config
from passmuster.config import _fields
from passmuster.tui import keymap
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "settings.md"


def may_be(shape: dict[str, Any]) -> str:
    """What a setting takes, in words."""
    if words := shape.get("enum") or shape.get("items", {}).get("enum"):
        listed = ", ".join(f"`{word}`" for word in words)
        return f"a list of {listed}" if "items" in shape else listed
    if shape["type"] == "object":
        names = shape.get("propertyNames", {})
        return f"a table: {names.get('description') or ', '.join(names.get('enum', ()))}".rstrip(
            ": "
        )
    least = f", {shape['minimum']} or more" if "minimum" in shape else ""
    named = {"boolean": "`true` or `false`", "string": "text", "integer": "a whole number",
             "array": "a list"}  # fmt: skip
    return named.get(shape["type"], f"a {shape['type']}") + least


def default_of(name: str) -> str:
    value = getattr(config.Settings(), name)
    if name == "reasons":
        return "nine reasons"
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items()) or "none"
    return "none" if value in (None, []) else f"`{json.dumps(value)}`"


def settings() -> str:
    lines = ["| setting | may be | as it ships | what it is |", "| --- | --- | --- | --- |"]
    for name, shape in _fields.SHAPES.items():
        about = _fields.docs()[name]
        told = " Of the screen." if name in _fields.SCREEN else ""
        lines.append(f"| `{name}` | {may_be(shape)} | {default_of(name)} | {about}{told} |")
    return "\n".join(lines)


def keys() -> str:
    lines = ["| id | keys | what it does |", "| --- | --- | --- |"]
    for name, binding in sorted(keymap.known().items()):
        about = binding.tooltip or binding.description
        lines.append(f"| `{name}` | `{binding.key}` | {about} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with its tables as they are now."""
    for name, table in (("settings", settings()), ("keys", keys())):
        found = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        assert found.search(text), name
        text = found.sub(lambda m, t=table: f"{m[1]}{t}\n{m[2]}", text)  # type: ignore[misc]
    return text


def main(path: Path) -> None:
    path.write_text(page(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(PAGE)
