"""RabbitMQ: users, tags and permissions, from its definitions.

RabbitMQ keeps neither when a user was made nor when it was last here. The tenant is the
`internal_cluster_id` of the definitions, which has to stand before the users; else `--source`.
"""

from passmuster.connectors import Format
from passmuster.connectors.rabbitmq import _definitions
from passmuster.connectors.rabbitmq._live import collect, connect
from passmuster.connectors.rabbitmq._plan import plan

__all__ = ["FORMATS", "collect", "connect", "plan"]

_COVERS = (
    "display_name", "kind", "kind_origin", "nhi_type", "nhi_detail", "status", "last_used_state",
    "attributes",
)  # fmt: skip

FORMATS = (
    Format(
        name="rabbitmq.definitions.json",
        title="RabbitMQ definitions: users and permissions",
        sniff=_definitions.sniff,
        parse=_definitions.parse,
        howto=(
            "rabbitmqctl -q export_definitions - | jq '{global_parameters} + . | .users[] |= "
            '(.has_password = (.password_hash != "") | del(.password_hash))\' > definitions.json'
        ),
        covers=_COVERS,
        supplies=("grant", "credential"),
    ),
)
