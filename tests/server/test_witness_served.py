"""`muster witness serve`: the protocol on the wire, and the central log cosigned by it."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from passmuster import merkle, note, server, store, tlog
from passmuster.cli.witness import answering
from passmuster.keys import blob
from passmuster.note import Checkpoint, Note, Policy, VerifierKey
from passmuster.server import Central, Listen, Said, _log
from passmuster.store import Database
from tests.scene import key
from tests.server.running import WAIT_S, opened, running, settle, talking
from tests.server.test_witness import until
from tests.server.town import AT, REV, Town

ME = key("auditor@example.com", 91)
LOG = key("log@example.com", 92)
ORIGIN = "log.example/a"
LEAVES = [merkle.leaf_hash(str(n).encode()) for n in range(40)]
TILES = {(level, at): data for level, at, data in merkle.grow(lambda *_: b"", 0, LEAVES)}


def read(level: int, index: int) -> bytes:
    return TILES[level, index]


@dataclass
class Served:
    """A witness that serves from a thread."""

    db: Database
    url: str
    verifier: VerifierKey
    trusted: list[VerifierKey]

    def ask(self, body: str | bytes) -> httpx.Response:
        data = body.encode() if isinstance(body, str) else body
        return httpx.post(f"{self.url}/add-checkpoint", content=data, timeout=WAIT_S)

    @property
    def size(self) -> int:
        seen = tlog.known_log(self.db, ORIGIN)
        return seen.size if seen else 0


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "witness"
    db = store.create(folder)
    tlog.enrol(db, ME, AT)
    mine = tlog.cosigner(db, ME.public, "auditor.example/w1")
    inside = store.open_(folder, check_same_thread=False)
    trusted = [log_key()]

    def answers(body: bytes) -> Said:
        return answering(inside, ME, tuple(trusted))(body)

    told: queue.Queue[str] = queue.Queue()
    made = server.witness_server(answers, Listen("127.0.0.1", 0), told.put)
    thread = threading.Thread(target=made.run)
    thread.start()
    yield Served(db, told.get(timeout=WAIT_S), mine, trusted)
    made.should_exit = True
    thread.join(WAIT_S)
    inside.close()
    db.close()


def raw(data: bytes) -> bytes:
    return bytes.fromhex(LOG.signers[0].sign(data).signature)


def log_key(name: str = ORIGIN) -> VerifierKey:
    return note.ed25519_key(name, blob(LOG.public)[-32:])


def checkpoint(size: int, root: bytes | None = None, origin: str = ORIGIN) -> str:
    root = merkle.root_at(read, size) if root is None else root
    text = Checkpoint(origin, size, root).text
    return str(Note(text, (note.sign(text, log_key(origin), raw),)))


def request(old: int, size: int, root: bytes | None = None, origin: str = ORIGIN) -> str:
    proof = tuple(merkle.consistency(read, old, size)) if 0 < old <= size else ()
    return note.Request(old, proof, checkpoint(size, root, origin)).text


def test_growth_is_cosigned_and_nothing_else_with_the_statuses_of_the_protocol(
    witness: Served,
) -> None:
    policy = Policy((log_key(),), (witness.verifier,), 1)
    for old, size in ((0, 5), (5, 8), (8, 8), (8, 40)):
        answer = witness.ask(request(old, size))
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/plain")
        policy.check(checkpoint(size) + answer.text)
    told = witness.ask(request(5, 8))
    assert (told.status_code, told.text) == (409, "40\n")
    assert told.headers["content-type"] == "text/x.tlog.size"
    assert witness.ask(request(0, 40)).text == "40\n", "whoever asks from 0 is told the size"
    forked = witness.ask(request(40, 40, bytes(32)))
    assert forked.status_code == 409
    assert witness.ask("old 40\n\nno note").status_code == 400
    assert witness.ask(request(40, 8)).status_code == 400
    assert witness.ask(request(0, 5, origin="log.example/b")).status_code == 404
    other = request(40, 40).replace(ORIGIN + " ", ORIGIN + "x ")
    assert witness.ask(other).status_code == 403
    assert witness.size == 40
    assert {one.status for one in tlog.refused(witness.db)} == {400, 409}


def test_growth_that_is_not_proved_is_refused_and_kept(witness: Served) -> None:
    witness.ask(request(0, 5))
    answer = witness.ask(request(5, 8, bytes(32)))
    assert answer.status_code == 422
    assert "not proved" in answer.text
    [kept] = tlog.refused(witness.db)
    assert (kept.status, kept.origin) == (422, ORIGIN)
    assert witness.size == 5


def test_a_request_has_an_end_in_bytes_and_there_is_nothing_else_to_ask(witness: Served) -> None:
    assert witness.ask(b"old 0\n\n" + b"x" * 70_000).status_code == 413
    assert witness.ask(b"\xff" * 100).status_code == 400
    assert witness.ask(b"").status_code == 400
    with httpx.Client(base_url=witness.url) as client:
        assert client.get("/add-checkpoint").status_code == 405
        assert client.get("/").status_code == 404
        assert client.get("/healthz").text == "ok\n"


def test_requests_at_once_never_set_a_log_back(witness: Served) -> None:
    """Every answer of 200 is for a size that no later one is below."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: witness.ask(request(0, n)).status_code, range(1, 25)))
    assert answers.count(200) == 1
    assert answers.count(409) == 23
    first = witness.size
    with ThreadPoolExecutor(8) as pool:
        asked = [request(first, n) for n in range(first + 1, 41)]
        statuses = [answer.status_code for answer in pool.map(witness.ask, asked)]
    assert statuses.count(200) <= 1 or first == 40
    assert witness.size >= first


