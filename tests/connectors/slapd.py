"""A real OpenLDAP on a port of this machine, with a password policy and two accounts."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from passmuster.connectors import Where

SUFFIX = "dc=lab,dc=example,dc=org"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{SUFFIX}", "of the lab alone"
CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile {folder}/pid
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
sizelimit 500
database mdb
suffix {suffix}
rootdn cn=admin,{suffix}
rootpw "{password}"
directory {folder}/data
lastbind on
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact=cn=reader,{suffix} read by dn.exact=uid=svc-b,{suffix} read
  by anonymous auth by * none
limits dn.exact=cn=reader,{suffix} size.soft=500 size.hard=500 size.prtotal=unlimited
overlay ppolicy
ppolicy_default cn=policy,{suffix}
{more}
"""
ENTRIES = f"""
dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
o: Lab
dc: lab

dn: cn=policy,{SUFFIX}
objectClass: device
objectClass: pwdPolicy
cn: policy
pwdAttribute: userPassword
pwdLockout: TRUE
pwdMaxFailure: 0

dn: cn=reader,{SUFFIX}
objectClass: device
objectClass: simpleSecurityObject
cn: reader
userPassword: reads

dn: uid=svc-a,{SUFFIX}
objectClass: account
objectClass: posixAccount
objectClass: simpleSecurityObject
uid: svc-a
cn: svc-a
uidNumber: 2001
gidNumber: 100
homeDirectory: /
userPassword: hers
description:: w7xtbGF1dA==

dn: uid=svc-b,{SUFFIX}
objectClass: account
objectClass: simpleSecurityObject
uid: svc-b
description: begins with nothing
userPassword: his

dn: cn=ops,{SUFFIX}
objectClass: groupOfNames
cn: ops
member: UID=svc-a, {SUFFIX}
member: uid=svc-b,{SUFFIX}

dn: cn=alone,{SUFFIX}
objectClass: groupOfUniqueNames
cn: alone
uniqueMember: uid=svc-a,{SUFFIX}

dn: cn=logins,{SUFFIX}
objectClass: posixGroup
cn: logins
gidNumber: 9
memberUid: svc-a
"""


@dataclass
class Slapd:
    """Its addresses, and how muster is told of it."""

    folder: Path
    port: int
    tls_port: int

    def where(self, tenant: str = "lab.example.org", password: str = ADMIN_PASSWORD,
              **settings: str) -> Where:  # fmt: skip
        given = {"endpoint": f"ldap://127.0.0.1:{self.port}", "user": ADMIN} | settings
        return Where(f"ldap:{tenant}", given, lambda _name, _command: password)

    @property
    def ca(self) -> str:
        return str(self.folder / "ca.pem")

    def search(self, *words: str) -> bytes:
        """What the vendor's own command answers."""
        return subprocess.run(
            ["ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-x", "-D", ADMIN, "-w", ADMIN_PASSWORD,
             "-H", f"ldap://127.0.0.1:{self.port}", "-b", SUFFIX, *words],
            check=True, capture_output=True, timeout=30,
        ).stdout  # fmt: skip

    def modify(self, line: str) -> None:
        """Run a plan's line as a person would."""
        words = line.replace("-W", '-w "$PW"')
        env = {"LDAP_URI": f"ldap://127.0.0.1:{self.port}", "LDAP_BIND_DN": ADMIN,
               "PW": ADMIN_PASSWORD, "PATH": "/usr/bin:/bin"}  # fmt: skip
        subprocess.run(["sh", "-c", words], check=True, env=env, timeout=30, capture_output=True)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def slapd(folder: Path, more: str = "") -> Iterator[Slapd]:
    """A server in *folder*; *more* lines of configuration for the password policy."""
    binary = shutil.which("slapd", path="/usr/sbin:/usr/bin")
    if binary is None or shutil.which("ldapsearch") is None:
        pytest.skip("slapd and ldap-utils are not here")
    pytest.importorskip("ldap3", reason="ldap3 is not here")
    (folder / "data").mkdir()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    own = authority.issue_cert("localhost")
    own.private_key_pem.write_to_path(folder / "server.key")
    own.cert_chain_pems[0].write_to_path(folder / "server.pem")
    config = folder / "slapd.conf"
    config.write_text(
        CONFIG.format(folder=folder, suffix=SUFFIX, password=ADMIN_PASSWORD, more=more)
    )
    found = Slapd(folder, free_port(), free_port())
    urls = f"ldap://127.0.0.1:{found.port}/ ldaps://127.0.0.1:{found.tls_port}/"
    loaded = subprocess.run(
        [binary.replace("slapd", "slapadd"), "-f", config], input=ENTRIES.encode(), timeout=30,
        capture_output=True, check=False,
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [binary, "-d", "0", "-f", config, "-h", urls], stdout=log, stderr=log
        )  # fmt: skip
    try:
        _wait(found.port, process)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("slapd does not start")
