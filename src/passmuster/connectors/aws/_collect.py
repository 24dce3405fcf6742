"""The export files of an account, as the vendor's commands would write them.

Four files: the credential report, the authorization details, the keys with their last use, and
the identity providers; with them the trust anchors and profiles of Roles Anywhere in the `regions`
of the settings, for they are of a region and not of the account.
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from passmuster.connectors import Where
from passmuster.connectors.aws._login import Login
from passmuster.errors import Unreachable

WAIT_S = 120
"""A report takes AWS some seconds to make; one of the last four hours is given at once."""


def collect(where: Where, folder: Path, sleep: Callable[[float], None] = time.sleep) -> None:
    """Write the files into *folder*; whatever fails is raised."""
    login = Login(where)
    try:
        (folder / "credential-report.csv").write_bytes(_report(login, sleep))
        details = login.every("iam", "get_account_authorization_details")
        (folder / "authorization-details.json").write_text(_shown(details), "utf-8")
        with (folder / "access-keys.json").open("w", encoding="utf-8") as out:
            found = _keys(login, out.write)
        if not found:  # a file of none would be refused
            (folder / "access-keys.json").unlink()
        found_outside = outside(login, where.settings.get("regions", "").replace(",", " ").split())
        if found_outside:
            (folder / "federation.json").write_text(found_outside, "utf-8")
    finally:
        login.close()


def _report(login: Login, sleep: Callable[[float], None]) -> bytes:
    for _ in range(WAIT_S // 2):
        if login.call("iam", "generate_credential_report").get("State") == "COMPLETE":
            content: bytes = login.call("iam", "get_credential_report")["Content"]
            return content
        sleep(2)
    raise Unreachable(f"AWS did not finish the credential report in {WAIT_S} s", again=True)


def _keys(login: Login, write: Callable[[str], Any]) -> int:
    found = 0
    write(_shown(login.call("sts", "get_caller_identity")))
    for user in login.every("iam", "list_users")["Users"]:
        listed = login.every("iam", "list_access_keys", UserName=user["UserName"])
        write(_shown(listed))
        for key in listed["AccessKeyMetadata"]:
            uid = key["AccessKeyId"]
            used = login.call("iam", "get_access_key_last_used", AccessKeyId=uid)
            write(_shown({**used, "AccessKeyId": uid}))
            found += 1
    return found


def outside(login: Login, regions: Sequence[str]) -> str:
    """Providers, and what Roles Anywhere has in *regions*; empty where there is nothing at all."""
    answers = [
        login.call("iam", "list_open_id_connect_providers"),
        login.call("iam", "list_saml_providers"),
        *(login.every("rolesanywhere", name, region=region) for region in regions
          for name in ("list_trust_anchors", "list_profiles")),
    ]  # fmt: skip
    some = any(isinstance(value, list) and value for one in answers for value in one.values())
    return "".join(map(_shown, answers)) if some else ""


def _shown(answer: dict[str, Any]) -> str:
    """As `aws … --output json` prints it."""
    told = {k: v for k, v in answer.items() if k != "ResponseMetadata"}
    return json.dumps(told, indent=4, default=lambda value: value.isoformat()) + "\n"
