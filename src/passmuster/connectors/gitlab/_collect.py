"""GitLab's lists, live: the files that the commands of the formats make, in one folder.

Of `HOST/GROUP` its lists, those of its projects and the tokens of its service accounts; of `HOST`
alone what an administrator of the instance is told. A plan that has no service accounts answers
404: then no file says anything of them. Every other refusal ends the collection. An empty list
makes no file, since a file without a row is refused as an import.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from passmuster.connectors import Where
from passmuster.connectors.gitlab._live import service
from passmuster.errors import Declined
from passmuster.transport import Service

PAGE = "per_page=100"
_OF_INSTANCE = {
    "access_tokens": ["personal_access_tokens"], "service_accounts": ["service_accounts"],
    "deploy_tokens": ["deploy_tokens"], "deploy_keys": ["deploy_keys"], "runners": ["runners/all"],
}  # fmt: skip


def collect(where: Where, folder: Path) -> None:
    """Write what GitLab lists of the group, or of the instance, into *folder*."""
    group = where.tenant.partition("/")[2]
    with service(where) as api:
        lists = _of_group(api, f"groups/{quote(group, safe='')}") if group else _OF_INSTANCE
        for name, paths in lists.items():
            _write(folder, name, (p for path in paths for p in _pages(api, path)))


def _of_group(api: Service, group: str) -> dict[str, list[str]]:
    below = [f"groups/{number}" for number in _numbers(api, f"{group}/descendant_groups")]
    projects = [f"projects/{n}" for n in _numbers(api, f"{group}/projects?include_subgroups=true")]
    accounts = [f"{group}/service_accounts/{n}" for n in _numbers(api, f"{group}/service_accounts")]
    every = [group, *below, *projects]
    return {
        "access_tokens": [
            *(f"{place}/access_tokens" for place in every),
            *(f"{account}/personal_access_tokens" for account in accounts),
        ],
        "service_accounts": [f"{group}/service_accounts"],
        "members": [f"{group}/members/all"],
        "deploy_tokens": [f"{place}/deploy_tokens" for place in every],
        "deploy_keys": [f"{project}/deploy_keys" for project in projects],
        "runners": [f"{group}/runners"],
    }


def _numbers(api: Service, path: str) -> list[int]:
    return [element["id"] for page in _pages(api, path) for element in page]


def _pages(api: Service, path: str) -> Iterator[Any]:
    try:
        yield from api.linked(f"{path}{'&' if '?' in path else '?'}{PAGE}")
    except Declined as error:
        if error.status != 404 or not path.endswith("/service_accounts"):
            raise


def _write(folder: Path, name: str, pages: Iterable[Any]) -> None:
    path = folder / f"gitlab.{name}.json"
    full = False
    with path.open("w", encoding="utf-8") as out:
        for page in pages:
            if page:
                json.dump(page, out, ensure_ascii=False)
                out.write("\n")
                full = True
    if not full:
        path.unlink()
