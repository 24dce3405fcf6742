"""OCSF events, one a line, for whoever collects events: exceptions and findings.

Version 1.8.0, the newest that can be validated offline. A decision is told as Entity Management
(3004) of activity "Other" with its name in words: a decision is not yet an act, and no class says
"decided". That an account *was* disabled (3001) or access *was* removed (3005) is said by the
signed results of remediations alone (`_acts`). A finding is a Compliance Finding (2003), opened or
closed; a rule that could not be evaluated is one too, with the status "not evaluated": never a
pass. What simply stands is no event; `outcomes.jsonl` has it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from passmuster import __version__, campaigns
from passmuster.evidence._came import HEARD
from passmuster.evidence._walk import Ballot, Judged
from passmuster.evidence.formats import Draft, _acts
from passmuster.evidence.formats._acts import Act
from passmuster.evidence.formats._common import (
    EXCEPTIONS,
    EXPORTS,
    MAIL,
    SEVERITY_ID,
    Names,
    Stated,
    counted,
    counted_seconds,
    exception,
    findings,
    item_name,
    millis,
    rules,
    said,
)
from passmuster.outcomes import STANDING
from passmuster.text import Json, canonical

VERSION = "1.8.0"
FILE = f"{EXPORTS}/ocsf.jsonl"
FILES = (FILE,)
MANAGEMENT, COMPLIANCE = 3004, 2003
CREATE, CLOSE, OTHER = 1, 3, 99
NEW, RESOLVED = 1, 4
UNKNOWN, FAIL = 0, 3
USER_KINDS = {"human": 1, "service": 4, "system": 3, "workload": 4, "role": 99, "agent": 4,
              "app": 4, "group": 99}  # fmt: skip


def begin(draft: Draft) -> "_Events":
    """Write as the items go by."""
    return _Events(draft)


class _Events:
    """The file, open while the items are walked."""

    def __init__(self, draft: Draft) -> None:
        self._draft, self._names = draft, Names(draft.campaign.digest)
        self._stack = ExitStack()
        self._write: Callable[[bytes], None] = self._stack.enter_context(draft.writer.stream(FILE))

    def item(self, judged: Judged) -> None:
        """An event for each row that made an exception; one without an actor for silence."""
        kind = exception(judged)
        if kind is None:
            return
        for ballot in (*counted(judged),) or (None,):
            self._put(self._decision(judged, kind, ballot))

    def end(self) -> None:
        """What was carried out, the rules and what they found."""
        with self._stack:
            for act in _acts.acts(self._draft):
                self._put(self._carried_out(act))
            stated = rules(self._draft)
            for rule in stated.values():
                if rule.not_evaluated is not None:
                    self._put(self._unevaluated(rule))
            same: dict[tuple[str, bool], Json] = {}
            for found in findings(self._draft):
                of, cleared = stated.get(found["rule"]), found["cleared_at"] is not None
                if (found["rule"], cleared) not in same:
                    words = "Cleared" if cleared else "Hit"
                    same[found["rule"], cleared] = _compliance(found["rule"], of, FAIL, words)
                event = self._finding(found, of)
                self._put(event | {"compliance": same[found["rule"], cleared]})

    def _put(self, event: Json) -> None:
        self._write(canonical(event) + b"\n")

    def _base(self, class_uid: int, activity: int, at: int, severity: int, *name: str) -> Json:
        return {
            "class_uid": class_uid, "category_uid": class_uid // 1000, "activity_id": activity,
            "type_uid": class_uid * 100 + activity, "time": at, "severity_id": severity,
            "metadata": {
                "version": VERSION, "uid": self._names.of(*name), "log_name": "access review",
                "correlation_uid": self._draft.campaign.digest,
                "product": {"name": "passmuster", "vendor_name": "passmuster",
                            "version": __version__},
            },
        }  # fmt: skip

    def _decision(self, judged: Judged, kind: str, ballot: Ballot | None) -> Json:
        outcome, campaign = judged.outcome, self._draft.campaign
        silence = campaign.closed_at or self._draft.now
        at = millis(ballot.row["attention"]["decided"] if ballot else None, silence)
        what = EXCEPTIONS[kind]
        if kind == "stands_until":
            what = f"access stands until {said(outcome.until)}"
        event = self._base(MANAGEMENT, OTHER, at, 1, "decision", judged.uri,
                           ballot.leaf if ballot else "")  # fmt: skip
        event |= {
            "activity_name": f"Access review: {what}",
            "status_id": OTHER,
            "status": "Decided; whether it was carried out is not said here"
            if outcome.effect in {*STANDING, "stops"} else "Not decided",
            "message": f"{said(campaign.name)}: {item_name(judged)}: {what}",
            "entity": _entity(judged),
            "unmapped": {
                "item": judged.uri, "effect": outcome.effect, "until": outcome.until,
                "remediations": [f"{verb} {said(part)}" if part else verb
                                 for verb, part in outcome.remediations],
                "reviewer": said(judged.reviewer), "row": ballot.leaf if ballot else None,
                "seconds": [f"{b.row['verdict']} by {said(b.batch.principal)}"
                            for b in counted_seconds(judged)],
            },
        }  # fmt: skip
        if ballot is not None:
            event["actor"] = {"user": _person(ballot.batch.principal)}
            event["comment"] = said(ballot.row["reason"]["text"])
        return event

    def _carried_out(self, act: Act) -> Json:
        row, (class_uid, activity, activity_name) = act.row, _acts.kind_of(act)
        words, status_id = HEARD[act.heard], _acts.status(act)
        at, severity = millis(row["at"], self._draft.now), 3 if status_id == _acts.FAILURE else 1
        event = self._base(class_uid, activity, at, severity, "remediation", act.leaf)
        event |= {"activity_name": activity_name} if activity_name else {}
        event |= {"status": "Not done by muster"} if status_id == OTHER else {}
        event |= {"start_time": millis(row["sent"], row["at"])} if row["sent"] else {}
        return event | _target(act, class_uid) | {
            "status_id": status_id, "status_detail": f"{words}: {said(row['said'])}",
            "message": f"{said(self._draft.campaign.name)}: {act.what}: {words}",
            "actor": {"user": _person(act.statement.attestation.predicate["principal"])},
            "unmapped": {
                "item": row["item"], "verb": row["verb"], "part": row["part"],
                "state": row["state"], "verdict": row["verdict"], "carrier": row["carrier"],
                "undo_class": row["undoClass"], "remediation": row["remediation"],
                "asked_by": "emergency" if "emergency" in row["basis"] else "decisions",
                "statement": act.statement.folder, "row": act.leaf,
            },
        }  # fmt: skip

    def _finding(self, found: Json, rule: Stated | None) -> Json:
        cleared = found["cleared_at"]
        first = millis(found["first_seen"], self._draft.now)
        at = millis(cleared, self._draft.now) if cleared else first
        title = rule.title if rule else said(found["rule"])
        uri = campaigns.uri(found["source"], "identity", found["identity"])
        name = ("finding", found["rule"], found["subject_kind"], uri, str(found["subject"]))
        event = self._base(COMPLIANCE, CLOSE if cleared else CREATE, at,
                           SEVERITY_ID[found["severity"]], *name)  # fmt: skip
        event |= {
            "status_id": RESOLVED if cleared else NEW,
            "message": f"{said(found['name'])}: {title}",
            "finding_info": {
                "uid": event["metadata"]["uid"], "title": title, "first_seen_time": first,
                "created_time": first, "desc": said(found["detail"]),
            },
            "resources": [{
                "uid": uri, "name": said(found["name"]), "type": "identity",
                "namespace": said(found["source"]),
            }],
        }  # fmt: skip
        if found["subject_kind"] != "identity":
            event["unmapped"] = {"subject_kind": found["subject_kind"],
                                 "subject": said(found["subject"])}  # fmt: skip
        return event

    def _unevaluated(self, rule: Stated) -> Json:
        name = ("not evaluated", rule.id)
        at = millis(rule.ran_at, self._draft.now)
        event = self._base(COMPLIANCE, CREATE, at, 1, *name)
        return event | {
            "status_id": OTHER, "status": "Not evaluated",
            "message": f"Not evaluated: {rule.title}: {rule.not_evaluated}",
            "finding_info": {"uid": self._names.of(*name), "title": f"Not evaluated: {rule.title}",
                             "created_time": at, "desc": rule.not_evaluated},
            "compliance": _compliance(rule.id, rule, UNKNOWN, "Not evaluated"),
        }  # fmt: skip


def _entity(judged: Judged) -> Json:
    dossier = judged.dossier
    identity, uri = dossier["identity"], judged.uri
    if dossier["of"] == "identity":
        user = {"uid": uri, "name": item_name(judged), "type_id": USER_KINDS[identity["kind"]],
                "type": identity["kind"], "domain": said(dossier["source"]["uid"])}  # fmt: skip
        return {"type_id": 2, "type": "User", "uid": uri, "name": item_name(judged), "user": user}
    return {"type_id": 99, "type": dossier["of"], "uid": uri, "name": item_name(judged)}


def _target(act: Act, class_uid: int) -> Json:
    """What was acted on, in the attributes of the class."""
    part, name = act.row["part"], said(act.name)
    source = campaigns.subject_of(act.row["item"])[0]
    user = {"uid": act.row["item"], "name": name, "type_id": USER_KINDS.get(act.of, OTHER),
            "type": act.of, "domain": said(source)}  # fmt: skip
    if class_uid == _acts.PRIVILEGES:
        return {"user": user, "privileges": [said(part) if part else act.row["item"]]}
    if class_uid == _acts.ACCOUNT:
        return {"user": user}
    uid = said(part) if part else act.row["item"]
    entity = {"type_id": 99, "type": act.kind, "uid": uid,
              "name": f"{name}: {said(part)}" if part else name}  # fmt: skip
    if act.kind == "identity":
        entity |= {"type_id": 2, "type": "User", "user": user}
    return {"entity": entity}


def _person(principal: str) -> Json:
    who: Json = {"uid": said(principal), "name": said(principal), "type_id": 1}
    return who | {"email_addr": principal} if MAIL.fullmatch(principal) else who


def _compliance(rule_id: str, rule: Stated | None, status: int, words: str) -> Json:
    found: Json = {"status_id": status, "status": words, "checks": list(_checks(rule_id, rule))}
    if rule is None or not rule.controls:
        return found
    ids = [f"{c['framework']} {c['id']}" for c in rule.controls]
    names = dict.fromkeys(f"{c['framework_name']} {c['version']}" for c in rule.controls)
    return found | {"control": ids[0], "requirements": ids, "standards": list(names)}


def _checks(rule_id: str, rule: Stated | None) -> Iterator[Json]:
    if rule is None:
        yield {"uid": said(rule_id), "name": said(rule_id)}
    else:
        yield {"uid": rule.id, "name": rule.title, "desc": rule.why,
               "severity_id": SEVERITY_ID[rule.severity]}  # fmt: skip
