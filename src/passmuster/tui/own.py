"""What a person added to the screen in their settings, checked: their sections and their keys.

A wrong one is left out and told. `config` cannot check these, since filters and keys stand above
it; `muster config validate` and the screens do, with this.
"""

from collections.abc import Mapping

from passmuster import filters
from passmuster.errors import FilterError
from passmuster.text import nearest, visible
from passmuster.tui.look import Section


def sections(wanted: Mapping[str, str], now: str) -> tuple[list[Section], list[str]]:
    """The sections of `[sections]` whose filters can be used on a queue, and what is wrong."""
    found, wrong = [], []
    for name, expression in wanted.items():
        try:
            filters.compile_filter(expression, now, defaults=False, items=True)
        except FilterError as error:
            wrong.append(f"sections.{visible(name)}: {error}")
        else:
            found.append(Section(name, expression))
    return found, wrong


def key_troubles(wanted: Mapping[str, str]) -> list[str]:
    """What is wrong with `[keys]`: ids that do not exist, and keys that are for two things."""
    from passmuster.tui import keymap
    from passmuster.tui.app import MusterApp

    normal = MusterApp._normalize_keymap(dict(wanted))  # noqa: SLF001 - Textual has no other way
    known = keymap.ids()
    wrong = [f"keys.{visible(i)}: no such id{nearest(i, known)}" for i in wanted if i not in known]
    return wrong + keymap.clashes({i: keys for i, keys in normal.items() if i in known})
