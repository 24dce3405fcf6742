"""What muster does at an API server itself: bindings, token Secrets and accounts.

Tested against a small server that answers as a real one of 1.20 was measured to, not yet against
a cluster. A change carries the resourceVersion that was read last, so that one that somebody else
made in between is a conflict (409) and nothing is lost.
"""

import json
from collections.abc import Callable, Iterator
from urllib.parse import quote

from passmuster.connectors import Act, Verdict, Where
from passmuster.connectors._json import listed, mapping
from passmuster.connectors._secrets import is_secret
from passmuster.connectors.kubernetes._login import login
from passmuster.connectors.kubernetes._plan import TOKENS_S
from passmuster.errors import Declined
from passmuster.text import Json, visible
from passmuster.transport import Service

RBAC = "/apis/rbac.authorization.k8s.io/v1"
_AUTH = "/apis/authentication.k8s.io/v1/tokenreviews"
_ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
META_ONLY = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
"""So that the server does not even send the data of a Secret."""
_LATE = f"the API server remembers a good token for about 10 s, so ask again for {TOKENS_S} s"


def connect(where: Where) -> "KubernetesLive":
    """Log in with kubectl's own login."""
    return KubernetesLive(login(where))


class KubernetesLive:
    """One cluster."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._versions: dict[str, str] = {}
        """By path: the resourceVersion that was read last and not yet used."""

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def read(self, act: Act) -> Json | None:
        """The state of the object; None where it is not there."""
        return self._verbs(act)[0](act.on)

    def write(self, act: Act, state: Json | None) -> None:
        """Put the object into *state*; deleting what is not there is no error."""
        self._verbs(act)[1](act.on, state)

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """With a token: a TokenReview. For rights: a SubjectAccessReview. Else what is there."""
        if secret is not None:
            verdict, words, user = self._reviewed(secret)
            if verdict == "refused" or "roles" not in act.on:
                return verdict, words
            return self._allowed(act.on, user)
        if "roles" in act.on:
            return self._allowed(act.on, _user(act.on))
        found = self.read(act)
        if found is None:
            return "flag", "the API server says that it is not there"
        return "works", f"the API server says that it is still there; {_LATE}"

    def _reviewed(self, token: str) -> tuple[Verdict, str, Json]:
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                 "spec": {"token": token.strip()}}  # fmt: skip
        status = mapping(mapping(self._service.change("POST", _AUTH, asked)).get("status"))
        if status.get("authenticated"):
            user = mapping(status.get("user"))
            name = visible(str(user.get("username"))[:200])
            return "works", f"TokenReview: it is {name}; {_LATE}", user
        why = visible(str(status.get("error") or "not authenticated")[:300])
        return "refused", f"TokenReview: {why}", {}

    def _allowed(self, on: Json, user: Json) -> tuple[Verdict, str]:
        """Whether *user* may still do what the roles of the act let one do."""
        asked = 0
        for role in on["roles"].split():
            attributes = self._sample(role)
            if attributes is None:
                continue
            asked += 1
            review = {
                "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                "spec": {"user": user.get("username"), "groups": user.get("groups") or [],
                         **attributes},
            }  # fmt: skip
            found = mapping(mapping(self._service.change("POST", _ACCESS, review)).get("status"))
            if found.get("allowed"):
                why = visible(str(found.get("reason") or "no reason given")[:300])
                return "works", f"SubjectAccessReview, {role}: still allowed: {why}"
        if asked:
            return "refused", f"SubjectAccessReview: not allowed what {on['roles']} let it do"
        return "flag", "none of its roles is there to ask about; the binding is gone"

    def _sample(self, role: str) -> Json | None:
        """Something that only a holder of *role* may do: the strongest verb of its first rule."""
        path, namespace = _role(role)
        for rule in listed(mapping(self._service.find(path)).get("rules")):
            verbs, resources = listed(rule.get("verbs")), listed(rule.get("resources"))
            if not verbs:
                continue
            if resources:
                name, _, part = str(resources[0]).partition("/")
                names = listed(rule.get("resourceNames"))
                return {"resourceAttributes": {
                    "verb": verbs[-1], "group": (listed(rule.get("apiGroups")) or [""])[0],
                    "resource": name, **({"subresource": part} if part else {}),
                    **({"namespace": namespace} if namespace else {}),
                    **({"name": names[0]} if names else {}),
                }}  # fmt: skip
            if urls := listed(rule.get("nonResourceURLs")):
                return {"nonResourceAttributes": {"verb": verbs[-1], "path": urls[0]}}
        return None

    # Each kind: (read, write) of what `on` finds.

    def _verbs(
        self, act: Act
    ) -> tuple[Callable[[Json], Json | None], Callable[[Json, Json | None], None]]:
        made = {
            "kubernetes.binding_subject": (self._subject, self._put_subject),
            "kubernetes.bindings_of": (self._all, self._put_all),
            "kubernetes.binding": (self._binding, self._put_binding),
            "kubernetes.token_secret": (self._once("secrets"), self._end("secrets")),
            "kubernetes.service_account": (
                self._once("serviceaccounts"), self._end("serviceaccounts")
            ),
        }.get(act.name)  # fmt: skip
        if made is None:
            raise Declined(f"{act.name}: muster does not do that at Kubernetes", "no_such_act", 400)
        return made

    def _get(self, path: str) -> Json | None:
        found = self._service.find(path)
        if found is None:
            return None
        self._versions[path] = str(mapping(found.get("metadata")).get("resourceVersion") or "")
        return mapping(found)

    def _binding(self, on: Json) -> Json | None:
        found = self._get(_path(on["binding"], on["binding_namespace"], on["binding_name"]))
        return None if found is None else _kept(found)

    def _put_binding(self, on: Json, state: Json | None) -> None:
        path = _path(on["binding"], on["binding_namespace"], on["binding_name"])
        if state is None:
            self._delete(path)
        elif self._service.find(path) is None:
            self._service.change("POST", path.rpartition("/")[0], state)
        else:
            self._patch(path, {"subjects": state.get("subjects") or []})

    def _subject(self, on: Json) -> Json | None:
        found = self._get(_path(on["binding"], on["binding_namespace"], on["binding_name"]))
        return {"held": True} if found is not None and _holds(found, on) else None

    def _put_subject(self, on: Json, state: Json | None) -> None:
        self._change(on["binding"], on["binding_namespace"], on["binding_name"], on, state)

    def _change(
        self, resource: str, namespace: str, name: str, on: Json, state: Json | None
    ) -> None:
        """Put the subject into one binding, or take it out; the other subjects stay."""
        path = _path(resource, namespace, name)
        version = self._versions.pop(path, None)
        found = self._get(path)
        if found is None:
            if state is None:
                return
            raise Declined(f"the {resource} {visible(name)} is not there any more", "404", 404)
        if version is not None:
            self._versions[path] = version
        subjects = [s for s in listed(found.get("subjects")) if not _is(s, on, found)]
        if state is not None:
            subjects.append(_subject_of(on))
        if bool(state) != _holds(found, on):
            self._patch(path, {"subjects": subjects})

    def _all(self, on: Json) -> Json | None:
        found = [
            "/".join(filter(None, (resource, namespace, name)))
            for resource, namespace, name in self._bindings(on)
        ]
        return {"bindings": sorted(found)}

    def _bindings(self, on: Json) -> Iterator[tuple[str, str, str]]:
        for resource in ("clusterrolebinding", "rolebinding"):
            for item in pages(self._service, f"{RBAC}/{resource}s"):
                meta = mapping(item.get("metadata"))
                if _holds(item, on):
                    yield resource, str(meta.get("namespace") or ""), str(meta.get("name"))

    def _put_all(self, on: Json, state: Json | None) -> None:
        wanted = set(mapping(state).get("bindings") or ())
        for resource, namespace, name in list(self._bindings(on)):
            if "/".join(filter(None, (resource, namespace, name))) not in wanted:
                self._change(resource, namespace, name, on, None)
        for each in sorted(wanted):
            resource, _, rest = each.partition("/")
            namespace, _, name = rest.rpartition("/")
            self._change(resource, namespace, name, on, {"held": True})

    def _once(self, resource: str) -> Callable[[Json], Json | None]:
        """Reading of what cannot be made again: who it is, and never its data."""

        def read(on: Json) -> Json | None:
            path = f"/api/v1/namespaces/{quote(on['namespace'])}/{resource}/{quote(on['name'])}"
            found = self._service.find(path, META_ONLY)
            if found is None:
                return None
            meta = mapping(found.get("metadata"))
            if on.get("uid") and meta.get("uid") != on["uid"]:
                raise Declined(
                    f"{resource} {visible(on['name'])}: another one of that name was made since",
                    "409", 409,
                )  # fmt: skip
            self._versions[path] = str(meta.get("resourceVersion") or "")
            return {"uid": str(meta.get("uid")), "created": str(meta.get("creationTimestamp"))}

        return read

    def _end(self, resource: str) -> Callable[[Json, Json | None], None]:
        def write(on: Json, state: Json | None) -> None:
            path = f"/api/v1/namespaces/{quote(on['namespace'])}/{resource}/{quote(on['name'])}"
            if state is not None:
                raise Declined(f"{resource}: what was deleted cannot be made again", "r3", 409)
            self._delete(path, on.get("uid") or None)

        return write

    def _delete(self, path: str, uid: str | None = None) -> None:
        version = self._versions.pop(path, None)
        only = {"resourceVersion": version} if version else {}
        only |= {"uid": uid} if uid else {}
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": only}
        try:
            self._service.change("DELETE", path, body if only else None)
        except Declined as error:
            if error.status not in (404, 410):
                raise

    def _patch(self, path: str, change: Json) -> None:
        version = self._versions.pop(path, None)
        body = {**({"metadata": {"resourceVersion": version}} if version else {}), **change}
        self._service.ask("PATCH", path, json.dumps(body).encode(),
                          {"Content-Type": "application/merge-patch+json"})  # fmt: skip


def pages(service: Service, path: str, headers: Json | None = None) -> Iterator[Json]:
    """Every item of a list, asked for in pages; begun anew where a page mark has expired (410)."""
    join = "&" if "?" in path else "?"
    for attempt in range(3):
        items: list[Json] = []
        mark = ""
        try:
            while True:
                more = f"&continue={quote(mark, safe='')}" if mark else ""
                found = service.get(f"{path}{join}limit=500{more}", headers)
                items += listed(found.get("items"))
                mark = mapping(found.get("metadata")).get("continue") or ""
                if not mark:
                    break
        except Declined as error:
            if error.status != 410 or attempt == 2:
                raise
            continue
        yield from items
        return


def _path(resource: str, namespace: str, name: str) -> str:
    place = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return f"{RBAC}{place}/{resource}s/{quote(name, safe='')}"


def _role(uid: str) -> tuple[str, str]:
    """Path of a role, and the namespace where it holds, from the entitlement's uid."""
    kind, _, rest = uid.partition(":")
    if kind == "role":
        namespace, _, name = rest.partition("/")
        return _path("role", namespace, name), namespace
    name, _, namespace = rest.partition("@")
    return _path("clusterrole", "", name), namespace


