"""A login on each real service, and all that a round over it needs to know of it."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.connectors import samba
from tests.connectors.slapd import ADMIN_PASSWORD, SUFFIX, Slapd
from tests.connectors.sshd import Sshd
from tests.live import services
from tests.live.services import Bao
from tests.server import postgres

SECRET = "a-real-passw0rd"
NAME = "round"
HELD = "readers"
"""A group or role that it is in."""
Done = subprocess.CompletedProcess[str]
ASKS = "of whoever asks"
"""The password of the login that muster has there."""


@dataclass
class Round:
    """Somebody's login, how muster is told of its platform, and the vendor's own client."""

    source: str
    """As a person asks for it the first time; the tenant is empty where nobody knows it yet."""
    settings: dict[str, str]
    secret: str
    """What is stopped, as it is given on stdin."""
    logs_in: Callable[[], bool]
    """With the vendor's own client or library."""
    handle: str = NAME
    """What a person on call would paste."""
    name: str | None = NAME
    """As lists show it; None: the mark is enough."""
    mark: str = ""
    """Stands in its URI, where several are called so."""
    of: str = "identity"
    shown: bool = True
    """Whether an export tells that it is stopped."""
    env: dict[str, str] = field(default_factory=dict)
    login: str = ""
    """The password of who asks; muster gets it by `secret_command`."""
    part: str = ""
    """What it has that can be taken away and given back: this stands in its name."""
    has: Callable[[], object] = str
    """What the vendor's own client tells of that part; of what is taken away, nothing."""


def client(*words: str, env: dict[str, str] | None = None) -> Done:
    return subprocess.run(
        [services.program(words[0]), *words[1:]], capture_output=True, text=True, timeout=60,
        check=False, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})},
    )  # fmt: skip


@contextmanager
def of_postgres(cluster: postgres.Cluster) -> Iterator[Round]:
    import psycopg

    hba = cluster.folder / "d" / "pg_hba.conf"
    hba.write_text(f"local all {NAME},asks scram-sha-256\n" + hba.read_text())

    def connected(user: str, password: str = "") -> Any:
        return psycopg.connect(host=str(cluster.folder), user=user, password=password,
                               dbname="postgres", autocommit=True)  # fmt: skip

    def logs_in() -> bool:
        try:
            connected(NAME, SECRET).close()
        except psycopg.OperationalError:
            return False
        return True

    with connected("postgres") as admin:
        admin.execute("SELECT pg_reload_conf()")
        admin.execute(f"CREATE ROLE {NAME} LOGIN PASSWORD '{SECRET}'")
        admin.execute(f"CREATE ROLE asks LOGIN SUPERUSER PASSWORD '{ASKS}'")
        admin.execute(f"CREATE ROLE {HELD} NOLOGIN")
        admin.execute(f"GRANT {HELD} TO {NAME} WITH ADMIN OPTION")
        asked = "SELECT 1 FROM pg_hba_file_rules WHERE user_name = ARRAY['round', 'asks']"
        services.until(lambda: admin.execute(asked).fetchone(), "pg_hba.conf is not read")
        try:
            yield Round(
                "postgres:",
                {"endpoint": f"postgresql:///postgres?host={cluster.folder}", "user": "asks"},
                SECRET, logs_in, login=ASKS, part=HELD, has=lambda: admin.execute(
                    "SELECT admin_option FROM pg_auth_members WHERE roleid = %s::regrole", (HELD,)
                ).fetchall(),
            )  # fmt: skip
        finally:
            admin.execute(f"DROP ROLE {NAME}, {HELD}, asks")


@contextmanager
def of_mariadb(at: Path) -> Iterator[Round]:
    def ask(words: str, user: str = "root", password: str = "") -> Done:
        return client("mariadb", "--no-defaults", "-S", str(at), "-u", user, f"-p{password}",
                      "-e", words)  # fmt: skip

    def said(*words: str) -> bool:
        return ask(*words).returncode == 0

    def has() -> list[str]:
        lines = ask(f"SHOW GRANTS FOR {NAME}@localhost").stdout.splitlines()
        return [line for line in lines if HELD in line]

    assert said(f"CREATE USER {NAME}@localhost IDENTIFIED BY '{SECRET}'")
    assert said(f"CREATE USER asks@localhost IDENTIFIED BY '{ASKS}'")
    assert said("GRANT ALL ON *.* TO asks@localhost WITH GRANT OPTION")
    assert said(f"CREATE ROLE {HELD}")
    assert said(f"GRANT {HELD} TO {NAME}@localhost WITH ADMIN OPTION")
    assert said(f"GRANT {HELD} TO asks@localhost WITH ADMIN OPTION")
    try:
        yield Round(
            "mariadb:", {"endpoint": f"mariadb://{at}", "user": "asks"}, SECRET,
            lambda: said("SELECT 1", NAME, SECRET), handle=f"{NAME}@localhost",
            name=f"{NAME}@localhost", login=ASKS, part=HELD, has=has,
        )  # fmt: skip
    finally:
        said(f"DROP ROLE {HELD}")
        said(f"DROP USER {NAME}@localhost, asks@localhost")


