"""A server, live: RESP2 over a socket of our own.

redis-py would do, and would connect again by itself, time each read and not the whole, and leave
what a user without rights is to its defaults: the dozen lines of the protocol are less than what
would have to be switched off. Where the server is another machine TLS is asked for, always.
"""

import hashlib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from passmuster.connectors import Act, Verdict, Where
from passmuster.connectors._session import is_local, no_such_act, watched
from passmuster.connectors.redis._plan import ON
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import Json, visible

DEADLINE_S = 20.0
PORT = 6379
MAX_BYTES = 64 << 20
MAX_DEPTH = 8
_PASSING = ("LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "OOM")
_STATUS = {"NOPERM": 403, "NOAUTH": 401, "WRONGPASS": 401, "READONLY": 409}


def connect(where: Where) -> "Server":
    """Log in. Raises UsageError for settings that cannot work."""
    return Server(where)


def collect(where: Where, folder: Path) -> None:
    """`acl.txt`, without the hashes."""
    server = Server(where)
    try:
        users = server.ask("ACL", "LIST")
        if not isinstance(users, list):
            raise Unreachable("Redis answered ACL LIST with no list")
        with (folder / "acl.txt").open("w", encoding="utf-8", newline="\n") as out:
            for user in users:
                words = str(user).split(" ")
                out.write(" ".join("#" if w.startswith("#") else w for w in words) + "\n")
    finally:
        server.close()


class Server:
    """The `Live` of Redis."""

    def __init__(self, where: Where) -> None:
        self._open = _place(where)
        self._wire = self._open()
        user = where.settings.get("user")
        try:
            try:
                if user is None:
                    self.ask("PING")
            except Declined as error:
                if error.code != "NOAUTH":
                    raise
                user = "default"
            if user is not None:
                self._wire.ask("AUTH", user, where.secret("Redis password", ()))
            self._me = str(self.ask("ACL", "WHOAMI"))
        except BaseException:
            self.close()
            raise

    def ask(self, *words: str) -> Any:
        """The answer to one command. Raises Declined, Unreachable."""
        return self._wire.ask(*words)

    def read(self, act: Act) -> Json | None:
        """`{on}`; of all else that Redis tells of a user nothing is kept."""
        user = self._user(_name(act))
        return None if user is None else {"on": "on" in user[0]}

    def write(self, act: Act, state: Json | None) -> None:
        """`off` also ends the connections. A user that is not there is not made."""
        name = _name(act)
        if state is None or "on" not in state:
            raise Declined("redis: muster deletes no user", "act", 400)
        if name == self._me and not state["on"]:
            raise Declined(f"redis: {visible(name)} is who muster is logged in as", "self", 409)
        if self._user(name) is None:
            raise Declined(f"redis: there is no user {visible(name)}", "gone", 404)
        self.ask("ACL", "SETUSER", name, "on" if state["on"] else "off")
        if not state["on"]:
            self.ask("CLIENT", "KILL", "USER", name)
        with suppress(Declined):  # not kept in an ACL file, or not allowed to: the plan says so
            self.ask("ACL", "SAVE")

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """A raw AUTH, which redis-cli does not give: after its refusal that goes on as `default`.

        Redis answers a wrong password and a user that is off alike, so it is looked first whether
        the password is one of the user's.
        """
        name = _name(act)
        user = self._user(name)
        if user is None:
            return "flag", "the user is not there any more"
        flags, hashes = user
        found = self._flag(name, on="on" in flags)
        if secret is None:
            return found
        its_own = hashlib.sha256(secret.encode()).hexdigest() in hashes or "nopass" in flags
        tried = self._try(name, secret)
        if tried[0] == "refused" and not its_own:
            return found if found[0] == "flag" else ("unknown", "this is no password of it")
        still_open = found[0] == "works" and "on" not in flags
        return found if tried[0] == "refused" and still_open else tried

    def _try(self, name: str, secret: str) -> tuple[Verdict, str]:
        wire = None
        try:
            wire = self._open()
            wire.ask("AUTH", name, secret)
        except Declined as error:
            return "refused", error.args[0]
        except Unreachable as error:
            return "unknown", error.args[0]
        finally:
            if wire is not None:
                wire.close()
        return "works", "AUTH was accepted"

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def _user(self, name: str) -> tuple[list[str], list[str]] | None:
        """Flags, and the hashes of the passwords, which go no further than `refused`."""
        answer = self.ask("ACL", "GETUSER", name)
        if answer is None:
            return None
        if not isinstance(answer, list) or len(answer) % 2:
            raise Unreachable("Redis answered ACL GETUSER in a shape that is not its own")
        said = dict(zip(map(str, answer[::2]), answer[1::2], strict=True))
        flags, hashes = said.get("flags"), said.get("passwords")
        if not isinstance(flags, list):
            raise Unreachable("Redis does not say whether the user is on")
        return [str(f) for f in flags], [str(h) for h in hashes] if isinstance(hashes, list) else []

    def _flag(self, name: str, *, on: bool) -> tuple[Verdict, str]:
        if on:
            return "works", "the user is on"
        listed = str(self.ask("CLIENT", "LIST")).splitlines()
        open_now = sum(f" user={name} " in f"{line} " for line in listed)
        if open_now:
            return "works", f"the user is off, and {open_now} of its connections are open"
        return "flag", "the user is off and no connection of it is open; nobody tried"


class Wire:
    """One connection that speaks RESP2."""

    def __init__(self, raw: socket.socket, called: str) -> None:
        self._raw, self._called = raw, called
        self._file = raw.makefile("rb")
        self._broken = False

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            self._file.close()
        self._raw.close()

    def ask(self, *words: str) -> Any:
        """Texts, numbers, lists and None, as Redis answers."""
        said = b"".join(
            b"$%d\r\n%b\r\n" % (len(word), word)
            for word in (w.encode("utf-8", "surrogatepass") for w in words)
        )
        with self._whole():
            self._raw.sendall(b"*%d\r\n%b" % (len(words), said))
            answer = self._answer(0)
        if isinstance(answer, Declined | Unreachable):
            raise answer
        return answer

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """An answer that did not come whole makes the next one worthless."""
        if self._broken:
            raise Unreachable(f"{self._called}: the connection is broken", again=True)
        self._broken = True
        with watched(self._raw.fileno(), DEADLINE_S) as watch:
            try:
                yield
            except (OSError, ValueError) as error:
                why = f"no answer within {DEADLINE_S:.0f} s" if watch.ended else visible(str(error))
                raise Unreachable(f"{self._called}: {why}", again=True) from None
        self._broken = False

    def _answer(self, depth: int) -> Any:
        line = self._file.readline(64 * 1024)
        if not line.endswith(b"\r\n") or depth > MAX_DEPTH:
            raise ValueError("the answer is no whole RESP")
        kind, rest = line[:1], line[1:-2].decode("utf-8", "replace")
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"-":
            return self._error(rest)
        size = int(rest) if kind in b"$*" else MAX_BYTES + 1
        if size > MAX_BYTES or size < -1:
            raise ValueError("the answer is no RESP2")
        if size == -1:
            return None
        if kind == b"*":
            return [self._answer(depth + 1) for _ in range(size)]
        data = self._file.read(size + 2)
        if len(data) != size + 2:
            raise ValueError("the answer was cut off")
        return data[:-2].decode("utf-8", "replace")

    def _error(self, said: str) -> Unreachable:
        code = said.partition(" ")[0]
        shown = f"{self._called}: {visible(said)[:300]}"
        if code in _PASSING:
            return Unreachable(shown, again=True)
        return Declined(shown, code, _STATUS.get(code, 409))


def _place(where: Where) -> Callable[[], Wire]:
    """What opens a connection: to `rediss://HOST:6379`, or `redis:///path/of/the.sock`."""
    endpoint = where.settings.get("endpoint")
    if not endpoint:
        raise where.no_endpoint(
            'endpoint = "rediss://HOST:6379" or "redis:///run/redis/redis.sock"'
        )
    try:
        found = urlsplit(endpoint)
        host, port = found.hostname or "", found.port or PORT
    except ValueError:
        raise UsageError(f"{where.source}: {visible(endpoint)} is no address") from None
    path = unquote(found.path) if not host else ""
    if found.scheme not in ("redis", "rediss") or not (host or len(path) > 1):
        raise UsageError(f"{where.source}: the endpoint is no redis:// address")
    if found.username or found.password or found.query:
        raise UsageError(f"{where.source}: nothing but a host belongs into the endpoint")
    if found.scheme == "redis" and not is_local(host):
        raise UsageError(f"{where.source}: without TLS anybody between could read the password: "
                         "use rediss://")  # fmt: skip
    context = None
    if found.scheme == "rediss":
        try:
            context = ssl.create_default_context(cafile=where.settings.get("ca"))
        except OSError as error:
            raise UsageError(f"{where.source}: no certificates of an authority: {error}") from None

    def opened() -> Wire:
        called = f"redis at {host or path}"
        try:
            return Wire(_socket(host, port, path, context), called)
        except OSError as error:
            raise Unreachable(f"{called}: {visible(str(error))}", again=True) from None

    return opened


def _socket(host: str, port: int, path: str, context: ssl.SSLContext | None) -> socket.socket:
    if path:
        raw = socket.socket(socket.AF_UNIX)
    else:
        raw = socket.create_connection((host, port), DEADLINE_S)
    try:
        raw.settimeout(DEADLINE_S)
        if path:
            raw.connect(path)
        with watched(raw.fileno(), DEADLINE_S):
            return raw if context is None else context.wrap_socket(raw, server_hostname=host)
    except BaseException:
        raw.close()
        raise


def _name(act: Act) -> str:
    name = act.on.get("user")
    if act.name != ON:
        raise no_such_act("redis", act.name)
    if not isinstance(name, str) or not name:
        raise Declined("redis: the act does not say its user", "act", 400)
    return name