def test_the_central_log_gets_its_line_and_clients_may_ask_for_it(
    tmp_path: Path, town: Town, witness: Served
) -> None:
    here = opened(tmp_path / "central", witnesses=((witness.verifier, witness.url),))
    witness.trusted.append(here.key.verifier)
    settle(here, town, [town.roster(), *town.campaign()])
    policy = Policy((here.key.verifier,), (witness.verifier,), 1)
    with running(here) as url, talking(url, town, REV) as rev:
        until(lambda: b"auditor.example/w1" in rev.ask("GET", "/v1/log/checkpoint").content)
        assert policy.check(rev.ask("GET", "/v1/log/checkpoint").content).checkpoint.size == 3
        assert policy.check(rev.feed()[1]).checkpoint.size == 3
    seen = tlog.known_log(witness.db, here.key.origin)
    assert seen is not None
    assert (seen.size, seen.keys) == (3, (here.key.verifier,))


def test_a_central_log_that_was_set_back_gets_no_line_and_leaves_evidence(
    tmp_path: Path, town: Town, witness: Served
) -> None:
    here = opened(tmp_path / "central")
    witness.trusted.append(here.key.verifier)
    settle(here, town, [town.roster(), *town.campaign()])
    _, signed = here.newest()
    assert witness.ask(note.Request(0, (), signed).text).status_code == 200
    back = asked_again(here, 2)
    assert witness.ask(note.Request(3, (), back).text).status_code == 400
    assert witness.ask(note.Request(2, (), back).text).text == "3\n"
    assert {one.origin for one in tlog.refused(witness.db)} == {here.key.origin}
    here.close()


def asked_again(here: Central, size: int) -> str:
    """What the log would sign had it been set back to *size*."""
    with here.store.reading() as tx:
        return str(here.key.sign(Checkpoint(here.key.origin, size, _log.root_at(tx, size))))


@pytest.mark.ci
def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    env = {**os.environ, "MUSTER_ME": "auditor@example.com",
           "MUSTER_WORKSPACE": str(tmp_path / "witness")}  # fmt: skip
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery")
    env["MUSTER_KEY_PASSPHRASE_FILE"] = str(secret)

    def muster(*words: str) -> str:
        done = subprocess.run([sys.executable, "-m", "passmuster", *words], env=env, check=True,
                              capture_output=True, text=True, timeout=120)  # fmt: skip
        return done.stdout.strip()

    muster("init")
    muster("key", "new", "--key-store", "file")
    verifier = note.parse_key(muster("witness", "key", "--name", "auditor.example/w1"))
    process = subprocess.Popen(
        [sys.executable, "-m", "passmuster", "witness", "serve", "--listen", "127.0.0.1:0",
         "--log-key", str(log_key())],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = {}
    for line in process.stdout:
        name, _, value = line.strip().partition(" ")
        said[name] = value.strip()
        if name == "url":
            break
    answer = httpx.post(f"{said['url']}/add-checkpoint", content=request(0, 5).encode(),
                        timeout=WAIT_S)  # fmt: skip
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, errors
    assert said["key"] == str(verifier)
    Policy((log_key(),), (verifier,), 1).check(checkpoint(5) + answer.text)
    assert '"status": 200' in errors
