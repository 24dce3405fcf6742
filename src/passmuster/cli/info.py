"""`muster info`: paths and versions, for people and for bug reports."""

import platform
import sys

import click

from passmuster import __version__, config
from passmuster.cli.common import Bench, emit, json_option, pass_bench
from passmuster.errors import UsageError


@click.command("info")
@json_option
@pass_bench
def info_command(bench: Bench, as_json: bool) -> None:
    """Where everything is, and which versions are used.

    \b
    Example:
      muster info
    """
    from passmuster import resources, store

    try:
        me = bench.settings.me
    except UsageError as error:  # the page that helps to mend it must still open
        me = f"settings cannot be read: {error}"

    facts = {
        "passmuster": __version__,
        "python": platform.python_version(),
        "sqlite": f"{store.SQLITE_VERSION} ({store.DRIVER})",
        "workspace": str(bench.folder),
        "workspace_exists": (bench.folder / store.FILE).is_file(),
        "settings": str(bench.folder / "config.toml"),
        "user_settings": str(config.user_folder() / "config.toml"),
        "themes": str(resources.folder("themes")),
        "sample_data": str(resources.folder("sample_data")),
        "me": me,
        "terminal": sys.stdout.isatty(),
    }
    if as_json:
        emit([facts], {}, as_json=True)
        return
    for name, value in facts.items():
        print(f"{name:17} {value if value is not None else '-'}")
