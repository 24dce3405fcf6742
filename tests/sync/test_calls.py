"""Requests to a server that behaves badly in every way that was thought of: the fault catalogue."""

import gzip
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest
import trustme
import zstandard

from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.sync import PROTOCOL
from passmuster.transport import Caller, Patience
from passmuster.transport._wire import Deadline, Wire
from tests.sync.faults import (
    JSON,
    OK,
    Handler,
    closes,
    drips,
    in_turn,
    problem,
    reply,
    resets,
    sends,
    serving,
)

GOOD = sends(reply())
ONCE = Patience(tries=1)
BOMB = b"\0" * 30_000_000


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def call(
    handler: Handler, patience: Patience = ONCE, **more: Any
) -> tuple[Any, Clock, list[bytes]]:
    """What comes of one request to a server with *handler*."""
    clock = Clock()
    limits = {name: more.pop(name) for name in ("deadline_s", "max_bytes") if name in more}
    with serving(handler) as served, Caller(
        served.url, PROTOCOL, patience=patience, sleep=clock.sleep, draw=lambda: 1.0, **more
    ) as caller:  # fmt: skip
        try:
            found: Any = caller.call("GET", "/v1/about", **{"deadline_s": 30.0, **limits})
        except Unreachable as error:
            found = error
        return found, clock, served.requests


def test_a_whole_answer_is_taken() -> None:
    answer, _, _ = call(GOOD)
    assert answer.json() == {"a": 1}


