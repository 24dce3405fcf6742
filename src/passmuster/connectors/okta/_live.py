"""Okta, live: the Management API of one org.

Not yet run against the vendor. There is no command that prints a login, so the API token is the
one that the keyring has. Credentials of applications are switched by their lifecycle
(developer.okta.com, "Application Client Auth Credentials").
"""

import itertools
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from urllib.parse import urlencode

from passmuster.connectors import _rest
from passmuster.connectors._live import Act, Verdict, Where
from passmuster.connectors._rest import part
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import Json
from passmuster.transport import Service

_LIFECYCLE = {
    "okta.app.status": {"INACTIVE": "deactivate", "ACTIVE": "activate"},
    "okta.credential.status": {"INACTIVE": "deactivate", "ACTIVE": "activate"},
    "okta.user.status": {"SUSPENDED": "suspend", "ACTIVE": "unsuspend"},
}


class Okta:
    """One org that was logged in at."""

    def __init__(self, where: Where) -> None:
        if "." not in where.tenant or "/" in where.tenant:
            raise UsageError("okta: name the org by its domain: okta:example.okta.com")
        self.org = where.tenant
        self._where = where
        self._lists: dict[str, Callable[[Json], tuple[str, Callable[[Json], bool]]]] = {
            "okta.scope": self._scopes, "okta.role": self._roles,
        }  # fmt: skip

    @cached_property
    def api(self) -> Service:
        """The Management API, with the token of the keyring."""
        return _rest.service(self._where, f"https://{self.org}", "token", (), "SSWS")

    @cached_property
    def _anyone(self) -> Service:
        return _rest.anonymous(self._where, f"https://{self.org}")

    def read(self, act: Act) -> Json | None:
        """The state of the object, as `Live` says."""
        if act.name in self._lists:
            return self._state(act, self._listed(act))
        found = self.api.find(self._path(act))
        if act.name == "okta.api_token":
            kept = ("name", "userId", "created", "tokenWindow")
            return found and {k: found.get(k) for k in kept}
        return found and {"status": found.get("status")}

    def write(self, act: Act, state: Json | None) -> None:
        """Put it into *state*; a token or secret that was deleted is Declined (409)."""
        if act.name in self._lists:
            self._rewrite(act, state)
            return
        there = self.read(act)
        if act.name in ("okta.api_token", "okta.credential"):
            if state is None and there is not None:
                self.api.change("DELETE", self._path(act))
            elif state is not None and there is None:
                raise _rest.never("a token or client secret of Okta")
            return
        if there is None:
            raise Declined("it is not there", "404", 404)
        wanted = None if state is None else state.get("status")
        verb = _LIFECYCLE[act.name].get(str(wanted))
        if verb is None or there["status"] not in _LIFECYCLE[act.name]:
            raise Declined(f"from {there['status']} to {wanted} there is no way", "no", 409)
        if there["status"] != wanted:
            self.api.change("POST", f"{self._path(act)}/lifecycle/{verb}")

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """With the token or the client's secret, tries it; else what reading tells."""
        client = act.on.get("app") if act.on.get("sort", "secrets") == "secrets" else None
        token = act.name in ("okta.api_token", "okta.user.status")
        if secret is None or not (token or client):
            return _rest.judged(self, act)
        if not secret.isascii() or not secret.isprintable():
            return "unknown", "what was given is no token"
        try:
            if token:
                self._anyone.ask("GET", "api/v1/users/me", None,
                                 {"Authorization": f"SSWS {secret}"})  # fmt: skip
            else:
                form = {"grant_type": "client_credentials", "scope": "okta.users.read.self",
                        "client_id": client, "client_secret": secret}  # fmt: skip
                self._anyone.ask("POST", "oauth2/v1/token", urlencode(form).encode(),
                                 {"Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
        except Declined as error:
            if error.status == 401:
                return "refused", str(error)
            taken = error.status == 403 if token else "scope" in str(error).lower()
            return ("works" if taken else "unknown"), str(error)
        except Unreachable as error:
            return "unknown", str(error)
        return "works", "Okta took it"

    def close(self) -> None:
        """Close the connections."""
        for name in ("api", "_anyone"):
            if name in self.__dict__:
                getattr(self, name).close()

    def listed(self, path: str) -> Iterator[Json]:
        """Each object of a list, over all its pages."""
        for page in self.api.linked(path):
            if not isinstance(page, list):
                raise Unreachable(f"{self.api.base}: the answer is no list")
            yield from (each for each in page if isinstance(each, dict))

    def _path(self, act: Act) -> str:
        on = {k: part(v) for k, v in act.on.items()}
        match act.name:
            case "okta.app.status":
                return f"api/v1/apps/{on['app']}"
            case "okta.user.status":
                return f"api/v1/users/{on['user']}"
            case "okta.api_token":
                return f"api/v1/api-tokens/{on['token']}"
            case "okta.credential" | "okta.credential.status":
                return f"api/v1/apps/{on['app']}/credentials/{on['sort']}/{on['id']}"
        raise UsageError(f"okta: cannot do {act.name}")

    def _scopes(self, on: Json) -> tuple[str, Callable[[Json], bool]]:
        path = f"api/v1/apps/{part(on['app'])}/grants"
        return path, lambda g: g.get("scopeId") == on["scope"]

    def _roles(self, on: Json) -> tuple[str, Callable[[Json], bool]]:
        root = "oauth2/v1" if on["of"] == "clients" else "api/v1"
        path = f"{root}/{part(on['of'])}/{part(on['id'])}/roles"

        def mine(role: Json) -> bool:
            if on["set"]:
                return (role.get("role"), role.get("resource-set")) == (on["role"], on["set"])
            return bool(role.get("type") == on["role"] and role.get("type") != "CUSTOM")

        return path, mine

    def _listed(self, act: Act) -> Json | None:
        path, mine = self._lists[act.name](act.on)
        try:
            return next((each for each in self.listed(path) if mine(each)), None)
        except Declined as error:
            if _rest.gone(error):
                return None
            raise

    def _state(self, act: Act, found: Json | None) -> Json | None:
        kept = ("scopeId", "issuer") if act.name == "okta.scope" else (
            "type", "role", "resource-set")  # fmt: skip
        return found and {k: found[k] for k in kept if found.get(k)}

    def _rewrite(self, act: Act, state: Json | None) -> None:
        """A grant or a role's assignment: made again, it has a new id."""
        there = self._listed(act)
        path, _ = self._lists[act.name](act.on)
        if state is None and there is not None:
            self.api.change("DELETE", f"{path}/{part(there['id'])}")
        elif state is not None and there is None:
            self.api.change("POST", path, state)


def connect(where: Where) -> Okta:
    """The org that the source names."""
    return Okta(where)


def collect(where: Where, folder: Path) -> None:
    """Write API tokens, applications, their credentials, scopes and roles to *folder*."""
    live = Okta(where)
    try:
        apps = list(live.listed("api/v1/apps?limit=200"))
        clients = [part(a.get("id")) for a in apps if a.get("signOnMode") == "OPENID_CONNECT"]
        per_client = {
            "client-credentials": ("api/v1/apps/{}/credentials/secrets",
                                   "api/v1/apps/{}/credentials/jwks"),
            "scopes": ("api/v1/apps/{}/grants",),
            "roles": ("oauth2/v1/clients/{}/roles",),
        }  # fmt: skip
        _rest.write_some(folder / "apps.json", iter(apps))
        _rest.write_some(folder / "api-tokens.json", live.listed("api/v1/api-tokens"))
        for name, paths in per_client.items():
            found = itertools.chain.from_iterable(
                _with_app(live.listed(path.format(client)), client)
                for client in clients for path in paths
            )  # fmt: skip
            _rest.write_some(folder / f"{name}.json", found)
    finally:
        live.close()


def _with_app(elements: Iterator[Json], client: str) -> Iterator[Json]:
    """Without the secrets themselves, which Okta lists to whoever may manage applications."""
    for each in elements:
        kept = {k: v for k, v in each.items() if k not in ("client_secret", "secret_hash")}
        if len(kept) < len(each):
            kept |= {"secret_hash": None, "appId": client}
        yield kept if "kty" not in each else {**kept, "appId": client}
