"""`report.html`: the review on one page, for people.

One file without a script that opens, prints and is read aloud with a million items behind it,
because it holds totals and the first few of each exception; the rest is in the hashed files that
it names. It says what an auditor asks first, in that order, and what it does not prove.
"""

from passmuster.evidence import _carried, _paper, _results, _sections
from passmuster.evidence._facts import Facts
from passmuster.evidence._walk import Judged
from passmuster.evidence.formats import Draft

FILE = "report.html"
FILES = (FILE,)


def begin(draft: Draft) -> "Page":
    """The page of a pack."""
    return Page(draft)


class Page:
    """Counts while the items go by, and writes the page at the end."""

    def __init__(self, draft: Draft) -> None:
        self.draft, self.facts = draft, Facts(draft)

    def item(self, judged: Judged) -> None:
        """Count it."""
        self.facts.item(judged)

    def end(self) -> None:
        """Write the page."""
        self.facts.end()
        parts = [part(self.facts) for part in (
            _sections.head, _sections.reviewed, _sections.who, _sections.when, _sections.void,
            _results.tests,
            _carried.carried_out, _results.exceptions, _results.how, _results.rules,
            _sections.keys, _sections.checking,
        )]  # fmt: skip
        title = f"Access review: {self.facts.six.body['name']}"
        self.draft.writer.add(FILE, _paper.page(title, *parts))
