"""OpenLDAP, 389 Directory Server, FreeIPA and their like: what is there, and how to lock it."""

from passmuster.connectors import Format
from passmuster.connectors.ldap._live import collect, connect
from passmuster.connectors.ldap._parse import parse, sniff
from passmuster.connectors.ldap._plan import plan

__all__ = ["FORMATS", "collect", "connect", "plan"]

FORMATS = (
    Format(
        name="ldap.ldif",
        title="LDAP directory export (LDIF): OpenLDAP, 389-ds, FreeIPA",
        sniff=sniff,
        parse=parse,
        howto=(
            "ldapsearch -LLL -o ldif-wrap=no -E pr=1000/noprompt -H ldap://SERVER "
            "-D cn=reader,dc=example,dc=com -W -b dc=example,dc=com '(objectClass=*)' "
            "'*' '+' > directory.ldif"
        ),
        covers=(
            "uid_alt", "display_name", "kind", "external_id", "nhi_type", "nhi_detail", "status",
            "is_locked", "created_at", "created_by", "last_used_at", "last_used_state",
            "last_used_source", "person_uid", "purpose", "attributes",
        ),
        # no "usage": without the lastbind overlay no entry says when it was used
        # "sighting", because userPassword may stand there in plain text
        supplies=("credential", "grant", "owner", "person", "sighting"),
    ),
)  # fmt: skip
