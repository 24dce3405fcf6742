"""Records of an Okta org: API tokens, applications, their credentials, roles and scopes.

The source is the org's domain, which the links in every object name. Okta tells of nothing when
it was used last. An API token's end moves with each use (`expiresAt` is `lastUpdated` and
`tokenWindow`): where that holds, `lastUpdated` is taken for the last use, and said to be inferred.
"""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from passmuster import text
from passmuster.connectors import Context, _listing
from passmuster.connectors._json import Part, guarded, listed, mapping, optional, required
from passmuster.connectors._listing import attributes, fold, objects, refused, shown, when
from passmuster.connectors._table import not_empty
from passmuster.connectors.okta._levels import level_of_role, level_of_scope
from passmuster.errors import ImportRefused
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Kind,
    Owner,
    Problem,
    Record,
    Source,
)

ARRAYS = ("keys",)
_STATUS = {"ACTIVE": "enabled", "INACTIVE": "disabled", "DELETED": "deleted"}
_KINDS: tuple[tuple[str, tuple[frozenset[str], ...]], ...] = (
    ("api_token", (frozenset(("id", "userid", "tokenwindow")),
                   frozenset(("id", "userid", "clientname")))),
    ("app", (frozenset(("id", "signonmode", "label")),)),
    ("secret", (frozenset(("id", "secrethash", "status")),
                frozenset(("id", "clientsecret", "status", "created")))),
    ("jwk", (frozenset(("kty", "kid", "status", "created")),)),
    ("role", (frozenset(("id", "assignmenttype", "type", "label")),)),
    ("scope", (frozenset(("id", "scopeid", "clientid", "issuer")),)),
    ("service_account", (frozenset(("id", "accounttype", "name")),)),
)  # fmt: skip
_DURATION = re.compile(r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?")
_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


def kind(of: text.Json) -> str | None:
    """The kind of an object whose names are folded; None for what holds no access."""
    names = of.keys()
    return next((k for k, sets in _KINDS if any(s <= names for s in sets)), None)


def known(of: text.Json) -> bool:
    """Whether the object is of a kind that is read."""
    return kind(of) is not None


def sniff(*kinds: str) -> Callable[[bytes], bool]:
    """A test for a list whose first known object is of one of *kinds*."""

    def test(head: bytes) -> bool:
        found = _listing.peek(head, ARRAYS, known)
        return bool(found) and kind(found[0]) in kinds

    return test


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Records of a list of one or several kinds of objects."""
    return not_empty(_Reader(context).records(stream))


class _Reader:
    """One reading of one file."""

    def __init__(self, context: Context) -> None:
        self._label = context.source_label
        self._told: set[str] = set()
        self._makers = {
            "api_token": self._api_token, "app": self._app, "secret": self._secret,
            "jwk": self._jwk, "role": self._role, "scope": self._scope,
            "service_account": self._service_account,
        }  # fmt: skip

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        source = ""
        for part in objects(stream, ARRAYS, known):
            if not source:
                source = _domain(part.value) or self._label or ""
                if not source:
                    raise ImportRefused(
                        f"line {part.line}: no link in it names the Okta domain: give --source "
                        "example.okta.com"
                    )
                yield Source("okta", source)
            if why := refused(part):
                yield Problem(part.line, "error", why)
                continue
            yield from guarded(self._one, Part(None, part.value, part.line), ("id",))

    def _one(self, element: text.Json, line: int) -> Iterator[Record]:
        of = fold(element)
        make = self._makers.get(kind(of) or "")
        if make is None:
            raise ValueError("not an object of Okta that holds access")
        return make(of, line)

    def _api_token(self, of: text.Json, line: int) -> Iterator[Record]:
        """A token is its user's: it may do all that the user may."""
        user, uid = required(of, "userid"), required(of, "id")
        yield from self._mention(user, "human", "okta.user")
        created, updated = when(of.get("created")), when(of.get("lastupdated"))
        expires = when(of.get("expiresat"))
        window = _window(of.get("tokenwindow"))
        used = updated if updated and window and _after(updated, window) == expires else None
        network = fold(of.get("network") or {})
        yield Credential(
            user, uid, "token", "okta.api_token", shown(of.get("name")), status="enabled",
            created_at=created, last_rotated_at=created, expires_at=expires,
            expires_state="set" if expires else "unknown",
            last_used_at=used, last_used_state="known" if used else "unknown",
            last_used_from="inferred from lastUpdated" if used else None,
            attributes=attributes(
                client=shown(of.get("clientname")), window=of.get("tokenwindow"),
                from_where=network.get("connection"),
            ),
            line=line,
        )  # fmt: skip

    def _app(self, of: text.Json, line: int) -> Iterator[Record]:
        uid = required(of, "id")
        client = fold(fold(of.get("credentials") or {}).get("oauthclient") or {})
        settings = fold(fold(of.get("settings") or {}).get("oauthclient") or {})
        grants = [g for g in listed(settings.get("granttypes")) if isinstance(g, str)]
        machine = settings.get("applicationtype") == "service" or "client_credentials" in grants
        handle = optional(client, "clientid")
        yield Identity(
            uid, handle if handle != uid else None, shown(of.get("label")) or uid,
            "service" if machine else "app", "stated", external_id=optional(of, "name"),
            nhi_type="app_registration", nhi_detail=f"okta.app.{_word(of.get('signonmode'))}",
            status=_STATUS.get(str(of.get("status")), "unknown"),
            created_at=when(of.get("created")), last_used_state="not_tracked",
            purpose=shown(fold(of.get("notes") or {}).get("admin")),
            attributes=attributes(
                sign_on=of.get("signonmode"), grant_types=grants,
                client_authentication=client.get("tokenendpointauthmethod"),
                redirects=[r for r in listed(settings.get("redirecturis")) if isinstance(r, str)],
            ),
            line=line,
        )  # fmt: skip
        for key in listed(mapping(settings.get("jwks")).get("keys")):
            has = fold(key)
            if optional(has, "kid"):
                yield self._key(uid, has, line)

    def _secret(self, of: text.Json, line: int) -> Iterator[Record]:
        made = when(of.get("created"))
        yield Credential(
            _application(of), required(of, "id"), "static_secret", "okta.client_secret",
            status=_STATUS.get(str(of.get("status")), "unknown"), created_at=made,
            last_rotated_at=made, expires_state="none", last_used_state="not_tracked", line=line,
        )  # fmt: skip

    def _jwk(self, of: text.Json, line: int) -> Iterator[Record]:
        yield self._key(_application(of), of, line)

    def _key(self, app: str, of: text.Json, line: int) -> Credential:
        """The public half; a private one in it would be nobody's to read."""
        made = when(of.get("created"))
        kid = required(of, "kid")
        return Credential(
            app, optional(of, "id") or kid, "asymmetric_key", "okta.jwk", kid,
            status=_STATUS.get(str(of.get("status")), "enabled"), created_at=made,
            last_rotated_at=made, expires_state="none", last_used_state="not_tracked",
            attributes=attributes(type=of.get("kty"), algorithm=of.get("alg")), line=line,
        )  # fmt: skip

    def _role(self, of: text.Json, line: int) -> Iterator[Record]:
        """An administrator's role of a client, a user or a group."""
        sort, holder = _assignee(of)
        if sort != "clients":
            yield from self._mention(holder, "human" if sort == "users" else "group",
                                     f"okta.{sort.removesuffix('s')}")  # fmt: skip
        custom, on = optional(of, "role"), optional(of, "resource-set")
        name, what = required(of, "label"), required(of, "type")
        uid = f"role:{custom}@{on}" if custom and on else f"role:{what}"
        level, why = level_of_role(what, name)
        yield Entitlement(
            uid, name, resource_kind="okta", permission_level=level, level_reason=why,
            is_builtin=int(what != "CUSTOM"), scope=on or "org", line=line,
        )  # fmt: skip
        yield Grant(holder, uid, f"{sort}/{required(of, 'id')}", None,
                    when(of.get("created")), line=line)  # fmt: skip

    def _scope(self, of: text.Json, line: int) -> Iterator[Record]:
        """A scope of Okta's own API that an application was granted."""
        name = required(of, "scopeid")
        level, why = level_of_scope(name)
        yield Entitlement(
            f"scope:{name}", name, resource_kind="okta", permission_level=level,
            level_reason=why, is_builtin=1, scope="org", line=line,
        )  # fmt: skip
        user = optional(of, "userid")
        yield Grant(
            required(of, "clientid"), f"scope:{name}", f"user/{user}" if user else "direct",
            "for one user" if user else None, when(of.get("created")), line=line,
        )  # fmt: skip

    def _service_account(self, of: text.Json, line: int) -> Iterator[Record]:
        """An account of some application that Okta Privileged Access looks after."""
        uid = required(of, "id")
        yield Identity(
            uid, optional(of, "username"), required(of, "name"), "service", "stated",
            nhi_detail="okta.service_account", created_at=when(of.get("created")),
            last_used_state="not_tracked", purpose=shown(of.get("description")),
            attributes=attributes(
                type=of.get("accounttype"), of_app=shown(of.get("containerinstancename")),
                state=of.get("status"), detail=of.get("statusdetail"),
            ),
            line=line,
        )  # fmt: skip
        for name in ("owneruserids", "ownergroupids"):
            for handle in listed(of.get(name)):
                if isinstance(handle, str) and handle:
                    yield Owner(uid, handle, "owner", "managedBy", f"{name} {handle}", line)

    def _mention(self, uid: str, sort: Kind, detail: str) -> Iterator[Identity]:
        """Users and groups, which are in no list that is read here."""
        if uid in self._told:
            return
        if len(self._told) >= 2_000:
            self._told.clear()  # told again, it is the same row
        self._told.add(uid)
        yield Identity(uid, None, uid, sort, nhi_detail=detail)


def _links(of: Any) -> Iterator[str]:
    """Every address in the links of an object."""
    for value in of.values() if isinstance(of, dict) else of if isinstance(of, list) else ():
        if isinstance(value, dict | list):
            yield from _links(value)
        elif isinstance(value, str) and value.startswith(("https://", "http://")):
            yield value


def _domain(element: Any) -> str | None:
    """The org's domain, where a link into its API names it."""
    links = element.get("_links") if isinstance(element, dict) else None
    for link in _links(links):
        try:
            parts = urlsplit(link)
            host = (parts.hostname or "").lower()
        except ValueError:
            continue
        if parts.path.startswith(("/api/v1/", "/oauth2/v1/")) and _HOST.fullmatch(host):
            return host
    return None


def _application(of: text.Json) -> str:
    """Which application a credential is of: only its links say so."""
    found = optional(of, "appid")
    for link in _links(of.get("links") or of.get("_links")):
        match = re.search(r"/api/v1/apps/([A-Za-z0-9]+)/credentials/", link)
        found = found or (match and match[1])
    if not found:
        raise ValueError("neither a link nor appId says of which application it is")
    return found


def _assignee(of: text.Json) -> tuple[str, str]:
    """("clients" or "users" or "groups", id) of who holds a role."""
    link = mapping(mapping(of.get("links") or of.get("_links")).get("assignee")).get("href")
    match = re.search(r"/(clients|users|groups)/([A-Za-z0-9]+)", str(link))
    if match is None:
        raise ValueError("no link says who has the role")
    return match[1], match[2]


def _window(value: Any) -> timedelta | None:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    days, hours, minutes, seconds = (int(n or 0) for n in match.groups())
    found = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return found or None


def _after(at: str, window: timedelta) -> str | None:
    from datetime import datetime

    try:
        return text.rfc3339(datetime.fromisoformat(at) + window)
    except (ValueError, OverflowError):
        return None


def _word(value: Any) -> str:
    return re.sub(r"\W", "", str(value)).lower() or "unknown"
