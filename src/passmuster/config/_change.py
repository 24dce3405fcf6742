"""Writing one setting into a `config.toml` without touching what else a person wrote there."""

import contextlib
import os
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

from passmuster import text
from passmuster.config._check import dotted, faults
from passmuster.config._fields import SHAPES
from passmuster.config._files import parse
from passmuster.errors import MusterError, UsageError


def change(path: Path, key: str, value: Any) -> None:
    """Set *key* to *value* in the file *path*, which is made where it is missing.

    *key* is a setting (`theme`) or an entry of one (`keys.approve`, `sections.my tab`,
    `rules.unused.max_days`); *value* None takes it out, so that what is under it holds again.
    Comments, order and all other values stay. The file is replaced in one step, for its owner
    alone. Raises UsageError, with nothing changed, for what the setting cannot be.
    """
    place = _place(key)
    if value is not None:
        _check(key, place, value)
    try:
        before = path.read_bytes() if path.is_file() else b""
        after = _edited(path, before, place, value)
        if after != before:
            _replace(path, after)
    except OSError as error:
        raise MusterError(f"{path}: cannot be written: {error.strerror}") from None


def _place(key: str) -> tuple[str, ...]:
    """*key* as steps into the file; only the thresholds of rules are two steps down."""
    head, dot, rest = key.partition(".")
    if head not in SHAPES:
        raise UsageError(f"unknown key {text.visible(head)!r}{text.nearest(head, SHAPES)}")
    if not dot:
        return (head,)
    if SHAPES[head]["type"] != "object":
        raise UsageError(f"{head} has no entries")
    return (head, *(rest.split(".", 1) if head == "rules" else [rest]))


def _check(key: str, place: tuple[str, ...], value: Any) -> None:
    whole = value
    for step in reversed(place[1:]):
        whole = {step: whole}
    for where, why in faults(whole, SHAPES[place[0]]):
        raise UsageError(f"{dotted(place[0], *where) if where else text.visible(key)} {why}")


def _edited(path: Path, content: bytes, place: tuple[str, ...], value: Any) -> bytes:
    """The file with one value changed, and with proof that it is the only one."""
    import tomlkit

    wanted = parse(path, content)
    _put(wanted, place, deepcopy(value), dict)
    document = tomlkit.parse(content)
    _put(document, place, value, tomlkit.table)
    edited = tomlkit.dumps(document).encode("utf-8")
    if parse(path, edited) != wanted:
        raise UsageError(f"{path}: {dotted(*place)} cannot be changed here: edit the file")
    return edited


def _put(values: Any, place: tuple[str, ...], value: Any, table: Any) -> None:
    """Set or take out what is at *place*; tables on the way are made with *table*."""
    *way, last = place
    for step in way:
        if step not in values:
            if value is None:
                return
            values[step] = table()
        values = values[step]
        if not hasattr(values, "items"):
            raise UsageError(f"{dotted(*place)} cannot be set: {text.visible(step)} is no table")
    if value is not None:
        values[last] = value
    elif last in values:
        del values[last]


def _replace(path: Path, content: bytes) -> None:
    """Write *content* beside the file, then rename: a reader sees the old one or the new one.

    A link, as people who keep their settings in a repository have, stays a link.
    """
    path = path.resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".config-", suffix=".toml")
    try:
        with os.fdopen(descriptor, "wb") as stream:  # mkstemp gives it to its owner alone
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
