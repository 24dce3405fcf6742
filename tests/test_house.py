"""The rules of the house that no linter knows: sizes, who writes which table, what loads when."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from passmuster import campaigns, cli, errors, policy
from tests.conftest import REPOSITORY

SOURCES = sorted((REPOSITORY / "src" / "passmuster").rglob("*.py"))
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60

WRITERS = {
    "inventory": {
        "source", "import_run", "problem", "identity", "seen", "credential", "entitlement",
        "grant", "trust", "usage", "sighting", "owner", "person", "team", "alias", "supplier",
        "environment", "observation",
    },
    "policy": {"rule_run", "finding", "listing"},
    "campaigns": {
        "campaign", "item", "exclusion", "draft", "own_draft", "decision", "second_draft",
        "countersignature",
    },
    "tlog": {
        "entry", "tile", "checkpoint", "cosignature", "cosigner", "witnessed", "refused", "central",
        "mirror", "mirror_tile", "rejected", "halt", "held", "void_entry",
    },
    "blobs": {"blob"},
    "keys": {"signing_key"},
    "store": {"workspace"},
    "server": {
        "head", "record", "log_tile", "upload", "stored_blob", "piece", "witness_line", "recovery",
        "anchor",
    },
}  # fmt: skip


def test_no_file_is_over_400_lines_and_no_function_over_60() -> None:
    long = [
        f"{p.name}: {n}" for p in SOURCES if (n := len(p.read_text().splitlines())) > MAX_FILE_LINES
    ]
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long.append(f"{path.name}:{node.name}: {lines}")
    assert not long


def test_no_table_is_temporary_since_the_driver_would_hold_it_in_memory() -> None:
    temporary = re.compile(r"CREATE TEMP TABLE|\btemp\.[a-z_]+ (?:SELECT|VALUES)")
    assert not [p.name for p in SOURCES if temporary.search(p.read_text())]


def test_each_table_is_written_by_one_module() -> None:
    owner = {table: module for module, tables in WRITERS.items() for table in tables}
    writes = re.compile(r"(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM) ([a-z_]+)\b(?! *\()")
    wrong = []
    for path in SOURCES:
        module = path.relative_to(REPOSITORY / "src" / "passmuster").parts[0].removesuffix(".py")
        wrong += [
            f"{module} writes {table}, which is {owner[table]}'s"
            for table in writes.findall(path.read_text())
            if owner.get(table, module) != module and module != "schema"
        ]
    assert not wrong


def test_only_store_imports_a_sqlite_driver() -> None:
    users = {
        p.name
        for p in SOURCES
        if re.search(r"^\s*(?:import|from) (?:pysqlite3|sqlite3)", p.read_text(), re.MULTILINE)
    }
    assert users == {"store.py"}


def test_the_schema_version_counts_the_migrations() -> None:
    from passmuster import schema, store

    steps = list(schema.migrations._migrations)
    assert len(steps) == store.SCHEMA_VERSION


def loaded(*words: str) -> set[str]:
    code = (
        "import sys\nfrom passmuster.cli import run\n"
        f"run({list(words)!r})\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("identities", "--help")])
def test_a_light_command_loads_nothing_heavy(words: tuple[str, ...]) -> None:
    heavy = {"textual", "rich", "httpx", "keyring", "sqlite_utils", "cryptography",
             "securesystemslib", "platformdirs", "yaml"}  # fmt: skip
    assert not loaded(*words) & heavy


def test_version_does_not_even_open_sqlite() -> None:
    assert not loaded("--version") & {"sqlite3", "pysqlite3"}


def test_a_list_of_a_current_workspace_needs_no_sqlite_utils_and_no_textual(
    db: object, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSTER_WORKSPACE", str(folder))
    heavy = {"textual", "rich", "httpx", "keyring", "sqlite_utils", "cryptography"}
    assert not loaded("identities", "--json") & heavy


@pytest.mark.parametrize("package", [campaigns, policy])
def test_a_package_whose_names_come_late_has_each_that_it_names_and_no_other(
    package: ModuleType,
) -> None:
    tree = ast.parse(Path(str(package.__file__)).read_text())
    [either] = [node for node in tree.body if isinstance(node, ast.If)]
    told = {
        (str(node.module).rpartition(".")[2], alias.name)
        for node in either.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }  # fmt: skip
    [late] = [node for node in ast.walk(either) if isinstance(node, ast.Dict)]
    homes: dict[str, str] = ast.literal_eval(late)
    assert told == {(home, name) for home, names in homes.items() for name in names.split()}
    assert {name for _, name in told} == set(package.__all__)
    assert all(getattr(package, name) is not None for name in package.__all__)


def test_the_first_frame_waits_for_nothing_that_signs_imports_or_evaluates() -> None:
    code = "import sys, passmuster.tui.app; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    late = {"connectors", "inventory", "outcomes", "tlog", "keys", "attestations", "merkle",
            "campaigns._signing", "campaigns._opening", "policy._evaluate"}  # fmt: skip
    assert not {f"passmuster.{name}" for name in late} & set(done.stdout.split())


def test_every_error_has_its_exit_code_in_the_tree_at_the_top_of_the_file() -> None:
    drawn = dict(re.findall(r"(\w+) +(\d)  ", errors.__doc__ or ""))
    classes = {n: c for n, c in vars(errors).items() if isinstance(c, type)}
    assert set(drawn) == set(classes)
    assert {n: str(c.exit_code) for n, c in classes.items()} == drawn  # type: ignore[attr-defined]


def test_every_command_has_an_example_in_its_help() -> None:
    import click

    context = click.Context(cli.muster)
    missing = []
    for name in cli.COMMANDS:
        command = cli.muster.get_command(context, name)
        assert command is not None
        missing += [
            f"{name} {sub.name}"
            for sub in [command, *getattr(command, "commands", {}).values()]
            if "Example" not in (sub.help or "")
        ]
    assert not missing
