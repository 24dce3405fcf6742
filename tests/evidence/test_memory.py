"""What a pack takes does not grow with the items: neither in Python nor in SQLite."""

import pytest

from tests.peaks import peaks

GROWING = "tests.evidence.growing"
HEAP = 2_000_000
"""Bytes for SQLite: a sorter of the findings of 400 items would take more."""
SPARE = 60_000
"""Bytes that two runs differ by, whatever their size."""


@pytest.mark.ci
def test_sampling_closing_building_and_verifying_take_the_same_memory_for_any_number_of_items(
) -> None:  # fmt: skip
    few, many = peaks(GROWING, 100, HEAP), peaks(GROWING, 400, HEAP)
    print(few, many)
    assert {step: size for step, size in many.items() if size > few[step] + SPARE} == {}
