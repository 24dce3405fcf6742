"""The canonical form and its strict reader, against RFC 8785's own suite and a foreign encoder."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from passmuster import text
from tests.conftest import SHARED

SUITE = SHARED / "vectors" / "rfc8785"
OUTSIDE = {"values.json", "weird.json"}
"""Results with floats or keys beyond the basic plane: not in our domain, so they are refused."""

# surrogates are no text; the domain has keys of the basic plane and integers below 2**53
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.text(st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF), max_size=8)
numbers = st.integers(-(2**53) + 1, 2**53 - 1)
documents = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@given(documents)
def test_canonical_is_rfc_8785_on_its_domain(value: Any) -> None:
    data = text.canonical(value)
    assert data == rfc8785.dumps(value)
    assert text.strict_json(data) == value


@pytest.mark.skipif(not SUITE.exists(), reason="the shared vectors are not here")
@pytest.mark.parametrize("name", [
    "arrays.json", "french.json", "structures.json", "unicode.json", "values.json", "weird.json",
])  # fmt: skip
def test_the_suite_of_rfc_8785(name: str) -> None:
    wanted = (SUITE / "output" / name).read_bytes()
    if name in OUTSIDE:
        with pytest.raises(ValueError, match=r".*"):
            text.strict_json(wanted)
    else:
        assert text.canonical(text.strict_json(wanted)) == wanted
        assert text.strict_json(wanted) == json.loads((SUITE / "input" / name).read_text("utf-8"))


@pytest.mark.parametrize("data", [
    b'{"verdict":"revoke","verdict":"approve"}', b'{"a":{"b":1,"b":1}}', b"1.0", b"-0", b"1e3",
    b"NaN", b"Infinity", b"9007199254740992", b"-9007199254740992", b'{"b":1,"a":2}', b'{"a": 1}',
    b" {}", b"{}\n", b'"\\u0061"', b'"\\/"', b"\xff", b"\xef\xbb\xbf{}", b"", b"{", b"01",
    b"99999999999999999999999999999",
])  # fmt: skip
def test_what_two_readers_may_read_differently_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        text.strict_json(data)


@given(st.floats())
def test_no_float_is_ever_read(value: float) -> None:
    with pytest.raises(ValueError, match=r".*"):
        text.strict_json(json.dumps({"a": value}).encode())


@given(st.integers(min_value=2**53) | st.integers(max_value=-(2**53)))
def test_no_integer_beyond_2_to_53_is_ever_read(value: int) -> None:
    with pytest.raises(ValueError, match=r".*"):
        text.strict_json(str(value).encode())


@given(st.text())
def test_what_is_made_visible_cannot_command_a_terminal(value: str) -> None:
    shown = text.visible(value)
    assert shown.isprintable()
    assert text.visible(shown) == shown


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_is_visible_stays_as_it_is(value: str) -> None:
    if value.isprintable():
        assert text.visible(value) == value


@given(st.dictionaries(st.text(max_size=5), st.lists(st.text(max_size=5)), max_size=3))
def test_what_is_kept_as_json_has_only_visible_text(value: dict[str, list[str]]) -> None:
    kept = json.loads(text.json_text(value))
    for key, words in kept.items():
        assert all(word.isprintable() for word in [key, *words])
