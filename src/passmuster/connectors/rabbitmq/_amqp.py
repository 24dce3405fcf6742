"""A login by AMQP 0-9-1 (§4.2, connection class), as far as `open-ok`, and no further.

It is asked whether RabbitMQ takes a user: the management API refuses whoever has no tag, so only
AMQP itself can say. `authentication_failure_close` makes it say why ("Authentication Failure
Notification" of RabbitMQ's documentation).
"""

import socket
import ssl
import struct

from passmuster.connectors._session import watched
from passmuster.errors import Declined, Unreachable
from passmuster.text import visible

START, START_OK, TUNE, TUNE_OK = (10, 10), (10, 11), (10, 30), (10, 31)
OPEN, OPEN_OK, CLOSE = (10, 40), (10, 41), (10, 50)
MAX_FRAME = 1 << 17
_END = b"\xce"


def login(
    place: tuple[str, int], tls: ssl.SSLContext | None, user: str, password: str, vhost: str,
    seconds: float,
) -> None:  # fmt: skip
    """Log in and out. Raises Declined with AMQP's reply code (403, 530), else Unreachable."""
    called = f"amqp at {place[0]}:{place[1]}"
    try:
        with socket.create_connection(place, seconds) as raw, watched(raw.fileno(), seconds):
            wire = raw if tls is None else tls.wrap_socket(raw, server_hostname=place[0])
            with wire:
                _talk(wire, called, user, password, vhost)
    except (OSError, ValueError, struct.error) as error:
        raise Unreachable(f"{called}: {visible(str(error))[:200]}", again=True) from None


def _talk(wire: socket.socket, called: str, user: str, password: str, vhost: str) -> None:
    wire.sendall(b"AMQP\x00\x00\x09\x01")
    _expect(wire, called, START)
    why = _table(_short("authentication_failure_close") + b"t\x01")
    mine = _table(_short("capabilities") + b"F" + why)
    answer = _long(f"\0{user}\0{password}".encode())
    _send(wire, START_OK, mine + _short("PLAIN") + answer + _short("en_US"))
    tune = _expect(wire, called, TUNE)
    _send(wire, TUNE_OK, tune[:6] + b"\0\0")
    _send(wire, OPEN, _short(vhost) + b"\0\0")
    _expect(wire, called, OPEN_OK)
    _send(wire, CLOSE, struct.pack(">H", 200) + _short("") + b"\0\0\0\0")


def _send(wire: socket.socket, method: tuple[int, int], arguments: bytes) -> None:
    payload = struct.pack(">HH", *method) + arguments
    wire.sendall(struct.pack(">BHI", 1, 0, len(payload)) + payload + _END)


def _expect(wire: socket.socket, called: str, wanted: tuple[int, int]) -> bytes:
    """The arguments of the next method; Declined where it closes instead."""
    kind, _, size = struct.unpack(">BHI", _read(wire, 7))
    if kind != 1 or not 4 <= size <= MAX_FRAME:
        raise ValueError("no frame of AMQP 0-9-1")
    payload = _read(wire, size + 1)[:-1]
    method = struct.unpack(">HH", payload[:4])
    if method == CLOSE:
        code, length = struct.unpack(">HB", payload[4:7])
        words = payload[7 : 7 + length].decode("utf-8", "replace")
        raise Declined(f"{called} answered {code}: {visible(words)}", str(code), code)
    if method != wanted:
        raise ValueError(f"method {method} instead of {wanted}")
    return payload[4:]


def _read(wire: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = wire.recv(size - len(data))
        if not piece:
            raise ValueError("the connection was closed")
        data += piece
    return data


def _short(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">B", len(data)) + data


def _long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _table(data: bytes) -> bytes:
    return _long(data)
