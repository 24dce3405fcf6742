"""The parts of the report for people that say what was reviewed, by whom, when, and how to check.

What it came to is in `_results`.
"""

from datetime import datetime
from typing import Any

from passmuster.evidence._facts import FAST_S, SHOWN, Facts, Person
from passmuster.evidence._paper import (
    Html,
    Num,
    bullets,
    capped,
    code,
    facts,
    flagged,
    join,
    kept,
    link,
    moment,
    named,
    note,
    para,
    section,
    share,
    table,
)  # fmt: skip
from passmuster.evidence._six import SILENT, URGENT, signed_at
from passmuster.evidence._statements import principals
from passmuster.text import plural

OUTCOMES = {
    "stands": "access stands", "stands_until": "stands until a day", "stops": "access stops",
    "abstained": "nobody judged it", "no_response": "no response",
    "awaiting_second": "lacks a second person", "objected": "second person objects",
    "contested": "contested: said differently",
}  # fmt: skip
PEOPLE = ("By reviewer. Together: decided with others in one act; in < 5 s: approved alone, details"
          " not opened; rates are of the reviewer's own decisions")  # fmt: skip
RARE = ("awaiting_second", "objected", "contested")
"""Outcomes of a two-person rule, or of several devices: told where there are any."""
RELATIONS = {
    "owner": "owner", "team lead": "decides for the team that owns it",
    "named": "named for this review", "unowned": "named, because the item has no owner",
    URGENT: "on call, in an emergency",
}  # fmt: skip
AUDIT = "exports/audit/"


def _late(found: Facts, time: str | None) -> Any:
    if time is None or time <= found.six.due:
        return moment(time)
    return flagged(join(moment(time), ", late"))


def head(found: Facts) -> Html:
    """The name, the state and the totals."""
    body, at = found.six.body, found.draft.campaign
    total = found.outcomes.total()
    state = join("Closed ", moment(at.closed_at)) if at.closed_at else "Not closed yet"
    silent = sum(found.outcomes[effect] for effect in SILENT)
    undone = found.carried["open"] + found.carried["put back"]
    return join(
        Html('<header>\n<p class="kind">Access review</p>\n'),
        Html(f"<h1>{join(body['name'])}</h1>\n"),
        Html('<p class="soft">'), state, ". Written ", moment(found.draft.now), " for ",
        body["principal"], ", who opened the review.", Html("</p>\n"),
        facts([("items", Num(total)),
               *((OUTCOMES[e], Num(found.outcomes[e])) for e in OUTCOMES
                 if found.outcomes[e] or e not in RARE)], "totals"),
        note(flagged(f"{plural(silent, 'item')} where access neither stands nor stops"),
             ": silence approves nothing.")
        if silent else Html(""),
        note(flagged(f"{plural(undone, 'stop')} not proved"), ": see what stops, below.")
        if undone else Html(""),
        note(flagged(f"{plural(len(found.draft.void), 'signed statement')} void"),
             ": the signature holds and what it says counts for nothing; see below.")
        if found.draft.void else Html(""),
        Html("</header>\n"),
    )  # fmt: skip


def reviewed(found: Facts) -> Html:
    """Scope, sources, exclusions, and numbers to compare with the sources."""
    body = found.six.body
    scope, left_out = body["scope"], body["population"]["excludedCount"]
    return section(
        "What was reviewed",
        facts([
            ("Scope", code(scope["filter"]) if scope["filter"] else "everything that can sign in"),
            ("Why this scope", scope["rationale"] or "not stated"),
            ("Why this often", _basis(found)),
            ("One item is", f"one {body['itemKind']}"),
            ("Items", f"{body['population']['count']:,}"),
            ("Left out", f"{left_out:,}, each with a reason" if left_out else "nothing"),
            ("Population", link(f"{found.draft.opened.folder}/population.jsonl")),
        ]),
        _runs(found), _reconciled(found), _compared(found),
        table("Left out, by reason", ("reason", "identities"), [
            (why, Num(count)) for why, count in found.excluded.most_common(SHOWN)
        ]) if found.excluded else Html(""),
        para("What was left out, each with its reason: ",
             link(f"{found.draft.opened.folder}/excluded.jsonl"), ".") if left_out else Html(""),
    )  # fmt: skip


