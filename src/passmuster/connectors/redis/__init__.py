"""Redis, and Valkey: the users of one server's access control list.

A list of users names no server (`run_id` changes at each start), so `--source` is needed. Redis
keeps neither when a user was made nor when it was last here.
"""

from passmuster.connectors import Format
from passmuster.connectors.redis import _acl
from passmuster.connectors.redis._live import collect, connect
from passmuster.connectors.redis._plan import plan

__all__ = ["FORMATS", "collect", "connect", "plan"]

_COVERS = (
    "display_name", "kind", "kind_origin", "nhi_type", "nhi_detail", "status", "last_used_state",
    "attributes",
)  # fmt: skip

FORMATS = (
    Format(
        name="redis.acl_list.txt",
        title="Redis users (ACL LIST, or an ACL file)",
        sniff=_acl.sniff,
        parse=_acl.parse,
        howto="redis-cli ACL LIST | sed -E 's/#[0-9a-f]{64}/#/g' > acl.txt",
        covers=_COVERS,
        supplies=("grant", "credential"),
    ),
)
