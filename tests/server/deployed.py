"""The page `docs/deploy.md` as a shell would follow it, on machines that are folders.

Each command runs as it stands there; what is another's on this machine is put in its place: the
address and the port, the paths, the databases. `pip` only looks whether there is such an extra,
and `scp` copies from one folder to the other.
"""

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import trustme

from tests.conftest import OF_THE_MACHINE, REPOSITORY
from tests.server.postgres import Cluster, binaries

PAGE = REPOSITORY / "docs" / "deploy.md"
WAIT_S = 120.0
SERVE = "muster serve"
ADMIN = {"invite", "invites", "recover"}
PIP = """#!{python}
import sys
for word in sys.argv[1:]:
    name, _, extra = word.rstrip("]").partition("[")
    if name == "passmuster" and extra not in {extras}:
        sys.exit(f"no extra {{extra!r}}")
"""


def sections() -> dict[str, list[str]]:
    """Heading → its blocks of commands, in the order of the page."""
    found: dict[str, list[str]] = {}
    for part in PAGE.read_text().split("\n## ")[1:]:
        blocks = re.findall(r"```sh\n(.*?)```", part, re.DOTALL)
        found[part.partition("\n")[0]] = blocks
    return found


class Proxy:
    """Does TLS, and gives one connection to each replica in turn."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self.replicas: list[int] = []
        self._count = 0
        self._ready, self._end = threading.Event(), asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(port, context))
        self._thread.start()
        assert self._ready.wait(WAIT_S)

    def _run(self, port: int, context: ssl.SSLContext) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve(port, context))

    async def _serve(self, port: int, context: ssl.SSLContext) -> None:
        server = await asyncio.start_server(self._one, "127.0.0.1", port, ssl=context)
        self._ready.set()
        await self._end.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count += 1
        port = self.replicas[self._count % len(self.replicas)]
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pump(reader, outer), _pump(inner, writer))

    def stop(self) -> None:
        """Let go of the port."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(WAIT_S)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


