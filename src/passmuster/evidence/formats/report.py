"""`report.html`: the review on one page, for people.

One file without a script that opens, prints and is read aloud with a million items behind it,
because it holds totals and the first few of each exception; the rest is in the hashed files that
it names. It says what an auditor asks first, in that order, and what it does not prove.
"""

from passmuster import campaigns
from passmuster.evidence import _paper, _results, _sections
from passmuster.evidence._facts import Facts
from passmuster.evidence._walk import Judged
from passmuster.evidence.formats import Draft
from passmuster.text import strict_json

FILE = "report.html"
FILES = (FILE,)


def begin(draft: Draft) -> "Page":
    """The page of a pack."""
    return Page(draft)


class Page:
    """Counts while the items go by, and writes the page at the end."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.definition = strict_json(campaigns.definition(draft.db, draft.campaign))
        self.facts = Facts(draft, self.definition["rules"])

    def item(self, judged: Judged) -> None:
        """Count it."""
        self.facts.item(judged)

    def end(self) -> None:
        """Write the page."""
        self.facts.end()
        parts = [part(self.facts) for part in (
            _sections.head, _sections.reviewed, _sections.who, _sections.when, _results.tests,
            _results.carried_out, _results.exceptions, _results.how,
        )]  # fmt: skip
        rules = _results.rules(self.facts, self.definition)
        rest = (_sections.keys(self.facts), _sections.checking(self.facts))
        title = f"Access review: {self.facts.six.body['name']}"
        self.draft.writer.add(FILE, _paper.page(title, *parts, rules, *rest))
