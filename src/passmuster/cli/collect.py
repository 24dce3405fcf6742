"""`muster collect`: make the exports of a source live, and import them as any other."""

from pathlib import Path

import click

from passmuster import text
from passmuster.cli.common import Bench, json_option, now, pass_bench, talk
from passmuster.cli.inventory import bar, summarise
from passmuster.errors import UsageError


@click.command("collect")
@click.argument("source")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Keep the exports in this new folder; else they are deleted.")  # fmt: skip
@click.option("--source", "label", metavar="LABEL", help="Label the source, as for an import.")
@json_option
@pass_bench
def collect_command(
    bench: Bench, source: str, keep: Path | None, label: str | None, as_json: bool
) -> None:
    """Collect a source live with the login of the vendor's own tool; all of it or nothing.

    SOURCE is `platform:tenant` as `muster identities` shows it, a label of one, or a platform that
    has not been imported yet. How it is reached stands in the settings under `sources`.

    \b
    Example:
      muster collect github:example-org
    """
    from passmuster import intake, logins
    from passmuster.connectors import Context

    named = _source(bench, source)
    where = logins.where(bench.settings, named)
    context = Context(label, {}, bench.settings.max_yaml_mib * 1024 * 1024)
    runs = intake.collect(
        bench.db, where, bench.settings, now=now(), keep=keep, context=context,
        progress=bar("Importing"),
    )  # fmt: skip
    summarise(bench, runs, as_json, dry_run=False)
    for uid in dict.fromkeys(run.source for run in runs):
        if where.settings and uid not in bench.settings.sources:
            talk(f'It is {uid}: put its settings under [sources."{uid}"] so that it can be '
                 "stopped, and collected again")  # fmt: skip
    if keep is not None:
        talk(f"The exports are in {keep}.")


def _source(bench: Bench, word: str) -> str:
    """`platform:tenant`, from what a person calls it; the tenant is empty where nobody knows it."""
    from passmuster import connectors

    known = bench.db.execute("SELECT uid, name, platform FROM source ORDER BY uid").fetchall()
    found = [uid for uid, name, _ in known if word in (uid, name)]
    if not found and ":" not in word:
        found = [uid for uid, _, platform in known if platform == word]
        if not found and word in connectors.platforms():
            return f"{word}:"
    if not found and ":" in word:
        return word
    if len(found) == 1:
        return str(found[0])
    if found:
        raise UsageError(f"{word!r} is several sources: {', '.join(found)}")
    raise UsageError(
        f"no source and no platform {word!r}{text.nearest(word, connectors.collectable())}"
    )
