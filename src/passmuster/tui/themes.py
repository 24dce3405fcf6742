"""The themes of `theme_files` as Textual's own."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textual.theme import Theme

from passmuster.tui import theme_files
from passmuster.tui.theme_files import DEFAULT, MONO, ThemeFile

__all__ = ["DEFAULT", "MONO", "load"]

# Textual's own style sheets name these for themes of the terminal's sixteen colours
_ANSI_VARIABLES = (
    "ansi-background", "ansi-foreground", "border-blurred", "input-selection-background",
    "input-selection-foreground", "screen-selection-background", "screen-selection-foreground",
)  # fmt: skip
_ANSI_STYLES = {"block-cursor-text-style": "reverse", "input-cursor-text-style": "reverse"}


def load(places: Iterable[Path], only: str | None = None) -> tuple[dict[str, Theme], list[str]]:
    """As `theme_files.load`."""
    found, wrong = theme_files.load(places, only)
    return {name: _theme(file) for name, file in found.items()}, wrong


def _theme(file: ThemeFile) -> Theme:
    colors: dict[str, Any] = dict(file.colors)
    ours = dict(file.variables)
    ours |= {
        "block-cursor-foreground": ours["muster-cursor-foreground"],
        "block-cursor-background": ours["muster-cursor-background"],
        "input-cursor-background": colors["foreground"],
        "input-cursor-foreground": colors["background"],
        "border": colors["accent"],
    }
    if file.ansi:
        ours = {**dict.fromkeys(_ANSI_VARIABLES, "ansi_default"), **ours, **_ANSI_STYLES}
    return Theme(name=file.name, variables=ours, dark=file.dark, ansi=file.ansi, **colors)
