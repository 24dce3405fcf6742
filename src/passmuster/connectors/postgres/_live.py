"""A cluster, live: through libpq (psycopg, extra `[postgres]`), as the person's own role.

The login is libpq's: a client certificate, `.pgpass`, peer; a password is asked for only where the
server wants one. Where the server is another machine its certificate is verified, always. Names
are given as identifiers and oids as parameters, and nothing but `pg_catalog` is looked up.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passmuster.connectors import Act, Verdict, Where
from passmuster.connectors._session import is_local, no_such_act, watched
from passmuster.connectors.postgres import _queries
from passmuster.connectors.postgres._plan import LOGIN, MEMBER
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import Json, visible

if TYPE_CHECKING:
    import psycopg

DEADLINE_S, COLLECT_S, CONNECT_S = 30.0, 600.0, 10
_SETTABLE = frozenset(
    ("host", "hostaddr", "port", "dbname", "user", "sslcert", "sslkey", "sslrootcert")
)
_NOT_ALLOWED, _NOT_THERE, _IN_USE = ("42501", "28000", "28P01"), ("42704", "3D000"), ("2BP01",)
_PASSING = ("starting up", "shutting down", "in recovery", "too many", "remaining connection slots")
_ROLE = "SELECT oid::text, rolname, rolcanlogin FROM pg_catalog.pg_roles WHERE "
_GRANTS = (
    "SELECT g.rolname, a.admin_option, to_jsonb(a)->>'inherit_option', to_jsonb(a)->>'set_option'"
    " FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles g ON g.oid = a.grantor"
    " WHERE a.roleid = %s::oid AND a.member = %s::oid ORDER BY 1"
)


def connect(where: Where) -> "Cluster":
    """Log in. Raises UsageError for settings that cannot work."""
    return Cluster(where)


def collect(where: Where, folder: Path) -> None:
    """`roles.csv` and `members.csv`, by the very queries that the formats name."""
    cluster = Cluster(where)
    try:
        for name, query in (("roles", _queries.ROLES), ("members", _queries.MEMBERS)):
            asked = query if cluster.by_its_own_id else _queries.without_tenant(query)
            cluster.copy(asked, folder / f"{name}.csv")
    finally:
        cluster.close()


class Cluster:
    """A session with one cluster; the `Live` of PostgreSQL."""

    def __init__(self, where: Where) -> None:
        self._settings, self._called = _settings(where)
        self._db = _login(self._settings, self._called, where)
        self.by_its_own_id = True
        try:
            with self._talk():
                self._db.execute("SET search_path = pg_catalog")
                self._db.execute("SET statement_timeout = '20s'; SET lock_timeout = '5s'")
                found = self._db.execute(
                    "SELECT system_identifier::text FROM pg_catalog.pg_control_system()"
                ).fetchone()
        except Unreachable:
            self.close()
            raise
        tenant = str(found[0]) if found else ""
        if where.tenant and where.tenant != tenant:
            self.by_its_own_id = False
            if where.tenant.isdigit() and len(where.tenant) >= len("6000000000000000000"):
                self.close()
                raise Declined(
                    f"{self._called} is the cluster {tenant}, and not {where.tenant}", "tenant", 409
                )

    def read(self, act: Act) -> Json | None:
        """For a login `{login, oid}`, for a membership `{grants: [...]}`, one for each grantor."""
        with self._talk():
            if act.name == LOGIN:
                role = self._role(act.on["role"], act.on.get("oid"))
                return None if role is None else {"login": role[2], "oid": role[0]}
            if act.name == MEMBER:
                return self._membership(act)
        raise no_such_act("postgres", act.name)

    def write(self, act: Act, state: Json | None) -> None:
        """NOLOGIN also ends the sessions; a membership goes with all its grants."""
        with self._talk():
            if act.name == LOGIN:
                self._set_login(act, state)
            elif act.name == MEMBER:
                self._set_grants(act, state)
            else:
                raise no_such_act("postgres", act.name)

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """With the password a login is tried; without it the flag and its sessions are told."""
        with self._talk():
            if act.name == MEMBER:
                return self._is_member(act)
            if act.name != LOGIN:
                raise no_such_act("postgres", act.name)
            role = self._role(act.on["role"], act.on.get("oid"))
            if role is None:
                return "flag", "the role is not there any more"
            oid, name, can_login = role
            open_now = self._one(
                "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usesysid = %s::oid", oid
            )
        if secret is not None:
            tried = self._try(name, secret, can_login=can_login)
            if tried[0] == "works" or not open_now:
                return tried
        if open_now:
            return "works", f"{open_now} of its sessions are open"
        if can_login:
            return "works", "rolcanlogin is true"
        return "flag", "rolcanlogin is false and no session of it is open; nobody tried to log in"

    def close(self) -> None:
        """End the session."""
        with suppress(Exception):
            self._db.close()

    def copy(self, query: str, path: Path) -> None:
        """The rows of *query* as CSV in a file."""
        said = f"COPY ({query}) TO STDOUT CSV HEADER"
        with self._talk(COLLECT_S):
            self._db.execute("SET statement_timeout = 0")
            with path.open("wb") as out, self._db.cursor().copy(said) as rows:
                for piece in rows:
                    out.write(piece)

    def _role(self, name: str, oid: str | None) -> tuple[str, str, bool] | None:
        """By its oid where that is known: a role made anew under the name is another one."""
        found = (
            self._db.execute(_ROLE + "oid = %s::oid", (oid,)).fetchone()
            if oid is not None
            else self._db.execute(_ROLE + "rolname = %s", (name,)).fetchone()
        )
        return (str(found[0]), str(found[1]), bool(found[2])) if found else None

    def _there(self, name: str, oid: str | None = None) -> tuple[str, str, bool]:
        role = self._role(name, oid)
        if role is None:
            raise Declined(f"{self._called}: there is no role {visible(name)}", "gone", 404)
        return role

    def _set_login(self, act: Act, state: Json | None) -> None:
        if state is None:
            raise Declined("postgres: muster drops no role", "act", 400)
        oid, name, can_login = self._there(act.on["role"], act.on.get("oid"))
        if state.get("oid", oid) != oid:
            raise Declined(f"{self._called}: {visible(name)} is another role now", "changed", 409)
        if not state["login"] and self._one("SELECT session_user::regrole::oid = %s::oid", oid):
            raise Declined(f"{self._called}: that is who muster is logged in as", "self", 409)
        if can_login != bool(state["login"]):
            self._say("ALTER ROLE {} " + ("LOGIN" if state["login"] else "NOLOGIN"), name)
        if not state["login"]:
            # only after the flag, or it would log in again in between
            self._db.execute(
                "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
                " WHERE usesysid = %s::oid",
                (oid,),
            )

    def _pair(self, act: Act) -> tuple[Any, Any]:
        return self._role(act.on["role"], None), self._role(act.on["member"], None)

    def _membership(self, act: Act) -> Json | None:
        role, member = self._pair(act)
        if role is None or member is None:
            return None
        rows = self._db.execute(_GRANTS, (role[0], member[0])).fetchall()
        kept = [
            {"grantor": by, "admin": admin}
            | ({} if inherit is None else {"inherit": inherit == "true", "set": may_set == "true"})
            for by, admin, inherit, may_set in rows
        ]
        return {"grants": kept} if kept else None

    def _set_grants(self, act: Act, state: Json | None) -> None:
        role, member = act.on["role"], act.on["member"]
        if state is None:
            found = self._membership(act)
            for grant in found["grants"] if found else ():
                self._say("REVOKE {} FROM {} GRANTED BY {}", role, member, grant["grantor"])
            return
        self._there(role)
        self._there(member)
        for grant in state["grants"]:
            options = " WITH ADMIN OPTION" if grant["admin"] else ""
            if "inherit" in grant:
                options = "".join((
                    " WITH ADMIN ", str(bool(grant["admin"])), ", INHERIT ",
                    str(bool(grant["inherit"])), ", SET ", str(bool(grant["set"])),
                ))  # fmt: skip
            self._say("GRANT {} TO {}" + options + " GRANTED BY {}", role, member, grant["grantor"])

    def _is_member(self, act: Act) -> tuple[Verdict, str]:
        role, member = self._pair(act)
        if role is None or member is None:
            return "flag", "one of the two roles is not there any more"
        asked = "SELECT pg_catalog.pg_has_role(%s::oid, %s::oid, 'MEMBER')"
        found = self._db.execute(asked, (member[0], role[0])).fetchone()
        if not found or found[0] is not False:
            return "works", "pg_has_role says that it is a member, directly or through another role"
        return "refused", "pg_has_role says that it is no member, directly or through another role"

    def _try(self, name: str, secret: str, *, can_login: bool) -> tuple[Verdict, str]:
        """A login as *name*. What libpq says has no code, so a foreign language is only a flag."""
        import psycopg

        given = {k: v for k, v in self._settings.items() if k not in ("user", "sslcert", "sslkey")}
        try:
            psycopg.connect(**given, user=name, password=secret).close()
        except (psycopg.Error, UnicodeError, ValueError) as error:
            said = _first_line(error)
        else:
            return "works", "it logged in"
        if "is not permitted to log in" in said:
            return "refused", said
        if "FATAL" not in said and "password" not in said:
            return "unknown", said
        return (
            "unknown" if can_login else "flag"
        ), f"{said}; rolcanlogin is {str(can_login).lower()}"

    def _say(self, words: str, *names: str) -> None:
        from psycopg import sql

        said = sql.SQL(words)
        self._db.execute(said.format(*(sql.Identifier(name) for name in names)))

    def _one(self, asked: str, oid: str) -> int:
        found = self._db.execute(asked, (oid,)).fetchone()
        return int(found[0]) if found else 0

    @contextmanager
    def _talk(self, limit_s: float | None = None) -> Iterator[None]:
        """Every error as ours, and an end in time."""
        import psycopg

        if self._db.closed:
            raise Unreachable(f"{self._called}: the connection is closed", again=True)
        seconds = limit_s or DEADLINE_S
        with watched(self._db.fileno(), seconds) as watch:
            try:
                yield
            except (psycopg.Error, UnicodeError, KeyError, TypeError, ValueError) as error:
                if watch.ended:
                    late = f"{self._called} did not answer within {seconds:.0f} s"
                    raise Unreachable(late, again=True) from None
                raise _ours(error, self._called) from None


def _ours(error: Exception, called: str) -> Unreachable:
    """The code decides: classes 08, 53, 57 and 58 are of the server's state, 40 of chance."""
    import psycopg

    said = f"{called}: {_first_line(error)}"
    if not isinstance(error, psycopg.Error) or isinstance(error, psycopg.DataError):
        return Declined(f"{called}: what is asked for cannot be said ({error})", "act", 400)
    code = error.sqlstate
    if code is None or code[:2] in ("08", "40", "53", "55", "57", "58", "XX"):
        return Unreachable(said, again=True)
    for codes, status in ((_NOT_ALLOWED, 403), (_NOT_THERE, 404), (_IN_USE, 409)):
        if code in codes:
            return Declined(said, code, status)
    return Declined(said, code, 409)


