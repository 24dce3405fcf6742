"""Whether a value fits its setting; the shapes are JSON Schema, and so is what is published."""

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, NamedTuple

from passmuster import text
from passmuster.config._fields import SCREEN, SHAPES, Settings, Shape, docs

Fault = tuple[tuple[str, ...], str]
"""Where in the value, and what is wrong there: `{key} {why}` is a sentence."""

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float),
    "array": (list,), "object": (dict,),
}  # fmt: skip


def faults(value: Any, shape: Shape) -> Iterator[Fault]:
    """Everything in *value* that *shape* does not allow."""
    shown = text.visible(repr(value))[:60]
    if "type" in shape and type(value) not in _TYPES[shape["type"]]:
        dot = shape["type"] == "string" and isinstance(value, dict)
        hint = "; a name with a dot in it needs quotation marks" if dot else ""
        yield (), f"has a value of the wrong type: {shown}, not {_article(shape['type'])}{hint}"
    elif "enum" in shape and value not in shape["enum"]:
        yield (), f"cannot be {shown}{text.nearest(str(value), shape['enum'])}"
    elif "minimum" in shape and not value >= shape["minimum"]:  # so that nan is none either
        yield (), f"cannot be less than {shape['minimum']}: {shown}"
    elif "minLength" in shape and len(value) < shape["minLength"]:
        yield (), "is empty"
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from _entry_faults(name, entry, shape)
    elif isinstance(value, list):
        yield from _list_faults(value, shape)


def _article(kind: str) -> str:
    named = {"boolean": "true or false", "object": "a table", "array": "a list"}
    return named.get(kind, f"an {kind}" if kind[0] in "aeiou" else f"a {kind}")


def _entry_faults(name: str, entry: Any, shape: Shape) -> Iterator[Fault]:
    names = shape.get("propertyNames", {})
    shown = text.visible(repr(name))[:60]
    if "enum" in names and name not in names["enum"]:
        yield (name,), f"is no entry of it{text.nearest(name, names['enum'])}"
    elif "pattern" in names and not re.fullmatch(names["pattern"], name):
        yield (name,), f"is no entry of it: {shown} is not {names['description']}"
    else:
        for where, why in faults(entry, shape["additionalProperties"]):
            yield (name, *where), why


def _list_faults(value: list[Any], shape: Shape) -> Iterator[Fault]:
    for number, entry in enumerate(value):
        for _, why in faults(entry, shape["items"]):
            yield (str(number),), why
        if shape.get("uniqueItems") and entry in value[:number]:
            yield (str(number),), f"stands there twice: {text.visible(repr(entry))[:60]}"


class Judged(NamedTuple):
    """What a file's values come to."""

    values: dict[str, Any]
    """Those that can be used."""
    errors: list[str]
    """What is wrong with a setting that decisions and evidence depend on."""
    troubles: list[str]
    """What is wrong with one of the screen; it is not among the values."""


def judge(values: dict[str, Any]) -> Judged:
    """Sort *values* into what can be used, what must not be passed over, and what may be.

    An unknown key may be passed over only where it looks like a misspelt setting of the screen:
    `reasns` or a key that is like none might be meant to matter.
    """
    judged = Judged({}, [], [])
    for key, value in values.items():
        if key not in SHAPES:
            told = judged.troubles if text.closest(key, SHAPES) in SCREEN else judged.errors
            told.append(f"unknown key {text.visible(key)!r}{text.nearest(key, SHAPES)}")
            continue
        wrong = list(faults(value, SHAPES[key]))
        told = judged.troubles if key in SCREEN else judged.errors
        told += [f"{dotted(key, *where)} {why}" for where, why in wrong]
        if not wrong:
            judged.values[key] = value
        elif key in SCREEN and all(where for where, _ in wrong):
            judged.values[key] = _without(value, {where[0] for where, _ in wrong})
    return judged


def _without(value: Any, bad: set[str]) -> Any:
    if isinstance(value, list):
        return [entry for number, entry in enumerate(value) if str(number) not in bad]
    return {name: entry for name, entry in value.items() if name not in bad}


def dotted(*parts: str) -> str:
    """The name of a setting, or of an entry in one, as it is told."""
    return text.visible(".".join(parts))


def schema() -> dict[str, Any]:
    """A JSON Schema of `config.toml`."""
    defaults = Settings()
    known = {f.name: getattr(defaults, f.name) for f in fields(Settings) if f.name in SHAPES}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "passmuster config.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {"description": docs()[name], **SHAPES[name],
                   **({} if default is None else {"default": default})}
            for name, default in known.items()
        },
    }  # fmt: skip
