"""How a campaign that came from somebody else is told from one's own. Pure.

Only one's own items of it are here, and their evidence is what its owner froze: nothing here can
tell whether it is still so.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from passmuster.text import plural
from passmuster.tui.lines import Line, Span, say
from passmuster.tui.sections import View, block, cut

if TYPE_CHECKING:
    from passmuster.campaigns import Campaign, Course

FROM = "in"
"""`Campaign.travels` of one that came."""


def snapshot(at: "Campaign", view: View) -> list[Line]:
    """Above the evidence: of when it is, and whose; nothing for a campaign that is one's own."""
    if at.travels != FROM:
        return []
    line: Line = [Span("from the snapshot of "), say(at.opened_at[:10]), Span(", as "),
                  say(at.opened_by), Span(" froze it")]  # fmt: skip
    return block("", [cut(line, view.width) if view.short else line], view, label_width=0)


def mine(course: "Course") -> Line:
    """What is signed of the items that are here."""
    return [Span("your part: ", "strong"), Span(f"{course.signed:,} of {course.total:,} signed")]


def whole(at: "Campaign", course: "Course", signed: Mapping[str, int]) -> Line:
    """What is known here of the rest: its size, and how much everybody has signed."""
    others = {who: count for who, count in signed.items() if count}
    said = f"{plural(sum(others.values()), 'decision')} signed by {len(others):,}" if others else (
        "nothing signed yet"
    )  # fmt: skip
    rest = max(0, at.population - course.total)
    return [say(f"{plural(at.population, 'item')}, {rest:,} of them other people's; {said}, as far"
                f" as was synced. {at.opened_by} has the whole.")]  # fmt: skip
