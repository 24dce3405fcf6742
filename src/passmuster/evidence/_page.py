"""`VERIFY.md`: one page for an auditor.

The commands are the same in every pack and only the words round them differ, so somebody who
distrusts a pack takes the commands from another copy.
"""

from collections.abc import Iterable
from importlib import resources

from passmuster.campaigns import Campaign
from passmuster.evidence._statements import Statement
from passmuster.text import visible


def render(campaign: Campaign, enrolled: Iterable[Statement]) -> bytes:
    """The page for a pack of *campaign* whose keys are *enrolled*."""
    page = (resources.files("passmuster.evidence") / "verify.md").read_text("utf-8")
    people = "\n".join(
        f"| {_cell(s.attestation.predicate['principal'])} | `{s.attestation.keyid}` |"
        for s in enrolled
    )
    closed = f"closed {campaign.closed_at}" if campaign.closed_at else "not closed yet"
    words = {
        "{{campaign}}": _cell(campaign.name), "{{digest}}": campaign.digest,
        "{{opened}}": campaign.opened_at, "{{opener}}": _cell(campaign.opened_by),
        "{{closed}}": closed, "{{people}}": people,
    }  # fmt: skip
    for mark, value in words.items():
        page = page.replace(mark, value)
    return page.encode()


def _cell(words: str) -> str:
    """*words* as text in a Markdown table: no markup, no fence, no pipe."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>|" else c for c in visible(words))
