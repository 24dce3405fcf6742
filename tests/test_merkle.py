"""RFC 6962 trees: the definition, the reference tree, our proofs and those of others."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passmuster import merkle
from passmuster.errors import VerificationFailed
from tests.conftest import SHARED

FOLDER = SHARED / "vectors" / "rfc6962"
VECTORS = FOLDER / "reference-tree.json"
CASES = sorted((FOLDER / "transparency-dev-merkle").rglob("*.json"))
here = pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not here")
# its roots are placeholders of 12 bytes, and a hash has 32: refused here, on purpose
PLACEHOLDER = "sizes-are-equal-one-and-proof-is-empty"


def naive(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, word for word."""
    if not leaves:
        return bytes.fromhex(merkle.EMPTY_ROOT)
    if len(leaves) == 1:
        return merkle.leaf_hash(leaves[0])
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return merkle.node_hash(naive(leaves[:k]), naive(leaves[k:]))


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of §2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive(leaves[:k])]


def naive_proof(m: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF of §2.1.2, word for word."""
    if m == len(leaves):
        return [] if whole else [naive(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*naive_proof(m, leaves[:k], whole=whole), naive(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], whole=False), naive(leaves[:k])]


class Shelf:
    """Tiles in memory."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.size = 0
        self.add(list(leaves))

    def read(self, level: int, index: int) -> bytes:
        return self.tiles.get((level, index), b"")

    def add(self, leaves: list[bytes]) -> None:
        hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
        for level, index, data in merkle.grow(self.read, self.size, hashes):
            self.tiles[level, index] = data
        self.size += len(leaves)


@here
def test_the_reference_tree() -> None:
    tree = json.loads(VECTORS.read_text())
    leaves = [bytes.fromhex(leaf) for leaf in tree["leafInputsHex"]]
    assert [merkle.leaf_hash(leaf).hex() for leaf in leaves] == tree["nodeHashesByLevel"][0]
    for size, root in enumerate(tree["rootHashesBySize"]):
        assert merkle.root(leaves[:size]) == root
        assert merkle.root_at(Shelf(leaves).read, size).hex() == root


@here
def test_the_vectors_hold_every_case_that_their_page_counts() -> None:
    assert len(CASES) == 196


def unpack(case: dict[str, Any], *names: str) -> list[bytes]:
    return [base64.b64decode(case[name]) for name in names]


@here
@pytest.mark.parametrize("path", CASES, ids=lambda p: "-".join(p.parts[-3:]))
def test_a_published_proof_is_taken_or_refused_as_it_says(path: Path) -> None:
    case = json.loads(path.read_text())
    proof = [base64.b64decode(one) for one in case["proof"] or []]
    try:
        if "leafIdx" in case:
            root, leaf = unpack(case, "root", "leafHash")
            merkle.check_inclusion(leaf, case["leafIdx"], case["treeSize"], proof, root)
        else:
            roots = unpack(case, "root1", "root2")
            merkle.check_consistency(case["size1"], case["size2"], proof, *roots)
        taken = True
    except VerificationFailed:
        taken = False
    assert taken == (not case["wantErr"] and path.stem != PLACEHOLDER)


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert merkle.root([]) == merkle.EMPTY_ROOT == merkle.root_at(Shelf().read, 0).hex()
    assert merkle.EMPTY_ROOT.startswith("e3b0c44298fc1c14")


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=70))
def test_the_frontier_gives_what_the_definition_gives(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == naive(leaves).hex()


@given(st.lists(st.binary(min_size=1, max_size=4), min_size=2, max_size=20, unique=True),
       st.data())  # fmt: skip
def test_any_change_of_leaves_changes_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leaves) - 2))
    swapped = [*leaves[:at], leaves[at + 1], leaves[at], *leaves[at + 2 :]]
    dropped = leaves[:at] + leaves[at + 1 :]
    assert len({merkle.root(leaves), merkle.root(swapped), merkle.root(dropped)}) == 3


def test_a_node_cannot_pass_for_a_leaf() -> None:
    left, right = merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")
    assert merkle.root([left + right]) != merkle.root([b"a", b"b"])


# --- proofs from tiles, around the edges of a tile

