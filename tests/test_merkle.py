"""RFC 6962 trees, against the reference tree of certificate transparency and the definition."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passmuster import merkle
from tests.conftest import SHARED

VECTORS = SHARED / "vectors" / "rfc6962" / "reference-tree.json"


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, word for word."""
    if len(leaves) == 1:
        return merkle.leaf_hash(leaves[0])
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return merkle.node_hash(by_definition(leaves[:k]), by_definition(leaves[k:]))


@pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not here")
def test_the_reference_tree() -> None:
    tree = json.loads(VECTORS.read_text())
    leaves = [bytes.fromhex(leaf) for leaf in tree["leafInputsHex"]]
    assert [merkle.leaf_hash(leaf).hex() for leaf in leaves] == tree["nodeHashesByLevel"][0]
    for name, roots in tree.items():
        if "root" in name.lower():
            for size, root in enumerate(roots):
                assert merkle.root(leaves[:size]) == root


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert merkle.root([]) == merkle.EMPTY_ROOT
    assert merkle.EMPTY_ROOT.startswith("e3b0c44298fc1c14")


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=70))
def test_the_frontier_gives_what_the_definition_gives(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == by_definition(leaves).hex()


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
