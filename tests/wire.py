"""A way to a server that fails as networks do: cut in the middle, a byte at a time, or silent."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Wire:
    """Between a client and a server; *mode* may be changed while somebody talks through it."""

    def __init__(self, listener: socket.socket, server: tuple[str, int] | str) -> None:
        self._listener, self._server = listener, server
        self.mode = "whole"
        """whole; cut: the next answer ends after 3 bytes; drip: a byte every 0.2 s; mute."""
        self._open: list[socket.socket] = []
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        self._closed = True
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            kind = socket.AF_UNIX if isinstance(self._server, str) else socket.AF_INET
            far = socket.socket(kind)
            try:
                far.connect(self._server)
            except OSError:
                near.close()
                far.close()
                continue
            self._open += [near, far]
            if self._closed:
                near.close()
                far.close()
                return
            threading.Thread(target=self._pass, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, True), daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                mode = self.mode if is_answer else "whole"
                if mode == "whole":
                    to.sendall(data)
                elif mode == "cut":
                    to.sendall(data[:3])
                    break
                elif mode == "drip":
                    for byte in data:
                        to.sendall(bytes([byte]))
                        time.sleep(0.2)
        for one in (source, to):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire_to(server: tuple[str, int] | str, at: Path | None = None) -> Iterator[Wire]:
    """A wire to *server* (host and port, or a socket's path), at a free port or at a path."""
    if at is None:
        listener = socket.create_server(("127.0.0.1", 0))
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(at))
        listener.listen()
    wire = Wire(listener, server)
    try:
        yield wire
    finally:
        wire.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
