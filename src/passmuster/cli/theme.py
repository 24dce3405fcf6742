"""`muster theme`: which colours there are, and whether they can be read. Loads no Textual."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from passmuster.cli.common import Bench, emit, json_option, pass_bench, talk
from passmuster.errors import ConditionMet, MusterError, NotFound
from passmuster.text import nearest, plural

if TYPE_CHECKING:
    from passmuster.tui.theme_files import ThemeFile


@click.group("theme")
def theme_command() -> None:
    """The colours of the workstation.

    \b
    Example:
      muster theme list
    """


@theme_command.command("list")
@json_option
@pass_bench
def list_command(bench: Bench, as_json: bool) -> None:
    """Every theme, ours and yours, and which one is in use.

    \b
    Example:
      muster theme list
    """
    from passmuster.tui import theme_files

    ours, yours = theme_files.folders()
    found, wrong = theme_files.load([ours, yours])
    used = theme_files.in_use(bench.settings_for_once.theme, found)
    rows: list[dict[str, Any]] = [
        {"name": name, "in_use": name == used,
         "from": "yours" if theme.path.parent == yours else "shipped", "path": str(theme.path),
         "faint": [pair.text for pair in theme_files.pairs(theme) if pair.faint],
         "description": theme.description}
        for name, theme in found.items()
    ]  # fmt: skip
    columns = {"name": "NAME", "in_use": "IN USE", "from": "FROM", "description": "DESCRIPTION"}
    emit(rows, columns, as_json=as_json)
    for trouble in wrong:
        talk(f"left out: {trouble}")
    for row in rows:
        if row["faint"]:
            talk(f"hard to read: {row['name']} ({', '.join(row['faint'])}): muster theme check")


@theme_command.command("check")
@click.argument("theme", required=False, metavar="[NAME|FILE]")
@json_option
def check_command(theme: str | None, as_json: bool) -> None:
    """How much each text stands out: 4.5 to 1 is the least; all themes if none is named.

    Exit code 3 where a text does not stand out enough, 1 where a file cannot be read.

    \b
    Examples:
      muster theme check muster-dark
      muster theme check my-theme.toml
    """
    from passmuster.tui import theme_files
    from passmuster.tui.contrast import ENOUGH

    wrong: list[str] = []
    if theme is None:
        found, wrong = theme_files.load(theme_files.folders())
        chosen = list(found.values())
    else:
        chosen = [_one(theme)]
    checked = [(each, pair) for each in chosen for pair in theme_files.pairs(each)]
    rows = [
        {"theme": each.name, "text": pair.text, "foreground": pair.foreground,
         "background": pair.background,
         "ratio": None if pair.ratio is None else round(pair.ratio, 2), "faint": pair.faint}
        for each, pair in checked
    ]  # fmt: skip
    columns = {"theme": "THEME", "text": "TEXT", "foreground": "COLOUR", "background": "ON",
               "ratio": "RATIO", "faint": "FAINT"}  # fmt: skip
    emit(rows, columns, as_json=as_json)
    for each in chosen:
        if each.ansi:
            talk(f"{each.name}: its colours are the terminal's own; no ratio can be known")
    if wrong:
        raise MusterError("; ".join(wrong))
    if faint := sum(pair.faint for _, pair in checked):
        raise ConditionMet(f"{plural(faint, 'text')} below {ENOUGH} to 1")


def _one(theme: str) -> "ThemeFile":
    """The theme called *theme*, else the one in the file of that name."""
    from passmuster.tui import theme_files

    found, _ = theme_files.load(theme_files.folders())
    if theme in found:
        return found[theme]
    path = Path(theme)
    if not path.is_file():
        raise NotFound(f"no theme and no file {theme!r}{nearest(theme, found)}")
    try:
        return theme_files.read(path)
    except theme_files.ThemeError as error:
        raise MusterError(str(error)) from None
