"""The closed loop on each real service, by the commands that a person types.

Collect, review, sign, plan, apply, see it refused, prove it by the next export, put it back, and
the evidence of it all; and once more in a hurry, with `muster revoke`. That it is refused, and that
it is let in again, says the vendor's own client and not muster.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Muster
from tests.live import rounds
from tests.live.person import Person, begun
from tests.live.rounds import Round

pytestmark = pytest.mark.ci
KINDS: dict[str, tuple[str, Callable[[Any], AbstractContextManager[Round]]]] = {
    "postgres": ("a_postgres", rounds.of_postgres), "mariadb": ("a_mariadb", rounds.of_mariadb),
    "openbao": ("an_openbao", rounds.of_openbao), "redis": ("a_redis", rounds.of_redis),
    "rabbitmq": ("a_rabbitmq", rounds.of_rabbitmq), "ldap": ("a_slapd", rounds.of_slapd),
    "ad": ("a_domain", rounds.of_samba), "ssh": ("an_sshd", rounds.of_sshd),
    "aws": ("ministack", rounds.of_aws),
}  # fmt: skip
PATIENCE_S = 30.0


@pytest.fixture
def person(
    folder: Path, inside: Muster, passphrase_file: Path, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Person]:  # fmt: skip
    assert passphrase_file.exists()
    server, of = KINDS[request.param]
    with (
        of(request.getfixturevalue(server)) as at,
        begun(Person(folder, at, inside), monkeypatch) as found,
    ):
        yield found


@pytest.mark.parametrize("person", KINDS, indirect=True)
def test_a_review_ends_at_the_platform_s_own_refusal_and_the_way_back(
    person: Person, tmp_path: Path
) -> None:
    at, types = person.at, person.types
    person.decides()
    (planned,) = types("remediate", "plan")
    assert (planned["state"], planned["undo_class"]) == ("planned", "R1")
    assert at.logs_in(), "a plan stops nothing"
    began = time.monotonic()
    applied, _ = person.runs("remediate", "apply", "--yes")
    assert applied["state"] == "applied"
    while at.logs_in():
        assert time.monotonic() - began < PATIENCE_S
    refused_s = time.monotonic() - began
    time.sleep(1.1)  # an export proves what was before its second
    person.brings()
    day = "verified by import of 20" if at.shown else "applied"
    assert person.standing()[0].startswith(day), "the export alone proves it, where it tells"
    words = ("remediate", "verify", "--wait", applied["id"], "--secret-stdin")
    proved, verify_s = person.runs(*words, stdin=at.secret)
    assert (proved["state"], proved["verdict"]) == ("verified", "refused"), proved["said"]
    assert person.standing() == ("verified: refused", False)
    back, restore_s = person.runs("remediate", "restore", applied["id"], "--yes")
    assert back["state"] == "reverted"
    assert at.logs_in(), "it was put back"
    person.brings()
    assert person.standing() == ("reverted", False), "what was put back with a signature is right"
    types("evidence", "Round", "--out", str(tmp_path / "pack"))
    types("verify", str(tmp_path / "pack"))
    assert ",reverted," in (tmp_path / "pack" / "remediations.csv").read_text()
    print(f"ROUND {at.source}: refused {refused_s:.2f} s, verify {verify_s:.2f} s, "
          f"restore {restore_s:.2f} s")  # fmt: skip


@pytest.mark.parametrize("person", KINDS, indirect=True)
def test_on_call_one_command_stops_it_and_sees_it_refused(person: Person) -> None:
    at = person.at
    words = ("revoke", at.handle, "--reason", "its secret is in a public gist", "--yes")
    found, whole_s = person.runs(*words, "--secret-stdin", stdin=at.secret)
    assert (found["state"], found["answer"], found["undo_class"]) == ("verified", "refused", "R1")
    assert not at.logs_in()
    person.runs("remediate", "restore", found["remediation"], "--yes")
    assert at.logs_in()
    person.types("verify", str(person.folder))
    print(f"ROUND {at.source}: revoke {found['seconds']:.2f} s of {whole_s:.2f} s")
