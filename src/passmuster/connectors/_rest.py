"""What connectors that speak with a vendor's JSON API have in common.

The token is asked for when the first request needs it and goes nowhere but into a header; pages
are followed to their end; files are written whole or not at all.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from passmuster.connectors._live import Act, Live, Verdict, Where
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import Json
from passmuster.transport import Patience, Service

PATIENCE = Patience()
DEADLINE_S = 30.0
MAX_PAGES = 100_000
"""A server that names a next page for ever is not one to believe."""


def service(
    where: Where, base: str, name: str, command: Sequence[str], scheme: str = "Bearer"
) -> Service:
    """A client of *base* (or of the endpoint in the settings) with the login that *where* lends."""
    token: list[str] = []

    def headers() -> Mapping[str, str]:
        if not token:
            found = where.secret(name, command).strip()
            if not found or not found.isascii() or not found.isprintable():
                raise UsageError(f"{name}: what came is no token")
            token.append(found)
        return {"Authorization": f"{scheme} {token[0]}"}

    return _client(where, base, headers)


def anonymous(where: Where, base: str) -> Service:
    """A client that says nothing of who asks: to try a secret, not the login."""
    return _client(where, base, dict)


def _client(where: Where, base: str, headers: Callable[[], Mapping[str, str]]) -> Service:
    ca = where.settings.get("ca")
    return Service(
        where.settings.get("endpoint") or base, headers, Path(ca) if ca else None,
        patience=PATIENCE, deadline_s=DEADLINE_S,
    )  # fmt: skip


def part(value: Any) -> str:
    """*value* as one part of a path, or as a value of a query."""
    return quote(str(value), safe="")


def pages(
    client: Service, path: str, items: str, following: Callable[[Json], str | None]
) -> Iterator[Json]:
    """Each object of a list in pages; *following* finds in a page the path of the next one."""
    at: str | None = path
    for _ in range(MAX_PAGES):
        if at is None:
            return
        page = client.get(at)
        if not isinstance(page, dict) or not isinstance(page.get(items, []), list):
            raise Unreachable(f"{client.base}: the answer has no list of {items}")
        yield from (each for each in page.get(items, []) if isinstance(each, dict))
        at = following(page)
    raise Unreachable(f"{client.base}: a list that does not end")


def write_array(path: Path, elements: Iterable[Json]) -> None:
    """A JSON array, one element a line, as it comes."""
    with path.open("w", encoding="utf-8") as out:
        out.write("[")
        for at, each in enumerate(elements):
            out.write(("," if at else "") + "\n" + json.dumps(each, ensure_ascii=False))
        out.write("\n]\n")


def write_some(path: Path, elements: Iterable[Json]) -> None:
    """As `write_array`; no file where there is nothing, for an empty list is refused by imports."""
    empty = True

    def seen() -> Iterator[Json]:
        nonlocal empty
        for each in elements:
            empty = False
            yield each

    write_array(path, seen())
    if empty:
        path.unlink()


def judged(live: Live, act: Act) -> tuple[Verdict, str]:
    """The verdict from reading alone: nobody tried the thing itself."""
    try:
        state = live.read(act)
    except Unreachable as error:
        return "unknown", str(error)
    if state is None:
        return "flag", "it is not there any more; nobody tried it"
    if act.wanted is None:
        return "works", "it is still there"
    still = [k for k, v in act.wanted.items() if state.get(k) != v]
    if still:
        return "works", ", ".join(f"{k} is {state.get(k)!r}" for k in still)
    said = ", ".join(f"{k} is {v!r}" for k, v in act.wanted.items())
    return "flag", f"{said}; nobody tried it"


def gone(error: Declined) -> bool:
    """Whether the platform said that the thing is not there: for a delete that is success."""
    return error.status in (404, 410)


def never(what: str) -> Declined:
    """The refusal to put back what cannot come back."""
    return Declined(f"{what} cannot be put back: the secret is gone; make a new one", "gone", 409)