def _kept(found: Json) -> Json:
    """All that makes the object again: not what the server gives each one anew."""
    meta = mapping(found.get("metadata"))
    kept = {k: meta[k] for k in ("name", "namespace", "labels") if meta.get(k)}
    notes = {k: v for k, v in mapping(meta.get("annotations")).items() if not is_secret(str(v))}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": found.get("kind") or "",
        "metadata": {**kept, **({"annotations": notes} if notes else {})},
        "roleRef": found.get("roleRef") or {},
        "subjects": listed(found.get("subjects")),
    }


def _holds(binding: Json, on: Json) -> bool:
    return any(_is(s, on, binding) for s in listed(binding.get("subjects")))


def _is(subject: Json, on: Json, binding: Json) -> bool:
    if (subject.get("kind"), subject.get("name")) != (on["kind"], on["name"]):
        return False
    home = mapping(binding.get("metadata")).get("namespace")
    same = (subject.get("namespace") or home) == on["namespace"]
    return on["kind"] != "ServiceAccount" or bool(same)


def _subject_of(on: Json) -> Json:
    if on["kind"] == "ServiceAccount":
        return {"kind": on["kind"], "name": on["name"], "namespace": on["namespace"]}
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": on["kind"], "name": on["name"]}


def _user(on: Json) -> Json:
    """The subject as the authorizer sees it."""
    if on["kind"] == "ServiceAccount":
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{on['namespace']}",
                  "system:authenticated"]  # fmt: skip
        return {"username": f"system:serviceaccount:{on['namespace']}:{on['name']}",
                "groups": groups}  # fmt: skip
    if on["kind"] == "Group":
        return {"username": "muster:nobody", "groups": [on["name"]]}
    return {"username": on["name"], "groups": ["system:authenticated"]}
