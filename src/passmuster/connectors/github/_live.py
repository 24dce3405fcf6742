"""GitHub, live: whoever is logged in with `gh`, over `https://api.github.com` or a server's API.

Not yet run against the vendor. A deploy key that is put back has a new number, so it is looked for
by its fingerprint too; else putting it back twice would look like a failure. GitHub says 404 also
of what this login may not see, so "not there" counts only where the list that it was in is shown.
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

ENDPOINT = "https://api.github.com"
VERSION = "2022-11-28"


def service(where: Where, token: str | None = None) -> Service:
    """A client for *where*, with the token of `gh` or with *token*."""
    base = where.settings.get("endpoint", ENDPOINT)
    ca = where.settings.get("ca")

    @cache
    def headers() -> Mapping[str, str]:
        host = urlsplit(base).hostname or ""
        words = ["gh", "auth", "token"]
        if base != ENDPOINT:
            words += ["--hostname", host]
        return {
            "Authorization": f"Bearer {token or where.secret('token', words)}",
            "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION,
        }  # fmt: skip

    return Service(base, headers, Path(ca) if ca else None)


def connect(where: Where) -> "GitHub":
    """Log in at GitHub: the login is lent now, and GitHub asked at the first verb."""
    api = service(where)
    api.headers()
    return GitHub(where, api)


@dataclass
class GitHub:
    """What `Live` asks for."""

    where: Where
    api: Service

    def read(self, act: Act) -> Json | None:
        """The state of the object of *act*."""
        return _kind(act).read(self, act.on)

    def write(self, act: Act, state: Json | None) -> None:
        """Put the object into *state*."""
        _kind(act).write(self, act.on, state)

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """Try the token where it is at hand; else read the state back."""
        state = self.read(act)
        stopped = state is None or (act.wanted is not None and act.wanted.items() <= state.items())
        if secret is not None and act.name in ("github.pat_access", "github.sso_credential"):
            return self._try(act, secret, stopped)
        if not stopped:
            return "works", "GitHub still lists it as it was"
        return "flag", "GitHub lists it as stopped; nobody tried to use it"

    def close(self) -> None:
        """Close the connection."""
        self.api.close()

    def _try(self, act: Act, secret: str, stopped: bool) -> tuple[Verdict, str]:
        org = act.on["place"].split("/")[1]
        with service(self.where, secret) as theirs:
            try:
                theirs.get(f"orgs/{org}/teams?per_page=1")
            except Declined as error:
                if error.status == 401:
                    return "refused", "the token was tried: GitHub does not know it (401)"
                if error.status == 403 and "SAML" in str(error):
                    return "refused", "the token was tried: single sign-on refuses it (403)"
                why = f"the token was tried and may not list teams ({error.status}), which it may"
                return ("flag" if stopped else "unknown"), f"{why} not have been able to before"
            except Unreachable as error:
                return "unknown", f"could not be asked: {error}"
        if stopped:
            return "works", "GitHub lists it as stopped, and still lists the teams to the token"
        return "works", "the token was tried: GitHub lists the teams of the organisation to it"


@dataclass(frozen=True)
class _Kind:
    read: Callable[[GitHub, Json], Json | None]
    write: Callable[[GitHub, Json, Json | None], None]


def _kind(act: Act) -> _Kind:
    found = _KINDS.get(act.name)
    if found is None:
        raise UsageError(f"{act.name}: not an act on GitHub that this release knows")
    return found


def _delete(github: GitHub, path: str) -> None:
    _once(github, "DELETE", path)


def _once(github: GitHub, method: str, path: str, body: Json | None = None) -> None:
    """A change for good; what is not there, in a list that is shown, has had it already."""
    try:
        github.api.change(method, path, body)
    except Declined as error:
        if error.status not in (404, 410):
            raise
        _shown(github, path)


def _shown(github: GitHub, path: str) -> None:
    """Declined where the list that *path* is an element of is not shown to this login."""
    github.api.get(f"{path.rpartition('/')[0]}?per_page=1")


def _find(github: GitHub, path: str) -> Json | None:
    found: Json | None = github.api.find(path)
    if found is None:
        _shown(github, path)
    return found


def _only_its_owner(what: str) -> Declined:
    return Declined(f"GitHub lets nobody but its owner put {what} back", "by_its_owner", 403)


def _one(github: GitHub, path: str, name: str, number: str) -> Json | None:
    """The element of the list at *path* whose *name* is *number*; such lists have no look-up."""
    for page in github.api.linked(f"{path}?per_page=100"):
        found = page.get("installations", []) if isinstance(page, dict) else page
        for element in found:
            if str(element.get(name)) == number:
                return dict(element)
    return None


def _key(github: GitHub, on: Json) -> Json | None:
    """The deploy key under its number or, made anew, under another one."""
    found = _find(github, on["place"])
    if found is None and on.get("fingerprint"):
        keys = on["place"].rpartition("/")[0]
        for page in github.api.linked(f"{keys}?per_page=100"):
            same = [k for k in page if fingerprint(k.get("key")) == on["fingerprint"]]
            found = same[0] if same else found
    return found


def _read_key(github: GitHub, on: Json) -> Json | None:
    found = _key(github, on)
    if found is None:
        return None
    return {"title": found.get("title"), "key": " ".join(str(found.get("key")).split()[:2]),
            "read_only": found.get("read_only")}  # fmt: skip


def _write_key(github: GitHub, on: Json, state: Json | None) -> None:
    found = _key(github, on)
    keys = on["place"].rpartition("/")[0]
    if state is None and found is not None:
        _delete(github, f"{keys}/{found['id']}")
    elif state is not None and found is None:
        github.api.change("POST", keys, {n: state[n] for n in ("title", "key", "read_only")})


def _read_hook(github: GitHub, on: Json) -> Json | None:
    found = _find(github, on["place"])
    return None if found is None else {"active": found.get("active") is True}


def _write_hook(github: GitHub, on: Json, state: Json | None) -> None:
    if state is None:
        raise _only_its_owner("a webhook")
    # without `config`, so that the address and the secret are not touched
    github.api.change("PATCH", on["place"], {"active": bool(state["active"])})


def _read_installation(github: GitHub, on: Json) -> Json | None:
    found = _one(github, f"orgs/{on['org']}/installations", "id", on["installation"])
    return None if found is None else {"suspended": found.get("suspended_at") is not None}


def _write_installation(github: GitHub, on: Json, state: Json | None) -> None:
    path = f"app/installations/{on['installation']}/suspended"
    github.api.change("PUT" if state is None or state["suspended"] else "DELETE", path)


def _read_listed(name: str) -> Callable[[GitHub, Json], Json | None]:
    def read(github: GitHub, on: Json) -> Json | None:
        path, _, number = on["place"].rpartition("/")
        return {"there": True} if _one(github, path, name, number) else None

    return read


def _write_sso(github: GitHub, on: Json, state: Json | None) -> None:
    if state is not None:
        raise _only_its_owner("it")
    _delete(github, on["place"])


def _write_pat(github: GitHub, on: Json, state: Json | None) -> None:
    if state is not None:
        raise _only_its_owner("a token's access")
    _once(github, "POST", on["place"], {"action": "revoke"})


def _read_secret(github: GitHub, on: Json) -> Json | None:
    found = _find(github, on["place"])
    return None if found is None else {"updated_at": found.get("updated_at")}


def _write_secret(github: GitHub, on: Json, state: Json | None) -> None:
    if state is not None:
        raise Declined("nobody can read a secret of Actions, so it cannot be put back: set it anew",
                       "unreadable", 409)  # fmt: skip
    _delete(github, on["place"])


_KINDS = {
    "github.deploy_key": _Kind(_read_key, _write_key),
    "github.webhook.active": _Kind(_read_hook, _write_hook),
    "github.installation.suspended": _Kind(_read_installation, _write_installation),
    "github.pat_access": _Kind(_read_listed("id"), _write_pat),
    "github.sso_credential": _Kind(_read_listed("credential_id"), _write_sso),
    "github.actions_secret": _Kind(_read_secret, _write_secret),
}
