"""SSH, live, on the very host that muster runs on: its files, its sshd, and real logins.

Over the network nothing is changed: a host that can be changed by SSH is changed by the lines of
the plan. The list of revoked keys is the one that `sshd -T` names; its configuration file may be
given as `profile`, where to try a login as `endpoint` (`ssh://HOST:PORT`), the known hosts as `ca`.

A login is tried with `ssh -N`: whether the key is accepted shows without a command being run.
"""

import os
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from passmuster.connectors._live import Act, Verdict, Where
from passmuster.connectors.ssh import _krl
from passmuster.connectors.ssh._authorized import FILE, holds_secret, split
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import Json, visible

_TRY_S = 20.0
_SBIN = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"
Login = tuple[Verdict, str]


def connect(where: Where) -> "Ssh":
    """Be ready on this host, if that is the one."""
    _here(where)
    return Ssh(where)


def collect(where: Where, folder: Path) -> None:
    """Write the `authorized_keys` of all accounts of this host, as the howto's lines do."""
    import pwd

    _here(where)
    # `none` stands for no file at all
    patterns = [p for p in _sshd(where, "authorizedkeysfile").split() if p != "none"]
    found: set[Path] = set()
    with (folder / "authorized_keys").open("wb") as out:
        for person in pwd.getpwall():
            for pattern in patterns:
                name = pattern.replace("%u", person.pw_name).replace("%h", person.pw_dir)
                path = Path(person.pw_dir) / name.replace("%%", "%")
                if path in found:  # two accounts of one home
                    continue
                try:
                    data = path.read_bytes()
                except (FileNotFoundError, NotADirectoryError):
                    continue
                except OSError as error:
                    raise Declined(f"{path}: {error.strerror}", "unreadable", 403) from None
                found.add(path)
                out.write(f"{FILE} {path}\n".encode() + data.rstrip(b"\n") + b"\n\n")
    if not found:
        raise Declined("no account of this host has an authorized_keys file", "nothing", 404)


