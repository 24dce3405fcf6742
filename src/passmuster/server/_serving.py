"""The process: uvicorn around the application, told when it listens, stopped without a cut."""

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import uvicorn

from passmuster import note
from passmuster.central import LIMITS
from passmuster.errors import MusterError, UsageError
from passmuster.server import _enrolling, _invites
from passmuster.server._app import app
from passmuster.server._central import Central
from passmuster.server._http import log
from passmuster.server._sequencer import rosters

BACKLOG = 2048
"""Connections that may wait to be accepted."""
STOP_S = 10
"""How long requests that are under way may take once the server is told to stop."""


class Listen(NamedTuple):
    """Where to listen, and with which certificate."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("127.0.0.1", "::1", "localhost")


def first_invitation(here: Central, url: str) -> str | None:
    """The one string that the first person needs to enrol; None when there is a roster."""
    with here.store.reading() as tx:
        if rosters(tx, here):
            return None
    return _enrolling.invitation(here, url, _invites.ANYBODY, _enrolling.FOUNDERS)


def witness_of(said: str) -> tuple[note.VerifierKey, str]:
    """`VKEY=URL`; the key may end in `=` itself. Raises UsageError."""
    at = max(said.find("=http://"), said.find("=https://"))
    if at < 1:
        raise UsageError(f"--witness is VKEY=URL, not {said[:60]!r}")
    try:
        key = note.parse_key(said[:at])
    except MusterError as error:
        raise UsageError(f"--witness: {error}") from None
    if key.kind != note.COSIGNATURE:
        raise UsageError(f"--witness: {key.name} is the key of a log, not of a witness")
    return key, said[at + 1 :]


class Told(uvicorn.Server):
    """Tells where it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            scheme = "https" if self.config.is_ssl else "http"
            self._ready(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}")


class _Server(Told):
    """Lets nobody who waits for news hold up its end."""

    def __init__(self, config: uvicorn.Config, here: Central, ready: Callable[[str], None]) -> None:
        super().__init__(config, ready)
        self._here = here

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        log("stopping", signal=sig)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(lambda: asyncio.ensure_future(self._stop_waiting()))
        super().handle_exit(sig, frame)

    async def _stop_waiting(self) -> None:
        await self._here.stop_waiting()


def server(here: Central, where: Listen, ready: Callable[[str], None]) -> uvicorn.Server:
    """Uvicorn over *here*; *ready* is told the URL once it listens."""
    config = uvicorn.Config(
        app(here), host=where.host, port=where.port, log_config=None, access_log=False,
        server_header=False, proxy_headers=False, timeout_graceful_shutdown=STOP_S,
        limit_concurrency=LIMITS.connections, lifespan="on",
        ssl_certfile=where.certificate, ssl_keyfile=where.key,
    )  # fmt: skip
    return _Server(config, here, ready)


def serve(here: Central, where: Listen, ready: Callable[[str], None]) -> None:
    """Serve until a signal says stop. Raises MusterError when the port is taken."""
    try:
        run(server(here, where, ready), where)
    finally:
        here.close()
    log("stopped")


def run(made: uvicorn.Server, where: Listen) -> None:
    """Run a server until a signal says stop. Raises MusterError when the port is taken."""
    for one in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them once more at its end
        signal.signal(one, lambda *_: None)
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    try:
        bound = socket.create_server((where.host, where.port), family=family, backlog=BACKLOG)
    except OSError as error:
        why = (
            error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        )
        raise MusterError(
            f"{where.host}:{where.port}: {why}: stop what listens there, or give another --listen"
        ) from None
    with bound:
        made.run([bound])


def listen(at: str, certificate: Path | None, key: Path | None, *, behind_proxy: bool) -> Listen:
    """`HOST:PORT` and how it is protected. Raises UsageError where anybody could listen in."""
    host, _, port = at.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise UsageError(f"--listen is HOST:PORT, not {at!r}")
    if (certificate is None) != (key is None):
        raise UsageError("--tls-cert and --tls-key go together")
    if certificate and key:
        _fits(certificate, key)
    where = Listen(host.strip("[]"), int(port), certificate, key)
    if not (where.is_local or certificate or behind_proxy):
        raise UsageError(
            f"{host} can be reached from other machines: give --tls-cert and --tls-key, or "
            "--behind-proxy where something in front of it does TLS"
        )
    return where


def _fits(certificate: Path, key: Path) -> None:
    """Raise UsageError unless TLS can be done with these files."""

    def no_passphrase() -> str:
        raise UsageError(f"{key} is under a passphrase: nobody is there to type it at a start")

    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            certificate, key, no_passphrase
        )
    except (OSError, ValueError) as error:
        why = error.reason if isinstance(error, ssl.SSLError) else getattr(error, "strerror", error)
        raise UsageError(
            f"{certificate} and {key} are not a certificate and its key, both PEM: {why}"
        ) from None
