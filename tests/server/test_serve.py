"""`muster serve` as a process: its first start, its end, its violent end, and two of it."""

import json
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from passmuster import attestations, central, merkle, note
from passmuster.server import _log
from tests.server.postgres import Cluster, started
from tests.server.running import Process, opened, settle, talking
from tests.server.town import BOSS, REV, Town

pytestmark = pytest.mark.ci


def town_in(folder: Path, **more: Any) -> tuple[Town, str]:
    """A log with a roster and a campaign, made before any server runs."""
    town = Town()
    here = opened(folder, **more)
    lines = [town.roster(), *town.campaign()]
    assert {r.status for r in settle(here, town, lines)} == {"accepted"}
    here.close()
    return town, attestations.unchecked(lines[1]).name


def whole(url: str, town: Town) -> list[str]:
    """Every leaf of the log, once its feed gives the root that its checkpoint says."""
    with talking(url, town, BOSS) as boss:
        leaves: list[str] = []
        while True:
            rows, signed = boss.feed(len(leaves))
            assert [row["index"] for row in rows] == list(
                range(len(leaves), len(leaves) + len(rows))
            )
            leaves += [row["leaf"] for row in rows]
            said = note.parse_checkpoint(note.parse(signed).text)
            if len(leaves) == said.size:
                break
    tree = merkle.Frontier()
    for leaf in leaves:
        tree.append(bytes.fromhex(leaf))
    assert tree.root() == said.root.hex()
    assert len(set(leaves)) == len(leaves)
    return leaves


def test_one_command_serves_and_says_what_to_pin_and_whom_to_invite(tmp_path: Path) -> None:
    folder = tmp_path / "central"
    made = Process(folder)
    try:
        assert made.said.keys() == {"log", "key", "pin", "invite", "url"}
        with talking(made.url) as nobody:
            about = nobody.ask("GET", "/v1/about").json()
        assert (about["origin"], about["key"]) == (made.said["log"], made.said["key"])
        assert central.pin_of(about["key"]) == made.said["pin"]
        assert made.said["url"].removeprefix("http://") in made.said["invite"]
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
    finally:
        code = made.end(signal.SIGTERM)
    lines = [json.loads(x) for x in made.log.read_text().splitlines() if x.startswith("{")]
    assert [x["event"] for x in lines if x["event"] != "request"] == [
        "stopping", "stopped",
    ]  # fmt: skip
    token = made.said["invite"]
    assert token not in made.log.read_text()
    assert code == 0


def test_who_waits_for_news_does_not_hold_up_the_end(tmp_path: Path) -> None:
    town, _ = town_in(tmp_path / "central")
    made = Process(tmp_path / "central")
    with talking(made.url, town, BOSS) as boss:
        found: list[int] = []
        boss.feed()
        waiting = threading.Thread(target=lambda: found.append(len(boss.feed(3, wait=30)[0])))
        waiting.start()
        while "GET /v1/feed" not in made.log.read_text():
            time.sleep(0.01)
        began = time.monotonic()
        made.end(signal.SIGTERM)
        waiting.join(20)
    assert found == [0]
    assert time.monotonic() - began < 25


def send_until_it_dies(url: str, town: Town, digest: str, acknowledged: list[str]) -> None:
    """One record after the other; what was answered is noted."""
    with talking(url, town, REV) as rev:
        while True:
            lines = town.decisions(REV, digest, 3)
            try:
                rev.put([town.blobs[central.read(line).blobs[0]] for line in lines])
                answer = rev.send(lines)
            except (httpx.HTTPError, AssertionError):
                return
            assert {r["status"] for r in answer["results"]} <= {"accepted", "duplicate"}
            acknowledged += [r["leaf"] for r in answer["results"]]


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    town, digest = town_in(tmp_path / "central")
    acknowledged: list[str] = []
    for round_ in range(3):
        made = Process(tmp_path / "central")
        sending = threading.Thread(
            target=send_until_it_dies, args=(made.url, town, digest, acknowledged)
        )
        sending.start()
        had, end = len(acknowledged), time.monotonic() + 30
        while len(acknowledged) < had + 12 + 3 * round_ and time.monotonic() < end:
            time.sleep(0.003)
        made.end(signal.SIGKILL)
        sending.join(30)
        # its device's chain goes on where the log has it: what was not answered may be there
        town.chains.clear()
        _resume(tmp_path / "central", town)
    made = Process(tmp_path / "central")
    try:
        there = whole(made.url, town)
    finally:
        made.end()
    assert len(acknowledged) > 36
    assert not set(acknowledged) - set(there)
    assert len(there) - 3 - len(acknowledged) <= 9


def _resume(folder: Path, town: Town) -> None:
    here = opened(folder)
    with here.store.reading() as tx:
        for device, seq, name in tx.execute(
            "SELECT device, seq, statement FROM record ORDER BY idx"
        ):
            town.chains[device] = attestations.Link(device, seq, name)
    here.close()