class Ssh:
    """`Live` for one host."""

    def __init__(self, where: Where) -> None:
        self._where = where

    def read(self, act: Act) -> Json | None:
        """`{"revoked": bool}`, or the lines of that key in a file; None where there is none."""
        if act.name == "ssh.key.revoked":
            return {"revoked": _krl.revoked(_bytes(self._list()), act.on["key"], _blob(act))}
        if act.name != "ssh.authorized_keys.line":
            raise Declined(f"{act.name}: muster does not know it", "unknown", 405)
        path = Path(act.on["file"])
        if not _is_there(path):
            return None
        lines = [line for line in _text(path) if _print(line) == act.on["key"]]
        if any(holds_secret(line) for line in lines):
            # it would be kept, and signed, so that it can be put back
            raise Declined(
                f"{path}: the line holds a secret; revoke the key instead", "secret", 409
            )
        return {"lines": lines} if lines else None

    def write(self, act: Act, state: Json | None) -> None:
        """Change one file by putting another in its place, so that sshd never reads half of it."""
        now = self.read(act)
        if now == state:
            return
        if act.name == "ssh.key.revoked":
            if state is None:
                raise Declined("a list of revoked keys is not deleted", "no", 405)
            self._revoke(act) if state["revoked"] else self._allow(act)
            return
        path = Path(act.on["file"])
        wanted = list((state or {}).get("lines", ()))

        def changed(data: bytes) -> bytes:
            kept = [r for r in data.splitlines(keepends=True)
                    if _print(r.decode("utf-8", "surrogateescape")) != act.on["key"]]  # fmt: skip
            if kept and not kept[-1].endswith(b"\n"):
                kept[-1] += b"\n"
            added = [f"{line}\n".encode("utf-8", "surrogateescape") for line in wanted]
            return b"".join(kept + added)

        _replace(path, changed)

    def refused(self, act: Act, secret: str | None = None) -> Login:
        """With the private key: a login. sshd's log then says why ("revoked by file")."""
        if secret:
            return self._login(act, secret)
        state = self.read(act)
        if act.name == "ssh.key.revoked":
            return ("flag", "the list of revoked keys has it; no login was tried") if (
                state and state["revoked"]
            ) else ("works", "it is not in the list of revoked keys")  # fmt: skip
        if state is None:
            return "flag", f"{act.on['file']} has no line with it; no login was tried"
        return "works", f"{act.on['file']} has it"

    def close(self) -> None:
        """Nothing was opened."""

    def _list(self) -> Path:
        path = _sshd(self._where, "revokedkeys")
        if path in ("", "none"):
            raise Declined("sshd has no list of revoked keys: set RevokedKeys in sshd_config "
                           "to a file that exists", "no-list", 409)  # fmt: skip
        if not _is_there(Path(path)):
            raise Declined(f"{path} is missing, so sshd refuses every key", "no-list", 409)
        return Path(path)

    def _revoke(self, act: Act) -> None:
        path = self._list()
        data = _bytes(path)
        if data.strip() and not _krl.is_krl(data):
            line = next(iter(_lines_of(act)), None)
            if line is None:
                raise Declined(
                    f"{path} lists whole public keys, and this one's is not at hand; "
                    "make a KRL of it: ssh-keygen -k -f", "text-list", 409,
                )  # fmt: skip
            found = split(line)
            at = line.index(f"{found.key.algorithm} ")
            _replace(path, lambda old: old.rstrip(b"\n") + b"\n" + line[at:].encode() + b"\n")
            return
        _replace(path, lambda old: _added(old, act.on["key"]))

    def _allow(self, act: Act) -> None:
        _replace(self._list(), lambda old: _krl.without(old, act.on["key"], int(time.time())))

    def _login(self, act: Act, secret: str) -> Login:
        settings = self._where.settings
        parts = urlsplit(settings.get("endpoint") or "ssh://localhost")
        account = act.on.get("account") or settings.get("user")
        if not account or parts.scheme != "ssh" or not parts.hostname:
            return "unknown", "no login was tried: as whom and where is not known"
        with _lent(secret) as path:
            if _public(path) != act.on["key"]:
                return "unknown", "no login was tried: this is not the private key of that key"
            known = settings.get("ca")
            return _ssh([
                "ssh", "-F", "none", "-N", "-v", "-i", path, "-l", account,
                "-p", str(parts.port or 22), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
                "-o", "IdentityAgent=none", "-o", "PreferredAuthentications=publickey",
                "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10",
                "-o", "ControlPath=none", "-o", "PasswordAuthentication=no",
                *(("-o", f"UserKnownHostsFile={known}") if known else ()),
                "--", parts.hostname,
            ])  # fmt: skip


def _here(where: Where) -> None:
    host = where.tenant.rpartition("@")[2].lower()
    mine = socket.gethostname().lower()
    if host not in ("", "localhost", mine, mine.partition(".")[0]):
        raise UsageError(
            f"this host is {mine} and not {visible(host)}: muster changes files of SSH only on "
            "the host itself; run the lines of the plan there"
        )


def _sshd(where: Where, name: str) -> str:
    """A setting of sshd as it would take it now."""
    binary = shutil.which("sshd", path=_SBIN)
    if binary is None:
        raise UsageError("there is no sshd on this host")
    profile = where.settings.get("profile")
    command = [binary, "-T", *(("-f", profile) if profile else ())]
    done = _run(command)
    if done.returncode:
        why = visible(done.stderr.decode("utf-8", "replace").strip()[:200])
        raise Declined(f"sshd -T does not tell its settings: {why}", "sshd", 403)
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return value.strip()
    return ""


