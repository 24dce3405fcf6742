"""A server, live: through PyMySQL (extra `[mysql]`), as the person's own account.

The socket is made here and given to the driver, so that one clock runs over name, handshake and
answer. Where the server is another machine TLS is asked for and its certificate verified, always.
The hash of a password is never asked for.
"""

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from passmuster.connectors import Act, Verdict, Where
from passmuster.connectors._session import is_local, no_such_act, watched
from passmuster.connectors.mariadb import _queries
from passmuster.connectors.mariadb._plan import LOCK, ROLE
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import Json, visible

DEADLINE_S, COLLECT_S, CONNECT_S = 30.0, 600.0, 10.0
PORT = 3306
# codes: "MariaDB Error Code Reference"; what a driver meets on its way has 2000 to 2999
LOCKED = (4151, 3118)
WRONG_PASSWORD = (1045, 1698)
_NOT_ALLOWED = (1044, 1045, 1142, 1143, 1227, 1370, 1698, 4151, 3118)
_NOT_THERE = (1133, 1141, 1396, 1959, 1976)
_PASSING = (1040, 1053, 1077, 1203, 1205, 1213, 1226, 1317, 1927, 1969)
_BROKEN = (OSError, ValueError, IndexError, AssertionError, TypeError, KeyError, AttributeError)
"""What PyMySQL raises, beside its own, for an answer that is none (`struct.error` is added)."""
_ESCAPES = str.maketrans({"\0": "\\0", "\t": "\\t", "\n": "\\n", "\\": "\\\\"})


def connect(where: Where) -> "Server":
    """Log in. Raises UsageError for settings that cannot work."""
    return Server(where)


def collect(where: Where, folder: Path) -> None:
    """`global_priv.tsv` and `roles_mapping.tsv`, byte for byte as `mariadb -B` writes them."""
    server = Server(where)
    try:
        for name, query in (("global_priv", _queries.ACCOUNTS), ("roles_mapping", _queries.ROLES)):
            asked = query if server.by_its_own_id else _queries.without_tenant(query)
            server.copy(asked, folder / f"{name}.tsv")
    finally:
        server.close()


