"""The closed loop by command on the platforms that have no server here.

As `test_rounds` on the small servers of the tests: whether it is stopped is asked of what the
server keeps, and not of muster.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from passmuster.text import epoch, from_epoch
from tests.conftest import Muster
from tests.connectors import test_entra_live as entra
from tests.live import replayed
from tests.live.person import Person, begun
from tests.live.rounds import Round

pytestmark = pytest.mark.ci
KINDS: dict[str, tuple[Callable[[pytest.MonkeyPatch], AbstractContextManager[Round]], str, str]] = {
    # platform: (round, undo class, verdict)
    "entra": (replayed.of_entra, "R1", "refused"), "gcp": (replayed.of_gcp, "R1", "flag"),
    "okta": (replayed.of_okta, "R1", "refused"), "github": (replayed.of_github, "R2", "flag"),
    "gitlab": (replayed.of_gitlab, "R1", "refused"),
    "anthropic": (replayed.of_anthropic, "R1", "refused"),
    "kubernetes": (replayed.of_kubernetes, "R2", "refused"),
}  # fmt: skip


class Inside(Person):
    """Somebody whose commands need no process of their own, but for a secret on stdin."""

    def runs(self, *words: str, stdin: str = "") -> tuple[Any, float]:
        """As theirs."""
        if stdin:
            return super().runs(*words, stdin=stdin)
        return self.types(*words)[0], 0.0


@pytest.fixture
def person(
    folder: Path, inside: Muster, passphrase_file: Path, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Person]:  # fmt: skip
    assert passphrase_file.exists()
    with (
        KINDS[request.param][0](monkeypatch) as at,
        begun(Inside(folder, at, inside), monkeypatch) as found,
    ):
        yield found


@pytest.mark.parametrize("person", KINDS, indirect=True)
def test_a_review_ends_at_the_stop_and_the_way_back(
    person: Person, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    _, undo_class, verdict = KINDS[request.node.callspec.params["person"]]
    at, types = person.at, person.types
    person.decides()
    (planned,) = types("remediate", "plan")
    assert (planned["state"], planned["undo_class"]) == ("planned", undo_class)
    assert at.logs_in(), "a plan stops nothing"
    applied, _ = person.runs("remediate", "apply", "--yes")
    assert applied["state"] == "applied" and not at.logs_in()
    time.sleep(1.1)  # an export proves what was before its second
    person.brings()
    secret = ("--secret-stdin",) if at.secret else ()
    proved, _ = person.runs("remediate", "verify", "--wait", applied["id"], *secret,
                            stdin=at.secret)  # fmt: skip
    assert (proved["state"], proved["verdict"]) == ("verified", verdict), proved["said"]
    assert not person.standing()[1]
    back, _ = person.runs("remediate", "restore", applied["id"], "--yes")
    assert back["state"] == "reverted" and at.logs_in(), back["said"]
    person.brings()
    assert person.standing() == ("reverted", False)
    types("evidence", "Round", "--out", str(tmp_path / "pack"))
    types("verify", str(tmp_path / "pack"))


@pytest.mark.parametrize("person", ["entra", "okta", "kubernetes"], indirect=True)
def test_a_part_is_taken_away_and_given_back_as_it_was(person: Person) -> None:
    at, types = person.at, person.types
    before = at.has()
    assert before
    item = person.opens("identity", "jane" if at.part == "clusterrole:" else at.mark, at.name)
    person.keeps_but(item, "credentials" if at.part == entra.CERT else "grants", at.part)
    (planned,) = types("remediate", "plan")
    assert (planned["state"], planned["undo_class"]) == ("planned", "R2")
    applied, _ = person.runs("remediate", "apply", "--yes")
    assert applied["state"] == "applied" and at.has() != before and at.logs_in()
    proved, _ = person.runs("remediate", "verify", "--wait", applied["id"])
    assert proved["state"] == "verified", proved["said"]
    back, _ = person.runs("remediate", "restore", applied["id"], "--yes")
    assert (back["state"], at.has()) == ("reverted", before), back["said"]
    person.brings()
    assert person.standing() == ("reverted", False)


@pytest.mark.parametrize("person", ["gcp", "github"], indirect=True)
def test_a_secret_is_destroyed_by_its_name_and_after_a_stop_where_it_has_one(
    person: Person, inside: Muster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from passmuster.cli.common import now

    at, types = person.at, person.types
    # the account that the list names last has the key
    mark, has_stop = ("/222", True) if person.source.startswith("gcp") else ("/actions", False)
    person.keeps_but(person.opens("identity", mark, None), "credentials", at.part)
    (planned,) = types("remediate", "plan")
    assert planned["undo_class"] == ("R1" if has_stop else None)
    assert bool(types("remediate", "plan", "--destroy")) is not has_stop
    if has_stop:
        person.runs("remediate", "apply", "--yes")
        person.runs("remediate", "verify", "--wait")
    (burn,) = types("remediate", "plan", "--destroy")
    words = ("remediate", "apply", burn["id"], "--destroy", "--yes-destroy", burn["id"])
    if has_stop:
        assert "after 14 days" in inside(*words, code=2).stderr
    assert at.has()
    with monkeypatch.context() as later:
        for module in ("remediate", "remedy_run"):
            later.setattr(f"passmuster.cli.{module}.now",
                          lambda: from_epoch(epoch(now()) + 15 * 86_400))  # fmt: skip
        (done,) = json.loads(inside(*words, "--json").stdout)
    assert done["state"] == "applied" and not at.has()
    tried = inside("remediate", "restore", burn["id"], "--yes", code=1)
    assert "nothing brings it back" in tried.stderr
