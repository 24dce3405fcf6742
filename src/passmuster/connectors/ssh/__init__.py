"""OpenSSH: keys that open accounts, certificates, the use that sshd's log tells, and how to stop
a key by the host's list of revoked keys.
"""

from passmuster.connectors import Format
from passmuster.connectors.ssh import _authorized, _certificates, _log
from passmuster.connectors.ssh._live import collect, connect
from passmuster.connectors.ssh._plan import plan

__all__ = ["FORMATS", "collect", "connect", "plan"]

FORMATS = (
    Format(
        name="ssh.authorized_keys",
        title="SSH authorized_keys of a host",
        sniff=_authorized.sniff,
        parse=_authorized.parse,
        howto=(
            "for f in /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys; do "
            '[ -f "$f" ] && echo "# file: $f" && cat "$f" && echo; done > authorized_keys; '
            "muster import authorized_keys --source HOST"
        ),
        covers=("display_name", "kind", "nhi_detail", "attributes"),
        supplies=("credential", "grant", "trust", "owner"),
    ),
    Format(
        name="ssh.certificates",
        title="SSH certificates (*-cert.pub)",
        sniff=_certificates.sniff,
        parse=_certificates.parse,
        howto="cat *-cert.pub > certificates; muster import certificates --source HOST",
        covers=("display_name", "kind", "nhi_detail", "attributes"),
        supplies=("credential", "grant"),
        partial=True,
    ),
    Format(
        name="ssh.log",
        title="Log of sshd with logins by key",
        sniff=_log.sniff,
        parse=_log.parse,
        howto=(
            "journalctl -u ssh -o short-iso --no-pager | grep 'Accepted publickey' > sshd.log; "
            "muster import sshd.log --source HOST"
        ),
        covers=("last_used_at", "last_used_state", "last_used_source"),
        supplies=("usage", "consumer"),
        partial=True,
    ),
)
