"""A platform of the tests' own, behind the real contract: accounts with keys, on a real server."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from passmuster.connectors import Act, Context, Format, Plan, Verdict, Where
from passmuster.errors import Declined, ImportRefused
from passmuster.model import Credential, Identity, Record, Source
from passmuster.text import Json
from passmuster.transport import Patience, Service

SIGNED_IN = ("toy", "login", "--print-token")


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Accounts, each with its keys."""
    try:
        said = json.loads(stream.read())
    except ValueError:
        raise ImportRefused("no whole JSON") from None
    tenant = said.get("tenant") or context.source_label
    if not tenant:
        raise ImportRefused("it does not name its tenant: give --source")
    yield Source("toy", tenant, "the toy" if said.get("tenant") else tenant)
    for line, one in enumerate(said["accounts"], 1):
        status = "enabled" if one["enabled"] else "disabled"
        yield Identity(one["id"], None, one["id"], "service", status=status, line=line)
        for key in one["keys"]:
            yield Credential(
                one["id"], key["id"], "static_secret", "toy.key",
                status="enabled" if key["enabled"] else "disabled",
                created_at=key["created"], expires_state="none", line=line,
            )  # fmt: skip


FORMATS = (
    Format(
        "toy.accounts.json", "accounts of the toy", lambda head: head.startswith(b'{"toy":'), parse,
        "toy export", covers=("status",), supplies=("credential",),
    ),
)  # fmt: skip


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """A flag, a deletion that can be undone, and the end of a secret."""
    uid = dossier["identity"]["uid"]
    if verb not in ("revoke", "disable") or uid.startswith("hand-"):
        return []
    of = uid if target is None else f"{uid}/{target}"
    status = dossier["identity"]["status"] if target is None else next(
        c["status"] for c in dossier["credentials"] if c["uid"] == target
    )  # fmt: skip
    name, on = shlex.quote(of), {"of": of}
    if uid.startswith("deny-"):
        deny = Act("toy.deny", {"of": f"{of}!deny"}, {"enabled": False})
        lines = (f"toy deny {name}",), (f"toy undeny {name}",)
        return [Plan(f"deny {of} everything", *lines, "R1", 1, "nothing", deny)]
    flag = Act("toy.flag", on, {"enabled": False}, {"enabled": status == "enabled"})
    found = [
        Plan(f"burn {of}", (f"toy burn {name}",), (), "R3", 1, "nothing",
             Act("toy.secret", on, {"secret": "gone"})),
        Plan(f"delete {of}", (f"toy delete {name}",), (f"toy create {name}",), "R2", 1, "nothing",
             Act("toy.object", on, None)),
        Plan(f"disable {of}", (f"toy disable {name}",), (f"toy enable {name}",), "R1", 2,
             "open sessions, up to an hour", None if uid.startswith(("lines-", "win-")) else flag,
             "powershell" if uid.startswith("win-") else "sh"),
    ]  # fmt: skip
    if uid.startswith("burn-"):
        return found[:1]
    if uid.startswith("anew-"):
        return found[:2]
    if uid.startswith("take-"):  # as a grant: nothing of it is a flag
        return found[1:2] if verb == "revoke" else []
    return found if verb == "revoke" else found[2:]


class Toy:
    """Logged in at the toy."""

    def __init__(self, where: Where) -> None:
        token = where.secret("token", SIGNED_IN)
        self.service = Service(
            where.settings["endpoint"], lambda: {"Authorization": f"Bearer {token}"},
            patience=Patience(tries=1), deadline_s=3.0, sleep=lambda _: None,
        )  # fmt: skip

    def read(self, act: Act) -> Json | None:
        found: Json | None = self.service.find(f"objects/{act.on['of']}")
        return found

    def write(self, act: Act, state: Json | None) -> None:
        path = f"objects/{act.on['of']}"
        if state is None:
            self.service.change("DELETE", path)
        else:
            self.service.change("PUT", path, state)

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        if secret is None and act.on["of"].startswith("flag-"):
            state = self.read(act)
            off = state is None or not state["enabled"]
            return ("flag", "it says that it is off") if off else ("works", "it says it is on")
        try:
            self.service.get(f"login/{act.on['of']}?{secret or ''}")
        except Declined as error:
            if error.status == 401:
                return "refused", "the login was answered with 401"
            return "unknown", str(error)
        return "works", "the login was let in"

    def close(self) -> None:
        self.service.close()


def connect(where: Where) -> Toy:
    """Log in."""
    return Toy(where)


def collect(where: Where, folder: Path) -> None:
    """The export, as `toy export` writes it."""
    toy = Toy(where)
    try:
        found = toy.service.get("export")
    finally:
        toy.close()
    (folder / "accounts.json").write_text(json.dumps(found))