class Server:
    """A session with one server; the `Live` of MariaDB."""

    def __init__(self, where: Where) -> None:
        self._at = _Place.of(where)
        self.by_its_own_id = False
        user = where.settings.get("user") or os.environ.get("USER", "root")
        try:
            self._db, self._twin = self._at.login(user, "")
        except Declined as error:
            if error.code not in map(str, WRONG_PASSWORD):
                raise
            password = where.secret("MariaDB password", ())
            self._db, self._twin = self._at.login(user, password)
        try:
            self._check(where.tenant)
        except BaseException:
            self.close()
            raise

    def _check(self, tenant: str) -> None:
        """Whose server it is, where it says so and where the source goes by that."""
        with self._talk():
            self._ask("SET SESSION sql_mode = ''")
            found = self._ask("SHOW GLOBAL VARIABLES LIKE 'server_uid'")
        uid = str(found[0][1]) if found else ""
        self.by_its_own_id = bool(uid) and tenant in ("", uid)
        if uid and tenant.endswith("=") and tenant != uid:
            raise Declined(f"{self._at.called} is the server {uid}, not {tenant}", "tenant", 409)

    def read(self, act: Act) -> Json | None:
        """For a lock `{locked}`, for a role `{admin}`."""
        with self._talk():
            if act.name == LOCK:
                return self._account(act)
            if act.name == ROLE:
                found = self._ask(
                    "SELECT Admin_option FROM mysql.roles_mapping"
                    " WHERE User = %s AND Host = %s AND Role = %s",
                    act.on["user"], act.on["host"], act.on["role"],
                )  # fmt: skip
                return {"admin": found[0][0] == "Y"} if found else None
        raise no_such_act("mariadb", act.name)

    def write(self, act: Act, state: Json | None) -> None:
        """A lock also ends the sessions of the user name."""
        with self._talk():
            user, host = act.on["user"], act.on["host"]
            if act.name == LOCK and state is not None:
                if state["locked"]:
                    if self._ask("SELECT CURRENT_USER()")[0][0] == f"{user}@{host}":
                        said = f"{self._at.called}: that is who muster is logged in as"
                        raise Declined(said, "self", 409)
                    self._ask("ALTER USER %s@%s ACCOUNT LOCK", user, host)
                    self._ask("KILL USER %s", user)
                else:
                    self._ask("ALTER USER %s@%s ACCOUNT UNLOCK", user, host)
            elif act.name == ROLE:
                who, names = ("%s@%s", (user, host)) if host else ("%s", (user,))
                role = act.on["role"]
                if state is not None:
                    option = " WITH ADMIN OPTION" if state["admin"] else ""
                    self._ask(f"GRANT %s TO {who}{option}", role, *names)
                elif self.read(act) is not None:
                    self._ask(f"REVOKE %s FROM {who}", role, *names)
            else:
                raise no_such_act("mariadb", act.name)

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """With the password a login is tried; without it the flag and its sessions are told."""
        state = self.read(act)
        if act.name == ROLE:
            if secret is not None:
                return self._try_role(act, secret)
            return ("works", "it still has the role") if state else ("flag", "it has no such role")
        if state is None:
            return "flag", "the account is not there any more"
        found = self._flag(str(act.on["user"]), locked=state["locked"])
        if secret is None:
            return found
        tried = self._try(act, secret, locked=state["locked"])
        return tried if tried[0] == "works" or found[0] == "flag" else found

    def _flag(self, user: str, *, locked: bool) -> tuple[Verdict, str]:
        """What is told where nobody tries."""
        asked = "SELECT COUNT(*) FROM "
        with self._talk():
            open_now = self._ask(asked + "information_schema.PROCESSLIST WHERE USER = %s", user)[0][
                0
            ]
            names = self._ask(asked + "mysql.global_priv WHERE User = %s", user)[0][0]
        if not locked:
            return "works", "the account is not locked"
        if open_now and names == 1:
            return "works", f"{open_now} of its sessions are open"
        if open_now:
            return "flag", f"locked; sessions of {user}, of this account or another, are open"
        return "flag", "the account is locked and no session of it is open; nobody tried to log in"

    def close(self) -> None:
        """End the session."""
        with suppress(Exception):
            self._db.close()
        self._twin.close()

    def copy(self, query: str, path: Path) -> None:
        """The rows of *query* in a file, as `mariadb -B` writes them."""
        from pymysql.cursors import SSCursor

        with self._talk(COLLECT_S), path.open("w", encoding="utf-8", newline="") as out:
            cursor = self._db.cursor(SSCursor)
            cursor.execute(query)
            out.write("\t".join(column[0] for column in cursor.description or ()) + "\n")
            for row in cursor:
                out.write("\t".join(_cell(value) for value in row) + "\n")

    def _account(self, act: Act) -> Json | None:
        found = self._ask(
            "SELECT JSON_VALUE(Priv, '$.account_locked') FROM mysql.global_priv"
            " WHERE User = %s AND Host = %s",
            act.on["user"], act.on["host"],
        )  # fmt: skip
        return {"locked": str(found[0][0]) in ("1", "true")} if found else None

    def _try(self, act: Act, secret: str, *, locked: bool) -> tuple[Verdict, str]:
        """A login. The server looks at the password first: only then it says that it is locked."""
        try:
            db, twin = self._at.login(str(act.on["user"]), secret)
        except Declined as error:
            if error.code in map(str, LOCKED):
                return "refused", error.args[0]
            return ("flag" if locked else "unknown"), f"{error.args[0]}; locked: {locked}"
        except Unreachable as error:
            return "unknown", error.args[0]
        with suppress(Exception), db, db.cursor() as cursor:
            cursor.execute("SELECT CURRENT_USER()")
            account = str((cursor.fetchone() or [""])[0])
        twin.close()
        if account != f"{act.on['user']}@{act.on['host']}":
            return "unknown", f"from here it logs in as {visible(account)}, another account"
        return "works", "it logged in"

    def _try_role(self, act: Act, secret: str) -> tuple[Verdict, str]:
        """Log in, and ask for the role."""
        try:
            db, twin = self._at.login(str(act.on["user"]), secret)
        except Unreachable as error:
            return "unknown", error.args[0]
        try:
            with self._at.ours(twin, DEADLINE_S), db.cursor() as cursor:
                cursor.execute("SET ROLE %s", (act.on["role"],))
        except Declined as error:
            return "refused", error.args[0]
        except Unreachable as error:
            return "unknown", error.args[0]
        finally:
            with suppress(Exception):
                db.close()
            twin.close()
        return "works", "SET ROLE was accepted"

    def _ask(self, statement: str, *values: Any) -> list[Any]:
        with self._db.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    @contextmanager
    def _talk(self, limit_s: float | None = None) -> Iterator[None]:
        with self._at.ours(self._twin, limit_s or DEADLINE_S):
            yield