WRONG: dict[str, tuple[Handler, str, bool]] = {
    "half a body": (sends(reply(OK, JSON + b"Content-Length: 1000\r\n")), "broke off", True),
    "half a chunk": (
        sends(reply(OK, JSON + b"Transfer-Encoding: chunked\r\n", b'5\r\n{"a":\r\n')),
        "broke off", True,
    ),
    "no length": (
        sends(b"HTTP/1.0 200 OK\r\n" + JSON + b'\r\n{"a":[1,2'), "how long", True
    ),
    "closed before the answer": (closes, "broke off", True),
    "reset": (resets, "broke off", True),
    "garbage": (sends(b"\x00\x01SSH-2.0-x\r\n\r\n"), "broke off", True),
    "a page to log in at": (
        sends(reply(OK, b"Content-Type: text/html\r\n", b"<html>Please log in")),
        "something else than a central API", False,
    ),
    "a page with the right type": (
        sends(reply(OK, b"Content-Type: application/json\r\n")), "something else", False
    ),
    "a page in our protocol": (
        sends(reply(OK, b"Content-Type: text/html\r\nMuster-Protocol: 1.0\r\n")),
        "text/html where application/json", False,
    ),
    "sent elsewhere": (
        sends(reply(b"302 Found", b"Location: http://127.0.0.1:9/\r\n", b"")), "elsewhere", False
    ),
    "another protocol": (
        sends(reply(OK, b"Content-Type: application/json\r\nMuster-Protocol: 2.0\r\n")),
        "upgrade", False,
    ),
    "a header without end": (
        sends(reply(OK, JSON + b"X: " + b"a" * 300_000 + b"\r\n")), "broke off", True
    ),
    "an unknown packing": (
        sends(reply(OK, JSON + b"Content-Encoding: br\r\n")), "not asked for", False
    ),
    "gzip cut short": (
        sends(reply(OK, JSON + b"Content-Encoding: gzip\r\n", gzip.compress(b"{}")[:-6])),
        "cut short", True,
    ),
    "gzip and more": (
        sends(reply(OK, JSON + b"Content-Encoding: gzip\r\n", gzip.compress(b"{}") + b"{}")),
        "behind its end", False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_never_a_success(name: str) -> None:
    handler, why, again = WRONG[name]
    found, _, requests = call(handler)
    assert isinstance(found, Unreachable)
    assert why in str(found)
    assert found.again is again
    assert len(requests) == 1


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_little_that_unpacks_into_much_is_stopped(encoding: str) -> None:
    packed = gzip.compress(BOMB) if encoding == "gzip" else zstandard.compress(BOMB)
    handler = sends(reply(OK, JSON + f"Content-Encoding: {encoding}\r\n".encode(), packed))
    found, _, _ = call(handler, max_bytes=100_000)
    assert "more than 100,000 bytes once it is unpacked" in str(found)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_what_is_packed_is_unpacked(encoding: str) -> None:
    body = b'{"a":"%b"}' % (b"x" * 90_000)
    packed = gzip.compress(body) if encoding == "gzip" else zstandard.compress(body)
    answer, _, _ = call(
        sends(reply(OK, JSON + f"Content-Encoding: {encoding}\r\n".encode(), packed))
    )
    assert answer.body == body


@pytest.mark.parametrize("part", ["status line", "header", "body"])
def test_a_slow_drip_ends_on_time(part: str) -> None:
    whole = reply(OK, JSON + b"Content-Length: 1000\r\n", b" " * 900)
    at = {"status line": 0, "header": 20, "body": whole.index(b"\r\n\r\n") + 4}[part]
    slow = drips(whole[at:], 0.05)

    def handler(sock: Any, request: bytes) -> None:
        sock.sendall(whole[:at])
        slow(sock, request)

    began = time.monotonic()
    found, _, _ = call(handler, deadline_s=0.3)
    assert "did not finish within 0.3 s" in str(found)
    assert found.again
    assert time.monotonic() - began < 5  # the drip itself takes 45 s and more


def test_a_server_that_says_nothing_and_one_that_reads_nothing_end_on_time() -> None:
    found, _, _ = call(lambda sock, _: (sock.recv(1), None)[1], deadline_s=0.2)
    assert "did not finish within 0.2 s" in str(found)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_what_may_pass_is_tried_again(status: int) -> None:
    answer, clock, requests = call(
        in_turn(sends(problem(b"%d X" % status, b"busy")), closes, GOOD), Patience(tries=3)
    )
    assert answer.json() == {"a": 1}
    assert clock.slept == [1.0, 2.0]
    assert len(requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 409, 413, 422, 404, 410, 501])
def test_what_was_refused_is_never_sent_again(status: int) -> None:
    found, clock, requests = call(
        in_turn(sends(problem(b"%d X" % status, b"forbidden")), GOOD), Patience(tries=9)
    )
    assert isinstance(found, Declined)
    assert (found.status, found.code) == (status, "forbidden")
    assert "no forbidden" in str(found)
    assert (len(requests), clock.slept) == (1, [])


def test_a_log_that_was_set_back_is_not_asked_again() -> None:
    found, _, requests = call(sends(problem(b"503 X", b"log-rollback")), Patience(tries=5))
    assert isinstance(found, Declined)
    assert found.code == "log-rollback"
    assert len(requests) == 1


def test_a_proxy_that_has_no_server_behind_it_is_tried_again() -> None:
    html = reply(b"502 Bad Gateway", b"Content-Type: text/html\r\n", b"<html>")
    answer, clock, _ = call(in_turn(sends(html), GOOD), Patience(tries=2))
    assert answer.json() == {"a": 1}
    assert clock.slept == [1.0]


def test_waits_double_are_drawn_by_lot_and_end() -> None:
    with serving(closes) as served:
        slept: list[float] = []
        caller = Caller(
            served.url, PROTOCOL, patience=Patience(tries=12, most_s=60.0, total_s=1e9),
            sleep=slept.append, draw=lambda: 0.5,
        )  # fmt: skip
        with caller, pytest.raises(Unreachable):
            caller.call("GET", "/v1/about", deadline_s=30)
    assert slept == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(b"7", 7.0), (b"Thu, 01 Jan 1970 00:02:00 GMT", 20.0), (b"soon", 1.0)],
)
def test_retry_after_goes_before_the_lot(header: bytes, seconds: float) -> None:
    busy = sends(problem(b"429 X", b"busy", b"Retry-After: %b\r\n" % header))
    _, clock, _ = call(in_turn(busy, GOOD), Patience(tries=2), wall=lambda: 100.0)
    assert clock.slept == [seconds]


def test_a_wait_that_is_too_long_is_not_begun() -> None:
    busy = sends(problem(b"429 X", b"busy", b"Retry-After: 3600\r\n"))
    found, clock, _ = call(busy, Patience(tries=5, total_s=100))
    assert isinstance(found, Declined)
    assert found.after_s == 3600
    assert clock.slept == []


def test_a_problem_that_is_none_and_one_without_end_are_said() -> None:
    for body in (b"[1]", b"<html>", b'{"a":', b"[" * 50_000):
        head = b"Content-Type: application/problem+json\r\nMuster-Protocol: 1.0\r\n"
        found, _, _ = call(sends(reply(b"403 X", head, body)))
        assert isinstance(found, Declined)
        assert found.code == ""


def test_a_detail_cannot_write_to_the_terminal() -> None:
    body = b'{"code":"forbidden","detail":"a\\u001b]52;c;eA==\\u0007b"}'
    head = b"Content-Type: application/problem+json\r\nMuster-Protocol: 1.0\r\n"
    found, _, _ = call(sends(reply(b"403 X", head, body)))
    assert "\x1b" not in str(found)


# --- who is spoken to


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    yield path


