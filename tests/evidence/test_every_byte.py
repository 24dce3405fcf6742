"""Change anything in a pack and the check fails: every byte, every file, every pair.

Two sweeps. The first is somebody who has the folder: every bit of damage must show. The second
is somebody who also holds the key that seals the folder and has sealed it anew: what other
people signed, and what follows from it, must still not bend.
"""

import functools
from collections.abc import Callable, Iterator

import pytest

from passmuster import attestations
from passmuster.errors import VerificationFailed
from passmuster.evidence import _check
from passmuster.evidence._files import Memory
from passmuster.text import sha256

SEALED_ONLY = ("VERIFY.md", "findings.jsonl", "problems.jsonl")
"""Files for which nobody vouches but who seals the folder (VERIFY.md section 3 says so)."""
EXPORTS = ("exports/", "report.html")
"""The same holds for what other tools read."""


Damage = tuple[str, str, dict[str, bytes]]
"""File, what was done to it, the pack."""


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature over the same bytes is checked once: the sweeps change one file at a time."""
    cached = functools.cache(attestations.check_signature)
    monkeypatch.setattr(attestations, "check_signature", cached)


def sweep(
    content: dict[str, bytes], check: Callable[[Memory], object],
    damage: Iterator[Damage],
) -> tuple[int, list[str]]:  # fmt: skip
    """(tries, what was not caught)."""
    digests = {data: sha256(data) for data in content.values()}
    tries, missed = 0, []
    for name, what, changed in damage:
        tries += 1
        try:
            check(Memory(changed, digests))
        except VerificationFailed:
            continue
        missed.append(f"{name} {what}")
    return tries, missed


def flips(
    content: dict[str, bytes], stride: int = 1, only: Callable[[str], bool] = lambda _: True
) -> Iterator[Damage]:
    """One bit of each byte of the files that *only* takes, another bit from byte to byte."""
    for name, data in content.items():
        if not only(name):
            continue
        for at in range(0, len(data), stride):
            damaged = bytearray(data)
            damaged[at] ^= 1 << (at % 8)
            yield name, f"byte {at}", {**content, name: bytes(damaged)}


def coarse(content: dict[str, bytes]) -> Iterator[Damage]:
    """Files taken away, cut, grown, swapped, added."""
    for name, data in content.items():
        yield name, "deleted", {n: d for n, d in content.items() if n != name}
        for size in {len(data) - 1, len(data) // 2, 0} - {len(data)}:
            if size >= 0:
                yield name, f"cut to {size}", {**content, name: data[:size]}
        yield name, "grown", {**content, name: data + b"\n"}
        for other, its in content.items():
            if other < name and its != data:
                yield name, f"swapped with {other}", {**content, name: its, other: data}
    for new in ("added", "pack/added", "statements/000009-decisions/x", "keys/9.pub", "raw/x"):
        yield new, "added", {**content, new: b"x"}


@pytest.mark.parametrize("stride", [61, pytest.param(1, marks=pytest.mark.ci)])
def test_whoever_has_the_folder_changes_nothing_in_it(
    content: dict[str, bytes], stride: int
) -> None:
    _check.check(Memory(content))
    signed = {n: d for n, d in content.items() if not n.startswith(EXPORTS)}
    damage = flips(content, stride, only=signed.__contains__)
    flipped, missed = sweep(content, _check.check, damage)
    assert not missed
    assert flipped == sum(-(-len(data) // stride) for data in signed.values())
    other, missed = sweep(content, _check.check, coarse(content))
    assert not missed
    print(f"\n{flipped:,} bytes flipped, {other:,} files cut, swapped, added: all caught")


@pytest.mark.ci
def test_whoever_has_the_folder_changes_nothing_in_an_export(content: dict[str, bytes]) -> None:
    damage = flips(content, 3, lambda name: name.startswith(EXPORTS))
    flipped, missed = sweep(content, _check.check, damage)
    assert not missed
    every = sum(len(d) for n, d in content.items() if n.startswith(EXPORTS))
    assert flipped >= every // 3 > 0
    print(f"\n{flipped:,} bytes of exports flipped: all caught")


@pytest.mark.ci
def test_whoever_seals_the_folder_cannot_bend_what_others_signed(
    content: dict[str, bytes],
) -> None:
    names = set(content)
    keys = _check._claimed_keys(Memory(content), names)
    seal = _check._seal(Memory(content), names, keys)

    def check(files: Memory) -> None:
        _check.check_contents(files, files.names(), seal)

    check(Memory(content))
    unbound = ("pack/", "SHA256SUMS", *EXPORTS)
    bound = {n: d for n, d in content.items()
             if n not in SEALED_ONLY and not n.startswith(unbound)}  # fmt: skip
    # of the rest these may differ where the seal alone vouches: checked for those, not for all
    partly = {"rules.jsonl", "sources.jsonl", "remediations.csv"}
    strict = {n: d for n, d in bound.items() if n not in partly}
    damage = ((n, w, {**content, **c}) for n, w, c in flips(strict, 5))
    tries, missed = sweep(content, check, damage)
    assert not missed
    damage = ((n, w, c) for n, w, c in coarse(content) if n in strict)
    more, missed = sweep(content, check, damage)
    assert not [m for m in missed if "swapped" not in m or not m.endswith(SEALED_ONLY)]
    print(f"\n{tries + more:,} tries by the sealer: all caught")
