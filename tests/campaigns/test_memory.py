"""What a campaign takes that comes does not grow with its items: in Python and in SQLite."""

import pytest

from tests.peaks import peaks

GROWING = "tests.campaigns.growing"
HEAP = 2_200_000
"""Bytes for SQLite: all but a few hundred thousand of it are its caches, and full at any size."""
SPARE = 250_000
"""Bytes that two runs differ by, whatever their size: a list of chunks is one of them."""


@pytest.mark.ci
def test_a_campaign_that_comes_takes_the_same_memory_for_any_number_of_items() -> None:
    few, many = peaks(GROWING, 400, HEAP), peaks(GROWING, 2_000, HEAP)
    print(few, many)
    assert few.pop("items") == 800
    assert many.pop("items") == 4_000
    assert {kind: size for kind, size in many.items() if size > few[kind] + SPARE} == {}
