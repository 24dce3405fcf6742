"""Each command of docs/remediation.md is run, in its order."""

import shlex
from pathlib import Path

from passmuster import remediation
from tests.conftest import REPOSITORY, Muster
from tests.remediation.conftest import Estate
from tests.remediation.test_command import command, decided
from tests.test_docs import blocks, commands_in

__all__ = ["command"]
PAGE = REPOSITORY / "docs" / "remediation.md"
NAMED = "k3p7q2ab"


def test_every_command_of_the_page_works(command: Muster, estate: Estate, tmp_path: Path) -> None:
    decided(estate, "svc-a")
    found = commands_in(blocks(PAGE.read_text()))
    assert len(found) == 10
    for words in found:
        line = shlex.join(words)
        if "script" in words:
            estate.toy.account("lines-d")
            estate.bring_in("2026-11-26T08:00:00Z")
            at = estate.opened("Winter")
            estate.decide(at, "lines-d", "revoke")
            estate.sign_off(at)
            command("remediate", "plan")
        if "--destroy" in words and "plan" in words:
            command("remediate", "apply", "--yes", "--verify", "--accept-changed", first(estate))
            aged(estate)
        name = next((r.name for r in remediation.remedies(estate.db) if r.undo_class == "R3"), None)
        name = name or first(estate)
        place = {"stop.sh": str(tmp_path / "stop.sh"), "exports": str(tmp_path / "exports")}
        command(*(place.get(word, name if word == NAMED else word) for word in words[1:]))
        assert line


def first(estate: Estate) -> str:
    found = [r.name for r in remediation.remedies(estate.db) if r.uri.endswith("svc-a")]
    return found[0] if found else NAMED


def aged(estate: Estate) -> None:
    """The window has passed."""
    with estate.db.atomic():
        estate.db.execute("DROP TRIGGER remediation_result_is_final")
        estate.db.execute(
            "UPDATE remediation_result SET row = json_set(row, '$.at', '2020-01-01T00:00:00Z')"
        )
