"""A real domain controller of Active Directory: Samba, in a folder of its own, as root."""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from passmuster.connectors import Where

REALM, BASE = "corp.example.com", "DC=corp,DC=example,DC=com"
PASSWORD = "Of-the-lab-4lone"
OPTIONS = {
    # nothing but LDAP, and nothing that anybody else can reach
    "server services": "ldap", "interfaces": "lo", "bind interfaces only": "yes",
    "load printers": "no", "log level": "0",
}  # fmt: skip


@dataclass
class Controller:
    """Its address, and how muster is told of it."""

    folder: Path

    def where(self, user: str = f"administrator@{REALM}", password: str = PASSWORD,
              **settings: str) -> Where:  # fmt: skip
        given = {"endpoint": "ldaps://127.0.0.1", "user": user, "ca": str(self.folder / "ca.pem")}
        return Where(f"ad:{REALM}", given | settings, lambda _name, _command: password)

    def tool(self, *words: str) -> None:
        """`samba-tool`, on the database itself."""
        config = self.folder / "etc" / "smb.conf"
        done = subprocess.run(["samba-tool", *words, "-s", str(config)],
                              check=False, capture_output=True, timeout=60)  # fmt: skip
        assert done.returncode == 0, done.stderr

    def environment(self) -> dict[str, str]:
        """For the vendor's LDAP commands: a simple bind over TLS that is checked."""
        who = f"administrator@{REALM}"
        return {"LDAPTLS_CACERT": str(self.folder / "ca.pem"), "PATH": "/usr/bin:/bin",
                "LDAP_URI": "ldaps://127.0.0.1", "LDAP_BIND_DN": who}  # fmt: skip

    def search(self, *words: str) -> bytes:
        """What the vendor's own command answers."""
        return subprocess.run(
            ["ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-E", "pr=1000/noprompt", "-x",
             "-D", f"administrator@{REALM}", "-w", PASSWORD, "-H", "ldaps://127.0.0.1",
             "-b", BASE, *words],
            check=True, capture_output=True, timeout=30, env=self.environment(),
        ).stdout  # fmt: skip

    def modify(self, line: str) -> None:
        """Run a plan's line as a person would, but for the kind of login."""
        words = line.replace("-Y GSSAPI", f'-x -D "$LDAP_BIND_DN" -w {PASSWORD}')
        subprocess.run(
            ["sh", "-c", words], check=True, env=self.environment(), timeout=30, capture_output=True
        )


@contextmanager
def controller(folder: Path) -> Iterator[Controller]:
    """One that serves on ports 389 and 636 of this machine: one at a time."""
    for needed in ("samba-tool", "samba", "ldapsearch"):
        if shutil.which(needed, path="/usr/sbin:/usr/bin") is None:
            pytest.skip(f"{needed} is not here")
    if os.getuid() != 0:
        pytest.skip("Samba's ports are root's")
    pytest.importorskip("ldap3", reason="ldap3 is not here")
    with Path(tempfile.gettempdir(), "muster-samba.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        found = Controller(folder)
        _provision(found)
        # fmt: off
        command = ["/usr/sbin/samba", "-F", "--no-process-group", "-M", "single",
                   "-s", str(folder / "etc" / "smb.conf")]
        # fmt: on
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(process)
            yield found
        finally:
            process.terminate()
            process.wait(timeout=20)


def _provision(found: Controller) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(found.folder / "ca.pem")
    own = authority.issue_cert("dc1.corp.example.com", "127.0.0.1")
    key = found.folder / "server.key"
    own.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    own.cert_chain_pems[0].write_to_path(found.folder / "server.pem")
    options = OPTIONS | {
        "tls certfile": str(found.folder / "server.pem"), "tls keyfile": str(key),
        "tls cafile": str(found.folder / "ca.pem"), "pid directory": str(found.folder),
        "ncalrpc dir": str(found.folder / "ncalrpc"), "log file": str(found.folder / "log.samba"),
    }  # fmt: skip
    done = subprocess.run(
        ["samba-tool", "domain", "provision", f"--realm={REALM.upper()}", "--domain=CORP",
         "--server-role=dc", "--dns-backend=NONE", f"--adminpass={PASSWORD}", "--host-name=dc1",
         f"--targetdir={found.folder}", *(f"--option={k}={v}" for k, v in options.items())],
        check=False, capture_output=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _wait(process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", 636)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("samba does not start")
