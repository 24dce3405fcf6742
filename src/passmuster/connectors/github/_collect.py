"""GitHub's lists, live: the files that the commands of the formats make, in one folder.

Each file bears the name of its format. A list that this login cannot have at all is left out, and
then nothing is said of it: fine-grained tokens are told to GitHub Apps only, credentials of single
sign-on exist only where there is one. Every other refusal ends the collection. An empty list makes
no file, since a file without a row is refused as an import.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from passmuster.connectors import Where
from passmuster.connectors.github._live import service
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.transport import Service

PAGE = "?per_page=100"
MEMBERS = (
    'query($endCursor:String){organization(login:"%s"){membersWithRole(first:100,after:$endCursor)'
    "{edges{hasTwoFactorEnabled role node{login name email}} pageInfo{hasNextPage endCursor}}}}"
)
"""No list of the REST API has the role and the second factor of every member."""
EDGES = ".data.organization.membersWithRole.edges"
_OF_AN_APP = ("ghs_", "ghu_")


def collect(where: Where, folder: Path) -> None:
    """Write what GitHub lists of the organisation of *where* into *folder*."""
    org = where.tenant
    if not org or "/" in org or org != org.lower():
        raise UsageError("github: name the organisation, in small letters: github:ORG")
    with service(where) as api:
        repositories = [r["full_name"] for r in _all(api, f"orgs/{org}/repos{PAGE}")]
        lists = {
            "deploy_keys": [f"repos/{r}/keys" for r in repositories],
            "webhooks": [f"orgs/{org}/hooks", *(f"repos/{r}/hooks" for r in repositories)],
            "installations": [f"orgs/{org}/installations"],
            "actions_secrets": [f"orgs/{org}/actions/secrets"],
        }
        for name, paths in lists.items():
            _write(folder, name, (p for path in paths for p in api.linked(f"{path}{PAGE}")))
        _write(
            folder, "oidc_subject", iter([api.get(f"orgs/{org}/actions/oidc/customization/sub")])
        )
        _write(folder, "members", _members(api, org))
        _write(folder, "credential_authorizations", _if_there(
            api, f"orgs/{org}/credential-authorizations{PAGE}"))  # fmt: skip
        token = api.headers()["Authorization"].removeprefix("Bearer ")
        if token.startswith(_OF_AN_APP):
            _write(folder, "personal_access_tokens",
                   api.linked(f"orgs/{org}/personal-access-tokens{PAGE}"))  # fmt: skip


def _all(api: Service, path: str) -> Iterator[Any]:
    for page in api.linked(path):
        yield from page


def _members(api: Service, org: str) -> Iterator[Any]:
    """Pages of edges. GraphQL says what went wrong in an answer of 200."""
    path = f"{api.base.removesuffix('/v3')}/graphql"
    cursor = None
    while True:
        answer = api.change("POST", path, {
            "query": MEMBERS % org, "variables": {"endCursor": cursor},
        })  # fmt: skip
        found = ((answer.get("data") or {}).get("organization") or {}).get("membersWithRole")
        if answer.get("errors") or found is None:
            raise Unreachable(f"{api.base}: the members of {org} are not told")
        yield found["edges"]
        if found["pageInfo"]["hasNextPage"] is not True:
            return
        cursor = found["pageInfo"]["endCursor"]


def _if_there(api: Service, path: str) -> Iterator[Any]:
    try:
        yield from api.linked(path)
    except Declined as error:
        if error.status != 404:
            raise


def _write(folder: Path, name: str, pages: Iterator[Any]) -> None:
    path = folder / f"github.{name}.json"
    with path.open("w", encoding="utf-8") as out:
        full = False
        for page in pages:
            if _holds(page):
                json.dump(page, out, ensure_ascii=False)
                out.write("\n")
                full = True
    if not full:
        path.unlink()


def _holds(page: Any) -> bool:
    """Whether there is something in it: not `[]`, and not `{"total_count": 0, …}`."""
    return bool(page) and not (isinstance(page, dict) and page.get("total_count") == 0)
