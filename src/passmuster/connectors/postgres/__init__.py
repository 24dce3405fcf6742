"""PostgreSQL: the roles of a cluster, what they may do and who is a member of whom.

A role belongs to the whole cluster. PostgreSQL keeps no creation time and no last use of one, and
tells nobody but a superuser whether it has a password. The tenant is the cluster's system
identifier (`pg_control_system()`), where the export carries it; a plain `COPY` of `pg_roles` and
`pg_dumpall` do not, and need `--source`. A dump has no oid: its roles are known by name alone,
so review a cluster by the one or by the other.
"""

from passmuster.connectors import Format
from passmuster.connectors.postgres import _csv, _dump
from passmuster.connectors.postgres._live import collect, connect
from passmuster.connectors.postgres._plan import plan
from passmuster.connectors.postgres._queries import MEMBERS, ROLES

__all__ = ["FORMATS", "collect", "connect", "plan"]

_COVERS = (
    "uid_alt", "display_name", "kind", "kind_origin", "nhi_type", "nhi_detail", "status",
    "last_used_state", "purpose", "attributes",
)  # fmt: skip

FORMATS = (
    Format(
        name="postgres.roles.csv",
        title="PostgreSQL roles (pg_roles)",
        sniff=_csv.sniff_roles,
        parse=_csv.parse_roles,
        howto=f'psql -X -d postgres -c "COPY ({ROLES}) TO STDOUT CSV HEADER" > roles.csv',
        covers=_COVERS,
        supplies=("grant", "credential", "owner"),
    ),
    Format(
        name="postgres.members.csv",
        title="PostgreSQL role memberships (pg_auth_members)",
        sniff=_csv.sniff_members,
        parse=_csv.parse_members,
        howto=f'psql -X -d postgres -c "COPY ({MEMBERS}) TO STDOUT CSV HEADER" > members.csv',
        supplies=("grant",),
    ),
    Format(
        name="postgres.roles.sql",
        title="PostgreSQL roles and memberships as pg_dumpall writes them",
        sniff=_dump.sniff,
        parse=_dump.parse,
        howto="pg_dumpall --roles-only --no-role-passwords > roles.sql",
        covers=_COVERS,
        supplies=("grant", "credential", "owner"),
    ),
)
