"""A cluster, live: the HTTP API of the management plug-in, as a user with `administrator`."""

import base64
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from passmuster.connectors import Act, Verdict, Where
from passmuster.connectors._session import is_local, no_such_act
from passmuster.connectors.rabbitmq import _amqp
from passmuster.connectors.rabbitmq._plan import LIMIT, PERMISSION
from passmuster.errors import Declined, Unreachable
from passmuster.text import Json
from passmuster.transport import Patience, Service

PATIENCE = Patience()
DEADLINE_S = 30.0
_RIGHTS = ("configure", "write", "read")
NOT_ALLOWED = 530
_ID = "rabbitmq-cluster-id-"


def connect(where: Where) -> "Broker":
    """Log in. Raises UsageError for settings that cannot work."""
    return Broker(where)


def collect(where: Where, folder: Path) -> None:
    """`definitions.json`, without hashes, the cluster's name first."""
    broker = Broker(where)
    try:
        found = broker.definitions()
    finally:
        broker.close()
    for user in found["users"]:
        user["has_password"] = bool(user.pop("password_hash", ""))
    if not broker.by_its_own_id:
        del found["global_parameters"]
    with (folder / "definitions.json").open("w", encoding="utf-8", newline="\n") as out:
        json.dump(found, out, indent=1)
        out.write("\n")


