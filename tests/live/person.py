"""Somebody at a shell, in a workspace of their own, and what they type in a round."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.conftest import ME, START, Muster
from tests.live.rounds import Round

NO_JSON = ("sign-off", "init", "key")


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


@contextmanager
def begun(person: Person, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """*person* with a key, and the source collected; at the end no secret is anywhere."""
    for name, value in person.at.env.items():
        monkeypatch.setenv(name, value)
    assert person.at.logs_in(), "it works before anybody stops it"
    person.types("init")
    person.types("key", "new", "--key-store", "file")
    person.settle()
    person.brings()
    yield person
    kept_nowhere(person)


def kept_nowhere(person: Person) -> None:
    """Neither what was stopped nor what muster logged in with was said, or is on its disk."""
    for given in filter(None, (person.at.secret, person.at.login)):
        secret = max(given.splitlines(), key=len).rpartition(":")[2]
        assert all(secret not in said for said in person.said)
        for path in person.folder.rglob("*"):
            if len(secret) > 5:  # shorter ones stand in any file
                assert not path.is_file() or secret.encode() not in path.read_bytes(), path