LEAVES = [b"%d" % i for i in range(600)]
SHELF = Shelf(LEAVES)
sizes = st.one_of(st.integers(1, 600), st.sampled_from([1, 2, 255, 256, 257, 511, 512, 513]))


@given(sizes, st.data())
def test_a_proof_from_tiles_is_the_one_of_the_definition(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion(SHELF.read, index, size)
    assert proof == naive_path(index, LEAVES[:size])
    root = merkle.root_at(SHELF.read, size)
    assert root == naive(LEAVES[:size])
    leaf = merkle.leaf_hash(LEAVES[index])
    merkle.check_inclusion(leaf, index, size, proof, root)
    right = (leaf, index, size, proof)
    for wrong in ((leaf, index ^ 1, size, proof), (root, index, size, proof),
                  (leaf, index, size, proof[:-1]), (leaf, index, size, [*proof, root]),
                  (leaf, size, size, proof), (leaf, -1, size, proof),
                  (leaf, index, size, [b"", *proof])):  # fmt: skip
        if wrong != right:  # in a tree of one leaf some of these are the same
            with pytest.raises(VerificationFailed):
                merkle.check_inclusion(*wrong, root)


@given(sizes, st.data())
def test_growth_is_proved_as_the_definition_says(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    proof = merkle.consistency(SHELF.read, old, new)
    assert proof == naive_proof(old, LEAVES[:new])
    before, after = (naive(LEAVES[:size]) for size in (old, new))
    merkle.check_consistency(old, new, proof, before, after)
    other = merkle.leaf_hash(b"another")
    for wrong in ((old, new, proof, other, after), (old, new, proof, before, other),
                  (old, new, [*proof, other], before, after), (0, new, proof, before, after),
                  (new + 1, new, proof, before, after)):  # fmt: skip
        with pytest.raises(VerificationFailed):
            merkle.check_consistency(*wrong)
    for at in range(len(proof)):
        with pytest.raises(VerificationFailed):
            merkle.check_consistency(old, new, proof[:at] + proof[at + 1 :], before, after)
        with pytest.raises(VerificationFailed):
            bent = [*proof[:at], other, *proof[at + 1 :]]
            merkle.check_consistency(old, new, bent, before, after)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=5))
def test_tiles_do_not_depend_on_how_the_leaves_came(parts: list[int]) -> None:
    grown, at = Shelf(), 0
    for part in parts:
        grown.add([b"%d" % i for i in range(at, at + part)])
        at += part
    assert grown.tiles == Shelf([b"%d" % i for i in range(at)]).tiles
    widths = {(level, index, width) for level, index, width in merkle.tiles_of(at)}
    assert {(*place, len(data) // 32) for place, data in grown.tiles.items()} == widths


def test_a_tile_of_the_second_level_has_the_roots_of_full_tiles() -> None:
    assert SHELF.tiles[1, 0] == naive(LEAVES[:256]) + naive(LEAVES[256:512])


def test_the_layout_of_a_tree_of_70_000_is_the_one_in_the_text_of_tlog_tiles() -> None:
    tiles = list(merkle.tiles_of(70_000))
    full = [sum(width == 256 for level, _, width in tiles if level == at) for at in range(3)]
    assert full == [273, 1, 0]
    partial = [(level, index, width) for level, index, width in tiles if width < 256]
    assert partial == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert list(merkle.tiles_of(256)) == [(0, 0, 256), (1, 0, 1)]


def test_a_tile_is_named_as_tlog_tiles_names_it() -> None:
    assert merkle.tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert merkle.tile_path(2, 0, 1) == "tile/2/000.p/1"
    assert merkle.tile_path(0, 273, 112) == "tile/0/273.p/112"


@pytest.mark.parametrize("broken", [b"", b"\0" * 32 * 100])
def test_a_tile_that_is_missing_or_short_is_named_and_nothing_is_proved(broken: bytes) -> None:
    def read(level: int, index: int) -> bytes:
        return broken if (level, index) == (0, 1) else SHELF.read(level, index)

    for work in (lambda: merkle.inclusion(read, 300, 600), lambda: merkle.root_at(read, 511),
                 lambda: list(merkle.grow(read, 500, [b"\0" * 32]))):  # fmt: skip
        with pytest.raises(VerificationFailed, match="tile/0/001"):
            work()
