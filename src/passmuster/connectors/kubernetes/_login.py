"""A connection to an API server, with the login that kubectl has.

kubectl tells its configuration of one context; a token, a client certificate or a plug-in (`exec`)
stands in it. A plug-in is run as kubectl runs it. The context is `profile` of the settings, else
the one that is called as the source: never whichever is the current one, which may be another
cluster. Without kubectl a token of the keyring and `endpoint` (with `ca`) do.
"""

import base64
import binascii
import json
import tempfile
from pathlib import Path
from typing import Any

from passmuster.connectors import Where
from passmuster.connectors._json import listed, mapping
from passmuster.errors import UsageError
from passmuster.text import Json
from passmuster.transport import Service


def login(where: Where) -> Service:
    """A client of the cluster that the source is. UsageError where the configuration is no good."""
    context = where.settings.get("profile") or where.tenant
    # as JSON of one line, as a token has one (kubectl 1.19 and later)
    asked = ("kubectl", "config", "view", "--raw", "--minify", "--flatten", "-o", "jsonpath={@}",
             "--context", context)  # fmt: skip
    told = where.secret("token", asked).strip()
    ca = where.settings.get("ca")
    if not told.startswith("{"):
        endpoint = where.settings.get("endpoint")
        if not endpoint:
            raise UsageError(f"kubernetes:{where.tenant}: a token alone: set `endpoint` as well")
        headers = {"Authorization": f"Bearer {told}"}
        return Service(endpoint, lambda: headers, Path(ca) if ca else None)
    config = _json(told)
    cluster = mapping(mapping(_one(config, "clusters")).get("cluster"))
    user = mapping(mapping(_one(config, "users")).get("user"))
    if cluster.get("insecure-skip-tls-verify"):
        raise UsageError(
            "the kubeconfig believes any server (insecure-skip-tls-verify): name its authority"
        )
    if isinstance(user.get("exec"), dict):
        user = {**user, **_plugin(where, user["exec"])}
    return _service(
        where.settings.get("endpoint") or str(cluster.get("server") or ""), user,
        None if ca else _bytes(cluster, "certificate-authority-data"), Path(ca) if ca else None,
    )  # fmt: skip


def _service(server: str, user: Json, authority: bytes | None, ca: Path | None) -> Service:
    token = user.get("token")
    certificate = _bytes(user, "client-certificate-data")
    key = _bytes(user, "client-key-data")
    if not token and not (certificate and key):
        raise UsageError("the kubeconfig's user has no token, client certificate or plug-in (exec)")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # the TLS library reads files alone; they are gone when the client is made
    with tempfile.TemporaryDirectory(prefix="muster-") as folder:
        paths = []
        for name, content in (("ca", authority), ("cert", certificate), ("key", key)):
            path = Path(folder) / name
            path.touch(0o600)
            path.write_bytes(content or b"")
            paths.append(path)
        return Service(
            server, lambda: headers, paths[0] if authority else ca,
            (paths[1], paths[2]) if certificate and key else None,
        )  # fmt: skip


def _plugin(where: Where, given: Json) -> Json:
    """What a plug-in prints (`ExecCredential`), by the names of a kubeconfig."""
    version = str(given.get("apiVersion") or "client.authentication.k8s.io/v1")
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    env = [f"{mapping(e).get('name')}={mapping(e).get('value')}" for e in listed(given.get("env"))]
    told = _json(where.secret("token", (
        "env", f"KUBERNETES_EXEC_INFO={json.dumps(info)}", *env, str(given.get("command")),
        *(str(a) for a in listed(given.get("args"))),
    )))  # fmt: skip
    status = mapping(told.get("status"))
    found = {"token": status.get("token")}
    for ours, theirs in (("certificate", "Certificate"), ("key", "Key")):
        content = status.get(f"client{theirs}Data")
        if isinstance(content, str):
            found[f"client-{ours}-data"] = base64.b64encode(content.encode()).decode()
    return found


def _json(told: str) -> Json:
    try:
        return mapping(json.loads(told))
    except (ValueError, TypeError, RecursionError):
        raise UsageError("kubectl, or its plug-in, printed no JSON object") from None


def _one(config: Json, name: str) -> Any:
    found = listed(config.get(name))
    if len(found) != 1:
        raise UsageError(f"the kubeconfig has {len(found)} {name} for that context, not one")
    return found[0]


def _bytes(of: Json, name: str) -> bytes | None:
    value = of.get(name)
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) and value else None
    except (binascii.Error, ValueError):
        raise UsageError(f"the kubeconfig's {name} is no base64") from None
