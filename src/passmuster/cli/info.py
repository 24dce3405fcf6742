"""`muster info`: paths, versions and the terminal, for people and for bug reports."""

import dataclasses
import os
import platform
import shutil
import sys
from importlib import metadata
from typing import Any

import click

from passmuster import __version__, config
from passmuster.cli.common import Bench, emit, json_option, pass_bench
from passmuster.errors import MusterError, UsageError


@click.command("info")
@json_option
@pass_bench
def info_command(bench: Bench, as_json: bool) -> None:
    """Where everything is, which versions are used, and what is wrong with the settings.

    \b
    Example:
      muster info
    """
    from passmuster import resources, store

    bench.shows_troubles = True  # this page does
    settings, me, troubles = _settings(bench)
    files = [str(path) for path in config.files(bench.folder).values()]
    facts: dict[str, Any] = {
        "passmuster": __version__,
        "python": platform.python_version(),
        "sqlite": f"{store.SQLITE_VERSION} ({store.DRIVER})",
        "textual": metadata.version("textual"),
        "workspace": str(bench.folder),
        "workspace_exists": (bench.folder / store.FILE).is_file(),
        "settings": files[1],
        "user_settings": files[0],
        "settings_read": [path for path in files if os.path.isfile(path)],  # noqa: PTH113 - it is text
        "themes": str(resources.folder("themes")),
        "user_themes": str(config.user_folder() / "themes"),
        "sample_data": str(resources.folder("sample_data")),
        "me": me,
        "clipboard": settings.clipboard,
        **_terminal(),
        **_theme(settings, troubles),
    }
    facts["roster"] = _roster(bench, me, troubles)
    facts["troubles"] = troubles
    if as_json:
        emit([facts], {}, as_json=True)
        return
    for name, value in facts.items():
        for told in (value or [None]) if isinstance(value, list) else [value]:
            print(f"{name:17} {told if told is not None else '-'}")


def _roster(bench: Bench, me: str | None, troubles: list[str]) -> str | None:
    """The version in force; a key under my name that is not mine is put to *troubles*."""
    from passmuster import roster, store

    if not (bench.folder / store.FILE).is_file():
        return None
    try:
        in_force = roster.current(bench.db)
        alarm = roster.alarm(bench.db, me or "")
    except MusterError as error:
        troubles.append(f"the roster cannot be read: {error}")
        return None
    troubles += [alarm] if alarm else []
    return None if in_force is None else f"version {in_force.version}, {in_force.name}"


def _settings(bench: Bench) -> tuple[config.Settings, str | None, list[str]]:
    """The settings, or those that ship: the page that helps to mend them must still open."""
    try:
        settings = dataclasses.replace(bench.settings, **bench.for_once)
    except UsageError as error:
        return config.Settings(), f"settings cannot be read: {error}", [str(error)]
    return settings, settings.me, list(settings.troubles)


def _terminal() -> dict[str, Any]:
    size = shutil.get_terminal_size((0, 0)) if sys.stdout.isatty() else None
    inside = {"TMUX": "tmux", "STY": "screen", "ZELLIJ": "zellij"}
    return {
        "terminal": sys.stdout.isatty(),
        "terminal_size": f"{size.columns}x{size.lines}" if size else None,
        "terminal_type": os.environ.get("TERM"),
        "colorterm": os.environ.get("COLORTERM"),
        "no_color": "NO_COLOR" in os.environ,
        "multiplexer": next((name for key, name in inside.items() if key in os.environ), None),
        "ssh": "SSH_CONNECTION" in os.environ or "SSH_TTY" in os.environ,
    }


def _theme(settings: config.Settings, troubles: list[str]) -> dict[str, str]:
    """The theme in use; what is wrong with themes is put to *troubles*."""
    from passmuster.tui import theme_files

    found, wrong = theme_files.load(theme_files.folders())
    troubles += wrong
    if settings.theme not in found:
        troubles.append(f"there is no theme {settings.theme!r}; there are {', '.join(found)}")
    return {"theme": theme_files.in_use(settings.theme, found)}
