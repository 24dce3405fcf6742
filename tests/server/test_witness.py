"""Witnesses of the central log: asked after it grew, believed when their line holds."""

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from passmuster import attestations, note
from passmuster.note import Policy, VerifierKey
from passmuster.server import Central, _log
from passmuster.tlog import _witness
from passmuster.tlog._witness import Seen
from tests.server.running import opened, running, settle, talking
from tests.server.town import REV, Town

WAIT_S = 20.0


@dataclass
class Witness:
    """One that cosigns by the code of `muster witness`, over HTTP."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    seen: dict[str, Seen] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    spoil: Callable[[str], str] = lambda body: body
    """What becomes of its answers on the way."""
    pause: threading.Event | None = None

    @property
    def verifier(self) -> VerifierKey:
        return note.witness_key("auditor.example/w1", self.key.public_key().public_bytes_raw())

    def answer(self, body: bytes) -> tuple[int, str]:
        if self.pause is not None:
            self.pause.wait(WAIT_S)
        made = _witness.judge(
            body, self.seen.get,
            lambda text: note.cosign(text, self.verifier, self.key.sign, 1_800_000_000),
        )  # fmt: skip
        if made.seen is not None and made.said is not None:
            self.seen[made.said.origin] = made.seen
        self.statuses.append(made.status)
        return made.status, self.spoil(made.body)


@contextmanager
def serving(witness: Witness) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/add-checkpoint"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, data = witness.answer(body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(data.encode())))
            self.end_headers()
            self.wfile.write(data.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def begun(folder: Path, town: Town, witness: Witness, url: str) -> tuple[Central, str]:
    here = opened(folder, witnesses=((witness.verifier, url),))
    witness.seen.setdefault(here.key.origin, Seen((here.key.verifier,)))
    lines = [town.roster(), *town.campaign()]
    settle(here, town, lines)
    return here, attestations.unchecked(lines[1]).name


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_checkpoint_carries_the_lines_of_its_witnesses(tmp_path: Path, town: Town) -> None:
    witness = Witness()
    with serving(witness) as url:
        here, digest = begun(tmp_path / "central", town, witness, url)
        policy = Policy((here.key.verifier,), (witness.verifier,), 1)
        with running(here) as where, talking(where, town, REV) as rev:
            for size in (3, 4, 5):
                if size > 3:
                    lines = town.decisions(REV, digest)
                    rev.put(town.blobs.values())
                    rev.send(lines)
                until(lambda size=size: witness.seen[here.key.origin].size == size)  # type: ignore[misc]
                until(lambda: b"auditor.example/w1" in rev.ask("GET", "/v1/log/checkpoint").content)
                opened_ = policy.check(rev.ask("GET", "/v1/log/checkpoint").content)
                assert opened_.checkpoint.size == size
            assert policy.check(rev.feed()[1]).checkpoint.size == 5
    assert witness.statuses == [200, 200, 200]


def test_a_witness_that_knows_another_size_says_so_and_is_asked_again(
    tmp_path: Path, town: Town
) -> None:
    witness = Witness()
    with serving(witness) as url:
        here, _ = begun(tmp_path / "central", town, witness, url)
        with here.store.reading() as tx:
            witness.seen[here.key.origin] = Seen((here.key.verifier,), 2, _log.root_at(tx, 2))
        with running(here):
            until(lambda: witness.seen[here.key.origin].size == 3)
    assert witness.statuses == [409, 200]


@pytest.mark.parametrize(
    "spoil",
    [lambda _: "", lambda body: body.replace("w1 ", "w2 "), lambda body: body[:-20] + "AAAA=\n",
     lambda _: "<html>log in</html>\n", lambda _: "x" * 100_000],
    ids=["nothing", "another name", "damaged", "a page", "too much"],
)  # fmt: skip
def test_a_line_that_does_not_hold_is_left_out(
    tmp_path: Path, town: Town, spoil: Callable[[str], str]
) -> None:
    witness = Witness(spoil=spoil)
    with serving(witness) as url:
        here, _ = begun(tmp_path / "central", town, witness, url)
        with running(here) as where, talking(where) as nobody:
            until(lambda: "muster_witness_total" in nobody.ask("GET", "/metrics").text.split(
                "# TYPE muster_witness_total counter\n")[1].split("#")[0])  # fmt: skip
            assert "auditor" not in nobody.ask("GET", "/v1/log/checkpoint").text


def test_a_witness_that_does_not_answer_holds_up_nobody(tmp_path: Path, town: Town) -> None:
    witness = Witness(pause=threading.Event())
    assert witness.pause is not None
    with serving(witness) as url:
        here, digest = begun(tmp_path / "central", town, witness, url)
        with running(here) as where, talking(where, town, REV) as rev:
            lines = town.decisions(REV, digest, 3)
            rev.put(town.blobs.values())
            for line in lines:
                assert rev.send([line])["results"][0]["status"] == "accepted"
            assert witness.statuses == []
            witness.pause.set()
            until(lambda: witness.seen[here.key.origin].size == 6)