def test_a_database_set_back_is_not_served_and_the_message_says_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "central"
    town, digest = town_in(folder)
    backup = (folder / "central.db").read_bytes()
    here = opened(folder)
    settle(here, town, town.decisions(REV, digest))
    here.close()
    (folder / "central.db").write_bytes(backup)
    words = [sys.executable, "-m", "passmuster", "serve", "--folder", str(folder)]
    done = subprocess.run([*words, "--listen", "127.0.0.1:0"], capture_output=True, text=True,
                          check=False, timeout=60)  # fmt: skip
    assert done.returncode == 4
    assert "`muster serve recover --help`" in done.stderr
    assert "the database has 3" in done.stderr
    done = subprocess.run([*words, "recover", "--to", "3", "--reason", "restored from a backup"],
                          capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = Process(folder)
    try:
        assert len(whole(made.url, town)) == 3
        assert f"log     {made.said['log']}" in done.stdout
    finally:
        made.end()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--listen", "0.0.0.0:0"], "--behind-proxy"),
        (["--listen", "nowhere"], "--listen is HOST:PORT"),
        (["--witness", "w"], "--witness is VKEY=URL"),
        (["--database", "mysql://x"], "no database that is known here"),
        (["--database", "postgresql:///x?host=/nowhere"], "the database:"),
    ],
)
def test_a_wrong_start_says_what_to_do(tmp_path: Path, words: list[str], why: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "passmuster", "serve", "--folder", str(tmp_path / "c"), *words],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode in (1, 2)
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout


# --- two replicas


def test_two_replicas_append_to_one_log_without_a_gap_while_one_is_killed(
    tmp_path: Path, cluster: Cluster
) -> None:
    url = cluster.database()
    town, digest = town_in(tmp_path / "one", database=url)
    (tmp_path / "two").mkdir(mode=0o700)
    key = (tmp_path / "one" / _log.KEY_FILE).read_bytes()
    (tmp_path / "two" / _log.KEY_FILE).write_bytes(key)
    (tmp_path / "two" / _log.KEY_FILE).chmod(0o600)
    anchor = str(tmp_path / "anchor.db")
    pair = [Process(tmp_path / n, "--database", url, "--anchor", anchor) for n in ("one", "two")]
    acknowledged: list[str] = []
    people = []
    for n in range(4):
        mine = Town()
        mine.under, mine.chains = town.under, {}
        mine.say = _own_device(mine, f"{n + 1:032x}")  # type: ignore[method-assign]
        people.append(mine)
    threads = [
        threading.Thread(target=send_until_it_dies,
                         args=(pair[n % 2].url, mine, digest, acknowledged))
        for n, mine in enumerate(people)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    end = time.monotonic() + 40
    while len(acknowledged) < 60 and time.monotonic() < end:
        time.sleep(0.01)
    pair[0].end(signal.SIGKILL)
    had = len(acknowledged)
    while len(acknowledged) < had + 30 and time.monotonic() < end:
        time.sleep(0.01)
    pair[1].end(signal.SIGTERM)
    for thread in threads:
        thread.join(30)
    assert len(acknowledged) >= had + 30
    again = Process(tmp_path / "two", "--database", url, "--anchor", anchor)
    try:
        there = whole(again.url, town)
    finally:
        again.end()
    assert not set(acknowledged) - set(there)


def _own_device(town: Town, device: str) -> Any:
    """`Town.say` from a device of its own."""

    def say(kind: str, who: str, body: Any, subject: Any = None, **_: Any) -> bytes:
        before = town.chains.get(device)
        link = attestations.Link(device, before.seq + 1 if before else 1,
                                 before.prev if before else None, town.under)  # fmt: skip
        about = {name: town.blob(device.encode() + data) for name, data in subject.items()}
        payload = attestations.statement(kind, about, body, link, "2026-01-01T00:00:00Z", who)
        town.chains[device] = attestations.Link(
            device, link.seq, attestations.unsigned(payload).name
        )
        return attestations.sign(payload, town.keys[who])

    return say


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A PostgreSQL that this test may kill."""
    with started() as found:
        yield found


def test_what_was_acknowledged_is_there_after_postgresql_was_killed(
    tmp_path: Path, own_cluster: Cluster
) -> None:
    url = own_cluster.database()
    town, digest = town_in(tmp_path / "one", database=url)
    made = Process(tmp_path / "one", "--database", url)
    acknowledged: list[str] = []
    sending = threading.Thread(
        target=send_until_it_dies, args=(made.url, town, digest, acknowledged)
    )
    sending.start()
    end = time.monotonic() + 30
    while len(acknowledged) < 15 and time.monotonic() < end:
        time.sleep(0.003)
    own_cluster.kill()
    sending.join(30)
    try:
        with talking(made.url) as nobody:
            red = nobody.ask("GET", "/readyz")
            assert (red.status_code, red.json()["code"]) == (503, "unavailable")
            own_cluster.start()
            assert nobody.ask("GET", "/readyz").status_code == 200
        there = whole(made.url, town)
    finally:
        made.end()
    assert len(acknowledged) >= 15
    assert not set(acknowledged) - set(there)
