"""An auditor repeats a finding with the `sqlite3` shell alone: the same rows, rule by rule."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from passmuster import policy
from passmuster.config import Settings

if TYPE_CHECKING:
    from tests.policy.conftest import Estate

SHELL = shutil.which("sqlite3")
NOW = "2026-11-22T00:00:00Z"


@pytest.mark.skipif(SHELL is None, reason="needs the sqlite3 shell (Debian: sqlite3)")
def test_every_rule_gives_the_same_rows_in_the_stock_shell(busy: Estate) -> None:
    assert SHELL
    busy.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for rule in policy.load_rules().values():
        params = rule.where_params(NOW, Settings())
        mine = sorted(busy.db.execute(rule.sql, params).fetchall())
        assert mine, f"{rule.id} hits nothing, so this shows nothing"
        lines = [".mode json", ".param init"]
        for name, value in params.items():
            literal = f"'{value}'" if isinstance(value, str) else value
            lines.append(f'.param set :{name} "{literal}"')
        done = subprocess.run(
            [SHELL, "-readonly", "-bail", str(busy.db.path)],
            input="\n".join([*lines, rule.sql + ";"]), text=True, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{rule.id}: {done.stderr}"
        assert done.stderr == ""
        theirs = [(r["subject_id"], r["identity_id"], r["detail"]) for r in json.loads(done.stdout)]
        assert sorted(theirs) == mine, rule.id
