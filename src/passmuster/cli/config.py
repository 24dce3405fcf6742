"""`muster config`: what the settings are, where each comes from, and what is wrong with them."""

import json
from pathlib import Path

import click

from passmuster import config
from passmuster.cli.common import Bench, emit, json_option, now, pass_bench, talk
from passmuster.errors import MusterError, NotFound, UsageError
from passmuster.text import nearest, plural


@click.group("config")
def config_command() -> None:
    """The settings: what holds, where it comes from, what may be set.

    \b
    Example:
      muster config show
    """


@config_command.command("show")
@json_option
@pass_bench
def show_command(bench: Bench, as_json: bool) -> None:
    """Every setting with its value and where it comes from.

    \b
    Example:
      muster config show --json
    """
    _ = bench.settings  # tells what is wrong with them
    rows = [
        {"key": s.key, "value": s.value, "from": s.origin, "where": s.where, "about": s.about}
        for s in config.listing(bench.folder)
    ]
    if not as_json:
        for row in rows:
            row["value"] = json.dumps(row["value"], ensure_ascii=False)
            row["where"] = row["where"] or "as it ships"
    emit(rows, {"key": "SETTING", "value": "VALUE", "where": "FROM"}, as_json=as_json)


@config_command.command("validate")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@pass_bench
def validate_command(bench: Bench, file: Path | None) -> None:
    """Say all that is wrong with a file of settings, else with those that are read here.

    \b
    Examples:
      muster config validate
      muster config validate config.toml
    """
    if file is not None and not file.is_file():
        raise NotFound(f"{file}: no such file")
    paths = [file] if file else [p for p in config.files(bench.folder).values() if p.is_file()]
    wrong = [trouble for path in paths for trouble in _all_troubles(path)]
    for trouble in wrong:
        click.echo(trouble)
    if wrong:
        raise MusterError(f"{plural(len(wrong), 'trouble')} with the settings: mend the file")
    for path in paths:
        talk(f"{path}: nothing is wrong")
    if not paths:
        talk("there is no file of settings: all is as it ships")


def _all_troubles(path: Path) -> list[str]:
    """What `config` knows to be wrong, then what only rules, themes, filters and keys know."""
    wrong = config.troubles(path)
    try:
        settings = config.alone(path)
    except (UsageError, OSError):
        return wrong
    from passmuster import policy
    from passmuster.tui import own, theme_files

    further = []
    try:
        policy.check(settings)
    except UsageError as error:
        further.append(str(error).removeprefix("config: "))
    themes, _ = theme_files.load(theme_files.folders())
    if settings.theme not in themes:
        further.append(f"theme: there is no {settings.theme!r}{nearest(settings.theme, themes)}")
    further += own.sections(settings.sections, now())[1]
    if settings.keys:
        further += own.key_troubles(settings.keys)
    return wrong + [f"{path}: {trouble}" for trouble in further]


@config_command.command("schema")
def schema_command() -> None:
    """A JSON Schema of config.toml, for editors that complete and check.

    \b
    Example:
      muster config schema > config.schema.json
    """
    click.echo(json.dumps(config.schema(), indent=2, ensure_ascii=False))
