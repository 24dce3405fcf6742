"""Packages whose names are imported when they are first asked for.

A screen's first rows must not wait for what signs, closes and imports. A package that uses this
says its names twice, once for the type checker and once for `names`; a test holds the two
together.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A `__getattr__` for *package*: *homes* is module → the names that come from it."""
    home = {name: module for module, words in homes.items() for name in words.split()}

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{home[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
