"""What is no flag, on each real service, by the commands that a person types.

A right that is taken away and given back as it was (R2), and a secret that is destroyed (R3): that
one only after a stop which can be undone has stood, and with a second confirmation.
"""

import json
import time

import pytest

from passmuster.text import epoch, from_epoch
from tests.conftest import Muster
from tests.live.person import Person
from tests.live.rounds import NAME
from tests.live.test_rounds import person

__all__ = ["person"]
pytestmark = pytest.mark.ci
WITH_PARTS = ("postgres", "mariadb", "rabbitmq", "ldap", "ad", "aws")
"""Redis has no part that could be taken away without a flag; ssh and OpenBao offer the flag first.
"""


@pytest.mark.parametrize("person", WITH_PARTS, indirect=True)
def test_a_right_is_taken_away_and_given_back_as_it_was(person: Person) -> None:
    at, types = person.at, person.types
    before = at.has()
    assert before, "it has it before anybody takes it away"
    item = person.opens("identity", f"/{NAME}" if at.name is None else "", at.name)
    person.keeps_but(item, "grants", at.part)
    (planned,) = types("remediate", "plan")
    assert (planned["state"], planned["undo_class"]) == ("planned", "R2")
    assert at.has() == before, "a plan takes nothing"
    applied, _ = person.runs("remediate", "apply", "--yes")
    assert applied["state"] == "applied" and not at.has()
    assert at.logs_in() or at.part == "vhost:", "but for that part it stands"
    proved, _ = person.runs("remediate", "verify", "--wait", applied["id"])
    assert proved["state"] == "verified", proved["said"]
    time.sleep(1.1)  # an export proves what was before its second
    person.brings()
    assert person.standing()[0].startswith("verified")
    back, _ = person.runs("remediate", "restore", applied["id"], "--yes")
    assert (back["state"], at.has()) == ("reverted", before), back["said"]
    person.brings()
    assert person.standing() == ("reverted", False)
    person.types("verify", str(person.folder))


@pytest.mark.parametrize("person", ["openbao"], indirect=True)
def test_a_secret_without_a_stop_of_its_own_is_destroyed_by_its_name_alone(
    person: Person, inside: Muster
) -> None:
    at, types = person.at, person.types
    assert at.has()
    person.keeps_but(person.opens("identity", f"approle/role/{NAME}", None), "credentials", "")
    (planned,) = types("remediate", "plan")
    assert planned["state"] == "not_supported" and "look at --destroy" in planned["said"]
    inside("remediate", "apply", "--yes", code=1)
    (burn,) = types("remediate", "plan", "--destroy")
    assert burn["undo_class"] == "R3" and at.has()
    words = ("remediate", "apply", burn["id"], "--destroy")
    unsaid = inside(*words, "--yes", code=2)
    assert f"--yes-destroy {burn['id']}" in unsaid.stderr and at.has()
    done, _ = person.runs(*words, "--yes-destroy", burn["id"])
    assert done["state"] == "applied" and not at.has()
    assert at.logs_in(), "a token that it has obtained goes on, as the plan said"
    proved, _ = person.runs("remediate", "verify", "--wait", burn["id"])
    assert proved["state"] == "verified", proved["said"]
    tried = inside("remediate", "restore", burn["id"], "--yes", code=1)
    assert "nothing brings it back" in tried.stderr


@pytest.mark.parametrize("person", ["aws"], indirect=True)
def test_a_secret_is_destroyed_after_its_stop_has_stood(
    person: Person, inside: Muster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from passmuster.cli.common import now

    person.decides()
    assert not person.types("remediate", "plan", "--destroy"), "nothing is stopped yet"
    person.types("remediate", "plan")
    person.runs("remediate", "apply", "--yes")
    stopped, _ = person.runs("remediate", "verify", "--wait", "--secret-stdin",
                             *(one["id"] for one in person.types("remediate", "status")),
                             stdin=person.at.secret)  # fmt: skip
    assert stopped["verdict"] == "refused"
    person.brings()
    (burn,) = person.types("remediate", "plan", "--destroy")
    words = ("remediate", "apply", burn["id"], "--destroy")
    early = inside(*words, "--yes-destroy", burn["id"], code=2)
    assert "after 14 days" in early.stderr
    with monkeypatch.context() as later:
        for module in ("remediate", "remedy_run"):
            later.setattr(f"passmuster.cli.{module}.now",
                          lambda: from_epoch(epoch(now()) + 15 * 86_400))  # fmt: skip
        unsaid = inside(*words, "--yes", code=2)
        assert f"--yes-destroy {burn['id']}" in unsaid.stderr
        (done,) = json.loads(inside(*words, "--yes-destroy", burn["id"], "--json").stdout)
        assert done["state"] == "applied"
        assert not person.at.logs_in()
        tried = inside("remediate", "restore", done["id"], "--yes", code=1)
        assert "nothing brings it back" in tried.stderr
    person.brings()
    (shown,) = person.types("show", f"arn:aws:iam::000000000000:user/{NAME}")
    left = [one for one in shown["credentials"] if one["uid"] == person.at.handle]
    assert all(one["absent_since"] for one in left), "the account does not list it any more"