class Broker:
    """The `Live` of RabbitMQ."""

    def __init__(self, where: Where) -> None:
        endpoint, user = where.settings.get("endpoint"), where.settings.get("user")
        if not endpoint or not user:
            raise where.no_endpoint('endpoint = "https://HOST:15671" and user = "…"')
        self._me, self._ca = user, where.settings.get("ca")
        self._host = urlsplit(endpoint).hostname or ""
        password = where.secret("RabbitMQ password", ())
        proof = base64.b64encode(f"{user}:{password}".encode()).decode()
        # a change has no answer, and 3.10 declines to give none as JSON (406)
        asks = {"Authorization": f"Basic {proof}", "Accept": "*/*"}
        self._as = Service(
            f"{endpoint.rstrip('/')}/api", lambda: asks,
            Path(self._ca) if self._ca else None, patience=PATIENCE, deadline_s=DEADLINE_S,
        )  # fmt: skip
        try:
            self._check(where.tenant)
        except BaseException:
            self.close()
            raise

    def _check(self, tenant: str) -> None:
        found = self._as.find("global-parameters/internal_cluster_id")
        cluster = str(_mapping(found).get("value")) if found else ""
        self.by_its_own_id = tenant in ("", cluster)
        if tenant.startswith(_ID) and tenant != cluster:
            raise Declined(f"{self._as.base} is {cluster}, not {tenant}", "tenant", 409)

    def definitions(self) -> dict[str, Any]:
        """The parts that say who may do what."""
        found = _mapping(self._as.get("definitions"))
        users, permissions = found.get("users"), found.get("permissions")
        if not isinstance(users, list) or not isinstance(permissions, list):
            raise Unreachable("RabbitMQ answered in a shape that is not its own")
        return {
            "global_parameters": found.get("global_parameters") or [],
            "rabbitmq_version": found.get("rabbitmq_version"),
            "users": [_mapping(user) for user in users], "permissions": permissions,
        }  # fmt: skip

    def read(self, act: Act) -> Json | None:
        """`{max-connections}`, null where there is no limit; or the three rights."""
        user = _said(act, "user")
        if act.name == PERMISSION:
            found = self._as.find(_permission(act))
            return None if found is None else {r: _mapping(found).get(r) for r in _RIGHTS}
        if act.name != LIMIT:
            raise no_such_act("rabbitmq", act.name)
        # not GET users/NAME, which answers with the hash
        limits = self._as.find(f"user-limits/{_safe(user)}")
        if not limits:
            return None if not self._is_there(user) else {"max-connections": None}
        value = _mapping(_mapping(limits[0] if isinstance(limits, list) else None).get("value"))
        return {"max-connections": value.get("max-connections")}

    def write(self, act: Act, state: Json | None) -> None:
        """A stop also ends the connections."""
        user = _said(act, "user")
        if act.name not in (LIMIT, PERMISSION) or (act.name == LIMIT and state is None):
            raise no_such_act("rabbitmq", act.name)
        stops = state is None or state.get("max-connections") == 0
        if user == self._me and stops:
            raise Declined("rabbitmq: that is who muster is logged in as", "self", 409)
        if act.name == PERMISSION:
            if state is None:
                self._gone("DELETE", _permission(act))
            else:
                self._as.change("PUT", _permission(act), {r: state.get(r) or "" for r in _RIGHTS})
        else:
            assert state is not None
            path = f"user-limits/{_safe(user)}/max-connections"
            if not self._is_there(user):
                raise Declined("rabbitmq: there is no such user", "gone", 404)
            if state.get("max-connections") is None:
                self._gone("DELETE", path)
            else:
                self._as.change("PUT", path, {"value": state["max-connections"]})
        if stops:
            self._gone("DELETE", f"connections/username/{_safe(user)}")

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """With the password a login by AMQP is tried, in a virtual host of the user's."""
        state, user = self.read(act), _said(act, "user")
        stopped = state is None if act.name == PERMISSION else state == act.wanted
        if secret is not None:
            tried = self._try(act, user, secret, stopped=stopped)
            if tried is not None:
                return tried
        if act.name == LIMIT and state is None:
            return "flag", "the user is not there any more"
        if not stopped:
            return "works", "it is as it was"
        open_now = len(self._as.find(f"connections/username/{_safe(user)}") or ())
        if open_now and act.name == LIMIT:
            return "works", f"{open_now} of its connections are open"
        return "flag", "the state is as wanted; nobody tried to log in"

    def close(self) -> None:
        """Close the connections."""
        self._as.close()

    def _try(
        self, act: Act, user: str, secret: str, *, stopped: bool
    ) -> tuple[Verdict, str] | None:
        """None where there is nothing to try it at. Only 530 is of the limit or the permission."""
        place, tls = self._listener()
        vhost = _said(act, "vhost") if act.name == PERMISSION else self._vhost(user)
        if place is None or vhost is None:
            return None
        try:
            _amqp.login(place, tls, user, secret, vhost, DEADLINE_S)
        except Declined as error:
            if error.status == NOT_ALLOWED:
                return ("refused" if stopped else "unknown"), error.args[0]
            return ("flag" if stopped else "unknown"), error.args[0]
        except Unreachable as error:
            return "unknown", error.args[0]
        return "works", "it logged in"

    def _listener(self) -> tuple[tuple[str, int] | None, ssl.SSLContext | None]:
        """Where AMQP is spoken; with another machine through TLS only."""
        wanted = "amqp" if is_local(self._host) else "amqp/ssl"
        listeners = _mapping(self._as.get("overview")).get("listeners") or []
        ports = [x.get("port") for x in map(_mapping, listeners) if x.get("protocol") == wanted]
        if not ports or type(ports[0]) is not int:
            return None, None
        tls = None if wanted == "amqp" else ssl.create_default_context(cafile=self._ca)
        return (self._host, ports[0]), tls

    def _vhost(self, user: str) -> str | None:
        found = self._as.find(f"users/{_safe(user)}/permissions") or []
        return next((str(_mapping(one).get("vhost")) for one in found), None)

    def _is_there(self, user: str) -> bool:
        return self._as.find(f"users/{_safe(user)}/permissions") is not None

    def _gone(self, method: str, path: str) -> None:
        """What is not there needs no deletion."""
        try:
            self._as.change(method, path)
        except Declined as error:
            if error.status != 404:
                raise


def _permission(act: Act) -> str:
    return f"permissions/{_safe(_said(act, 'vhost'))}/{_safe(_said(act, 'user'))}"


def _said(act: Act, name: str) -> str:
    value = act.on.get(name)
    if not isinstance(value, str) or not value:
        raise Declined(f"rabbitmq: the act does not say its {name}", "act", 400)
    return value


def _safe(name: str) -> str:
    return quote(name, safe="") if name not in (".", "..") else name.replace(".", "%2E")


def _mapping(value: Any) -> Json:
    if not isinstance(value, dict):
        raise Unreachable("RabbitMQ answered in a shape that is not its own")
    return value
