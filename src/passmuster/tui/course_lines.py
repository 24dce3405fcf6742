"""A campaign as its owner reads it: how it stands in words, then the plots. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from passmuster.campaigns import (
    AgeClass,
    Campaign,
    Course,
    Forecast,
    Stand,
    Stranded,
    Waiting,
    forecast,
)
from passmuster.text import plural
from passmuster.tui import travelled, words
from passmuster.tui.lines import Line, Span, fit, fold, say
from passmuster.tui.plots import BEGUN, DONE, LEFT, ON_TIME, Bin, Burn, burn_down, histogram, share
from passmuster.tui.sections import ALARM

SHOWN = 40
"""Reviewers that the pane draws a bar for; the ones with most to do."""
NAMED = 8
"""Silent reviewers named in the sentence."""
PLOT_HEIGHT = 6
LABEL = 10
"""Cells of the left column."""
YEAR = 365
_YEARS = (1, 2, 5)


class Known(NamedTuple):
    """A campaign and what has been counted of it."""

    campaign: Campaign
    course: Course
    ages: Sequence[AgeClass]
    now: str
    me: str = ""
    """Whose domain is left out of addresses."""
    waiting: Waiting | None = None
    stranded: Stranded | None = None
    signed: Mapping[str, int] | None = None
    """Who signed how much in the whole, where only a part of it is here."""

    def address(self, of: str) -> str:
        """An address as short as it can be told from others."""
        return of.removesuffix(self.me[self.me.find("@") :]) if "@" in self.me else of

    @property
    def forecast(self) -> Forecast:
        """When it will be decided."""
        at = self.campaign
        return forecast(self.course.batches, self.course.left, self.now, at.opened_at, at.due_at,
                        at.closed_at)  # fmt: skip

    @property
    def ended(self) -> str:
        """Now, or when it was closed."""
        return self.campaign.closed_at or self.now


def state(at: Campaign, now: str) -> str:
    """open, overdue or closed."""
    return "closed" if at.closed_at else "overdue" if at.due_at < now else "open"


def bounds(old_days: int) -> list[int]:
    """The ages at which a class of keys begins: the rule's limit, then whole years."""
    return sorted({old_days, *(years * YEAR for years in _YEARS if years * YEAR > old_days)})


def forecast_words(found: Forecast) -> str:
    """The forecast as a sentence without an end."""
    lately = f"the last {plural(found.window_days, 'day')}"
    if found.window_days == 1:
        lately = "the last day"
    return {
        "closed": "closed: nothing more will be decided",
        "done": "everything is decided",
        "early": "too early to say: a pace needs two signed batches",
        "stalled": f"nothing was signed in {lately}: at this pace it will never be done",
        "far": f"at the pace of {lately}: not done within ten years",
        "expected": f"at the pace of {lately}: done on {found.done_on}, {_late(found.days_late)}",
    }[found.kind]


def _late(days: int) -> str:
    if days > 0:
        return f"{plural(days, 'day')} late"
    return "on the due date" if days == 0 else f"{plural(-days, 'day')} early"


def forecast_short(found: Forecast) -> str:
    """The forecast for a narrow column."""
    if found.kind == "expected":
        assert found.done_on is not None
        late = f" +{found.days_late} d" if found.days_late > 0 else ""
        return f"{found.done_on[5:]}{late}"
    return {"closed": "", "done": "all decided", "early": "too early", "stalled": "never",
            "far": "years"}[found.kind]  # fmt: skip


def lines(known: Known, width: int) -> list[Line]:
    """Everything about one campaign."""
    at, course = known.campaign, known.course
    out: list[Line] = [[say(at.name, "strong")], *fold(_standing(known), width)]
    if known.signed is not None:
        out += _labelled("whole", travelled.whole(at, course, known.signed), width)
    out += _labelled("forecast", _forecast(known), width)
    out += _silence(known, width)
    out += _second(known, width)
    if course.total:
        out += [[], _title("Left to decide", f"{ON_TIME} would be on time")]
        steps = [(b.at, b.items) for b in course.batches]
        burn = Burn(course.total, steps, at.opened_at, at.due_at, known.ended,
                    "closed" if at.closed_at else "now")  # fmt: skip
        out += burn_down(burn, width, PLOT_HEIGHT)
        out += [[], _title("Reviewers", f"{DONE} signed  {BEGUN} drafted  {LEFT} open")]
        out += [_reviewer(one, known, width) for one in course.reviewers[:SHOWN]]
        if len(course.reviewers) > SHOWN:
            out.append([Span(f"… {len(course.reviewers) - SHOWN:,} more who have less to do: "
                             "muster campaign status", "dim")])  # fmt: skip
    if known.ages:
        out += [[], *_ages(known.ages, width)]
    return [*out, [], *_about(at, width)]


def _title(name: str, legend: str) -> Line:
    return [Span(name, "strong"), Span(f"   {legend}", "dim")]


