"""Active Directory (and Samba): its accounts, groups and memberships, and how to stop them."""

from passmuster.connectors import Format
from passmuster.connectors.ad._export import ATTRIBUTES, FILTER
from passmuster.connectors.ad._live import collect, connect
from passmuster.connectors.ad._parse import parse, sniff
from passmuster.connectors.ad._plan import plan

__all__ = ["FORMATS", "collect", "connect", "plan"]

FORMATS = (
    Format(
        name="ad.ldif",
        title="Active Directory export (LDIF)",
        sniff=sniff,
        parse=parse,
        howto=(
            "ldapsearch -LLL -o ldif-wrap=no -E pr=1000/noprompt -H ldap://DC -Y GSSAPI "
            f'-b DC=corp,DC=example,DC=com "{FILTER}" {" ".join(ATTRIBUTES)} > corp.ldif'
        ),
        covers=(
            "uid_alt", "display_name", "kind", "external_id", "nhi_type", "nhi_detail", "status",
            "is_locked", "created_at", "last_used_at", "last_used_state", "last_used_source",
            "person_uid", "purpose", "attributes",
        ),
        # "sighting", because people write passwords into descriptions
        supplies=("usage", "credential", "grant", "auth", "owner", "person", "sighting"),
    ),
)  # fmt: skip
