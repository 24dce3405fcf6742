"""Rules that somebody else wrote: hostile ones fail and change nothing, ours still run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from passmuster import policy
from passmuster.config import Settings
from passmuster.errors import MusterError, UsageError
from passmuster.policy import sandbox

if TYPE_CHECKING:
    from tests.policy.conftest import Estate

NOW = "2026-11-22T00:00:00Z"
ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r"
BOMB = "replace(replace(replace('{a}', 'a', '{b}'), 'b', '{c}'), 'c', '{c}')".format(
    a="a" * 100, b="b" * 5000, c="c" * 5000
)

DENIED = {
    "reads the log": "SELECT envelope FROM entry",
    "reads the log under a known name":
        "WITH identity(uid) AS (SELECT envelope FROM entry) SELECT uid FROM identity",
    "reads the log under the view's name":
        "WITH principal(id) AS (SELECT envelope FROM entry) SELECT id FROM principal",
    "reads the log in a subquery": "SELECT uid, (SELECT max(envelope) FROM entry) FROM identity",
    "reads the log by rowid": "SELECT rowid FROM entry",
    "counts the log": "SELECT count(*) FROM entry",
    "reads a draft": "SELECT reason_text FROM draft",
    "reads a reviewer": "SELECT reviewer FROM item",
    "reads the signed row": "SELECT row FROM decision",
    "reads keys": "SELECT public FROM signing_key",
    "reads raw files": "SELECT packed FROM blob",
    "reads who imported": "SELECT imported_by FROM import_run",
    "reads the device": "SELECT value FROM workspace",
    "reads the schema": "SELECT sql FROM sqlite_master",
    "reads the schema by its other name": "SELECT sql FROM sqlite_schema",
    "asks a pragma": "PRAGMA table_info(entry)",
    "asks a pragma as a table": "SELECT name FROM pragma_table_info('entry')",
    "sets a pragma": "PRAGMA user_version = 9",
    "counts pages": "SELECT * FROM dbstat",
    "attaches a file": "ATTACH 'stolen.db' AS x",
    "detaches": "DETACH main",
    "writes a file": "VACUUM INTO 'stolen.db'",
    "inserts": "INSERT INTO source (uid, platform, tenant_uid) VALUES ('x', 'x', 'x')",
    "updates": "UPDATE identity SET status = 'disabled'",
    "deletes": "DELETE FROM finding",
    "replaces": "REPLACE INTO alias (name) VALUES ('x')",
    "drops": "DROP TABLE identity",
    "alters": "ALTER TABLE identity RENAME TO x",
    "makes a table": "CREATE TABLE x (y)",
    "makes a temporary table": "CREATE TEMP TABLE x (y)",
    "makes a view": "CREATE TEMP VIEW principal AS SELECT 1",
    "makes a trigger":
        "CREATE TEMP TRIGGER x AFTER INSERT ON identity BEGIN SELECT 1; END",
    "makes an index": "CREATE INDEX x ON identity (uid)",
    "makes a virtual table": "CREATE VIRTUAL TABLE x USING fts5 (y)",
    "begins": "BEGIN", "commits": "COMMIT", "saves": "SAVEPOINT x",
    "reindexes": "REINDEX", "analyses": "ANALYZE",
    "loads code": "SELECT load_extension('x.so')",
    "takes a pointer": "SELECT fts3_tokenizer('simple')",
    "reads a file": "SELECT readfile('/etc/passwd')",
    "edits": "SELECT edit('x')",
    "makes bytes": "SELECT zeroblob(1000000000)",
    "makes more bytes": "SELECT randomblob(1000000000)",
    "pads": "SELECT printf('%.*c', 1000000000, 'x')",
    "two statements": "SELECT 1; DELETE FROM finding",
    "nothing": "", "a comment": "-- only this", "a zero byte": "SELECT 1 \0",
    "no SQL": "hello", "no value": "SELECT :missing",
}  # fmt: skip


def _state(estate: Estate) -> tuple[Any, ...]:
    tables = [t for (t,) in estate.db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
    counts = [estate.db.value(f"SELECT count(*) FROM {table}") for table in tables]
    files = [sorted(p.name for p in folder.iterdir()) for folder in (estate.folder, Path.cwd())]
    return tables, counts, files


@pytest.mark.parametrize("sql", DENIED.values(), ids=DENIED.keys())
def test_a_hostile_statement_is_refused_and_changes_nothing(
    busy: Estate, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = _state(busy)
    with pytest.raises(UsageError, match="rule"):
        sandbox.run_untrusted(busy.db.path, sql, {}, 10)
    assert _state(busy) == before


@pytest.mark.parametrize(
    "sql",
    [
        ENDLESS,
        "SELECT count(*) FROM json_each('[" + "1," * 9000 + "1]') a,"
        " json_each('[" + "1," * 9000 + "1]') b, identity",
    ],
    ids=["recursion", "a product of tables"],
)
def test_an_endless_statement_is_stopped(busy: Estate, sql: str) -> None:
    with pytest.raises(MusterError, match=r"stopped: it took more than 0\.5 s"):
        sandbox.run_untrusted(busy.db.path, sql, {}, 10, seconds=0.5)


@pytest.mark.skipif(os.name != "posix", reason="memory is limited on POSIX only")
def test_a_memory_bomb_is_stopped(busy: Estate) -> None:
    with pytest.raises(MusterError, match=r"stopped|cannot run"):
        sandbox.run_untrusted(busy.db.path, f"SELECT length({BOMB})", {}, 10)


def test_a_rule_that_is_too_long_is_refused(busy: Estate) -> None:
    with pytest.raises(UsageError, match="longer than"):
        sandbox.run_untrusted(busy.db.path, "SELECT 1" + " " * 200_000, {}, 10)


def test_honest_ways_of_writing_work(busy: Estate) -> None:
    for sql, rows in {
        "SELECT 1": [(1,)],
        "SELECT count(*) FROM identity": [(5,)],
        "WITH r AS (SELECT uid AS n FROM identity) SELECT count(*) FROM r": [(5,)],
        "SELECT value FROM json_each('[1, 2]')": [(1,), (2,)],
        "SELECT count(*) FROM principal WHERE lower(display_name) LIKE 'ci%'": [(1,)],
        "SELECT :a || :b": [("x7",)],
    }.items():
        assert sandbox.run_untrusted(busy.db.path, sql, {"a": "x", "b": 7}, 10) == rows
    assert len(sandbox.run_untrusted(busy.db.path, "SELECT id FROM identity", {}, 2)) == 2


def test_our_own_rules_run_in_it_with_the_same_answer(busy: Estate) -> None:
    for rule in policy.load_rules().values():
        params = rule.where_params(NOW, Settings())
        mine = busy.db.execute(rule.sql, params).fetchall()
        assert sandbox.run_untrusted(busy.db.path, rule.sql, params, 100) == mine, rule.id
