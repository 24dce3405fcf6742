"""What the pages say is true: commands exist, and the two README commands are one line each."""

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from passmuster import cli
from passmuster.policy import load_rules
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text() if (REPOSITORY / "README.md").exists() else ""
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
HELP = "\n".join(p.read_text() for p in (REPOSITORY / "src/passmuster/cli").glob("*.py"))


def commands_in(text: str) -> list[list[str]]:
    """Every `muster …` that stands in a code block or an example."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        if match := re.match(r"\s*(?:\$ )?(muster(?: [^|#]*)?)", line):
            try:
                found.append(shlex.split(match[1]))
            except ValueError:
                continue
    return found


def blocks(text: str) -> str:
    return "\n".join(re.findall(r"```(?:sh|console)?\n(.*?)```", text, re.DOTALL))


def check(words: list[str]) -> None:
    """The command exists and takes these options."""
    context: click.Context = click.Context(cli.muster)
    command: click.Command | None = cli.muster
    rest = words[1:]
    while rest and isinstance(command, click.Group):
        if rest[0].startswith("-"):  # options of the group stand before its command
            given = next((p for p in command.params if rest[0] in p.opts), None)
            if given is None:
                break
            rest = rest[1 if getattr(given, "is_flag", False) else 2 :]
            continue
        command = command.get_command(context, rest[0])
        assert command is not None, words
        rest = rest[1:]
    assert command is not None
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
    known |= {o for p in cli.muster.params for o in p.opts}
    for word in rest:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, words


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_command_on_a_page_exists_with_its_options(page: object) -> None:
    for words in commands_in(blocks(page.read_text())):  # type: ignore[attr-defined]
        check(words)


def test_every_example_in_help_exists_with_its_options() -> None:
    examples = [w for w in commands_in(HELP) if len(w) > 1 and not w[1].startswith(("-", "="))]
    assert len(examples) > 15
    for words in examples:
        if words[1] in cli.COMMANDS:
            check(words)


def test_every_command_is_in_the_readme() -> None:
    missing = [c for c in cli.COMMANDS if f"muster {c}" not in README]
    assert not missing


@pytest.mark.parametrize("heading", ["## Try it", "## Run the tests"])
def test_the_two_readme_commands_are_single_lines(heading: str) -> None:
    section = README.split(f"\n{heading}\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    assert len(block.strip().splitlines()) == 1


def test_every_rule_is_named_in_the_rules_page() -> None:
    page = (REPOSITORY / "docs" / "rules.md").read_text()
    for rule in load_rules().values():
        assert f"`{rule.id}`" in page
        for name, value in rule.params.items():
            assert f"`{name} = {value}`" in page


def test_the_page_of_settings_has_every_setting_and_every_key_as_it_is() -> None:
    """If this fails: python -m tests.settings_page"""
    from tests.settings_page import PAGE, page

    text = PAGE.read_text()
    assert page(text) == text


def test_what_the_page_of_settings_shows_can_be_used(tmp_path: Path) -> None:
    from passmuster import config
    from passmuster.cli.config import _all_troubles
    from passmuster.tui import theme_files
    from tests.settings_page import PAGE

    shown, theme = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "config.toml").write_text(shown)
    assert not _all_troubles(tmp_path / "config.toml")
    assert config.alone(tmp_path / "config.toml").bulk["high"] == 10
    (tmp_path / "mine.toml").write_text(theme)
    assert not [p for p in theme_files.pairs(theme_files.read(tmp_path / "mine.toml")) if p.faint]


def test_sample_data_names_files_that_are_there() -> None:
    folder = REPOSITORY / "sample_data"
    plan = tomllib.loads((folder / "demo.toml").read_text())
    for step in plan["import"]:
        assert (folder / step["file"]).is_file()


def test_no_page_names_a_path_of_somebody_s_machine() -> None:
    for page in PAGES:
        assert not re.search(r"/(?:home|Users|work|root)/\w", page.read_text()), page
