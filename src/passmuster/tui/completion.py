"""What could stand where one is typing: the filter's qualifiers and values, or commands. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from passmuster.filters import KEYS

MOST = 40
"""Suggestions made at a time."""
Names = Callable[[str, str], Sequence[str]]
"""(qualifier, beginning) → names in the inventory that begin so; empty where it knows none."""


class Suggestions(NamedTuple):
    """What the word at the caret could become."""

    start: int
    """Where that word, or the part of it that would be replaced, begins."""
    words: list[str]
    about: str = ""
    """What the qualifier means, once it is known."""


def for_filter(typed: str, at: int, names: Names) -> Suggestions:
    """What the word of a filter that ends at *at* could become."""
    start = max(typed.rfind(" ", 0, at), typed.rfind("\n", 0, at)) + 1
    word = typed[start:at]
    if word.startswith("-"):
        start, word = start + 1, word[1:]
    key, colon, value = word.partition(":")
    if not colon:
        if not word:
            return Suggestions(start, [])
        return Suggestions(start, [f"{k}:" for k in KEYS if k.startswith(word.lower())])
    key = key.lower()
    if key not in KEYS:
        return Suggestions(start, [])
    done, _, part = value.rpartition(",")
    about, offered = KEYS[key]
    found = [v for v in offered if v.startswith(part.lower())]
    found += [quoted(n) for n in names(key, part.strip('"')) if n not in found]
    skip = len(key) + 1 + len(done) + bool(done)
    return Suggestions(start + skip, found[:MOST], about)


def quoted(name: str) -> str:
    """*name* as a filter takes it: in quotes where it has spaces or commas."""
    return f'"{name}"' if any(c in name for c in " ,") else name


def for_words(typed: str, at: int, known: Sequence[str]) -> Suggestions:
    """Which of *known* the text before *at* could become."""
    start = len(typed[:at]) - len(typed[:at].lstrip())
    word = typed[start:at].lower()
    return Suggestions(start, [k for k in known if k.lower().startswith(word)][:MOST])


def completed(typed: str, at: int, found: Suggestions) -> tuple[str, int] | None:
    """The text and the caret after a tab: as far as all suggestions agree, or the only one.

    When they agree on no more than is there, the first is taken.
    """
    if not found.words:
        return None
    there = typed[found.start : at]
    common = found.words[0]
    for word in found.words[1:]:
        while not word.startswith(common):
            common = common[:-1]
    chosen = common if len(common) > len(there) else found.words[0]
    if len(found.words) == 1 and not chosen.endswith(":"):
        chosen += " "
    return typed[: found.start] + chosen + typed[at:], found.start + len(chosen)


def for_last_word(typed: str, at: int, known: Sequence[str]) -> Suggestions:
    """Which of *known* the word that ends at *at* could become, in a filter of plain words."""
    start = typed.rfind(" ", 0, at) + 1
    if start == at:
        return Suggestions(at, [])
    found = for_words(typed[start:], at - start, known)
    return found._replace(start=found.start + start)
