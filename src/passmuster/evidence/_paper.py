"""A page for people in one file: its style, and the few forms that its parts take.

No script, nothing from outside, and a policy in the page that forbids both. Whatever comes from
outside goes through `words`: an account may be called `<script>`.
"""

import html
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any, NamedTuple

from passmuster.text import visible

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

MAX_ROWS = 100
"""Rows of a table; the rest is counted."""


class Html(str):
    """Markup of our own making; anything else is text."""

    __slots__ = ()


class Num(NamedTuple):
    """A number in a cell, or a word for one."""

    value: int | str | None


def words(value: Any) -> str:
    """*value* as markup: text is escaped and made visible, None is a dash."""
    if isinstance(value, Html):
        return value
    if isinstance(value, Num):
        return f"{value.value:,}" if isinstance(value.value, int) else words(value.value)
    if value is None or value == "":
        return "–"
    return html.escape(visible(str(value)))


def join(*parts: Any) -> Html:
    """Several parts as one piece of markup."""
    return Html("".join(words(part) for part in parts))


def code(value: Any) -> Html:
    """A path, a digest, a command."""
    return Html(f"<code>{words(value)}</code>")


def link(path: str) -> Html:
    """A file of the pack; its path is made by us and holds nothing that needs escaping."""
    return Html(f'<a href="{html.escape(path)}">{words(path)}</a>')


def moment(time: str | None) -> Html | None:
    """A time as we store it, for people and kept on one line."""
    if time is None:
        return None
    return kept(f"{time[:10]} {time[11:16]} UTC")


def kept(value: Any) -> Html:
    """A few words that stay on one line."""
    return Html(f'<span class="t">{words(value)}</span>')


def share(part: int, whole: int) -> Num:
    """A part in percent."""
    return Num(f"{100 * part / whole:.1f} %" if whole else None)


def flagged(value: Any) -> Html:
    """Something to look at; the mark is a shape and bold, for whoever sees no colour."""
    return Html(f'<span class="no">{words(value)}</span>')


def named(name: Any, uri: str | None) -> Html:
    """An item: what people call it, and its URI below."""
    return Html(words(name) + (f'<span class="id">{words(uri)}</span>' if uri else ""))


def para(*parts: Any) -> Html:
    """A paragraph."""
    return Html(f"<p>{join(*parts)}</p>\n")


def note(*parts: Any) -> Html:
    """A paragraph that stands out."""
    return Html(f'<p class="note">{join(*parts)}</p>\n')


def bullets(rows: Iterable[Any]) -> Html:
    """A list."""
    return Html("<ul>\n" + "".join(f"<li>{words(row)}</li>\n" for row in rows) + "</ul>\n")


def facts(pairs: Iterable[tuple[str, Any]], kind: str = "facts") -> Html:
    """Names and their values."""

    def pair(name: str, value: Any) -> str:
        found = f"<dt>{words(name)}</dt><dd>{words(value)}</dd>"
        return f"<div>{found}</div>" if kind == "totals" else found

    return Html(f'<dl class="{kind}">\n' + "\n".join(pair(n, v) for n, v in pairs) + "\n</dl>\n")


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Html:
    """A table whose first column names the row; numbers stand under each other."""
    body = [list(row) for row in rows]
    right = [any(isinstance(row[i], Num) for row in body) for i in range(len(head))]

    def cell(tag: str, value: Any, number: bool, scope: str = "") -> str:
        kind = ' class="n"' if number else ""
        return f"<{tag}{scope}{kind}>{words(value)}</{tag}>"

    out = [f'<div class="wide" role="region" tabindex="0" aria-label="{words(caption)}"><table>',
           f"<caption>{words(caption)}</caption>", "<thead><tr>"]  # fmt: skip
    out += [cell("th", h, n, ' scope="col"') for h, n in zip(head, right, strict=True)]
    out.append("</tr></thead>\n<tbody>")
    for row in body:
        cells = [cell("th", row[0], right[0], ' scope="row"')]
        cells += [cell("td", v, n) for v, n in zip(row[1:], right[1:], strict=True)]
        out.append(f"\n<tr>{''.join(cells)}</tr>")
    out.append("\n</tbody></table></div>\n")
    return Html("".join(out))


def capped(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[Any]], where: str
) -> Html:  # fmt: skip
    """A table of at most `MAX_ROWS`; what is not shown is counted, with the file that has it."""
    shown = table(caption, head, rows[:MAX_ROWS])
    return join(shown, more(len(rows) - MAX_ROWS, where)) if len(rows) > MAX_ROWS else shown


def more(count: int, where: str) -> Html:
    """How much is not shown, and where it is."""
    return para(f"{count:,} more: see ", link(where), ".")


def section(title: str, *parts: Html) -> Html:
    """A part of the page under its heading."""
    return Html(f"<section>\n<h2>{words(title)}</h2>\n{''.join(parts)}</section>\n")


def page(title: str, *parts: Html) -> bytes:
    """The whole file."""
    style = (resources.files("passmuster.evidence") / "report.css").read_text("utf-8")
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{words(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
    )
    return f"{head}{''.join(parts)}</main>\n</body>\n</html>\n".encode()
