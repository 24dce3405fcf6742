"""The closed loop on each real service, by the commands that a person types.

Collect, review, sign, plan, apply, see it refused, prove it by the next export, put it back, and
the evidence of it all; and once more in a hurry, with `muster revoke`. That it is refused, and that
it is let in again, says the vendor's own client and not muster.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.conftest import ME, START, Muster
from tests.live import rounds
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
NO_JSON = ("sign-off",)


class Person:
    """Somebody at a shell with no desktop, so without a keyring, in a workspace of their own."""

    def __init__(self, folder: Path, at: Round, inside: Muster) -> None:
        self.folder, self.at, self.source, self._inside = folder, at, at.source, inside
        self.said: list[str] = []

    def types(self, *words: str) -> Any:
        """What a command that asks no platform printed, as JSON where it can be."""
        done = self._inside(*words, *(() if words[0] in NO_JSON else ("--json",)))
        self.said += [done.stdout, done.stderr]
        return None if words[0] in NO_JSON else json.loads(done.stdout)

    def runs(self, *words: str, stdin: str = "") -> tuple[Any, float]:
        """The one thing that a command of a process of its own told, and its seconds."""
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, *START, *words, "--json"], input=stdin, text=True, capture_output=True,
            timeout=120, check=False, env={**os.environ, "MUSTER_WORKSPACE": str(self.folder)},
        )  # fmt: skip
        took = time.monotonic() - began
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        self.said += [done.stdout, done.stderr]
        return json.loads(done.stdout)[0], took

    def settle(self) -> None:
        """Write the settings, the login's command among them."""
        settings = dict(self.at.settings)
        if self.at.login:
            kept = self.folder.parent / "kept by the machine"
            kept.write_text(self.at.login + "\n")
            kept.chmod(0o600)
            settings["secret_command"] = f"cat '{kept}'"
        lines = [f'[sources."{self.source}"]', *(f"{k} = {json.dumps(v)}" for k, v in
                                                 settings.items())]  # fmt: skip
        path = self.folder / "config.toml"
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o600)

    def brings(self) -> None:
        """Collect the source; whose it is, is known then."""
        run, _ = self.runs("collect", self.source)
        if run["source"] != self.source:
            self.source = run["source"]
            self.settle()

    def standing(self) -> tuple[str, bool]:
        """How the one remediation stands, and whether somebody has to do something."""
        (found,) = self.types("remediate", "status")
        return found["standing"], found["open"]

    def opens(self, of: str, mark: str, name: str | None) -> str:
        """A campaign, and the one item in it that is meant."""
        self.types("campaign", "open", "Round", "--reviewer", ME, "--due", "2030-01-01",
                   "--of", of)  # fmt: skip
        (item,) = [
            one["item"] for one in self.types("queue")
            if mark in unquote(one["uri"]) and name in (None, one["name"])
        ]  # fmt: skip
        return str(item)

    def decides(self) -> None:
        """A campaign from its opening to the signature on the decision to revoke."""
        item = self.opens(self.at.of, self.at.mark, self.at.name)
        self.types("decide", "revoke", item, "--reason", "nobody needs it any more")
        self.types("sign-off", "--yes")

    def keeps_but(self, item: str, kind: str, part: str) -> None:
        """The signed approval of *item* but for the one of its *kind* in whose name *part* is."""
        (dossier,) = self.types("show", item)
        field = {"grants": "entitlement", "credentials": "uid"}[kind]
        (uid,) = {one[field] for one in dossier[kind] if part in unquote(one[field]).lower()}
        self.types("decide", "approve", item, "--change", f"revoke:{uid}", "--reason", "too much")
        self.types("sign-off", "--yes")


@pytest.fixture
def person(
    folder: Path, inside: Muster, passphrase_file: Path, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Person]:  # fmt: skip
    server, of = KINDS[request.param]
    with of(request.getfixturevalue(server)) as at:
        for name, value in at.env.items():
            monkeypatch.setenv(name, value)
        found = Person(folder, at, inside)
        assert passphrase_file.exists() and at.logs_in(), "it works before anybody stops it"
        inside("init")
        inside("key", "new", "--key-store", "file")
        found.settle()
        found.brings()
        yield found
        kept_nowhere(found)


def kept_nowhere(person: Person) -> None:
    """Neither what was stopped nor what muster logged in with was said, or is on its disk."""
    for given in filter(None, (person.at.secret, person.at.login)):
        secret = max(given.splitlines(), key=len).rpartition(":")[2]
        assert all(secret not in said for said in person.said)
        for path in person.folder.rglob("*"):
            if len(secret) > 5:  # shorter ones stand in any file
                assert not path.is_file() or secret.encode() not in path.read_bytes(), path


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
