"""Sockets that end in time: one deadline over name, connection, handshake, request and answer.

The time-outs of HTTP libraries count from one read to the next, so that a byte every fifth of a
second keeps a request alive for ever. Here every single operation gets what is left of one
deadline. Names are asked for in a thread, because the system's resolver cannot be called off.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from passmuster.errors import Unreachable, UsageError
from passmuster.text import visible

if TYPE_CHECKING:
    from httpcore._backends.base import SOCKET_OPTION

WRITE_BYTES = 16 * 1024
"""Of one write: what a peer that reads slowly can hold up past the deadline at most."""


class Late(Exception):
    """The deadline has passed."""


class Deadline:
    """When everything must be over; one request of one caller at a time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._end = 0.0

    def begin(self, seconds: float) -> None:
        """Everything from now on must be over in *seconds*."""
        self._end = self.clock() + seconds

    def left(self) -> float:
        """Seconds; raises Late when there are none."""
        left = self._end - self.clock()
        if left <= 0:
            raise Late
        return left


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._inner.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        for at in range(0, len(buffer), WRITE_BYTES):
            self._inner.write(buffer[at : at + WRITE_BYTES], self._deadline.left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:  # fmt: skip
        left = self._deadline.left()
        try:
            made = self._inner.start_tls(ssl_context, server_hostname, left)
        except httpcore.ConnectTimeout:
            raise Late(" (it did not answer to TLS: is the port right?)") from None
        return _Stream(made, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, deadline: Deadline) -> None:
        self._deadline, self._inner = deadline, httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: "Iterable[SOCKET_OPTION] | None" = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        failed: Exception | None = None
        for address in self._addresses(host, port):
            try:
                found = self._inner.connect_tcp(
                    address, port, self._deadline.left(), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return _Stream(found, self._deadline)
        raise failed or httpcore.ConnectError("the name has no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        found: list[Any] = []

        def look() -> None:
            try:
                found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError) as error:
                found.append(error)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(self._deadline.left())
        if not found:
            raise Late
        try:
            if isinstance(found[0], Exception):
                raise found[0]
        except (OSError, UnicodeError) as error:  # raised, so that it stays in the chain
            raise httpcore.ConnectError(str(error)) from error
        return list(dict.fromkeys(str(one[4][0]) for one in found[0]))


class Wire(httpx.BaseTransport):
    """HTTP/1.1 to one server, through the proxy of the environment where there is one."""

    def __init__(
        self, url: str, ca: Path | None, deadline: Deadline,
        client: tuple[Path, Path] | None = None,
    ) -> None:  # fmt: skip
        parsed = httpx.URL(url)
        shared: dict[str, Any] = {
            "ssl_context": _trust(ca, client, parsed.scheme),
            "network_backend": _Backend(deadline), "http1": True, "http2": False,
            "max_connections": 2, "max_keepalive_connections": 1,
            "keepalive_expiry": 15.0,
        }  # fmt: skip
        proxy = _proxy(parsed)
        self._pool = (
            httpcore.HTTPProxy(proxy, **shared) if proxy else httpcore.ConnectionPool(**shared)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it; the body is read by whoever has the answer."""
        assert isinstance(request.stream, httpx.SyncByteStream)
        answer = self._pool.handle_request(httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw, content=request.stream,
        ))  # fmt: skip
        assert isinstance(answer.stream, Iterable)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream),
            extensions=answer.extensions,
        )  # fmt: skip

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        self._stream.close()


def _trust(ca: Path | None, client: tuple[Path, Path] | None, scheme: str) -> ssl.SSLContext:
    """Whom to believe: the system's authorities, or those of the one file alone; who asks.

    Of a plain HTTP address it is nobody: reading the system's takes 20 ms, and none is asked.
    """
    if scheme == "http" and ca is None and client is None:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        made = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"{ca}: not a file with certificates (PEM): {error.strerror or error}"
        ) from None
    try:
        if client is not None:  # an encrypted key would ask on the terminal: it is refused
            made.load_cert_chain(*client, password=lambda: b"")
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"{client and client[0]}: no certificate with its key (PEM, not encrypted): "
            f"{error.strerror or error}"
        ) from None
    return made


def _proxy(url: httpx.URL) -> str | None:
    from urllib.request import getproxies, proxy_bypass

    found = getproxies().get(url.scheme)
    if not found or url.host in ("localhost", "127.0.0.1", "::1") or proxy_bypass(url.host):
        return None
    return found if "://" in found else f"http://{found}"


NETWORK_ERRORS: tuple[type[Exception], ...] = (
    Late, httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpcore.TimeoutException,
    httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError,
    httpcore.UnsupportedProtocol, OSError,
)  # fmt: skip
"""What the network may raise."""


def network_error(where: str, error: Exception, deadline_s: float) -> Unreachable:
    """What happened, in words that say whose turn it is."""
    chain: list[BaseException] = [error]
    while (below := chain[-1].__cause__ or chain[-1].__context__) and below not in chain:
        chain.append(below)
    for one in chain:
        if (found := _told(where, one)) is not None:
            return found
    late = (Late, httpx.TimeoutException, httpcore.TimeoutException, TimeoutError)
    if any(isinstance(one, late) for one in chain):
        why = str(error) if isinstance(error, Late) else ""
        return Unreachable(f"{where} did not finish within {deadline_s:g} s{why}", again=True)
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return Unreachable(f"{where} is no address: {error}")
    said = visible(str(error) or type(error).__name__)
    return Unreachable(f"{where}: the connection broke off: {said}", again=True)


def _told(where: str, one: BaseException) -> Unreachable | None:
    """What one error of the operating system or of TLS means; None where it says nothing."""
    match one:
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return None  # broken off, as without TLS
        case ssl.SSLCertVerificationError():
            return Unreachable(_certificate(where, one))
        case socket.gaierror():
            said = "no such name, or no name server answers: is this machine online?"
            return Unreachable(f"{where}: {said}", again=True)
        case ConnectionRefusedError():
            said = "refused the connection: nothing listens there"
            return Unreachable(f"{where} {said}", again=True)
        case ssl.SSLError():
            said = "does not speak TLS as it should: is the port right?"
            return Unreachable(f"{where} {said} ({one.reason or one})")
    return None


def _certificate(where: str, error: ssl.SSLCertVerificationError) -> str:
    said = error.verify_message
    if "mismatch" in said or "not valid for" in said:
        return f"{where} has a certificate of another name: {visible(said)}"
    if error.verify_code in {18, 19, 20, 21}:  # X509_V_ERR_…SELF_SIGNED…, …UNABLE_TO_GET_ISSUER…
        return (f"{where} has a certificate of an authority that is not trusted here ({said}): "
                "name that authority's file in central_ca")  # fmt: skip
    return f"{where} has a certificate that does not hold: {visible(said)}"
