"""The one filter language (search box, command line, campaign scope), compiled to SQL.

    svc- kind:service,workload owner:none unused:>90d -env:dev "two words"

Words match names and ids, `key:value` narrows, a comma is "or", `-` negates either. The SQL is
put together from the constants of this package alone: what a person types is only ever bound, so
no name and no quote can become SQL (tests/test_filters.py lets hypothesis try). A typing mistake
is an error with the nearest right word and its place, never an empty result.

Words are compared as SQLite's LIKE does: the letters A to Z match in either case, others exactly.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

from passmuster import text
from passmuster.errors import FilterError
from passmuster.filters._keys import FRAME, LACKS, NO_ABSENT, NO_GROUPS, WORD, Key, Made, keys, like

__all__ = ["FRAME", "KEYS", "LACKS", "Compiled", "apart", "compile_filter", "plain_words", "whole"]

MAX_CHARACTERS = 4000
MAX_TERMS = 64
"""Words, qualifiers and alternatives together; SQLite refuses expressions deeper than 1000."""

HANDLES = frozenset({"arn", "http", "https", "md5", "muster", "sha256", "spiffe", "system", "urn"})
"""What platform handles begin with before a colon: pasted, they are words, not qualifiers."""

_TOKEN = re.compile(
    r'(?P<minus>-?)(?:(?P<key>[A-Za-z_][A-Za-z0-9_]*):)?(?P<value>(?:"[^"]*"|[^\s"])*)'
)
_PART = re.compile(r'(?:"[^"]*"|[^",])*')


@dataclass(frozen=True, slots=True)
class Compiled:
    """A filter as a WHERE condition over `FRAME`; never empty."""

    sql: str
    params: list[str | int]


KEYS: dict[str, tuple[str, tuple[str, ...]]] = {k: (v.help, v.values) for k, v in keys().items()}
"""Every qualifier with a line of help and values to offer."""


def compile_filter(
    expression: str, now: str, *, defaults: bool = True, items: bool = False
) -> Compiled:
    """The condition that *expression* stands for at *now* (RFC 3339, UTC).

    Groups are left out unless it has `kind:`, and what is gone from its source unless it has
    `absent:`; with *defaults* off nothing is, as in the queue of a campaign, whose population was
    chosen when it was opened. With *items* the condition is over `FRAME` joined with `item n`, and
    the qualifiers of a queue (`state:open`) are known too.
    Raises FilterError, with the offset of the word at fault, for anything that it does not know.
    """
    moment = datetime.fromisoformat(now).astimezone(UTC)
    clauses: list[str] = []
    params: list[str | int] = []
    asked: set[str] = set()
    for token in _tokens(expression):
        key = (token["key"] or "").lower()
        plain = key in HANDLES or not key
        sql, bound = _word(token) if plain else _qualifier(token, key, moment, items)
        clauses.append(f"NOT coalesce({sql}, 0)" if token["minus"] else sql)
        params += bound
        if not token["minus"]:
            asked.add(key)
    if defaults and "kind" not in asked:
        clauses.append(NO_GROUPS)
    if defaults and "absent" not in asked:
        clauses.append(NO_ABSENT)
    return Compiled(" AND ".join(clauses) or "1", params)


def apart(expression: str) -> tuple[list[str], str]:
    """The words of *expression* without their quotes, and its qualifiers as a filter of their own.

    For a list of something else than identities: there a word is looked for in its own names, and
    the qualifiers still choose identities. Raises FilterError as `compile_filter` does, also for a
    word with a minus, which would be both.
    """
    words, rest = [], []
    for token in _tokens(expression):
        if token["key"] and token["key"].lower() not in HANDLES:
            rest.append(token[0])
        elif token["minus"]:
            raise FilterError("only a qualifier can be negated here", token.start())
        else:
            words.append(token[0].replace('"', ""))
    return words, " ".join(rest)


def whole(key: str, name: str) -> str:
    """The filter for those whose *key* (owner or supplier) is *name*, and not a part of theirs.

    The language cannot say a quotation mark: of a name with one, its longest part is looked for.
    """
    if '"' not in name:
        return f'{key}:"={name}"' if re.search(r"[\s,]", name) else f"{key}:={name}"
    longest = max(name.split('"'), key=len)
    return f'{key}:"{longest}"' if longest else f"-{key}:none"


def _tokens(expression: str) -> list[re.Match[str]]:
    if len(expression) > MAX_CHARACTERS:
        raise FilterError(f"a filter has at most {MAX_CHARACTERS} characters", MAX_CHARACTERS)
    for place, char in enumerate(expression):
        if "\ud800" <= char <= "\udfff" or char == "\0":
            raise FilterError(f"{text.visible(char)} is not a character to search for", place)
    found, place, terms = [], 0, 0
    while (place := _skip_space(expression, place)) < len(expression):
        token = _TOKEN.match(expression, place)
        if token is None or not _ends(expression, token.end()):
            raise FilterError("a quotation mark is missing", place)
        terms += 1 + token["value"].count(",")
        if terms > MAX_TERMS:
            raise FilterError(f"too many words: a filter has at most {MAX_TERMS}", place)
        found.append(token)
        place = token.end()
    return found


def _skip_space(expression: str, place: int) -> int:
    while place < len(expression) and expression[place].isspace():
        place += 1
    return place


def _ends(expression: str, place: int) -> bool:
    return place == len(expression) or expression[place].isspace()


def _word(token: re.Match[str]) -> Made:
    word = token[0].removeprefix(token["minus"]).replace('"', "")
    if not word:
        raise FilterError("nothing to search for here", token.start())
    if word.startswith("muster:"):  # the URI of a subject, as other commands print it
        word = unquote(word.rpartition("/")[2]) or word
    return WORD, [*[like(word)] * 4, word]


def _qualifier(token: re.Match[str], key: str, now: datetime, items: bool) -> Made:
    known = keys().get(key)
    if known is not None and known.of_item and not items:
        raise FilterError(f"{key}: is for the queue of a campaign", token.start("key"))
    if known is None:
        raise FilterError(
            f"no filter {key}:{text.nearest(key, KEYS)} (to search for the text itself, quote it)",
            token.start("key"),
        )
    fragments: list[str] = []
    params: list[str | int] = []
    for part, place in _parts(token):
        value = part.replace('"', "")
        # in quotes it is a name, even one that is spelled like a value of ours
        fragment = None if '"' in part else known.fixed.get(value.lower())
        made: Made | None = (fragment, []) if fragment else None
        if made is None and known.make and value:
            made = known.make(value, now)
        if made is None:
            raise FilterError(_unknown(key, value, known), place)
        fragments.append(made[0])
        params += made[1]
    return (f"({' OR '.join(fragments)})", params)


def _parts(token: re.Match[str]) -> list[tuple[str, int]]:
    """The alternatives of a value, with the offset of each."""
    value, place, parts = token["value"], 0, []
    while True:
        found = _PART.match(value, place)
        end = found.end() if found else place
        parts.append((value[place:end], token.start("value") + place))
        if end >= len(value):
            return parts
        place = end + 1


def _unknown(key: str, value: str, known: Key) -> str:
    offered = ", ".join(known.values) or "a part of a name"
    if not value:
        return f"{key}: needs a value: {offered}"
    few = len(known.values) <= 4 or any("<" in v or ">" in v for v in known.values)
    hint = f"; it takes {offered}" if few else text.nearest(value, known.values)
    return f"{key}: does not know {text.visible(value)[:60]!r}{hint}"


def plain_words(expression: str, what: str) -> list[tuple[str, bool]]:
    """The words of a filter over *what*, which has no qualifiers: (word, whether it is negated).

    Raises FilterError, with the offset of the word at fault, for a qualifier: `owner:none` over
    something that has no owner would else silently be a word that matches nothing.
    """
    found = []
    for token in _tokens(expression):
        key = (token["key"] or "").lower()
        if key and key not in HANDLES:
            raise FilterError(
                f"{what} knows words only, not {key}: (in quotes it is text)", token.start("key"),
            )  # fmt: skip
        word = token[0].removeprefix(token["minus"]).replace('"', "")
        if not word:
            raise FilterError("nothing to search for here", token.start())
        found.append((word, bool(token["minus"])))
    return found
