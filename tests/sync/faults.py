"""A TCP server whose answers are wrong in one way each, for tests of the client."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator

Handler = Callable[[socket.socket, bytes], None]
OK = b"200 OK"
JSON = b"Content-Type: application/json\r\nMuster-Protocol: 1.0\r\n"


def reply(status: bytes = OK, headers: bytes = JSON, body: bytes = b'{"a":1}') -> bytes:
    length = b"" if b"ength" in headers or b"chunked" in headers else (
        b"Content-Length: %d\r\n" % len(body)
    )  # fmt: skip
    # each answer ends its connection: else the next request may meet one that is about to close
    ends = b"Connection: close\r\n"
    return b"HTTP/1.1 " + status + b"\r\n" + headers + length + ends + b"\r\n" + body


def problem(status: bytes, code: bytes, more: bytes = b"") -> bytes:
    body = b'{"type":"https://x/problems/%b","status":%b,"code":"%b","detail":"no %b"}' % (
        code, status[:3], code, code,
    )  # fmt: skip
    return reply(
        status, b"Content-Type: application/problem+json\r\nMuster-Protocol: 1.0\r\n" + more, body
    )


def sends(data: bytes) -> Handler:
    return lambda sock, _: sock.sendall(data)


def resets(sock: socket.socket, _: bytes) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closes(_sock: socket.socket, _: bytes) -> None:
    """Nothing at all."""


def drips(data: bytes, every_s: float) -> Handler:
    def handle(sock: socket.socket, _: bytes) -> None:
        for byte in data:
            sock.sendall(bytes([byte]))
            time.sleep(every_s)

    return handle


def in_turn(*handlers: Handler) -> Handler:
    """One after the other, the last one for ever."""
    left = list(handlers)

    def handle(sock: socket.socket, request: bytes) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(sock, request)

    return handle


class Served:
    """What was asked of a server on this machine."""

    def __init__(self, port: int, scheme: str) -> None:
        self.port, self.url = port, f"{scheme}://127.0.0.1:{port}"
        self.requests: list[bytes] = []


@contextlib.contextmanager
def serving(
    handler: Handler, tls: ssl.SSLContext | None = None, *, reads: bool = True
) -> Iterator[Served]:
    """Answer with *handler*, a thread for each connection, until the block ends.

    Without *reads* it answers before it has heard anything.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    served = Served(listener.getsockname()[1], "https" if tls else "http")
    open_: list[socket.socket] = []

    def one(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if tls is not None:
                sock = tls.wrap_socket(sock, server_side=True)
                open_.append(sock)
            request = _request(sock) if reads else sock.recv(1)
            served.requests.append(request)
            handler(sock, request)
        sock.close()

    def loop() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                open_.append(sock)
                threading.Thread(target=one, args=(sock,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    try:
        yield served
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for sock in open_:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def _request(sock: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65_536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lower = head.lower()
    if b"content-length:" in lower:
        length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length and (more := sock.recv(65_536)):
            body += more
    elif b"transfer-encoding: chunked" in lower:
        while not body.endswith(b"0\r\n\r\n") and (more := sock.recv(65_536)):
            body += more
    return head + b"\r\n\r\n" + body
