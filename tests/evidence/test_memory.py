"""What a pack takes does not grow with the items: neither in Python nor in SQLite."""

import json
import subprocess
import sys

import pytest

HEAP = 2_000_000
"""Bytes for SQLite: a sorter of the findings of 400 items would take more."""
SPARE = 60_000
"""Bytes that two runs differ by, whatever their size."""


def peaks(count: int) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.evidence.growing", str(count), str(HEAP)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


@pytest.mark.ci
def test_sampling_closing_building_and_verifying_take_the_same_memory_for_any_number_of_items(
) -> None:  # fmt: skip
    few, many = peaks(100), peaks(400)
    print(few, many)
    assert {step: size for step, size in many.items() if size > few[step] + SPARE} == {}
