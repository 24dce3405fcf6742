"""Anthropic: the API keys of an organisation, which are what its agents and programs run on.

Not yet run against the vendor: the shapes are those of the Admin API's pages. It records no last
use of a key and names no organisation: `--source ORG` must. A key is an identity of its own; who
made it is told, who uses it is not. Only the last four characters of the hint are kept.

A key has a flag: `inactive` refuses it, `active` lets the very same key in again. `archived` is for
good, so it is never planned. The vendor has no command that prints an Admin API key: it comes from
the keyring.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from passmuster import text
from passmuster.connectors import Act, Context, Format, Plan, Verdict, Where
from passmuster.connectors._json import mapping, optional, required, when
from passmuster.connectors._pages import records, sniff
from passmuster.connectors._secrets import REMOVED, is_secret
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.model import Credential, Identity, Record, Source
from passmuster.transport import Service

ENDPOINT = "https://api.anthropic.com"
VERSION = "2023-06-01"
KEYS = "v1/organizations/api_keys"
PROPAGATION_S = 60
_STATUS = {"active": "enabled", "inactive": "disabled", "archived": "deleted",
           "expired": "disabled"}  # fmt: skip


def _parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Records of every key in the pages."""
    tenant = context.named("a list of API keys does not name its organisation: give --source ORG")
    yield Source("anthropic", tenant)
    yield from records(stream, _key, inside="data", what="API key")


def _key(found: text.Json, line: int) -> Iterator[Record]:
    uid, name = required(found, "id"), required(found, "name")
    name = REMOVED if is_secret(name) else name
    state = required(found, "status")
    created, expires = when(found.get("created_at")), when(found.get("expires_at"))
    by = optional(mapping(found.get("created_by")), "id")
    end = (optional(found, "partial_key_hint") or "")[-4:]
    shown = {"workspace_id": optional(found, "workspace_id"), "state": state}
    yield Identity(
        uid, None, name, "service", "inferred", None, None, "anthropic.api_key",
        _STATUS.get(state, "unknown"), created_at=created, created_by=by,
        last_used_state="not_tracked",
        attributes=text.json_text({k: v for k, v in shown.items() if v}), line=line,
    )  # fmt: skip
    yield Credential(
        uid, uid, "static_secret", "anthropic.api_key", name, end if end.isalnum() else None,
        _STATUS.get(state, "unknown"), created, by,
        expires_at=expires, expires_state="set" if expires else "unknown",
        last_used_state="not_tracked", line=line,
    )  # fmt: skip


def plan(dossier: text.Json, verb: str, target: str | None = None) -> list[Plan]:
    """Set the key inactive."""
    identity = dossier["identity"]
    uid: str = identity["uid"]
    off = identity.get("status") == "disabled"
    if verb not in ("revoke", "disable") or target not in (None, uid) or off:
        return []
    line = (
        f'curl -sS {shlex.quote(f"{ENDPOINT}/{KEYS}/{uid}")} -H "x-api-key: $ANTHROPIC_ADMIN_KEY"'
        f" -H 'anthropic-version: {VERSION}' -H 'content-type: application/json' -d "
    )
    state = dict(identity.get("attributes") or ()).get("state")
    return [Plan(
        what=f"set API key {identity.get('display_name')} ({uid}) inactive",
        stop=(line + "'{\"status\":\"inactive\"}'",),
        undo=(line + "'{\"status\":\"active\"}'",),
        undo_class="R1", propagation_s=PROPAGATION_S,
        residual="answers that are being written go on to their end",
        act=Act("anthropic.api_key.status", {"key": uid}, {"status": "inactive"},
                {"status": state} if state else None),
    )]  # fmt: skip


def _service(where: Where, key: str | None = None) -> Service:
    ca = where.settings.get("ca")

    @cache
    def headers() -> Mapping[str, str]:
        return {"x-api-key": key or where.secret("admin key", ()), "anthropic-version": VERSION}

    return Service(where.settings.get("endpoint", ENDPOINT), headers, Path(ca) if ca else None)


def connect(where: Where) -> "Anthropic":
    """Log in: the Admin API key is lent now, the platform asked at the first verb."""
    api = _service(where)
    api.headers()
    return Anthropic(where, api)


@dataclass
class Anthropic:
    """What `Live` asks for."""

    where: Where
    api: Service

    def read(self, act: Act) -> text.Json | None:
        """The status of the key."""
        found = self.api.find(f"{KEYS}/{act.on['key']}")
        return None if found is None else {"status": found.get("status")}

    def write(self, act: Act, state: text.Json | None) -> None:
        """Set the status; Declined for what is for good."""
        if state is None or state.get("status") not in ("active", "inactive"):
            raise Declined("muster sets a key active or inactive only", "not_supported", 405)
        self.api.change("POST", f"{KEYS}/{act.on['key']}", {"status": state["status"]})

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """Try the key where it is at hand; else read its status back."""
        if secret is None:
            state = self.read(act)
            if state is None:
                return "unknown", "Anthropic does not show the key to this login"
            off = state["status"] != "active"
            return ("flag" if off else "works"), f"Anthropic says that the key is {state['status']}"
        with _service(self.where, secret) as theirs:
            try:
                theirs.get("v1/models?limit=1")
            except Declined as error:
                if error.status == 401:
                    return "refused", "the key was tried: Anthropic does not take it (401)"
                return "unknown", f"the key was tried: {error}"
            except Unreachable as error:
                return "unknown", f"could not be asked: {error}"
        return "works", "the key was tried: Anthropic takes it"

    def close(self) -> None:
        """Close the connection."""
        self.api.close()


def collect(where: Where, folder: Path) -> None:
    """Write the pages of the list of keys, as the format's command does."""
    if not where.tenant:
        raise UsageError("anthropic: name the organisation: anthropic:ORG")
    after = ""
    path = folder / "anthropic.api_keys.json"
    with _service(where) as api, path.open("w", encoding="utf-8") as out:
        while True:
            page = api.get(f"{KEYS}?limit=1000{after}")
            json.dump(page, out, ensure_ascii=False)
            out.write("\n")
            if page.get("has_more") is not True:
                return
            after = f"&after_id={page['last_id']}"


FORMATS = (
    Format(
        name="anthropic.api_keys.json",
        title="Anthropic API keys of an organisation",
        sniff=sniff("partial_key_hint", "workspace_id", "status", inside="data"),
        parse=_parse,
        howto=(
            f"curl -sS '{ENDPOINT}/{KEYS}?limit=1000' -H \"x-api-key: $ANTHROPIC_ADMIN_KEY\" "
            f"-H 'anthropic-version: {VERSION}' > api-keys.json"
        ),
        covers=(
            "display_name", "kind", "kind_origin", "nhi_detail", "status", "created_at",
            "created_by", "last_used_state", "attributes",
        ),
        supplies=("credential",),
    ),
)  # fmt: skip