def over_tls(context: ssl.SSLContext, ca: Path | None) -> Any:
    with serving(GOOD, context) as served, Caller(
        served.url, PROTOCOL, ca, patience=Patience(tries=4), sleep=lambda _: None
    ) as caller:  # fmt: skip
        try:
            return caller.call("GET", "/v1/about", deadline_s=30).json()
        except Unreachable as error:
            assert len(served.requests) == 0
            return str(error)


def test_the_named_authority_is_believed(authority: trustme.CA, ca_file: Path) -> None:
    assert over_tls(tls(authority, "127.0.0.1"), ca_file) == {"a": 1}


def test_another_authority_is_not_believed_and_is_told_from_another_name(
    authority: trustme.CA, ca_file: Path
) -> None:
    assert "authority that is not trusted" in over_tls(tls(trustme.CA(), "127.0.0.1"), ca_file)
    assert "authority that is not trusted" in over_tls(tls(authority, "127.0.0.1"), None)
    assert "certificate of another name" in over_tls(tls(authority, "other.example"), ca_file)


def test_the_systems_authorities_are_believed_but_not_over_a_plain_address(
    authority: trustme.CA, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    context, deadline = tls(authority, "127.0.0.1"), Deadline(time.monotonic)
    assert over_tls(context, None) == {"a": 1}
    with serving(GOOD, context) as served, httpx.Client(
        transport=Wire("http://127.0.0.1", None, deadline)
    ) as client, pytest.raises(httpcore.ConnectError, match="VERIFY_FAILED"):  # fmt: skip
        deadline.begin(30)
        client.get(f"{served.url}/v1/about")


def hasty(sock: Any, _: bytes) -> None:
    sock.sendall(reply(b"400 Bad Request"))


def test_a_server_without_tls_on_its_port_is_said(ca_file: Path) -> None:
    for seconds, why in ((0.2, "did not answer to TLS"), (30.0, "does not speak TLS")):
        with serving(hasty, reads=seconds < 1) as served, Caller(
            f"https://127.0.0.1:{served.port}", PROTOCOL, ca_file, patience=ONCE
        ) as caller, pytest.raises(Unreachable, match=why):  # fmt: skip
            caller.call("GET", "/v1/about", deadline_s=seconds)


def test_no_listener_and_no_name_are_told_apart() -> None:
    with serving(GOOD) as served:
        pass
    for url, why in ((served.url, "nothing listens"), ("https://x.invalid", "no such name")):
        with Caller(url, PROTOCOL, patience=ONCE) as caller, pytest.raises(
            Unreachable, match=why
        ) as caught:  # fmt: skip
            caller.call("GET", "/v1/about", deadline_s=30)
        assert caught.value.again


@pytest.mark.parametrize("url", [
    "http://central.example", "ftp://central.example", "central.example", "https://", "https://[",
    "https://a/?b=c",
])  # fmt: skip
def test_an_address_that_anybody_could_answer_for_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        Caller(url, PROTOCOL)


def test_a_file_without_certificates_is_said(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    with pytest.raises(UsageError, match=r"ca\.pem"):
        Caller("https://127.0.0.1", PROTOCOL, tmp_path / "ca.pem")


# --- what is sent


def test_every_try_proves_anew_who_asks_and_large_bodies_are_packed() -> None:
    proofs = iter(range(9))
    body = b'{"x":"%b"}' % (b"y" * 5_000)
    with serving(in_turn(closes, GOOD)) as served, Caller(
        served.url, PROTOCOL, sleep=lambda _: None,
        authorize=lambda method, url: {"DPoP": f"{method} {url} {next(proofs)}"},
    ) as caller:  # fmt: skip
        caller.call("POST", "/v1/records", body, deadline_s=30)
        first, second = served.requests
        url = f"{served.url}/v1/records"
    assert f"POST {url} 0".encode() in first
    assert f"POST {url} 1".encode() in second
    head, _, sent = second.partition(b"\r\n\r\n")
    assert b"content-encoding: gzip" in head.lower()
    assert gzip.decompress(sent) == body
    assert first.partition(b"\r\n\r\n")[2] == sent


def test_a_body_in_pieces_begins_anew_at_each_try() -> None:
    with serving(in_turn(closes, GOOD)) as served, Caller(
        served.url, PROTOCOL, sleep=lambda _: None
    ) as caller:  # fmt: skip
        caller.call("PUT", "/v1/blobs/x", lambda: iter([b"a" * 10, b"b" * 10]), deadline_s=30)
        bodies = [request.partition(b"\r\n\r\n")[2] for request in served.requests]
    assert bodies[0] == bodies[1]
    assert bodies[0].endswith(b"0\r\n\r\n")
