"""Themes as TOML files: those that ship, and the user's own, which go first.

A file has the fields of Textual's `Theme` and, under `[variables]`, the few of ours. A bad file
is reported once and left out; it never keeps anybody from their work.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textual.color import Color, ColorParseError
from textual.theme import Theme

from passmuster.text import nearest, visible

COLORS = (
    "primary", "secondary", "warning", "error", "success", "accent", "foreground", "background",
    "surface", "panel",
)  # fmt: skip
REQUIRED = ("primary", "accent", "error", "foreground", "background")
FLAGS = ("dark", "ansi")
VARIABLES = ("muster-dim", "muster-cursor-foreground", "muster-cursor-background")
ABOUT = ("name", "description", "author", "licence")
MONO = "mono"
DEFAULT = "muster-dark"


# Textual's own style sheets name these for themes of the terminal's sixteen colours
_ANSI_VARIABLES = (
    "ansi-background", "ansi-foreground", "border-blurred", "input-selection-background",
    "input-selection-foreground", "screen-selection-background", "screen-selection-foreground",
)  # fmt: skip
_ANSI_STYLES = {"block-cursor-text-style": "reverse", "input-cursor-text-style": "reverse"}


class ThemeError(ValueError):
    """A theme file that cannot be used, and why."""


def read(path: Path) -> Theme:
    """The theme in *path*; raises ThemeError with the reason."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ThemeError(f"{path.name}: cannot be read: {visible(str(error))}") from None
    variables = values.get("variables", {})
    if not isinstance(variables, dict):
        raise ThemeError(f"{path.name}: variables must be a table")
    _check_keys(path.name, values, (*ABOUT, *COLORS, *FLAGS, "variables"))
    _check_keys(path.name, variables, VARIABLES)
    for key in REQUIRED:
        if key not in values:
            raise ThemeError(f"{path.name}: {key} is missing")
    for key, value in [*((k, values[k]) for k in COLORS if k in values), *variables.items()]:
        _check_color(path.name, key, value)
    for key in FLAGS:
        if not isinstance(values.get(key, False), bool):
            raise ThemeError(f"{path.name}: {key} is true or false")
    name = values.get("name", path.stem)
    if not isinstance(name, str) or not name.isprintable():
        raise ThemeError(f"{path.name}: name must be a word")
    return _theme(name, values, variables)


def _check_keys(name: str, values: Iterable[str], known: tuple[str, ...]) -> None:
    for key in values:
        if key not in known:
            raise ThemeError(f"{name}: unknown key {visible(key)!r}{nearest(key, known)}")


def _check_color(name: str, key: str, value: Any) -> None:
    try:
        Color.parse(value)
    except (ColorParseError, TypeError, AttributeError):
        raise ThemeError(f"{name}: {key} is no colour: {visible(str(value))[:40]!r}") from None


def _theme(name: str, values: dict[str, Any], variables: dict[str, str]) -> Theme:
    fallback = dict(zip(
        VARIABLES, (values["foreground"], values["background"], values["accent"]), strict=True
    ))  # fmt: skip
    ours = {**fallback, **variables}
    ours |= {
        "block-cursor-foreground": ours["muster-cursor-foreground"],
        "block-cursor-background": ours["muster-cursor-background"],
        "input-cursor-background": values["foreground"],
        "input-cursor-foreground": values["background"],
        "border": values["accent"],
    }
    if values.get("ansi"):
        ours = {**dict.fromkeys(_ANSI_VARIABLES, "ansi_default"), **ours, **_ANSI_STYLES}
    fields = {key: values[key] for key in (*COLORS, *FLAGS) if key in values}
    fields.setdefault("surface", values["background"])
    fields.setdefault("panel", values["background"])
    return Theme(name=name, variables=ours, **fields)


def load(folders: Iterable[Path]) -> tuple[dict[str, Theme], list[str]]:
    """Every theme of *folders*, later ones going first, and what is wrong with the bad files."""
    found: dict[str, Theme] = {}
    wrong: list[str] = []
    for folder in folders:
        if not folder.is_dir():
            continue
        for path in sorted(folder.glob("*.toml")):
            try:
                theme = read(path)
            except ThemeError as error:
                wrong.append(str(error))
            else:
                found[theme.name] = theme
    return found, wrong