def _basis(found: Facts) -> Any:
    """What sets the frequency, and the risk analysis where one was given."""
    said = found.six.body["frequencyBasis"] or "not stated"
    analysis = found.definition.get("riskAnalysis")
    if analysis is None:
        return said
    return join(said, "; the analysis: ", analysis["fileName"], ", SHA-256 ",
                code(analysis["sha256"]))  # fmt: skip


def _compared(found: Facts) -> Html:
    """Counts from outside that the opener compared, where there were any."""
    rows = [
        (one["what"] or "the scope", {"typed": "a count that was typed"}.get(
            one["how"], f"a second export, {one.get('fileName')}"),
         Num(one["expected"]), Num(one["found"]),
         flagged(one["explained"]) if one["differs"] else "the same")
        for one in found.definition.get("reconciliation", ())
    ]  # fmt: skip
    if not rows:
        return para("No count from outside was given at the opening to compare with.")
    return table("Compared with counts from outside before the opening",
                 ("what", "against", "expected", "found", "difference"), rows)  # fmt: skip


def _runs(found: Facts) -> Html:
    opened = datetime.fromisoformat(found.six.body["openedAt"])
    rows = [
        (named(run["source"], run["sha256"]), named(run["fileName"], run["format"]),
         moment(run["importedAt"]),
         Num((opened - datetime.fromisoformat(run["importedAt"])).days),
         Num(run["identities"]), Num(run["records"]), Num(run["problems"]))
        for run in found.six.body["runs"]
    ]  # fmt: skip
    return capped(
        "The exports that the population was made from, each with its SHA-256",
        ("source", "file", "imported", "days old", "identities", "records", "not read"),
        rows, f"{AUDIT}sources.csv",
    )  # fmt: skip


def _reconciled(found: Facts) -> Html:
    """By source: what its exports list beside what is in the two lists."""
    listed: dict[str, int] = {}
    for run in found.six.body["runs"]:
        listed[run["source"]] = max(listed.get(run["source"], 0), run["identities"])
    rows = [
        (source, Num(listed.get(source)), Num(count["identities"]), Num(count["excluded"]),
         Num(count["identities"] + count["excluded"]))
        for source, count in sorted(found.sources.items())
    ]  # fmt: skip
    counted = found.six.counts["completeness"]
    return join(
        capped("Identities to compare with the source itself",
                ("source", "in its largest export", "in the review", "left out", "both together"),
                rows, f"{AUDIT}sources.csv"),
        para("Both together can be more than an export has: identities known from an earlier "
             "export, or from another format of the source, are in it. "
             + (f"{plural(counted.exceptions, 'exception')}: see the first test below."
                if counted.exceptions else "Nothing known at the opening is in neither list.")),
    )  # fmt: skip


def who(found: Facts) -> Html:
    """Each reviewer, with what they did."""
    people = sorted(found.people.items(), key=lambda p: (-p[1].asked - p[1].decided, p[0]))
    rows = [(name, *_person(person)) for name, person in people]
    relations = [(RELATIONS.get(how, how), Num(n))
                 for how, n in found.six.relations.most_common(SHOWN)]  # fmt: skip
    return section(
        "Who reviewed",
        capped(PEOPLE,
               ("reviewer", "items", "open", "approved", "stopped", "abstained", "approval rate",
                "together", kept(f"in < {FAST_S} s"), "late"),
               rows, f"{AUDIT}requests.csv"),
        para(f"{plural(found.seconds['needed'], 'item')} needed a second person; on "
             f"{found.seconds['given']:,} one has spoken.")
        if found.seconds["needed"] else Html(""),
        table("What those who decided are to the item", ("relation", "decisions"), relations)
        if relations else Html(""),
    )  # fmt: skip


def _person(one: Person) -> tuple[Any, ...]:
    approved, stopped = one.verdicts["approve"], one.verdicts["revoke"] + one.verdicts["disable"]
    return (Num(one.asked), Num(one.open), Num(approved), Num(stopped),
            Num(one.verdicts["abstain"]), share(approved, one.decided), Num(one.together),
            Num(one.fast), Num(one.late))  # fmt: skip


