"""A server that runs: uvicorn on a free port, in a thread or as a process, over a real database."""

import gzip
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from passmuster import central, server
from passmuster.central import SEEN_HEADER
from passmuster.server import Central, Listen, Settings, _blobs, _sequencer
from passmuster.server._accept import Job, prepare
from passmuster.sync._session import Session
from passmuster.text import sha256
from tests.server.town import Town

WAIT_S = 30.0


class Client:
    """Somebody who speaks HTTP with a server; with a session when *who* is given."""

    def __init__(self, url: str, town: Town | None = None, who: str | None = None) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=WAIT_S)
        self.session: Session | None = None
        if town is not None and who is not None:
            origin = self.http.get("/v1/about").json()["origin"]
            key = town.keys[who]
            self.session = Session(origin, lambda: key, self._begin)

    def _begin(self, body: bytes) -> Any:
        answer = self.http.post("/v1/sessions", content=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ask(self, method: str, path: str, content: Any = None, **headers: str) -> httpx.Response:
        """One request."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.session is not None:
            more |= self.session.headers(method, f"{self.url}{path}")
        return self.http.request(method, path, content=content, headers=more)

    def send(self, lines: Sequence[bytes], *, packed: bool = False, seen: str = "") -> Any:
        """Post records; the answer."""
        data = b"\n".join(lines)
        coding = {"Content_Encoding": "gzip"} if packed else {}
        answer = self.ask(
            "POST",
            "/v1/records",
            gzip.compress(data) if packed else data,
            **coding,
            **({SEEN_HEADER.replace("-", "_"): seen} if seen else {}),
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, blobs: Iterable[bytes]) -> None:
        """Send blobs."""
        for data in blobs:
            digest = sha256(data)
            assert self.ask("PUT", f"/v1/blobs/{digest}", data).status_code in (200, 201)

    def feed(self, after: int = 0, **query: int) -> tuple[list[Any], str]:
        """A page of the feed and its checkpoint."""
        rest = "".join(f"&{name}={value}" for name, value in query.items())
        answer = self.ask("GET", f"/v1/feed?after={after}{rest}")
        assert answer.status_code == 200, answer.text
        *rows, last = [json.loads(line) for line in answer.text.splitlines()]
        return rows, last["checkpoint"]


@contextmanager
def talking(url: str, town: Town | None = None, who: str | None = None) -> Iterator[Client]:
    """A client, closed at the end."""
    made = Client(url, town, who)
    try:
        yield made
    finally:
        made.http.close()


@contextmanager
def running(here: Central) -> Iterator[str]:
    """Serve *here* from a thread of this process; its URL."""
    told: queue.Queue[str] = queue.Queue()
    made = server.server(here, Listen("127.0.0.1", 0), told.put)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield told.get(timeout=WAIT_S)
    finally:
        made.should_exit = True
        thread.join(WAIT_S)
        here.close()


def settle(here: Central, town: Town, lines: Sequence[bytes]) -> list[central.Result]:
    """Put records into the log without a request, first rosters and enrolments too."""
    with here.store.transaction() as tx:
        for data in town.blobs.values():
            _blobs.keep(tx, data, here.clock())
        known = _sequencer.rosters(tx, here)
    keys = known[-1].keys if known else {}
    jobs = [Job([prepare(line, keys) for line in lines], invited=True)]
    return _sequencer.append(here, jobs)[0][0]


def opened(folder: Path, **more: Any) -> Central:
    """A server's database and key, made where they are not there."""
    return server.open_central(Settings(folder, **more))


class Process:
    """`muster serve` as a process of its own."""

    def __init__(self, folder: Path, *words: str, log: Path | None = None) -> None:
        self.log = log or folder.with_suffix(".log")
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "passmuster", "serve", "--folder", str(folder),
                 "--listen", "127.0.0.1:0", *words],
                stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ.copy(),
            )  # fmt: skip
        self.said: dict[str, str] = {}
        assert self.process.stdout is not None
        for line in self.process.stdout:
            name, _, value = line.strip().partition(" ")
            self.said[name] = value.strip()
            if name == "url":
                break

    @property
    def url(self) -> str:
        """Where it listens; an assertion with its log where it does not."""
        assert "url" in self.said, self.log.read_text()
        return self.said["url"]

    def end(self, how: signal.Signals = signal.SIGKILL) -> int:
        """Kill it, or ask it to stop; its exit code."""
        with suppress(ProcessLookupError):
            self.process.send_signal(how)
        code = self.process.wait(WAIT_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code
