"""Completing the path of a file while one types it."""

import itertools
import os
from pathlib import Path

LOOKED_AT = 5_000
"""Entries of a folder among which a path is completed."""


def candidates(typed: str) -> list[str]:
    """What the last part of the path *typed* could become, folders with a slash at the end.

    A name that cannot be printed is not offered: it would reach the terminal as it is.
    """
    folder, slash, part = typed.rpartition("/")
    try:
        there = Path(f"{folder}{slash}" or ".").expanduser()
        with os.scandir(there) as listed:
            return sorted(
                f"{entry.name}/" if entry.is_dir() else entry.name
                for entry in itertools.islice(listed, LOOKED_AT)
                if entry.name.startswith(part) and entry.name.isprintable()
                and (part or not entry.name.startswith("."))
            )  # fmt: skip
    except (OSError, RuntimeError, ValueError):
        return []


def completed(typed: str, at: int, found: list[str]) -> tuple[str, int] | None:
    """The text and the caret after a tab: as far as all of *found* agree."""
    if not found:
        return None
    start = typed.rfind("/", 0, at) + 1
    common = os.path.commonprefix(found)  # noqa: RUF071 - of names, not of folders
    return typed[:start] + common + typed[at:], start + len(common)
