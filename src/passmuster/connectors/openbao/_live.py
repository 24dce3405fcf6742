"""A cluster, live: its HTTP API, with the token of who is logged in (`bao print token`)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from passmuster.connectors import Act, Verdict, Where
from passmuster.connectors._session import no_such_act
from passmuster.connectors.openbao._plan import APPROLE, ENTITY, POLICIES, SECRET_ID, TOKEN
from passmuster.errors import Declined, Unreachable
from passmuster.text import Json, visible
from passmuster.transport import Patience, Service

PATIENCE = Patience()
DEADLINE_S = 30.0
_TOKENS = ("s.", "b.", "hvs.", "hvb.")
"""How tokens begin, of OpenBao and of Vault; a secret id is a UUID."""


def connect(where: Where) -> "Bao":
    """Log in. Raises UsageError for settings that cannot work."""
    return Bao(where)


def collect(where: Where, folder: Path) -> None:
    """`openbao.jsonl`: the answers that the format names, in that order."""
    bao = Bao(where)
    try:
        with (folder / "openbao.jsonl").open("w", encoding="utf-8", newline="\n") as out:
            for path, answer in bao.answers():
                out.write(json.dumps({"path": path} | answer, separators=(",", ":")) + "\n")
    finally:
        bao.close()


class Bao:
    """The `Live` of OpenBao."""

    def __init__(self, where: Where) -> None:
        endpoint = where.settings.get("endpoint")
        if not endpoint:
            raise where.no_endpoint('endpoint = "https://HOST:8200"')
        tool = "vault" if where.settings.get("profile") == "vault" else "bao"
        self._base = f"{endpoint.rstrip('/')}/v1"
        self._ca = Path(where.settings["ca"]) if "ca" in where.settings else None
        self._token = where.secret("OpenBao token", (tool, "print", "token")).strip()
        self._as = self._service(self._token)
        try:
            self.health = self._health(where.tenant)
        except BaseException:
            self.close()
            raise

    def _health(self, tenant: str) -> Json:
        found = self._asked("GET", "sys/health?standbyok=true&perfstandbyok=true")
        cluster = str(found.get("cluster_id") or "")
        self._by_its_own_id = tenant in ("", cluster)
        if tenant.count("-") == 4 and cluster and tenant != cluster:
            raise Declined(f"{self._base} is the cluster {visible(cluster)}, not {tenant}",
                           "tenant", 409)  # fmt: skip
        return found

    def _service(self, token: str) -> Service:
        headers = {"X-Vault-Token": token, "X-Vault-Request": "true"} if token else {}
        return Service(self._base, lambda: headers, self._ca, patience=PATIENCE,
                       deadline_s=DEADLINE_S)  # fmt: skip

    def close(self) -> None:
        """Close the connections, forget the token."""
        self._token = ""
        self._as.close()

    def read(self, act: Act) -> Json | None:
        """`{disabled}`, `{token_policies}`, or what is told of a secret id or a token."""
        if act.name in (ENTITY, APPROLE):
            entity = self._entity(act)
            found = self._data(f"identity/entity/id/{entity}") if entity else None
            return None if found is None else {"disabled": found.get("disabled") is True}
        if act.name == POLICIES:
            found = self._data(_role(act))
            return None if found is None else {"token_policies": _texts(found, "token_policies")}
        if act.name == SECRET_ID:
            found = self._looked_up(
                f"{_role(act)}/secret-id-accessor/lookup",
                {"secret_id_accessor": _said(act, "accessor")},
            )
            return found and {"created": str(found.get("creation_time"))}
        if act.name == TOKEN:
            found = self._looked_up(
                "auth/token/lookup-accessor", {"accessor": _said(act, "accessor")}
            )
            return found and {"created": str(found.get("issue_time"))}
        raise no_such_act("openbao", act.name)

    def write(self, act: Act, state: Json | None) -> None:
        """A flag or policies; None ends a secret id or a token, which nothing brings back."""
        if act.name in (ENTITY, APPROLE) and state is not None:
            entity = self._entity(act)
            if entity is None or self._data(f"identity/entity/id/{entity}") is None:
                raise Declined(f"{self._base}: it has no entity: nobody has logged in with it yet",
                               "gone", 404)  # fmt: skip
            self._asked("POST", f"identity/entity/id/{entity}", {"disabled": state["disabled"]})
        elif act.name == POLICIES and state is not None:
            if self._data(_role(act)) is None:  # a write would make it
                raise Declined(f"{self._base}: there is no such role", "gone", 404)
            self._asked("POST", _role(act), {"token_policies": state["token_policies"]})
        elif act.name in (SECRET_ID, TOKEN) and state is None:
            if self.read(act) is None:
                return
            accessor = _said(act, "accessor")
            if act.name == TOKEN:
                self._asked("POST", "auth/token/revoke-accessor", {"accessor": accessor})
            else:
                path = f"{_role(act)}/secret-id-accessor/destroy"
                self._asked("POST", path, {"secret_id_accessor": accessor})
        elif act.name in (ENTITY, APPROLE, POLICIES, SECRET_ID, TOKEN):
            raise Declined("openbao: what is destroyed cannot be made again", "act", 409)
        else:
            raise no_such_act("openbao", act.name)

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """*secret* is a token or a secret id: it is tried. A login that succeeds is ended again."""
        state = self.read(act)
        if secret is None:
            return _flag(act, state)
        secret = secret.strip()
        if secret.startswith(_TOKENS):
            return self._try_token(act, secret)
        if act.name in (ENTITY, TOKEN):
            return _flag(act, state)
        return self._try_login(act, secret, stopped=state in (None, act.wanted))

    def answers(self) -> Iterator[tuple[str, Json]]:
        """(path, answer) of all that the import reads."""
        if self._by_its_own_id:
            yield "sys/health", {"lease_id": "", "data": self.health}
        mounts = self._as.get("sys/auth")
        yield "sys/auth", mounts
        data = mounts.get("data") if isinstance(mounts, dict) else None
        for mount, about in sorted((data or {}).items()):
            if isinstance(about, dict) and about.get("type") == "approle":
                yield from self._roles(f"auth/{mount.rstrip('/')}")
        for kind in ("entity", "group"):
            for name in self._keys(f"identity/{kind}/id"):
                yield from self._one(f"identity/{kind}/id/{_safe(name)}")
        for accessor in self._keys("auth/token/accessors"):
            yield from self._one("auth/token/lookup-accessor", {"accessor": accessor})

    def _roles(self, mount: str) -> Iterator[tuple[str, Json]]:
        for name in self._keys(f"{mount}/role"):
            role = f"{mount}/role/{_safe(name)}"
            yield from self._one(role)
            for accessor in self._keys(f"{role}/secret-id"):
                path = f"{role}/secret-id-accessor/lookup"
                yield from self._one(path, {"secret_id_accessor": accessor})

    def _keys(self, path: str) -> list[str]:
        found = self._as.find(f"{path}?list=true")
        keys = _mapping(found).get("data") if found else None
        return [str(key) for key in _mapping(keys).get("keys") or []] if keys else []

    def _one(self, path: str, body: Json | None = None) -> Iterator[tuple[str, Json]]:
        """What ended between the list and the question is left out: it is gone."""
        try:
            found = self._as.get(path) if body is None else self._as.change("POST", path, body)
        except Declined as error:
            if not _is_gone(error):
                raise
            return
        if found is not None:
            yield path, _mapping(found)

    def _entity(self, act: Act) -> str | None:
        if act.name == ENTITY:
            return _safe(_said(act, "id"))
        mount = _said(act, "mount")
        role = self._data(f"{_role(act)}/role-id")
        if role is None:
            return None
        mounts = self._data("sys/auth") or {}
        accessor = _mapping(mounts.get(f"{mount.removeprefix('auth/')}/")).get("accessor")
        asked = {"alias_name": role.get("role_id"), "alias_mount_accessor": accessor}
        found = self._as.change("POST", "identity/lookup/entity", asked)
        entity = _mapping(_mapping(found).get("data")).get("id") if found else None
        return _safe(str(entity)) if entity else None

    def _try_token(self, act: Act, token: str) -> tuple[Verdict, str]:
        """A token that OpenBao does not know is refused as one that was stopped: ask first."""
        known = self._looked_up("auth/token/lookup", {"token": token})
        if act.name in (ENTITY, APPROLE):
            if known is None:
                return "unknown", "OpenBao does not know this token"
            if known.get("entity_id") != self._entity(act):
                return "unknown", "this token is of another entity"
        elif act.name == TOKEN and known and known.get("accessor") != _said(act, "accessor"):
            return "unknown", "this is another token"
        elif act.name != TOKEN:
            return _flag(act, self.read(act))
        with self._service(token) as its:
            try:
                its.get("auth/token/lookup-self")
            except Declined as error:
                return ("refused" if error.status == 403 else "unknown"), error.args[0]
        return "works", "the token was accepted"

    def _try_login(self, act: Act, secret: str, *, stopped: bool) -> tuple[Verdict, str]:
        """403 is the entity, 400 the secret id: only the one that was stopped proves it."""
        role = self._data(f"{_role(act)}/role-id")
        if role is None:
            return "flag", "the role is not there any more"
        asked = {"role_id": role.get("role_id"), "secret_id": secret}
        with self._service("") as nobody:
            try:
                found = nobody.change("POST", f"{_said(act, 'mount')}/login", asked)
            except Declined as error:
                meant = error.status == (400 if act.name == SECRET_ID else 403)
                return ("refused" if stopped and meant else "unknown"), error.args[0]
        auth = _mapping(_mapping(found).get("auth"))
        with self._service(str(auth.get("client_token"))) as its:
            its.change("POST", "auth/token/revoke-self")
        if act.name == POLICIES:
            held = [name for name in _texts(auth, "token_policies") if name != "default"]
            if not held:
                return "refused", "it logged in and got no policy but default"
            return "works", f"it logged in and got {', '.join(map(visible, held))[:200]}"
        return "works", "it logged in"

    def _data(self, path: str) -> Json | None:
        found = self._as.find(path)
        return None if found is None else _mapping(_mapping(found).get("data"))

    def _looked_up(self, path: str, asked: Json) -> Json | None:
        try:
            found = self._as.change("POST", path, asked)
        except Declined as error:
            if _is_gone(error):
                return None
            raise
        return None if found is None else _mapping(_mapping(found).get("data"))

    def _asked(self, method: str, path: str, body: Json | None = None) -> Json:
        found = self._as.get(path) if method == "GET" else self._as.change(method, path, body)
        return _mapping(found) if found is not None else {}


def _is_gone(error: Declined) -> bool:
    """OpenBao has no one status for an accessor that is not there."""
    said = str(error)
    return error.status == 404 or any(
        words in said for words in ("invalid accessor", "failed to find accessor entry",
                                    "bad token", "token not found")
    )  # fmt: skip


def _flag(act: Act, state: Json | None) -> tuple[Verdict, str]:
    if state is None:
        return "flag", "it is not there"
    if act.wanted is not None and all(state.get(k) == v for k, v in act.wanted.items()):
        said = ", ".join(f"{k} is {json.dumps(v)}" for k, v in act.wanted.items())
        return "flag", f"{said}; nobody tried"
    return "works", "it is as it was"


def _said(act: Act, name: str) -> str:
    value = act.on.get(name)
    if not isinstance(value, str) or not value:
        raise Declined(f"openbao: the act does not say its {name}", "act", 400)
    return value


def _role(act: Act) -> str:
    mount = _said(act, "mount")
    return f"{'/'.join(map(_safe, mount.split('/')))}/role/{_safe(_said(act, 'role'))}"


def _safe(name: str) -> str:
    """A name in a path: `..` and `/` are of the name and lead nowhere else."""
    return quote(name, safe="") if name not in (".", "..") else name.replace(".", "%2E")


def _mapping(value: Any) -> Json:
    if not isinstance(value, dict):
        raise Unreachable("OpenBao answered in a shape that is not its own")
    return value


def _texts(found: Json, name: str) -> list[str]:
    value = found.get(name)
    return [str(item) for item in value] if isinstance(value, list) else []