def _first_line(error: Exception) -> str:
    """What the server said, without libpq's own words before it."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    fatal = next((line for line in said if "FATAL:" in line), said[0])
    return visible(fatal[fatal.find("FATAL:") :] if "FATAL:" in fatal else fatal)[:300]


def _settings(where: Where) -> tuple[dict[str, Any], str]:
    """What libpq is told, and how the cluster is called in errors."""
    endpoint = where.settings.get("endpoint")
    if not endpoint:
        raise where.no_endpoint('endpoint = "postgresql://HOST:5432/postgres"')
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise UsageError(
            "PostgreSQL live needs psycopg: pip install 'passmuster[postgres]'"
        ) from None
    try:
        given = {k: str(v) for k, v in conninfo_to_dict(endpoint).items()}
    except ProgrammingError:
        raise UsageError(f"{where.source}: the endpoint is no postgresql:// address") from None
    if strange := set(given) - _SETTABLE:
        raise UsageError(f"{where.source}: {min(strange)} does not belong into the endpoint")
    host = given.get("host", "")
    given.setdefault("dbname", "postgres")
    if "user" in where.settings:
        given["user"] = where.settings["user"]
    if all(is_local(part) for part in host.split(",")):
        given["sslmode"] = "prefer"
    else:
        given |= {"sslmode": "verify-full"}
        given["sslrootcert"] = where.settings.get("ca") or given.get("sslrootcert", "system")
    more: dict[str, Any] = {
        "connect_timeout": CONNECT_S, "application_name": "passmuster", "autocommit": True,
    }  # fmt: skip
    return given | more, f"postgres at {host or 'this machine'}"


def _login(settings: dict[str, Any], called: str, where: Where) -> "psycopg.Connection":
    """A password is asked for once, and only where the server wants one."""
    import psycopg

    more: dict[str, Any] = {}
    while True:
        try:
            return psycopg.connect(**settings, **more)
        except (psycopg.Error, UnicodeError, ValueError) as error:
            wire = getattr(error, "pgconn", None)
            if not more and wire is not None and wire.needs_password:
                more["password"] = where.secret("PostgreSQL password", ())
                continue
            said = _first_line(error)
            if "FATAL" in said and not any(words in said for words in _PASSING):
                raise Declined(f"{called}: {said}", "login", 401) from None
            raise Unreachable(f"{called}: {said}", again=True) from None
