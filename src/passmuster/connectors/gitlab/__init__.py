"""GitLab: access tokens, service accounts, deploy tokens and keys, members and runners.

Not yet run against the vendor: the shapes are those of GitLab's API pages and of its clients' test
data, and the live part has met a small server that answers with them.

No list names its server or group, so `--source HOST` or `--source HOST/GROUP` must. The files of
one import are one snapshot: give those of all projects together, or all in one file.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from passmuster.connectors import Context, Format
from passmuster.connectors._pages import first, records, sniff
from passmuster.connectors.gitlab import _records
from passmuster.connectors.gitlab._collect import collect
from passmuster.connectors.gitlab._live import connect
from passmuster.connectors.gitlab._plan import plan
from passmuster.errors import ImportRefused
from passmuster.model import Record, Source
from passmuster.text import Json

__all__ = ["FORMATS", "collect", "connect", "plan"]

_COVERS = (
    "uid_alt", "display_name", "kind", "kind_origin", "external_id", "nhi_type", "nhi_detail",
)  # fmt: skip
_EACH = (
    "for P in $(glab api --paginate 'groups/GROUP/projects?include_subgroups=true' "
    "| jq '.[].id'); do "
)


def _parser(
    make: Callable[[Json, int, str], Iterator[Record]], what: str
) -> Callable[[BinaryIO, Context], Iterator[Record]]:
    def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
        where = context.source_label
        if not where:
            raise ImportRefused(
                f"a list of {what}s does not name its server: give --source HOST/GROUP"
            )

        def one(element: Json, line: int) -> Iterator[Record]:
            return make(element, line, where)

        yield Source("gitlab", where)
        yield from records(stream, one, what=what)

    return parse


def _sniff_accounts(head: bytes) -> bool:
    """Nothing but a number and names: `state` or `web_url` would be a list of users."""
    known = {"id", "username", "name", "email", "public_email", "unconfirmed_email"}
    found = first(head)
    return bool(found) and all({"id", "username", "name"} <= e.keys() <= known for e in found)


FORMATS = (
    Format(
        name="gitlab.access_tokens.json",
        title="GitLab access tokens of projects, groups and people",
        sniff=sniff("user_id", "scopes", "revoked", "active"),
        parse=_parser(_records.access_token, "token"),
        howto=(
            f"{{ glab api --paginate groups/GROUP/access_tokens; {_EACH}glab api --paginate "
            "projects/$P/access_tokens; done; } > access-tokens.json"
        ),
        supplies=("credential", "usage", "grant"),
    ),
    Format(
        name="gitlab.service_accounts.json",
        title="GitLab service accounts of a group or an instance",
        sniff=_sniff_accounts,
        parse=_parser(_records.service_account, "service account"),
        howto="glab api --paginate groups/GROUP/service_accounts > service-accounts.json",
        covers=_COVERS,
    ),
    Format(
        name="gitlab.members.json",
        title="GitLab members of a group or project",
        sniff=sniff("username", "access_level", "web_url"),
        parse=_parser(_records.member, "member"),
        howto="glab api --paginate groups/GROUP/members/all > members.json",
        covers=(*_COVERS, "status", "created_at"),
        supplies=("grant",),
    ),
    Format(
        name="gitlab.deploy_tokens.json",
        title="GitLab deploy tokens",
        sniff=sniff("username", "scopes", "revoked", without=("user_id",)),
        parse=_parser(_records.deploy_token, "deploy token"),
        howto=(
            f"{{ glab api --paginate groups/GROUP/deploy_tokens; {_EACH}glab api --paginate "
            "projects/$P/deploy_tokens; done; } > deploy-tokens.json"
        ),
        covers=(*_COVERS, "status", "last_used_state"),
        supplies=("credential", "grant"),
    ),
    Format(
        name="gitlab.deploy_keys.json",
        title="GitLab deploy keys",
        sniff=sniff("title", "key", "created_at", without=("read_only", "url")),
        parse=_parser(_records.deploy_key, "deploy key"),
        howto=(
            f"{_EACH}glab api --paginate projects/$P/deploy_keys; done > deploy-keys.json  "
            "# an administrator: glab api --paginate deploy_keys, which names the projects"
        ),
        covers=(*_COVERS, "status", "created_at", "last_used_at", "last_used_state", "attributes"),
        supplies=("credential", "grant"),
    ),
    Format(
        name="gitlab.runners.json",
        title="GitLab runners",
        sniff=sniff("runner_type", "is_shared", "description"),
        parse=_parser(_records.runner, "runner"),
        howto="glab api --paginate groups/GROUP/runners > runners.json",
        covers=(*_COVERS, "status", "attributes"),
    ),
)
