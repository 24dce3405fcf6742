"""What came of each stop, as parts of an OSCAL document: an observation, and a risk with its log.

A risk here is access that the review takes away, and its status follows from two things alone: the
newest signed result, and an export imported after the end. It is *closed* only where the later of
the two says that the access is gone or refused; nothing signed leaves it *open*. Of each kind of
result the first `SHOWN` stand in the document, and all are counted.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain

from passmuster.evidence import _came, _remedies
from passmuster.evidence._came import HEARD, STOPPED, Came, Heard
from passmuster.evidence._walk import Judged
from passmuster.evidence.formats import Draft
from passmuster.evidence.formats._common import Names, counted, item_name, when
from passmuster.evidence.formats._judgement import evidence, markup, prop
from passmuster.text import Json, plural

SHOWN = 100
CARRIER = "carried-out-by"
Person = Callable[[str, str], Json]
"""(principal, role) → the actor."""


class Tracking:
    """Counts what came of everything, and keeps the first of each kind."""

    def __init__(self, draft: Draft, names: Names, person: Person) -> None:
        self.draft, self.id, self._person = draft, names.of, person
        self.observations: list[Json] = []
        self.risks: list[Json] = []
        self.counts: Counter[Heard] = Counter()
        self.late = self.open = 0
        self._signers = {
            s.folder: str(s.attestation.predicate["principal"]) for s in draft.statements
            if s.attestation.kind == "remediation"
        }  # fmt: skip

    def item(self, judged: Judged) -> bool:
        """Count what came of an item; whether anything of it is kept."""
        unseen = self.draft.unseen.get(judged.dossier["source"]["uid"])
        kept = False
        for one in _came.came(judged, self.draft.results, unseen):
            self.counts[one.heard] += 1
            self.late += one.is_late(self.draft.now)
            self.open += one.is_asked and not one.is_done
            if self.counts[one.heard] <= SHOWN:
                self._keep(judged, one)
                kept = True
        return kept

    def _keep(self, judged: Judged, one: Came) -> None:
        seen = [self._observation(judged, one)] if one.result is not None else []
        self.observations += seen
        if one.is_asked:
            self.risks.append(self._risk(judged, one, [o["uuid"] for o in seen]))

    def _name(self, kind: str, judged: Judged, one: Came) -> str:
        return self.id(kind, judged.uri, one.verb, one.part or "")

    def _observation(self, judged: Judged, one: Came) -> Json:
        said = one.result or {}
        subject = {"subject-uuid": self.id("item", judged.uri), "type": "inventory-item"}
        return {
            "uuid": self._name("result", judged, one),
            "title": f"{markup(item_name(judged))}: {markup(one.what)}: {HEARD[one.heard]}",
            "description": f"As the signed result has it: {markup(said['said'])}"
            + ("" if one.is_asked else ". No decision that counts asks for it."),
            "props": [prop("result", one.heard), prop("state", said["state"]),
                      prop("verdict", said["verdict"] or "none")],
            "methods": ["TEST"] if said["verdict"] else ["EXAMINE"], "types": ["finding"],
            "origins": [{"actors": [self._signer(said)]}], "subjects": [subject],
            "relevant-evidence": [
                evidence(self.id, f"{said['statement']}/statement.dsse.json"),
                evidence(self.id, _remedies.FILE),
            ],
            "collected": when(said["at"], self.draft.now),
        }  # fmt: skip

    def _signer(self, said: Json) -> Json:
        return self._person(self._signers[said["statement"]], CARRIER)

    def _risk(self, judged: Judged, one: Came, seen: list[str]) -> Json:
        response, name = self._name("response", judged, one), markup(item_name(judged))
        found: Json = {
            "uuid": self._name("stop", judged, one),
            "title": f"{name}: {markup(one.what)}",
            "description": f"The review stops or changes it. Signed result: {HEARD[one.heard]}. "
            f"At its source: {markup(one.why)}.",
            "statement": "Until it is carried out, the access can be used as before.",
            "props": [prop("result", one.heard), prop("at-the-source", one.state)],
            "status": _status(one),
            "remediations": [{
                "uuid": response, "lifecycle": "completed" if one.is_done else "planned",
                "title": markup(one.what),
                "description": "; ".join(markup(b.row["reason"]["text"]) for b in counted(judged))
                or "The day to which it was approved is past.",
            }],
            "related-observations": [{"observation-uuid": uuid} for uuid in seen],
        }  # fmt: skip
        if one.due is not None:
            found["deadline"] = f"{one.due}T23:59:59Z"
        if one.result is not None:
            found["risk-log"] = {"entries": [self._entry(judged, one, one.result, response)]}
        return {key: value for key, value in found.items() if value}

    def _entry(self, judged: Judged, one: Came, said: Json, response: str) -> Json:
        by = self._signer(said)
        return {
            "uuid": self._name("entry", judged, one), "title": HEARD[one.heard],
            "description": markup(said["said"]), "start": when(said["at"], self.draft.now),
            "logged-by": [{"party-uuid": by["actor-uuid"], "role-id": by["role-id"]}],
            "status-change": _status(one), "related-responses": [{"response-uuid": response}],
        }  # fmt: skip

    def numbers(self) -> Iterator[tuple[str, int]]:
        """Totals, for the properties of the result."""
        each = ((f"remediation-{kind}", self.counts[kind]) for kind in HEARD if self.counts[kind])
        return chain(each, [("remediation-open", self.open), ("remediation-past-due", self.late)])

    def totals(self) -> str:
        """The same as a sentence; empty where nothing is to stop."""
        if not self.counts:
            return ""
        each = "; ".join(f"{self.counts[k]:,} {w}" for k, w in HEARD.items() if self.counts[k])
        more = sum(max(0, n - SHOWN) for n in self.counts.values())
        left = (f" Of each kind the first {SHOWN} stand here; {plural(more, 'result')} more stand "
                "in remediations.csv.") if more else ""  # fmt: skip
        return (f" What came of stops and changes: {each}. Open: {self.open:,}, of which past "
                f"their day: {self.late:,}.{left}")  # fmt: skip


def _status(one: Came) -> str:
    if one.is_done:
        return "closed"
    return "remediating" if one.heard in STOPPED or one.heard == "planned" else "open"
