"""The JSON stream: what it yields does not depend on how the bytes arrive, and never lies."""

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passmuster.connectors import _json
from passmuster.errors import ImportRefused

ARRAYS = ("items", "more")

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
documents = st.lists(
    st.fixed_dictionaries(
        {"items": st.lists(values, max_size=6)},
        optional={"kind": st.text(), "count": st.integers(), "more": st.lists(values, max_size=3)},
    ),
    min_size=1,
    max_size=3,
)


class Trickle(io.BytesIO):
    """Gives at most so many bytes at a time, whatever is asked for."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        super().__init__(data)
        self._sizes = sizes
        self._turn = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._turn += 1
        return super().read(self._sizes[self._turn % len(self._sizes)])


def read(data: bytes, sizes: list[int] | None = None) -> list[tuple[str | None, Any]]:
    stream = Trickle(data, sizes) if sizes else io.BytesIO(data)
    return [(p.key, p.value) for p in _json.parts(stream, ARRAYS)]


def expected(docs: list[dict[str, Any]]) -> list[tuple[str | None, Any]]:
    found: list[tuple[str | None, Any]] = []
    for doc in docs:
        for key, value in doc.items():
            found += [(key, v) for v in value] if key in ARRAYS else [(key, value)]
        found.append((None, None))
    return found


def written(docs: list[dict[str, Any]], indent: int | None) -> bytes:
    return "\n".join(json.dumps(d, indent=indent, ensure_ascii=False) for d in docs).encode(
        "utf-8", "surrogatepass"
    )


@settings(max_examples=150, deadline=None)
@given(documents, st.sampled_from([None, 2]), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_any_chunking_gives_the_same_elements(
    docs: list[dict[str, Any]], indent: int | None, sizes: list[int]
) -> None:
    assert read(written(docs, indent), sizes) == expected(docs)


@settings(max_examples=150, deadline=None)
@given(documents, st.data())
def test_truncation_inside_a_document_is_always_refused(
    docs: list[dict[str, Any]], data: st.DataObject
) -> None:
    last = written(docs[-1:], None)
    before = written(docs[:-1], None) + b"\n" if docs[:-1] else b""
    cut = data.draw(st.integers(1, len(last) - 1))
    with pytest.raises(ImportRefused):
        read(before + last[:cut])


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"  \n", b"[]", b'"text"', b"{", b'{"items": [1, 2}', b'{"items": [1 2]}',
        b'{"items": [1,]}', b'{"items": []} x', b"{items: []}", b'{"items": [NaN]}', b"\xff\xff",
        b'{"items": ["\xc3\x28"]}', b'{"a": 1.}', b'{"a": 1 "b": 2}',
        b'{"items": [' + b"9" * 5000 + b"]}",
    ],
)  # fmt: skip
def test_what_is_not_whole_json_is_refused(broken: bytes) -> None:
    with pytest.raises(ImportRefused):
        read(broken)


def test_a_refusal_names_line_and_character() -> None:
    with pytest.raises(ImportRefused, match=r"^line 3, character 16: "):
        read(b'{\n"items": [\n1, \x01]}')


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_refused(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    for depth in (_json.MAX_NESTING + 1, 200_000):
        with pytest.raises(ImportRefused, match="nested"):
            read(b'{"items": [' + opening * depth + b"1" + closing * depth + b"]}")


def test_one_value_that_is_too_large_is_refused_without_reading_on() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1, /) -> bytes:
            start = b'{"items": ["' if not self.given else b""
            self.given += size
            return start + b"x" * (size - len(start))

    stream = Endless()
    with pytest.raises(ImportRefused, match="larger than 16 MiB"):
        list(_json.parts(stream, ARRAYS))  # type: ignore[arg-type]
    assert stream.given < 4 * _json.MAX_VALUE


def test_powershell_utf16_and_a_byte_order_mark_are_read() -> None:
    plain = '{"items": ["é"]}'
    for encoding in ("utf-8-sig", "utf-16"):
        assert read(plain.encode(encoding))[0] == ("items", "é")


def test_lines_count_from_one_and_name_the_start_of_an_element() -> None:
    data = b'{\n "items": [\n  {\n"a": 1},\n  2\n]\n}'
    found = [(p.key, p.line) for p in _json.parts(io.BytesIO(data), ARRAYS)]
    assert found == [("items", 3), ("items", 5), (None, 7)]


def test_an_outline_survives_the_cut_of_the_head() -> None:
    head = b'{"kind": "List", "items": [{"kind": "Pod"}, {"ki'
    assert _json.outline(head, ("items",)) == {"kind": ["List"], "items": [{"kind": "Pod"}]}
    assert _json.outline(b"[1]", ("items",)) == {}
