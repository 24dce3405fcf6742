"""Those who hammer a log: replicas that keep their port, and clients that never give up.

A client does what the push of a sync does, and worse: every batch is sent until it is answered,
often to two replicas at once, often with what was answered before.
"""

import random
import signal
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from passmuster import attestations, note
from passmuster.attestations import Link
from passmuster.central import SEEN_HEADER
from passmuster.errors import VerificationFailed
from passmuster.keys import SigningKey
from passmuster.text import sha256
from tests.bench.known import Known
from tests.server.postgres import Cluster
from tests.server.running import Client, Process
from tests.server.town import AT, BOSS, REV, Town, leaf

HEAL_S = 90.0


@dataclass
class Replica:
    """One server on a port that it keeps."""

    folder: Path
    words: tuple[str, ...]
    port: int = 0
    process: Process | None = None

    def __post_init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> bool:
        """Start it; False where it did not, as while its database is down."""
        self.process = Process(self.folder, *self.words, "--listen", f"127.0.0.1:{self.port}")
        if "url" in self.process.said:
            return True
        code = self.end()
        if code == VerificationFailed.exit_code:
            raise AssertionError(self.process.log.read_text()[-2_000:])
        return False

    def end(self, how: signal.Signals = signal.SIGKILL) -> int:
        assert self.process is not None
        return self.process.end(how)


@dataclass
class Device:
    """Somebody's device, and what it has signed so far."""

    name: str
    key: SigningKey
    campaign: str
    roster: str | None
    seq: int = 0
    prev: str | None = None

    def signs(self, digest: str) -> bytes:
        """Its next sign-off."""
        link = Link(self.name, self.seq + 1, self.prev, self.roster)
        body = {"basis": {"campaign": self.campaign}, "count": 1}
        payload = attestations.statement(
            "decisions", {"decisions.jsonl": digest}, body, link, AT, self.key.principal
        )
        self.seq, self.prev = self.seq + 1, sha256(payload)
        return attestations.sign(payload, self.key)


@dataclass
class Field:
    """What is hammered, and by whom."""

    town: Town
    known: Known
    campaign: str
    replicas: list[Replica]
    cluster: Cluster | None
    folder: Path
    before: int
    stop: threading.Event = field(default_factory=threading.Event)
    faults: Counter[str] = field(default_factory=Counter)


# --- clients


class Sender:
    """A client that signs for one device and sends until it is answered."""

    def __init__(self, field_: Field, n: int, seed: int) -> None:
        self.field, self.draw = field_, random.Random(seed)
        self.who = (REV, BOSS)[n % 2]
        self.device = Device(f"{n + 1:032x}", field_.town.keys[self.who], field_.campaign,
                             field_.town.under)  # fmt: skip
        self.answered: list[bytes] = []
        self.clients: dict[str, Client] = {}
        self.newest = ""

    def run(self) -> None:
        number = 0
        while not (self.field.stop.is_set() or self.field.known.wrong):
            data = f"{self.device.name} {number}\n".encode()
            number += 1
            batch = [self._sign(sha256(data)) for _ in range(self.draw.choice((1, 1, 3, 20, 60)))]
            old = self.draw.sample(self.answered, min(len(self.answered), self.draw.randrange(4)))
            self._until_it_is_answered(data, old + batch)
            self.answered += batch[-2:]
        for client in self.clients.values():
            client.http.close()

    def _sign(self, digest: str) -> bytes:
        line = self.device.signs(digest)
        self.field.known.make(leaf(line), self.device.name, self.device.seq)
        return line

    def _until_it_is_answered(self, data: bytes, lines: list[bytes]) -> None:
        """By any replica; now and then by two at once."""
        end = time.monotonic() + 3 * HEAL_S
        while time.monotonic() < end and not self.field.known.wrong:
            urls = [r.url for r in self.field.replicas]
            self.draw.shuffle(urls)
            if len(urls) > 1 and self.draw.random() < 0.3:
                # the other client is the thread's own, so that neither waits for the other
                twin = threading.Thread(target=self._try, args=(urls[1], data, lines))
                twin.start()
                done = self._try(urls[0], data, lines)
                twin.join()
            else:
                done = self._try(urls[0], data, lines)
            if done:
                return
            time.sleep(self.draw.random() * 0.1)
        if not self.field.known.wrong:
            self.field.known.blame(f"{self.device.name} was never answered")

    def _try(self, url: str, data: bytes, lines: list[bytes]) -> bool:
        try:
            client = self.clients.get(url)
            if client is None:
                client = self.clients[url] = Client(url, self.field.town, self.who)
            put = client.ask("PUT", f"/v1/blobs/{sha256(data)}", data)
            if put.status_code not in (200, 201):
                return self._refused(put)
            answer = client.ask("POST", "/v1/records", b"\n".join(lines),
                                **{SEEN_HEADER.replace("-", "_"): self.newest})  # fmt: skip
            if answer.status_code != 200:
                return self._refused(answer)
            results = answer.json()["results"]
            if [r["leaf"] for r in results] != [leaf(line) for line in lines]:
                self.field.known.blame("the results are of other records")
            for result in results:
                self.field.known.acknowledge(result["leaf"], result["status"], result["index"])
            if self.draw.random() < 0.2:
                self._look(client)
        except (httpx.HTTPError, AssertionError, KeyError, ValueError):  # cut off: unknown
            gone = self.clients.pop(url, None)
            if gone is not None:
                gone.http.close()
            return False
        return True

    def _refused(self, answer: httpx.Response) -> bool:
        """Not done; a refusal that nothing here deserves is a fault."""
        code = answer.json().get("code")
        if answer.status_code != 503 or code == "log-rollback":
            self.field.known.blame(f"{answer.status_code} {code}: {answer.text[:300]}")
        return False

    def _look(self, client: Client) -> None:
        """At the newest checkpoint, which must hold for ever."""
        signed = client.ask("GET", "/v1/log/checkpoint")
        if signed.status_code == 200:
            self.field.known.see(signed.text)
            self.newest = " ".join(note.parse(signed.text).text.split("\n")[:3])
