"""GitLab, live: whoever is logged in with `glab`, over the API (v4) of the tenant's host.

Not yet run against the vendor. GitLab says 404 also of what this login may not see, so "not there"
counts only where the list that it was in is shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from passmuster.connectors import Act, Verdict, Where
from passmuster.connectors._public_key import fingerprint
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import Json
from passmuster.transport import Service

_USER_ACTS = {
    ("active", "blocked"): "block", ("blocked", "active"): "unblock",
    ("deactivated", "active"): "activate", ("deactivated", "blocked"): "block",
    ("active", "deactivated"): "deactivate",
}  # fmt: skip
"""(state as it is, state that is wanted) → what to call."""


def service(where: Where, token: str | None = None) -> Service:
    """A client for the host of *where*, with the token of `glab` or with *token*."""
    host = where.tenant.partition("/")[0]
    base = where.settings.get("endpoint") or f"https://{host}/api/v4"
    if not host and not where.settings.get("endpoint"):
        raise UsageError("gitlab: name the server: gitlab:HOST or gitlab:HOST/GROUP")
    ca = where.settings.get("ca")

    @cache
    def headers() -> Mapping[str, str]:
        words = ("glab", "config", "get", "token", "--host", urlsplit(base).hostname or host)
        return {"Authorization": f"Bearer {token or where.secret('token', words)}"}

    return Service(base, headers, Path(ca) if ca else None)


def connect(where: Where) -> "GitLab":
    """Log in at GitLab: the login is lent now, and GitLab asked at the first verb."""
    api = service(where)
    api.headers()
    return GitLab(where, api)


@dataclass
class GitLab:
    """What `Live` asks for."""

    where: Where
    api: Service

    def read(self, act: Act) -> Json | None:
        """The state of the object of *act*."""
        return _kind(act).read(self.api, act.on)

    def write(self, act: Act, state: Json | None) -> None:
        """Put the object into *state*."""
        _kind(act).write(self.api, act.on, state)

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """Try the token where it is at hand; else read the state back."""
        if secret is not None and act.name in ("gitlab.user.state", "gitlab.access_token"):
            return self._try(secret)
        state = self.read(act)
        if state is None and act.wanted is not None:
            return "unknown", "GitLab does not show it to this login"
        if state is not None and (act.wanted is None or not act.wanted.items() <= state.items()):
            return "works", "GitLab still lists it as it was"
        return "flag", "GitLab lists it as stopped; nobody tried to use it"

    def close(self) -> None:
        """Close the connection."""
        self.api.close()

    def _try(self, secret: str) -> tuple[Verdict, str]:
        with service(self.where, secret) as theirs:
            try:
                theirs.get("personal_access_tokens/self")
            except Declined as error:
                if error.status == 401:
                    return "refused", "the token was tried: GitLab does not take it (401)"
                if error.status == 403 and "block" in str(error).lower():
                    return "refused", "the token was tried: its user is blocked (403)"
                return "unknown", f"the token was tried: {error}"
            except Unreachable as error:
                return "unknown", f"could not be asked: {error}"
        return "works", "the token was tried: GitLab takes it"


@dataclass(frozen=True)
class _Kind:
    read: Callable[[Service, Json], Json | None]
    write: Callable[[Service, Json, Json | None], None]


def _kind(act: Act) -> _Kind:
    found = _KINDS.get(act.name)
    if found is None:
        raise UsageError(f"{act.name}: not an act on GitLab that this release knows")
    return found


def _delete(api: Service, path: str) -> None:
    """What is not there, in a list that is shown, is deleted already."""
    try:
        api.change("DELETE", path)
    except Declined as error:
        if error.status not in (404, 410):
            raise
        api.get(f"{path.rpartition('/')[0]}?per_page=1")


def _read_user(api: Service, on: Json) -> Json | None:
    found = api.find(f"users/{on['user']}")
    return None if found is None else {"state": found.get("state")}


def _write_user(api: Service, on: Json, state: Json | None) -> None:
    if state is None:
        raise Declined("muster deletes no user of GitLab", "not_supported", 405)
    now = _read_user(api, on)
    if now is None:
        raise Declined(f"GitLab has no user {on['user']}", "404", 404)
    if now["state"] == state["state"]:
        return  # a second `block` answers 403
    verb = _USER_ACTS.get((str(now["state"]), str(state["state"])))
    if verb is None:
        raise Declined(f"a user that is {now['state']} cannot be made {state['state']}", "409", 409)
    api.change("POST", f"users/{on['user']}/{verb}")


def _read_token(api: Service, on: Json) -> Json | None:
    found = api.find(on["place"])
    if found is not None:
        return {"revoked": found.get("revoked") is True}
    place: str = on["place"]
    if place.startswith("personal_access_tokens/"):
        # only an administrator is shown the tokens of others
        return {"revoked": True} if api.get("user").get("is_admin") is True else None
    api.get(f"{place.rpartition('/')[0]}?per_page=1")
    return {"revoked": True}


def _write_token(api: Service, on: Json, state: Json | None) -> None:
    if state is not None and not state["revoked"]:
        now = _read_token(api, on)
        if now != state:
            raise Declined("a revoked token is gone for good: make a new one", "revoked", 409)
        return
    now = _read_token(api, on)
    if now is None:
        raise Declined(f"GitLab does not show {on['place']} to this login", "404", 404)
    if not now["revoked"]:
        _delete(api, on["place"])


def _key(api: Service, on: Json) -> Json | None:
    """The deploy key under its number or, made anew, under another one."""
    keys = f"projects/{on['project']}/deploy_keys"
    found: Json | None = api.find(f"{keys}/{on['key']}")
    if found is None:
        for page in api.linked(f"{keys}?per_page=100"):
            for key in page:
                prints = (key.get("fingerprint_sha256"), fingerprint(key.get("key")))
                if on.get("fingerprint") and on["fingerprint"] in prints:
                    found = key
    return found


def _read_key(api: Service, on: Json) -> Json | None:
    found = _key(api, on)
    if found is None:
        return None
    return {"title": found.get("title"), "key": " ".join(str(found.get("key")).split()[:2]),
            "can_push": found.get("can_push") is True}  # fmt: skip


def _write_key(api: Service, on: Json, state: Json | None) -> None:
    found = _key(api, on)
    keys = f"projects/{on['project']}/deploy_keys"
    if state is None and found is not None:
        _delete(api, f"{keys}/{found['id']}")
    elif state is not None and found is None:
        api.change("POST", keys, {n: state[n] for n in ("title", "key", "can_push")})


def _read_runner(api: Service, on: Json) -> Json | None:
    found = api.find(f"runners/{on['runner']}")
    return None if found is None else {"paused": found.get("paused") is True}


def _write_runner(api: Service, on: Json, state: Json | None) -> None:
    if state is None:
        raise Declined("muster deletes no runner", "not_supported", 405)
    api.change("PUT", f"runners/{on['runner']}", {"paused": bool(state["paused"])})


_KINDS = {
    "gitlab.user.state": _Kind(_read_user, _write_user),
    "gitlab.access_token": _Kind(_read_token, _write_token),
    "gitlab.deploy_key": _Kind(_read_key, _write_key),
    "gitlab.runner.paused": _Kind(_read_runner, _write_runner),
}
