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
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.conftest import START, Muster
from tests.live import rounds
from tests.live.rounds import Round

pytestmark = pytest.mark.ci
KINDS = {
    "postgres": ("a_postgres", rounds.of_postgres), "mariadb": ("a_mariadb", rounds.of_mariadb),
    "openbao": ("an_openbao", rounds.of_openbao), "redis": ("a_redis", rounds.of_redis),
    "rabbitmq": ("a_rabbitmq", rounds.of_rabbitmq), "ldap": ("a_slapd", rounds.of_slapd),
    "ssh": ("an_sshd", rounds.of_sshd), "aws": ("ministack", rounds.of_aws),
}  # fmt: skip
PATIENCE_S = 60.0


class Person:
    """Somebody at a shell with no desktop, so without a keyring, in a workspace of their own."""

    def __init__(self, folder: Path, at: Round, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.at, self.source = folder, at, at.source
        for name, value in at.env.items():
            monkeypatch.setenv(name, value)
        self.said: list[str] = []

    def runs(self, *words: str, stdin: str = "", code: int = 0) -> tuple[Any, float]:
        """What a command printed, as JSON where that was asked for, and its seconds."""
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, *START, *words], input=stdin, text=True, capture_output=True,
            timeout=120, check=False, env={**os.environ, "MUSTER_WORKSPACE": str(self.folder)},
        )  # fmt: skip
        took = time.monotonic() - began
        assert done.returncode == code, (words, done.stdout, done.stderr)
        self.said += [done.stdout, done.stderr]
        return json.loads(done.stdout) if "--json" in words else done.stdout, took

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
        """Collect the source, or make its export and import that; whose it is, is known then."""
        if self.at.export is not None:
            folder = self.folder.parent / f"export-{time.monotonic_ns()}"
            folder.mkdir()
            ((run, *_), _) = self.runs("import", *map(str, self.at.export(folder)), "--json")
        else:
            ((run, *_), _) = self.runs("collect", self.source, "--json")
        if run["source"] != self.source:
            self.source = run["source"]
            self.settle()

    def status(self) -> str:
        ((found,), _) = self.runs("remediate", "status", "--json")
        return str(found["standing"])


@pytest.fixture
def person(
    folder: Path, inside: Muster, passphrase_file: Path, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Person]:  # fmt: skip
    server, of = KINDS[request.param]
    with of(request.getfixturevalue(server)) as at:
        found = Person(folder, at, monkeypatch)
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
    at, runs = person.at, person.runs
    runs("campaign", "open", "Round", "--reviewer", "rev@example.com", "--due", "2030-01-01",
         "--of", at.of)  # fmt: skip
    items, _ = runs("queue", "--json")
    (item,) = [x["item"] for x in items
               if at.mark in unquote(x["uri"]) and at.name in (None, x["name"])]  # fmt: skip
    runs("decide", "revoke", item, "--reason", "nobody needs it any more")
    runs("sign-off", "--yes")
    ((planned,), _) = runs("remediate", "plan", "--json")
    assert (planned["state"], planned["undo_class"]) == ("planned", "R1")
    assert at.logs_in(), "a plan stops nothing"
    began = time.monotonic()
    ((applied,), _) = runs("remediate", "apply", "--yes", "--json")
    assert applied["state"] == "applied"
    while at.logs_in():
        assert time.monotonic() - began < PATIENCE_S
    refused_s = time.monotonic() - began
    ((proved,), verify_s) = runs("remediate", "verify", "--wait", applied["id"], "--secret-stdin",
                                 "--json", stdin=at.secret)  # fmt: skip
    assert (proved["state"], proved["verdict"]) == ("verified", "refused"), proved["said"]
    time.sleep(1.1)  # an export proves what was before its second
    person.brings()
    assert person.status().startswith("verified"), person.status()
    assert not runs("remediate", "status", "--open", "--json")[0]
    ((back,), restore_s) = runs("remediate", "restore", applied["id"], "--yes", "--json")
    assert back["state"] == "reverted"
    assert at.logs_in(), "it was put back"
    runs("evidence", "Round", "--out", str(tmp_path / "pack"))
    runs("verify", str(tmp_path / "pack"))
    assert "reverted" in (tmp_path / "pack" / "remediations.csv").read_text()
    print(f"ROUND {at.source}: refused {refused_s:.2f} s, verify {verify_s:.2f} s, "
          f"restore {restore_s:.2f} s")  # fmt: skip


@pytest.mark.parametrize("person", KINDS, indirect=True)
def test_on_call_one_command_stops_it_and_sees_it_refused(person: Person) -> None:
    at = person.at
    words = ("revoke", at.handle, "--reason", "its secret is in a public gist", "--yes", "--json")
    ((found,), whole_s) = person.runs(*words, "--secret-stdin", stdin=at.secret)
    assert (found["state"], found["answer"], found["undo_class"]) == ("verified", "refused", "R1")
    assert not at.logs_in()
    print(f"ROUND {at.source}: revoke {found['seconds']:.2f} s of {whole_s:.2f} s")
    person.runs("remediate", "restore", found["remediation"], "--yes")
    assert at.logs_in()
    person.runs("verify", str(person.folder))