@contextmanager
def of_openbao(bao: Bao) -> Iterator[Round]:
    """A token of an entity, and its secret is that token."""
    role = f"auth/approle/role/{NAME}"
    bao.ask("POST", role, {"token_policies": ["default"], "token_ttl": "1h"})
    asked = {
        "secret_id": bao.ask("POST", f"{role}/secret-id", {})["data"]["secret_id"],
        "role_id": bao.ask("GET", f"{role}/role-id")["data"]["role_id"],
    }
    auth = bao.ask("POST", "auth/approle/login", asked, token="")["auth"]
    bao.ask("POST", f"identity/entity/id/{auth['entity_id']}", {"name": NAME})
    token, address = auth["client_token"], {"BAO_ADDR": bao.url}
    admin = {**address, "BAO_TOKEN": Bao.TOKEN}

    def has() -> list[str]:
        return client("bao", "list", f"{role}/secret-id", env=admin).stdout.splitlines()

    def logs_in() -> bool:
        return client("bao", "token", "lookup", env={**address, "BAO_TOKEN": token}).returncode == 0

    try:
        yield Round(
            "openbao:", {"endpoint": bao.url}, token, logs_in,
            handle=auth["entity_id"], mark=auth["entity_id"], has=has, env=admin,
        )  # fmt: skip
    finally:
        bao.ask("POST", "auth/token/revoke", {"token": token})
        bao.ask("DELETE", role)
        bao.ask("DELETE", f"identity/entity/id/{auth['entity_id']}")


@contextmanager
def of_redis(at: Path) -> Iterator[Round]:
    def said(*words: str) -> str:
        return client("redis-cli", "-s", str(at), *words).stdout.strip()

    assert said("ACL", "SETUSER", NAME, "on", f">{SECRET}", "+ping") == "OK"
    assert said("ACL", "SETUSER", "asks", "on", f">{ASKS}", "allkeys", "+@all") == "OK"
    try:
        yield Round(
            "redis:cache", {"endpoint": f"redis://{at}", "user": "asks"}, SECRET,
            lambda: said("AUTH", NAME, SECRET) == "OK", login=ASKS,
        )  # fmt: skip
    finally:
        said("ACL", "DELUSER", NAME, "asks")


