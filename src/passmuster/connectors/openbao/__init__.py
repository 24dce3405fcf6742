"""OpenBao, and Vault: entities, AppRoles with their secret ids, tokens, doors to the outside.

An export is the answers of the API, one JSON object a line, each with the `path` that was asked.
What is shown of a secret id or a token is its accessor, which proves nothing and finds it again.
OpenBao keeps no last use of anything; the tenant is `cluster_id` of `sys/health`.
"""

from passmuster.connectors import Format
from passmuster.connectors.openbao import _answers
from passmuster.connectors.openbao._live import collect, connect
from passmuster.connectors.openbao._plan import plan

__all__ = ["FORMATS", "collect", "connect", "plan"]

_HOWTO = (
    """say() { jq -c --arg path "$1" '{$path} + .'; }; """
    """get() { bao read -format=json "$1" | say "$1"; }; """
    """all() { bao list -format=json "$1" | jq -r '.[]'; }; """
    """( get sys/health; get sys/auth; for r in $(all auth/approle/role); do """
    """p=auth/approle/role/$r; get $p; for a in $(all $p/secret-id); do """
    """bao write -format=json $p/secret-id-accessor/lookup secret_id_accessor=$a """
    """| say $p/secret-id-accessor/lookup; done; done; """
    """for e in $(all identity/entity/id); do get identity/entity/id/$e; done; """
    """for g in $(all identity/group/id); do get identity/group/id/$g; done; """
    """for t in $(all auth/token/accessors); do bao token lookup -format=json -accessor $t """
    """| say auth/token/lookup-accessor; done ) > openbao.jsonl"""
)

FORMATS = (
    Format(
        name="openbao.answers.jsonl",
        title="OpenBao or Vault: answers of its API, each with its path",
        sniff=_answers.sniff,
        parse=_answers.parse,
        howto=_HOWTO,
        covers=(
            "display_name", "kind", "kind_origin", "nhi_type", "nhi_detail", "status",
            "created_at", "last_used_state", "is_external", "attributes",
        ),
        supplies=("grant", "credential", "trust", "owner"),
    ),
)  # fmt: skip
