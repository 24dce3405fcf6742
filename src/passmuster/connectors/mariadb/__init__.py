"""MariaDB: accounts, roles and global privileges, from `mysql.global_priv`.

An account is `user@host`, and that pair is all the id it has. MariaDB keeps when a password was
last changed, and no last use (`information_schema.user_statistics` counts, and only where somebody
has set `userstat`). The tenant is the server's own `server_uid` where the export carries it
(10.5.26, 10.6.19, 10.11.9 and later have one); else `--source`.
"""

from passmuster.connectors import Format
from passmuster.connectors.mariadb import _priv
from passmuster.connectors.mariadb._live import collect, connect
from passmuster.connectors.mariadb._plan import plan
from passmuster.connectors.mariadb._queries import ACCOUNTS, ROLES

__all__ = ["FORMATS", "collect", "connect", "plan"]

_COVERS = (
    "display_name", "kind", "kind_origin", "nhi_type", "nhi_detail", "status",
    "is_locked", "last_used_state", "attributes",
)  # fmt: skip

FORMATS = (
    Format(
        name="mariadb.global_priv.tsv",
        title="MariaDB accounts and global privileges (mysql.global_priv)",
        sniff=_priv.sniff_accounts,
        parse=_priv.parse_accounts,
        howto=f'mariadb -B -e "{ACCOUNTS}" > global_priv.tsv',
        covers=_COVERS,
        supplies=("grant", "credential"),
    ),
    Format(
        name="mariadb.roles_mapping.tsv",
        title="MariaDB roles and who has them (mysql.roles_mapping)",
        sniff=_priv.sniff_roles,
        parse=_priv.parse_roles,
        howto=f'mariadb -B -e "{ROLES}" > roles_mapping.tsv',
        supplies=("grant",),
    ),
)