@contextmanager
def of_rabbitmq(url: str) -> Iterator[Round]:
    import httpx
    import pika  # type: ignore[import-untyped]

    def ask(method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(method, f"{url}/api/{path}", json=body, auth=("guest", "guest"),
                               timeout=30)  # fmt: skip
        answer.raise_for_status()
        return answer.json() if answer.content else None

    (port,) = [x["port"] for x in ask("GET", "overview")["listeners"] if x["protocol"] == "amqp"]

    def logs_in() -> bool:
        who = pika.PlainCredentials(NAME, SECRET)
        try:
            pika.BlockingConnection(
                pika.ConnectionParameters("127.0.0.1", port, credentials=who)
            ).close()
        except pika.exceptions.AMQPError:
            return False
        return True

    ask("PUT", f"users/{NAME}", {"password": SECRET, "tags": ""})
    ask("PUT", f"permissions/%2F/{NAME}", {"configure": "", "write": ".*", "read": ".*"})
    ask("PUT", "users/asks", {"password": ASKS, "tags": "administrator"})
    try:
        yield Round(
            "rabbitmq:", {"endpoint": url, "user": "asks"}, SECRET, logs_in, login=ASKS,
            part="vhost:", has=lambda: ask("GET", f"users/{NAME}/permissions"),
        )  # fmt: skip
    finally:
        ask("DELETE", f"users/{NAME}")
        ask("DELETE", "users/asks")


def _plain(answer: bytes) -> bytes:
    """OpenLDAP keeps a name as it was written, and two spellings of one name are one to it."""
    return answer.lower().replace(b" ", b"")


@contextmanager
def of_slapd(server: Slapd) -> Iterator[Round]:
    where, dn = server.where(), f"uid=svc-a,{SUFFIX}"

    def logs_in() -> bool:
        return client("ldapwhoami", "-x", "-H", where.settings["endpoint"], "-D", dn,
                      "-w", "hers").returncode == 0  # fmt: skip

    yield Round(
        where.source, dict(where.settings), "hers", logs_in, handle=dn, name="svc-a",
        login=ADMIN_PASSWORD, part="cn=ops",
        has=lambda: [line for line in _plain(server.search("cn=ops", "member")).splitlines()
                     if b"svc-a" in line],
    )  # fmt: skip


@contextmanager
def of_samba(domain: samba.Controller) -> Iterator[Round]:
    where, login = domain.where(), f"{NAME}@{samba.REALM}"
    domain.tool("user", "create", NAME, SECRET)
    domain.tool("group", "add", HELD)
    domain.tool("group", "addmembers", HELD, NAME)

    def logs_in() -> bool:
        done = client("ldapsearch", "-LLL", "-x", "-H", where.settings["endpoint"], "-D", login,
                      "-w", SECRET, "-s", "base", "-b", "", "dnsHostName",
                      env=domain.environment())  # fmt: skip
        return done.returncode == 0

    try:
        yield Round(
            where.source, dict(where.settings), SECRET, logs_in, handle=login,
            login=samba.PASSWORD, part=f"cn={HELD}",
            has=lambda: [line for line in domain.search(f"(cn={HELD})", "member").splitlines()
                         if line.startswith(b"member:")],
        )  # fmt: skip
    finally:
        domain.tool("group", "delete", HELD)
        domain.tool("user", "delete", NAME)


@contextmanager
def of_sshd(server: Sshd) -> Iterator[Round]:
    key = server.key(NAME)
    server.keys.write_text((server.folder / f"{NAME}.pub").read_text())

    def logs_in() -> bool:
        done = client(
            "ssh", "-F", "none", "-i", str(server.folder / NAME), "-p", str(server.port), "-o",
            f"UserKnownHostsFile={server.folder}/known_hosts", "-o", "BatchMode=yes", "-o",
            "IdentitiesOnly=yes", "-o", "IdentityAgent=none", f"{server.user}@127.0.0.1", "true",
        )  # fmt: skip
        return done.returncode == 0

    try:
        yield Round(
            f"ssh:{socket.gethostname()}", dict(server.where.settings), server.secret(NAME),
            logs_in, handle=key, name="ci@example.com", shown=False,
        )  # fmt: skip
    finally:
        server.keys.unlink()
        for made in server.folder.glob(f"{NAME}*"):
            made.unlink()


@contextmanager
def of_aws(endpoint: str) -> Iterator[Round]:
    import boto3
    from botocore.exceptions import ClientError

    def made(service: str, uid: str = "test", secret: str = "test") -> Any:
        return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1",
                            aws_access_key_id=uid, aws_secret_access_key=secret)  # fmt: skip

    iam = made("iam")
    iam.create_user(UserName=NAME)
    key = iam.create_access_key(UserName=NAME)["AccessKey"]
    uid, secret = key["AccessKeyId"], key["SecretAccessKey"]

    def logs_in() -> bool:
        try:
            made("sts", uid, secret).get_caller_identity()
        except ClientError:
            return False
        return True

    document = '{"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}'
    policy = iam.create_policy(PolicyName=HELD, PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_user_policy(UserName=NAME, PolicyArn=policy)

    account = made("sts").get_caller_identity()["Account"]
    here = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}  # fmt: skip
    try:
        yield Round(
            f"aws:{account}", {"endpoint": endpoint}, f"{uid}:{secret}", logs_in, handle=uid,
            name=None, mark=uid, of="credential", env=here, part=f"policy/{HELD}",
            has=lambda: iam.list_attached_user_policies(UserName=NAME)["AttachedPolicies"],
        )  # fmt: skip
    finally:
        iam.detach_user_policy(UserName=NAME, PolicyArn=policy)
        iam.delete_policy(PolicyArn=policy)
        for left in iam.list_access_keys(UserName=NAME)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=NAME, AccessKeyId=left["AccessKeyId"])
        iam.delete_user(UserName=NAME)
