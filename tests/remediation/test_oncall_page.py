"""Each command of docs/oncall.md is run, in its order."""

import io
import sys
from types import SimpleNamespace

import pytest

from passmuster import remediation
from tests.conftest import REPOSITORY, Muster
from tests.remediation.conftest import Estate
from tests.remediation.test_revoke import desk
from tests.test_docs import blocks, commands_in

__all__ = ["desk"]
PAGE = REPOSITORY / "docs" / "oncall.md"
HERE = {
    "AKIAIOSFODNN7EXAMPLE": "svc-a-k1", "svc-backup": "svc-a", "svc-etl": "svc-b",
}  # fmt: skip
SECRET = "a-token-of-svc-c-0123456789-zzzz"


def test_every_command_of_the_page_works(
    desk: Muster, estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with estate.db.atomic():
        estate.db.execute("UPDATE credential SET hint = 'zzzz' WHERE uid = 'svc-c-k1'")
    found = commands_in(blocks(PAGE.read_text()))
    assert len(found) == 6
    for line in found:
        words = line[: line.index("<")] if "<" in line else line
        if "<" in line:
            typed = SimpleNamespace(buffer=io.BytesIO(SECRET.encode()), isatty=lambda: False)
            monkeypatch.setattr("passmuster.cli.remedy_run.sys", SimpleNamespace(stdin=typed))
        newest = [r.name for r in remediation.remedies(estate.db) if r.uri.endswith("svc-b")]
        given = [HERE.get(w, newest[0] if w == "k3p7q2ab" else w) for w in words[1:]]
        desk(*given, *([] if {"--yes", "--dry-run", "--pending"} & set(given) else ["--yes"]))
        monkeypatch.setattr("passmuster.cli.remedy_run.sys", sys)
    assert estate.toy.writes == ["PUT svc-a/svc-a-k1", "PUT svc-c/svc-c-k1", "PUT svc-b",
                                 "PUT svc-b"]  # fmt: skip
    assert any(SECRET in call for call in estate.toy.calls), "it was really tried"