def when(found: Facts) -> Html:
    """The course of the review, from what was signed."""
    body, at = found.six.body, found.draft.campaign
    signed = [s for s in found.draft.statements if s.attestation.kind != "enrolment"]
    rows = [
        (s.attestation.kind, s.attestation.predicate["principal"], _late(found, signed_at(s)),
         Num(s.attestation.predicate.get("count")), code(s.folder))
        for s in signed
    ]  # fmt: skip
    return section(
        "When",
        facts([("Opened", moment(body["openedAt"])), ("Due", moment(found.six.due)),
               ("Closed", _late(found, at.closed_at) or "not yet"),
               ("Acknowledged by management", _acknowledged(found))]),
        capped("What was signed, in the order of the log",
                ("statement", "signed by", "signed", "rows", "folder"), rows, "chain.tsv"),
    )  # fmt: skip


def void(found: Facts) -> Html:
    """What was signed and counts for nothing, each with the reason; nothing where there is none."""
    rows = [
        (code(s.folder), s.attestation.predicate["principal"], moment(signed_at(s)),
         Num(s.attestation.predicate.get("count")), found.draft.void[s.index])
        for s in found.draft.statements if s.index in found.draft.void
    ]  # fmt: skip
    if not rows:
        return Html("")
    return section(
        "Void",
        para("These signatures hold, and what they say counts for nothing: the key was told later "
             "to be no good at that time. Each item reads as if the statement were not there."),
        capped("What is void", ("statement", "signed by", "signed", "rows", "why"), rows,
               "void.csv"),
    )  # fmt: skip


def _acknowledged(found: Facts) -> Any:
    said = [
        f"{s.attestation.predicate['principal']}, {s.attestation.predicate['capacity']}, "
        f"{signed_at(s)}: {s.attestation.predicate['statement']}"
        for s in found.draft.statements if s.attestation.kind == "acknowledgement"
    ]  # fmt: skip
    return "; ".join(said) or "no statement of it is here"


def keys(found: Facts) -> Html:
    """Fingerprints to compare with what each person says."""
    rows = [
        (s.attestation.predicate["principal"], code(s.attestation.keyid), moment(signed_at(s)))
        for s in principals(found.draft.statements)
    ]  # fmt: skip
    return section(
        "Keys",
        para("Compare each fingerprint with what that person tells you by another way: by phone, "
             "on paper, in the company's own list of keys."),
        capped("Who signed with which key", ("person", "fingerprint", "enrolled"), rows,
                "keys/principals.tsv"),
    )  # fmt: skip


def checking(found: Facts) -> Html:
    """How to check the folder, what is in it, and what nothing in it proves."""
    return join(_verify(), _limits(), _files(found))


def _verify() -> Html:
    return section(
        "How to check this",
        para("This page is for reading. It is made from the signed files and signed only as part "
             "of the folder; what it says can be computed again from them."),
        bullets([
            join("With stock tools alone: ", link("VERIFY.md"), " has the commands."),
            join("With ", code("muster verify FOLDER"), ": the same, faster, and the trees too."),
            join("A sample that anybody can draw again: ",
                 code("muster evidence FOLDER --sample 25 --seed WORDS"), ", or the commands in ",
                 link("VERIFY.md"), "."),
        ]),
    )  # fmt: skip


def _limits() -> Html:
    return section(
        "What this does not prove",
        bullets([
            "Times are what the signer's clock said; the log proves their order on each device.",
            "That a key's holder is the person named: that is the comparison above.",
            "That a source told the truth: the digests above are of the files it gave.",
            "While a review is not closed, that its last statements are all here.",
            "That somebody thought about a decision: only when they made it, and how.",
        ]),
    )  # fmt: skip


def _files(found: Facts) -> Html:
    """The files of people's interest, with their digests."""
    digests = found.draft.writer.digests
    rows = [(link(name), code(digests[name])) for name in sorted(digests) if _told(name)]
    return section(
        "Files",
        capped("The tables of this folder; SHA256SUMS lists every file", ("file", "SHA-256"),
                rows, "SHA256SUMS"),
    )  # fmt: skip


def _told(name: str) -> bool:
    return not name.startswith(("statements/", "raw/", "rules/", "keys/", "log/"))