def _standing(known: Known) -> Line:
    at, course, now = known.campaign, known.course, known.now
    line: Line = [Span(f"{course.signed:,} of {course.total:,} signed")]
    if known.signed is not None:
        line = travelled.mine(course)
    if drafts := sum(r.drafts for r in course.reviewers):
        line.append(Span(f"  {plural(drafts, 'draft')} not signed"))
    if course.contested:
        line.append(Span(f"  {course.contested:,} contested: decide again", "strong"))
    how = state(at, now)
    if how == "closed":
        line.append(say(f"  closed {words.dated(at.closed_at or '', now)}"))
    elif how == "overdue":
        late = words.span((words.when(now) - words.when(at.due_at)).total_seconds())
        line += [say(f"  overdue by {late}", "strong"), ALARM]
    else:
        line.append(say(f"  due {at.due_at[:10]}, {words.ago(at.due_at, now)}"))
    return line


def _forecast(known: Known) -> Line:
    found = known.forecast
    if found.kind == "closed" and known.course.left:
        left = plural(known.course.left, "item")
        return [Span(f"closed with {left} never decided: no_response, never approved")]
    wrong = found.days_late > 0 or found.kind in ("stalled", "far")
    return [Span(forecast_words(found)), *([ALARM] if wrong else [])]


def _silence(known: Known, width: int) -> list[Line]:
    """Who has not begun, and who has begun and signed nothing."""
    out: list[Line] = []
    if silent := known.course.silent:
        items = plural(sum(r.open for r in silent), "item")
        begun = "never began" if known.campaign.closed_at else "not begun yet"
        line = [say(_names(silent, known), "strong"), Span(f": {items}, {begun}")]
        out += _labelled("silent", line, width)
    unsigned = [r for r in known.course.reviewers if r.drafts and not r.signed]
    if unsigned:
        line = [say(_names(unsigned, known)), Span(": drafted, nothing signed")]
        out += _labelled("unsigned", line, width)
    return out


def _second(known: Known, width: int) -> list[Line]:
    """Approvals that wait for a second person, and items that nobody may be it for."""
    out: list[Line] = []
    if known.waiting and known.waiting.on:
        on = ", ".join(f"{known.address(who)} {n:,}" for who, n in known.waiting.on.items())
        line = [Span(f"{plural(known.waiting.rows, 'approval')} waiting: "), say(on, "strong")]
        out += _labelled("second", line, width)
    if known.stranded and known.stranded.items:
        out += _labelled("", [say(known.stranded.words, "strong"), ALARM], width)
    return out


def _names(reviewers: Sequence[Stand], known: Known) -> str:
    named = ", ".join(known.address(r.reviewer) for r in reviewers[:NAMED])
    return f"{named} and {len(reviewers) - NAMED:,} more" if len(reviewers) > NAMED else named


def _labelled(label: str, line: Line, width: int) -> list[Line]:
    """*line* folded beside its label."""
    folded = fold(line, width - LABEL)
    return [[Span(f"{'' if n else label:<{LABEL}}", "dim"), *row] for n, row in enumerate(folded)]


def _reviewer(one: Stand, known: Known, width: int) -> Line:
    """A bar, the counts, and when they last signed, as far as there is room."""
    now = known.now
    name = min(28, max(12, width // 4))
    counts = f"{one.signed:,} of {one.total:,}"
    last = f"signed {words.ago(one.last_signed, now)}" if one.last_signed else "never signed"
    room = width - name - 2 - 15 - 2 - 21
    line: Line = [say(fit(known.address(one.reviewer), name)), Span(" ")]
    if room >= 6:
        bar = share((one.signed, one.drafts, one.open), min(room, 40))
        line += [Span(bar, "accent"), Span(" ")]
    line.append(Span(f"{counts:>{15 if cell_len(counts) > 11 else 11}}"))
    line.append(say(f"  {'silent' if one.silent else last}", "strong" if one.silent else "dim"))
    return line


def _ages(ages: Sequence[AgeClass], width: int) -> list[Line]:
    """Which keys are still to be judged: what is old and undecided is what to ask for first."""
    bins = [Bin(_class_name(ages, n), a.signed, a.items - a.signed) for n, a in enumerate(ages)]
    title = _title("Age of the oldest live key", f"{DONE} to decide  {LEFT} signed")
    return [title, *histogram([b for b in bins if b.done + b.left], width)]


def _class_name(ages: Sequence[AgeClass], place: int) -> str:
    at = ages[place]
    if at.above_days is None:
        return "no date known" if at.dated else "no key known"
    after = ages[place + 1].above_days
    if after is None:
        return f"over {_age(at.above_days)}"
    if not at.above_days:
        return f"under {_age(after)}"
    return f"{_age(at.above_days)} to {_age(after)}"


def _age(days: int) -> str:
    return plural(days // YEAR, "year") if days and days % YEAR == 0 else plural(days, "day")


def _about(at: Campaign, width: int) -> list[Line]:
    """What the campaign is about, for the record."""
    rows: list[tuple[str, str]] = [
        ("scope", at.scope or "everything present"),
        ("items", f"{at.item_kind}, {at.excluded:,} left out"),
        ("opened", f"{at.opened_at[:10]} by {at.opened_by}"),
        ("digest", at.digest),
    ]
    return [line for name, value in rows for line in _labelled(name, [say(value)], width)]