class _Place:
    """Where a server is, and how a session with it begins."""

    def __init__(self, host: str, port: int, path: str, ca: str | None) -> None:
        self._host, self._port, self._path, self._ca = host, port, path, ca
        self.called = f"mariadb at {host or path}"

    @classmethod
    def of(cls, where: Where) -> "_Place":
        """From the settings: `mariadb://HOST:3306`, or `mariadb:///path/of/the.sock`."""
        endpoint = where.settings.get("endpoint")
        if not endpoint:
            raise where.no_endpoint(
                'endpoint = "mariadb://HOST:3306" or "mariadb:///run/mysqld/mysqld.sock"'
            )
        try:
            found = urlsplit(endpoint)
            port = found.port or PORT
        except ValueError:
            raise UsageError(f"{where.source}: {visible(endpoint)} is no address") from None
        path = unquote(found.path) if not found.hostname else ""
        if found.scheme not in ("mariadb", "mysql") or not (found.hostname or len(path) > 1):
            raise UsageError(f"{where.source}: the endpoint is no mariadb:// address")
        if found.username or found.password or found.query:
            raise UsageError(f"{where.source}: nothing but a host belongs into the endpoint")
        return cls(found.hostname or "", port, path, where.settings.get("ca"))

    def login(self, user: str, password: str) -> tuple[Any, socket.socket]:
        """A session, and a twin of its socket to end it by. Raises Declined, Unreachable."""
        try:
            import pymysql
        except ImportError:
            raise UsageError("this needs PyMySQL: pip install 'passmuster[mysql]'") from None
        try:
            wire = self._wire()
        except OSError as error:
            raise Unreachable(f"{self.called}: {visible(str(error))}", again=True) from None
        twin = socket.socket(fileno=os.dup(wire.fileno()))
        tls: dict[str, Any] = {} if is_local(self._host) else {"ssl": self._tls()}
        made = pymysql.connections.Connection(
            user=user, password=password, host=self._host or "localhost", defer_connect=True,
            charset="utf8mb4", autocommit=True, **tls,
        )  # fmt: skip
        try:
            with self.ours(twin, CONNECT_S):
                made.connect(sock=wire)
        except BaseException:
            wire.close()
            twin.close()
            raise
        return made, twin

    def _wire(self) -> socket.socket:
        if not self._path:
            return socket.create_connection((self._host, self._port), CONNECT_S)
        wire = socket.socket(socket.AF_UNIX)
        try:
            wire.settimeout(CONNECT_S)
            wire.connect(self._path)
        except OSError:
            wire.close()
            raise
        return wire

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca)
        except OSError as error:
            raise UsageError(f"{self._ca}: no certificates of an authority: {error}") from None

    @contextmanager
    def ours(self, twin: socket.socket, seconds: float) -> Iterator[None]:
        """Every error as ours, and an end in time."""
        import struct

        from pymysql.err import MySQLError

        with watched(twin.fileno(), seconds) as watch:
            try:
                yield
            except (MySQLError, struct.error, *_BROKEN) as error:
                if watch.ended:
                    late = f"{self.called} did not answer within {seconds:.0f} s"
                    raise Unreachable(late, again=True) from None
                raise self._ours(error) from None

    def _ours(self, error: Exception) -> Unreachable:
        from pymysql.err import MySQLError

        code = error.args[0] if error.args and type(error.args[0]) is int else 0
        words = error.args[1] if len(error.args) > 1 else error
        said = f"{self.called}: {visible(str(words))[:300]}"
        if isinstance(error, KeyError):
            return Declined(f"{self.called}: the act does not say {error}", "act", 400)
        if not isinstance(error, MySQLError) or (
            not 1000 <= code < 2000 and not 3000 <= code < 5000
        ):
            return Unreachable(said, again=True)
        if code in _PASSING:
            return Unreachable(said, again=True)
        status = 403 if code in _NOT_ALLOWED else 404 if code in _NOT_THERE else 409
        return Declined(said, str(code), status)


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    plain = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    return plain.translate(_ESCAPES)
