"""Rows of CSV and JSON-lines files, with the line each begins on; nothing is skipped in silence."""

import csv
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from passmuster.errors import ImportRefused
from passmuster.model import Problem, Record, Source

CHUNK = 1 << 16
MAX_LINE = 16 << 20


class Row(NamedTuple):
    """One row by column name."""

    line: int
    values: dict[str, Any]


def lines(stream: BinaryIO, chunk_bytes: int = CHUNK) -> Iterator[str]:
    """Lines of UTF-8 text, each with its newline; ImportRefused, with the line, for anything else.

    A wrong guess of the encoding would change names, and names decide who owns what.
    """
    number, rest, started = 1, b"", False
    while chunk := stream.read(chunk_bytes):
        if not started:
            if chunk.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise ImportRefused("the file is UTF-16; save it as UTF-8")
            chunk, started = chunk.removeprefix(b"\xef\xbb\xbf"), True
        *whole, rest = (rest + chunk).split(b"\n")
        for raw in whole:
            yield _decoded(raw, number) + "\n"
            number += 1
        if len(rest) > MAX_LINE:
            raise ImportRefused(f"line {number}: longer than {MAX_LINE >> 20} MiB")
    if rest:
        yield _decoded(rest, number)


def _decoded(raw: bytes, number: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ImportRefused(
            f"line {number}: byte {error.start + 1} is not UTF-8; save the file as UTF-8"
        ) from None


def csv_rows(stream: BinaryIO, delimiter: str = ",") -> tuple[list[str], Iterator[Row | Problem]]:
    """The header of a CSV file, and its rows.

    `strict` makes the csv module refuse what it would otherwise repair by guessing.
    """
    reader = csv.reader(lines(stream), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader)]
    except StopIteration:
        raise ImportRefused("the file is empty") from None
    except csv.Error as error:
        raise ImportRefused(f"line 1: the header is not CSV: {error}") from None
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise ImportRefused(f"line 1: two columns are called {twice!r}")
    return header, _rows(reader, header, delimiter)


def not_empty(records: Iterator[Record]) -> Iterator[Record]:
    """*records*; ImportRefused at their end if none says anything.

    Nothing that can be read is not "nothing is there": the import would mark all as gone.
    """
    first: Problem | None = None
    said = False
    for record in records:
        if isinstance(record, Problem):
            first = first or record
        elif not isinstance(record, Source):
            said = True
        yield record
    if not said:
        why = f"; first, line {first.line}: {first.why}" if first else ""
        raise ImportRefused(f"there is no row in it that can be read{why}")


def _rows(reader: Any, header: list[str], delimiter: str) -> Iterator[Row | Problem]:
    width = len(header)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # where a quote was opened and not closed, no row after it can be trusted
            raise ImportRefused(
                f"line {line}: a quote is not closed or stands in the wrong place ({error})"
            ) from None
        if not cells:
            continue
        if len(cells) != width:
            why = f"{len(cells)} columns where the header has {width}; the row was left out"
            yield Problem(line, None, why)
        elif reader.line_num > line and _swallowed(cells, width, delimiter):
            why = (
                f"a quote that was never closed seems to have swallowed the rows up to line "
                f"{reader.line_num}; they were left out"
            )
            yield Problem(line, None, why)
        else:
            yield Row(line, dict(zip(header, cells, strict=True)))


def _swallowed(cells: list[str], width: int, delimiter: str) -> bool:
    """Whether a cell of several lines holds one that would be a row by itself."""
    return width > 1 and any(
        inner.count(delimiter) >= width - 1
        for cell in cells if "\n" in cell
        for inner in cell.split("\n")
    )  # fmt: skip


def json_rows(stream: BinaryIO) -> Iterator[Row | Problem]:
    """The objects of a file with one JSON object on each line."""
    for number, line in enumerate(lines(stream), 1):
        if not line.strip():
            continue
        if number == 1 and line.lstrip().startswith("["):
            raise ImportRefused("line 1: a JSON array; write one object a line: jq -c '.[]'")
        try:
            value = json.loads(line, object_pairs_hook=_once, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            yield Problem(number, None, f"not JSON: {why[:80]}; the row was left out")
            continue
        if isinstance(value, dict):
            yield Row(number, value)
        else:
            yield Problem(number, None, "not a JSON object; the row was left out")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")