def _run(command: list[str], given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(  # noqa: S603 - a list of our own words, no shell
            command, input=given, capture_output=True, timeout=_TRY_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"{command[0]}: {type(error).__name__}") from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        status = 404 if isinstance(error, FileNotFoundError) else 403
        raise Declined(f"{path}: {error.strerror}", "unreadable", status) from None


def _is_there(path: Path) -> bool:
    """Declined where that cannot be told: what may not be seen is not gone."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise Declined(f"{path}: {error.strerror}", "unreadable", 403) from None
    return True


def _text(path: Path) -> list[str]:
    return [r.decode("utf-8", "surrogateescape") for r in _bytes(path).splitlines()]


def _print(line: str) -> str | None:
    try:
        return split(line).key.fingerprint if line.strip() and line.strip()[0] != "#" else None
    except ValueError:
        return None


def _lines_of(act: Act) -> Iterator[str]:
    path = Path(act.on.get("file") or "/nowhere")
    if _is_there(path):
        yield from (line for line in _text(path) if _print(line) == act.on["key"])


def _blob(act: Act) -> bytes | None:
    import base64

    for line in _lines_of(act):
        found = split(line)
        encoded = line[line.index(f"{found.key.algorithm} ") :].split()[1]
        return base64.b64decode(encoded)
    return None


def _added(old: bytes, key: str) -> bytes:
    """The KRL with one key more, as ssh-keygen makes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "krl"
        update = ["-u"] if _krl.is_krl(old) else []
        if update:
            path.write_bytes(old)
        done = _run(["ssh-keygen", "-q", "-k", *update, "-f", str(path), "-"],
                    f"hash: {key}\n".encode())  # fmt: skip
        if done.returncode:
            why = visible(done.stderr.decode("utf-8", "replace").strip()[:200])
            raise Declined(f"ssh-keygen makes no KRL: {why}", "ssh-keygen", 409)
        return path.read_bytes()


def _replace(path: Path, changed: Callable[[bytes], bytes]) -> None:
    """Put what *changed* makes of the file in its place, with its owner and mode, all at once.

    The folder may be another user's: no link that was laid there is followed.
    """
    old = _bytes(path)
    new = changed(old)
    beside = path.with_name(f".{path.name}.muster-{os.getpid()}")
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            raise Declined(f"{path}: a link or no file; muster changes none", "no-file", 409)
        made = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(made, "wb") as file:
                file.write(new)
                file.flush()
                os.fchown(made, about.st_uid, about.st_gid)
                os.fchmod(made, stat.S_IMODE(about.st_mode))
                os.fsync(made)
            if path.read_bytes() != old:
                raise Declined(f"{path}: somebody changed it just now; look again", "changed", 409)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise Declined(f"{path}: {error.strerror}", "unwritable", 403) from None


@contextmanager
def _lent(secret: str) -> Iterator[str]:
    """A path where ssh finds the private key, and which is on no disk where Linux can do that."""
    data = secret.strip().encode() + b"\n"
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("key")
        try:
            os.fchmod(number, 0o600)
            os.write(number, data)
            yield f"/proc/{os.getpid()}/fd/{number}"
        finally:
            os.close(number)
        return
    with tempfile.NamedTemporaryFile() as file:  # 0600, and gone at the end
        file.write(data)
        file.flush()
        yield file.name


def _public(path: str) -> str | None:
    """The fingerprint of the private key there; None where it has a passphrase or is none."""
    done = _run(["ssh-keygen", "-y", "-P", "", "-f", path])
    return None if done.returncode else _print(done.stdout.decode("utf-8", "replace"))


def _ssh(command: list[str]) -> Login:
    """Look until ssh says how it went; a session is never begun."""
    try:
        process = subprocess.Popen(  # noqa: S603 - a list of our own words, no shell
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
    except OSError as error:
        return "unknown", f"ssh: {error.strerror}"
    try:
        last = ""
        assert process.stderr is not None
        for raw in process.stderr:
            line = raw.decode("utf-8", "replace").strip()
            if line.startswith("Authenticated to "):
                return "works", "sshd took the key"
            if "Permission denied (" in line:
                return "refused", f"sshd refused the login: {visible(line)[:120]}"
            last = last if line.startswith("debug") or not line else line
        return "unknown", f"ssh came to no login: {visible(last)[:160]}"
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
