"""GitHub: tokens, deploy keys, apps, webhooks and Actions of an organisation.

Not yet run against the vendor: the shapes are those of GitHub's own OpenAPI description, and the
live part has met a small server that answers with them.

One format for each list of the API, told apart by what stands in it. Lists that name no
organisation need `--source ORG` (secrets and the OIDC subject of one repository: `--source
ORG/REPO`). The files of one import are one snapshot: give those of all repositories together, or
all in one file, as the commands here make it.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from passmuster.connectors import Context, Format
from passmuster.connectors._json import outline
from passmuster.connectors._pages import records, sniff
from passmuster.connectors.github import _records
from passmuster.connectors.github._collect import EDGES, MEMBERS, collect
from passmuster.connectors.github._live import connect
from passmuster.connectors.github._plan import plan
from passmuster.model import Record, Source
from passmuster.text import Json

__all__ = ["FORMATS", "collect", "connect", "plan"]

_COVERS = (
    "uid_alt", "display_name", "kind", "kind_origin", "external_id", "nhi_type", "nhi_detail",
    "status", "created_at", "created_by", "attributes",
)  # fmt: skip


def _sniff_secrets(head: bytes) -> bool:
    found = outline(head, ("secrets",))
    first = next((s for s in found.get("secrets", ()) if isinstance(s, dict)), {})
    return "total_count" in found and {"name", "created_at", "updated_at"} <= first.keys()


def _sniff_subject(head: bytes) -> bool:
    known = {"include_claim_keys", "use_default", "use_immutable_subject", "sub_claim_prefix"}
    found = outline(head).keys()
    return bool(found & {"include_claim_keys", "use_default"}) and found <= known


_EACH = "for R in $(gh repo list ORG --limit 9999 --json nameWithOwner -q '.[].nameWithOwner'); do "


def _parser(
    make: Callable[..., Iterator[Record]], what: str, whose: Callable[[Json], str] | None = None,
    inside: str | None = None,
) -> Callable[[BinaryIO, Context], Iterator[Record]]:  # fmt: skip
    """A parser of lists; without *whose* (the organisation of an element) `--source` tells it."""

    def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
        last = ""

        def naming(element: Json, line: int) -> Iterator[Record]:
            nonlocal last
            found = list(make(element, line))
            org = whose(element) if whose else ""
            if org != last:
                last = org
                yield Source("github", org)
            yield from found

        def named(element: Json, line: int) -> Iterator[Record]:
            return make(element, line, where)

        if whose:
            yield from records(stream, naming, inside=inside, what=what)
            return
        why = f"a list of {what}s does not name its organisation: --source ORG"
        where = context.named(why).lower()
        yield Source("github", where)
        yield from records(stream, named, inside=inside, what=what)

    return parse


def _of_place(element: Json) -> str:
    return _records.organisation(_records.place(element))


def _of_account(element: Json) -> str:
    return str(element["account"]["login"]).lower()


FORMATS = (
    Format(
        name="github.members.json",
        title="GitHub members of an organisation, with their role and second factor",
        sniff=sniff("node", "role", "hasTwoFactorEnabled"),
        parse=_parser(_records.member, "member"),
        howto=f"gh api graphql --paginate -f query='{MEMBERS % 'ORG'}' --jq {EDGES} > members.json",
        covers=(*_COVERS[:7], "status", "has_mfa"),
        supplies=("grant", "auth"),
    ),
    Format(
        name="github.personal_access_tokens.json",
        title="GitHub fine-grained tokens that an organisation approved (for GitHub Apps only)",
        sniff=sniff("token_id", "access_granted_at", "owner"),
        parse=_parser(_records.grant_of_token, "token"),
        howto="gh api --paginate orgs/ORG/personal-access-tokens > personal-access-tokens.json",
        supplies=("credential", "usage", "grant"),
    ),
    Format(
        name="github.credential_authorizations.json",
        title="GitHub tokens and SSH keys that were opened for SAML single sign-on",
        sniff=sniff("credential_id", "credential_type", "login"),
        parse=_parser(_records.sso_credential, "credential"),
        howto="gh api --paginate orgs/ORG/credential-authorizations > sso-credentials.json",
        supplies=("credential", "usage"),
    ),
    Format(
        name="github.installations.json",
        title="GitHub Apps that are installed",
        sniff=sniff("app_slug", "access_tokens_url", "account", inside="installations"),
        parse=_parser(_records.installation, "installation", _of_account, "installations"),
        howto="gh api --paginate orgs/ORG/installations > installations.json",
        covers=_COVERS,
        supplies=("grant",),
    ),
    Format(
        name="github.deploy_keys.json",
        title="GitHub deploy keys of repositories",
        sniff=sniff("read_only", "key", "url"),
        parse=_parser(_records.deploy_key, "deploy key", _of_place),
        howto=f"{_EACH}gh api --paginate repos/$R/keys; done > deploy-keys.json",
        covers=(*_COVERS, "last_used_at", "last_used_state", "last_used_source"),
        supplies=("credential", "usage", "grant"),
    ),
    Format(
        name="github.webhooks.json",
        title="GitHub webhooks of an organisation and its repositories",
        sniff=sniff("config", "events", "active", "deliveries_url"),
        parse=_parser(_records.hook, "webhook", _of_place),
        howto=(
            f"{{ gh api --paginate orgs/ORG/hooks; {_EACH}gh api --paginate repos/$R/hooks; done; "
            "} > webhooks.json"
        ),
        covers=_COVERS,
        supplies=("credential",),
    ),
    Format(
        name="github.actions_secrets.json",
        title="GitHub Actions secrets, by name",
        sniff=_sniff_secrets,
        parse=_parser(_records.actions_secret, "secret", inside="secrets"),
        howto="gh api --paginate orgs/ORG/actions/secrets > actions-secrets.json",
        supplies=("credential",),
    ),
    Format(
        name="github.oidc_subject.json",
        title="GitHub Actions: what the subject of a workflow's token is made of",
        sniff=_sniff_subject,
        parse=_parser(_records.subject_claim, "subject"),
        howto="gh api orgs/ORG/actions/oidc/customization/sub > oidc-subject.json",
        covers=("attributes",),
        supplies=("trust",),
    ),
)
