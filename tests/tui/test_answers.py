"""What is typed at the reason line: days in words, and never a day that was not meant."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passmuster.errors import UsageError
from passmuster.tui.answers import Answer, day, understand, until_words

NOW = "2026-11-27T10:00:00Z"  # a Friday
REASONS = {"1": "in use", "9": "risk accepted"}


@pytest.mark.parametrize(("typed", "meant"), [
    ("2027-03-31", "2027-03-31"), ("90d", "2027-02-25"), ("90 days", "2027-02-25"),
    ("6m", "2027-05-27"), ("6 months", "2027-05-27"), ("2 weeks", "2026-12-11"),
    ("2w", "2026-12-11"), ("1 year", "2027-11-27"), ("a month", "2026-12-27"),
    ("tomorrow", "2026-11-28"), ("friday", "2026-12-04"), ("next friday", "2026-12-04"),
    ("Mon", "2026-11-30"), ("this sunday", "2026-11-29"),
    ("end of month", "2026-11-30"), ("end of the month", "2026-11-30"),
    ("end of next month", "2026-12-31"), ("end of quarter", "2026-12-31"),
    ("the end of next quarter", "2027-03-31"), ("End  of half", "2026-12-31"),
    ("end of next half-year", "2027-06-30"), ("end of year", "2026-12-31"),
    ("end of next year", "2027-12-31"), ("end of february", "2027-02-28"),
    ("end of feb 2028", "2028-02-29"), ("31 march", "2027-03-31"), ("31 mar 2027", "2027-03-31"),
    ("27 nov", "2027-11-27"), ("march 31st, 2028", "2028-03-31"), ("1 sept", "2027-09-01"),
    ("29 feb", "2028-02-29"), ("q1", "2027-03-31"), ("q4", "2026-12-31"),
    ("q2 2027", "2027-06-30"), ("end of q1", "2027-03-31"), ("h1", "2027-06-30"),
])  # fmt: skip
def test_a_day_in_words_is_that_day(typed: str, meant: str) -> None:
    assert day(typed, NOW) == meant


@pytest.mark.parametrize(("typed", "now", "meant"), [
    ("1 month", "2027-01-31T00:00:00Z", "2027-02-28"),
    ("2 months", "2027-01-31T00:00:00Z", "2027-03-31"),
    ("1 year", "2028-02-29T23:59:59Z", "2029-02-28"),
    ("end of next month", "2026-12-31T10:00:00Z", "2027-01-31"),
    ("q4", "2026-12-31T10:00:00Z", "2027-12-31"),
])  # fmt: skip
def test_months_have_the_days_that_they_have(typed: str, now: str, meant: str) -> None:
    assert day(typed, now) == meant


@pytest.mark.parametrize(("typed", "said"), [
    ("2026-11-27", "is today"), ("2026-02-30", "no such day"), ("2020-01-01", "in the past"),
    ("31 april", "no such day"), ("9999y", "no such day"), ("0d", "is today"),
    ("the migration is done", "no day that is understood"), ("", "no day that is understood"),
    ("03/04/2027", "no day"), ("may", "no day"), ("next month", "no day"),
    ("q1 2020", "in the past"), ("end of quarter, then revoke", "no day"), ("٣d", "no day"),
])  # fmt: skip
def test_what_is_no_day_to_come_is_refused_in_one_line_with_examples(typed: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        day(typed, NOW)
    assert said in str(caught.value)
    assert "end of quarter" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_end_of_a_part_that_ends_today_is_refused_and_not_moved() -> None:
    with pytest.raises(UsageError, match="2026-12-31 is today"):
        day("end of quarter", "2026-12-31T00:00:00Z")


@pytest.mark.parametrize(("typed", "answer"), [
    ("for the audit until end of quarter", Answer(None, "for the audit", "2026-12-31")),
    ("1 until 90d", Answer("1", "in use", "2027-02-25")),
    ("until  next   friday ", Answer(None, "", "2026-12-04")),
    ("migration, UNTIL 31 mar 2027", Answer(None, "migration", "2027-03-31")),
    ("untilled field", Answer(None, "untilled field", None)),
    ("9", Answer("9", "risk accepted", None)),
])  # fmt: skip
def test_a_reason_may_end_with_a_day(typed: str, answer: Answer) -> None:
    assert understand(typed, REASONS, NOW) == answer


def test_an_end_that_is_not_understood_is_not_taken_for_a_reason() -> None:
    """It would be an approval for ever, where an end was meant."""
    for typed in ("until the migration is done", "ok until", "ok until friday or so"):
        with pytest.raises(UsageError):
            understand(typed, REASONS, NOW)


def test_the_day_is_shown_back_with_its_distance() -> None:
    assert until_words("2026-12-31", NOW) == "until 2026-12-31 (34 days)"
    assert until_words(day("tomorrow", NOW), NOW) == "until 2026-11-28 (1 day)"


WORDS = ["end", "of", "next", "the", "month", "quarter", "half", "year", "friday", "tomorrow", "q1",
         "h2", "31", "29", "feb", "march", "2027", "0000", "9999", "90d", "6", "months", "0y", "a",
         "9999-12-31", "until", ",", "."]  # fmt: skip


@given(
    st.one_of(st.text(max_size=30), st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)),
    st.datetimes().map(lambda moment: moment.strftime("%Y").zfill(4) + moment.strftime(
        "-%m-%dT%H:%M:%SZ")),
)  # fmt: skip
def test_whatever_is_typed_is_a_day_to_come_or_one_error(typed: str, now: str) -> None:
    try:
        meant = day(typed, now)
        said = understand(f"because until {typed}", REASONS, now)
    except UsageError:
        return
    assert date.fromisoformat(meant) > date.fromisoformat(now[:10])
    assert said.until is not None
    assert until_words(meant, now).startswith(f"until {meant} (")
