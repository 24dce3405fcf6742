"""Themes as TOML files: those that ship, and the user's own, which go first.

A file has the fields of Textual's `Theme` and, under `[variables]`, the few of ours. A bad file
is reported once and left out; it never keeps anybody from their work. Nothing here loads Textual:
`themes` turns these into Textual's own, and `muster theme` needs only this.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from passmuster import config, resources
from passmuster.text import nearest, visible
from passmuster.tui import contrast

COLORS = (
    "primary", "secondary", "warning", "error", "success", "accent", "foreground", "background",
    "surface", "panel",
)  # fmt: skip
REQUIRED = ("primary", "accent", "error", "foreground", "background")
FLAGS = ("dark", "ansi")
VARIABLES = ("muster-dim", "muster-cursor-foreground", "muster-cursor-background")
ABOUT = ("name", "description", "author", "licence")
MONO = "mono"
_WITHOUT = re.compile(r"^vt\d+$|-m(ono)?$")
"""Names of terminals that have no colour: a serial console, an old one."""
DEFAULT = "muster-dark"

_SIXTEEN = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
OF_TERMINAL = frozenset(
    ["ansi_default", *(f"ansi_{n}" for n in _SIXTEEN), *(f"ansi_bright_{n}" for n in _SIXTEEN)]
)
"""The colours that a terminal gives its own look to."""


class ThemeError(ValueError):
    """A theme file that cannot be used, and why."""


@dataclass(frozen=True, slots=True)
class ThemeFile:
    """One theme: every colour that is drawn, with what a file left out filled in."""

    name: str
    description: str
    path: Path
    colors: Mapping[str, str]
    variables: Mapping[str, str]
    dark: bool
    ansi: bool
    """Whether its colours are the terminal's own sixteen."""


class Pair(NamedTuple):
    """Text of one kind on what is behind it."""

    text: str
    foreground: str
    background: str
    ratio: float | None
    """None where the colours are the terminal's own."""

    @property
    def faint(self) -> bool:
        """Whether it is known to stand out too little."""
        return self.ratio is not None and self.ratio < contrast.ENOUGH


def folders() -> list[Path]:
    """Where themes are; a later one's go before those of the same name."""
    return [resources.folder("themes"), config.user_folder() / "themes"]


def colourless() -> str:
    """Why no colour may be shown, so that a theme changes nothing; empty where it may."""
    if "NO_COLOR" in os.environ:
        return "NO_COLOR is set"
    term = os.environ.get("TERM", "")
    return f"TERM={visible(term)} has no colour" if _WITHOUT.search(term) else ""


def in_use(wanted: str, known: Iterable[str]) -> str:
    """The theme that the workstation shows when the settings want *wanted*."""
    if colourless():
        return MONO
    return wanted if wanted in known else DEFAULT


def read(path: Path) -> ThemeFile:
    """The theme in *path*; raises ThemeError with the reason."""
    import tomllib

    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ThemeError(f"{path.name}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ThemeError(f"{path.name}: cannot be read: {visible(str(error))}") from None
    _check(path, values)
    return _filled(
        visible(values.get("name", path.stem)), path, values, values.get("variables", {})
    )


def _check(path: Path, values: dict[str, Any]) -> None:
    """Refuse anything but what a theme is made of."""
    variables = values.get("variables", {})
    if not isinstance(variables, dict):
        raise ThemeError(f"{path.name}: variables must be a table")
    _check_keys(path.name, values, (*ABOUT, *COLORS, *FLAGS, "variables"))
    _check_keys(path.name, variables, VARIABLES)
    if missing := [key for key in REQUIRED if key not in values]:
        raise ThemeError(f"{path.name}: {missing[0]} is missing")
    for keys, kind, what in ((FLAGS, bool, "true or false"), (ABOUT, str, "a text")):
        if bad := [key for key in keys if key in values and not isinstance(values[key], kind)]:
            raise ThemeError(f"{path.name}: {bad[0]} must be {what}")
    ansi = values.get("ansi", False)
    for key, value in [*((k, values[k]) for k in COLORS if k in values), *variables.items()]:
        _check_color(path.name, key, value, ansi=ansi)
    if "name" in values and not (values["name"].strip() and values["name"].isprintable()):
        raise ThemeError(f"{path.name}: name must be a word")


def _check_keys(name: str, values: Iterable[str], known: tuple[str, ...]) -> None:
    for key in values:
        if key not in known:
            raise ThemeError(f"{name}: unknown key {visible(key)!r}{nearest(key, known)}")


def _check_color(name: str, key: str, value: Any, *, ansi: bool) -> None:
    """A theme is of exact colours or of the terminal's; nobody could tell how a mixture looks."""
    if isinstance(value, str) and (value in OF_TERMINAL if ansi else contrast.channels(value)):
        return
    shown = repr(visible(str(value))[:40])
    if isinstance(value, str) and value in OF_TERMINAL:
        raise ThemeError(f"{name}: {key} is {shown}: that needs `ansi = true`")
    want = "ansi_default, ansi_red, ansi_bright_red … (it has `ansi = true`)" if ansi else "#rrggbb"
    raise ThemeError(f"{name}: {key} is no colour: {shown}; write {want}")


def _filled(
    name: str, path: Path, values: Mapping[str, Any], variables: Mapping[str, str]
) -> ThemeFile:
    colors = {key: values[key] for key in COLORS if key in values}
    colors.setdefault("surface", values["background"])
    colors.setdefault("panel", values["background"])
    fallback = dict(zip(
        VARIABLES, (values["foreground"], values["background"], values["accent"]), strict=True
    ))  # fmt: skip
    return ThemeFile(
        name, visible(values.get("description", "")), path, colors, {**fallback, **variables},
        values.get("dark", True), values.get("ansi", False),
    )  # fmt: skip


def load(places: Iterable[Path], only: str | None = None) -> tuple[dict[str, ThemeFile], list[str]]:
    """Every theme of *places*, later ones going first, and what is wrong with the bad files; of
    those that ship, whose files are called as they are, *only* one if it is named.
    """
    found: dict[str, ThemeFile] = {}
    wrong: list[str] = []
    for place in places:
        if not place.is_dir():
            continue
        shipped = place == resources.folder("themes")
        for path in sorted(place.glob("*.toml")):
            if shipped and only not in (None, path.stem):
                continue
            try:
                theme = read(path)
            except ThemeError as error:
                wrong.append(str(error))
            else:
                found[theme.name] = theme
    return found, wrong


def pairs(theme: ThemeFile) -> list[Pair]:
    """Every text that is drawn in *theme* with what is behind it: our roles, then Textual's own."""
    colors, ours = theme.colors, theme.variables
    back = colors["background"]
    drawn = [
        ("plain text", colors["foreground"], back),
        ("dim text", ours["muster-dim"], back),
        ("accent", colors["accent"], back),
        ("error", colors["error"], back),
        ("cursor row", ours["muster-cursor-foreground"], ours["muster-cursor-background"]),
    ]
    drawn += [
        (key, colors[key], back)
        for key in ("primary", "secondary", "warning", "success")
        if key in colors
    ]
    drawn += [(f"text on {key}", colors["foreground"], colors[key]) for key in ("surface", "panel")]
    return [Pair(text, fore, behind, contrast.ratio(fore, behind)) for text, fore, behind in drawn]
