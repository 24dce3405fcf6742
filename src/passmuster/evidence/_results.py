"""The parts of the report for people that say what the review came to: tests, exceptions, rules.

Exceptions are told in full numbers and by their first few, whoever they embarrass.
"""

from passmuster import policy
from passmuster.evidence._facts import (
    FAST_S,
    PACE,
    SHOWN,
    SLOWEST,
    TOGETHER,
    UNTIMED,
    Facts,
    Listed,
)
from passmuster.evidence._paper import (
    Html,
    Num,
    code,
    facts,
    flagged,
    join,
    kept,
    link,
    more,
    named,
    para,
    section,
    share,
    table,
)  # fmt: skip
from passmuster.evidence._six import TESTS
from passmuster.text import plural

AUDIT = "exports/audit/"
KINDS = {
    "completeness": ("In no list, or a row that could not be read", "person"),
    "all-reviewed": ("Without a verdict", "asked"),
    "timeliness": ("Late or overdue", "asked"),
    "own-access": ("Judged their own access", "reviewer"),
    "right-reviewer": ("Decided without an owner, or by somebody who was not asked", "reviewer"),
    "changed": ("The evidence had changed when it was signed, and the statement says so",
                "signed by"),
    "owner": ("The reviewer is an owner of the item", "reviewer"),
    "fast": (f"Approved one by one in under {FAST_S} s without opening the details", "reviewer"),
}  # fmt: skip

FILE_OF = {
    "owner": f"{AUDIT}review-file.csv", "fast": f"{AUDIT}review-file.csv", "changed": "chain.tsv",
}  # fmt: skip


def tests(found: Facts) -> Html:
    """The six tests of a user access review."""
    rows = [
        (asked, Num(count.population), Num(count.exceptions), Num(count.unknown),
         kept(flagged(count.result)) if count.exceptions or count.unknown else count.result)
        for name, asked in TESTS.items() for count in (found.six.counts[name],)
    ]  # fmt: skip
    return section(
        "The six tests of an access review",
        table("Run by us on the rows of this folder; every line to repeat them is in exports/audit",
              ("test", "population", "exceptions", "not tested", "result"), rows),
        para("With notes: ", link(f"{AUDIT}tests.csv"), ". Each exception: ",
             link(f"{AUDIT}tests-exceptions.csv"), "."),
    )  # fmt: skip


def _exception(found: Facts, kind: str, title: str, who_is: str = "person") -> Html:
    """The first of one kind, and the count of the rest with the file to look in."""
    listed = found.listed.get(kind, Listed())
    if not listed.count:
        return Html("")
    rows = [(named(item, uri if uri != item else None), person, why)
            for item, person, why, uri in listed.first]  # fmt: skip
    shown = table(f"{title}: {listed.count:,}", ("item", who_is, "what"), rows)
    where = FILE_OF.get(kind, f"{AUDIT}tests-exceptions.csv")
    rest = more(listed.count - SHOWN, where) if listed.count > SHOWN else Html("")
    return join(shown, rest)


def exceptions(found: Facts) -> Html:
    """Everything to look at, by kind; none is hidden because it is embarrassing."""
    parts = [_exception(found, kind, *about) for kind, about in KINDS.items()]
    none = [about[0].lower() for kind, about in KINDS.items() if kind not in found.listed]
    acts = sorted(found.acts.values(), reverse=True)
    if acts:
        parts.append(table(f"The largest acts that decided several items at once (at most {SHOWN})",
                           ("decided by", "items in the act", "how"),
                           [(who_did, Num(size), how) for size, who_did, how in acts]))  # fmt: skip
    else:
        none.append("several items decided by one act")
    if none:
        parts.append(para("None: " + "; ".join(none) + "."))
    return section("Exceptions", *parts)


def how(found: Facts) -> Html:
    """Pace and approval: told as numbers."""
    classes = [*(words for _, words in PACE), SLOWEST, UNTIMED, TOGETHER]
    approve, other = found.pace["approve"], found.pace["other"]
    rows = [
        (name, Num(approve[name]), share(approve[name], approve.total()), Num(other[name]),
         share(other[name], other.total()))
        for name in classes
    ]  # fmt: skip
    decided = approve.total() + other.total()
    return section(
        "How the decisions were made",
        facts([("Decisions that count", f"{decided:,}"),
               ("Approval rate", share(approve.total(), decided))]),
        table("From the item being shown to its decision, by the reviewer's own clock",
              ("time", "approvals", "share", "other decisions", "share of others"), rows),
        para("A short time is no proof of carelessness, nor a long one of care: an item may have "
             "been looked at before, or left open over lunch."),
    )  # fmt: skip


def rules(found: Facts) -> Html:
    """What the rules hit at the opening, and which were not evaluated."""
    known = {rule["id"]: rule["title"] for rule in policy.catalogue()["rule"]}
    unable: dict[str, str] = found.definition["notEvaluated"]
    all_of_them = sorted(found.tally.rules)
    hit = [
        (named(known.get(rule, rule), rule),
         *map(Num, (hits.items, hits.stopped, hits.exceptions, hits.undecided)))
        for rule in all_of_them if rule not in unable for hits in (found.tally.rules[rule],)
    ]  # fmt: skip
    silent = [(named(known.get(rule, rule), rule), unable[rule])
              for rule in all_of_them if rule in unable]  # fmt: skip
    return section(
        "Rules and findings, by control",
        table("Items that each rule hit at the opening, and what became of them",
              ("rule", "items hit", "stopped", "access stands", "no verdict"), hit)
        if hit else para("No rule was evaluated." if silent else "The review had no rules."),
        join(para(flagged(f"{plural(len(silent), 'rule')} not evaluated"),
                  ": that they hit nothing here says nothing."),
             table("Not evaluated at the opening", ("rule", "why"), silent))
        if silent else Html(""),
        table("Controls that each rule is evidence for", ("rule", "controls"), [
            (rule, _controls(rule)) for rule in all_of_them
        ]) if all_of_them else Html(""),
        para("A rule is evidence for these controls in this project's own judgement; it is no "
             "published crosswalk. By control, with its owner: ", link("exports/controls.csv"),
             ". The rules as they were run: ", code("rules/"), "."),
    )  # fmt: skip


def _controls(rule: str) -> str:
    by: dict[str, list[str]] = {}
    for control in policy.controls(rule):
        by.setdefault(control["framework_name"], []).append(control["id"])
    return "; ".join(f"{name}: {', '.join(ids)}" for name, ids in by.items())