class Company:
    """Machines, people and a PostgreSQL; runs what the page says and keeps what it answered."""

    def __init__(self, root: Path, cluster: Cluster) -> None:
        self.root, self.cluster = root, cluster
        self.port = _free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.servers: list[subprocess.Popen[str]] = []
        self.said: dict[str, str] = {}
        """What the server that started last has printed."""
        self.proxy: Proxy | None = None
        for name in ("mnt/other", "etc/muster", "backup", "safe", "bin", "desk",
                     "alone/srv", "a/srv", "b/srv"):  # fmt: skip
            (root / name).mkdir(parents=True)
        (root / "passphrase").write_text("not a secret, a test\n")
        (root / "passphrase").chmod(0o600)
        self._certificates()
        self._programs()

    def _certificates(self) -> None:
        authority = trustme.CA()
        made = authority.issue_cert("127.0.0.1")
        folder = self.root / "etc/muster"
        authority.cert_pem.write_to_path(folder / "ca.pem")
        made.private_key_pem.write_to_path(folder / "key.pem")
        for n, blob in enumerate(made.cert_chain_pems):
            blob.write_to_path(folder / "cert.pem", append=n > 0)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.configure_cert(self.context)

    def _programs(self) -> None:
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
        for name, text in {
            "muster": f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m passmuster "$@"\n',
            "scp": '#!/bin/sh\nexec cp "$@"\n',
            "pip": PIP.format(
                python=sys.executable, extras=sorted(project["optional-dependencies"])
            ),
        }.items():
            (self.root / "bin" / name).write_text(text)
            (self.root / "bin" / name).chmod(0o755)

    def here(self, said: str, host: str) -> str:
        """A command as it is on this machine."""
        folder = str(self.root)
        said = re.sub(r"(?<![\w/])(?:([ab])\.example\.com:)?/srv/",
                      lambda m: f"{folder}/{m[1] or host}/srv/", said)  # fmt: skip
        said = re.sub(r"(?<![\w/])/(mnt/other|etc/muster|backup|safe)/", rf"{folder}/\1/", said)
        said = said.replace("'https://muster.example.com#m1.…'", f"'{self.said.get('invite')}'")
        said = said.replace("https://muster.example.com", self.url)
        said = said.replace("0.0.0.0:443", f"127.0.0.1:{self.port}")
        said = said.replace("0.0.0.0:8470", "127.0.0.1:0")
        return re.sub(r"postgresql://muster@\w+\.example\.com/(\w+)",
                      lambda m: f"'{self.cluster.url(m[1])}'", said)  # fmt: skip

    def env(self, who: str) -> dict[str, str]:
        """Of somebody with a home of their own."""
        home = self.root / "homes" / who
        home.mkdir(parents=True, exist_ok=True)
        mine = {n: v for n, v in os.environ.items() if not n.startswith(OF_THE_MACHINE)}
        path = f"{self.root / 'bin'}:{binaries()}:{os.environ['PATH']}"
        return mine | {"HOME": str(home), "PATH": path, "MUSTER_NO_INPUT": "1",
                       "MUSTER_KEY_PASSPHRASE_FILE": str(self.root / "passphrase")}  # fmt: skip

    def block(self, text: str, who: str = "root", host: str = "a") -> str:
        """Run the commands of a block one after the other; what the last one printed."""
        first = text.partition("\n")[0]
        host = "b" if first == "# on b.example.com" else host
        host = "alone" if first == "# over SQLite" else host
        out = ""
        for line in text.splitlines():
            if line and not line.startswith("#"):
                out = self.line(line, who, host)
        return out

    def line(self, said: str, who: str = "root", host: str = "a", code: int = 0) -> str:
        """Run one command, and see that it ends with *code*; a server goes on in the background."""
        words = shlex.split(said)
        if said.startswith(SERVE) and not ADMIN & set(words):
            return self._serve(said, host)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.here(said, host)], env=self.env(who),
            cwd=self.root / "desk", capture_output=True, text=True, check=False, timeout=WAIT_S,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, f"{said}\n{done.stdout}{done.stderr}"
        if words[:2] == ["muster", "init"]:
            self._believe(who)
        return done.stdout + done.stderr

    def _believe(self, who: str) -> None:
        """What the page says of an authority of one's own."""
        for path in (self.root / "homes" / who).rglob("config.toml"):
            line = f'central_ca = "{self.root}/etc/muster/ca.pem"\n'
            path.write_text(line + path.read_text())

    def _serve(self, said: str, host: str) -> str:
        words = shlex.split(self.here(said, host))
        words[0] = str(self.root / "bin/muster")
        with (self.root / "server.log").open("a+") as log:
            start = log.seek(0, os.SEEK_END)
            made = subprocess.Popen(words, env=self.env("root"), stdout=subprocess.PIPE, stderr=log,
                                    text=True, stdin=subprocess.DEVNULL)  # fmt: skip
            self.servers.append(made)
            self.said = {}
            assert made.stdout is not None
            for line in made.stdout:
                name, _, value = line.strip().partition(" ")
                self.said[name] = value.strip()
                if name == "url":
                    break
            else:
                made.wait(WAIT_S)
            log.seek(start)
            said = log.read()
        if "--behind-proxy" in words and "url" in self.said:
            self.proxy = self.proxy or Proxy(self.port, self.context)
            self.proxy.replicas.append(int(self.said["url"].rpartition(":")[2]))
        return said

    def stop(self) -> None:
        """Stop every server, as a supervisor does."""
        if self.proxy is not None:
            self.proxy.stop()
            self.proxy = None
        for one in self.servers:
            one.send_signal(signal.SIGTERM)
        for one in self.servers:
            one.wait(WAIT_S)
            assert one.stdout is not None
            one.stdout.close()
        self.servers.clear()


def _free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


@contextlib.contextmanager
def company(root: Path, cluster: Cluster) -> Iterator[Company]:
    """One, with every process stopped at the end."""
    made = Company(root, cluster)
    try:
        yield made
    finally:
        made.stop()


def missing() -> str | None:
    """A program that the page uses and this machine has not."""
    return next((p for p in ("bash", "curl", "sqlite3") if shutil.which(p) is None), None)
