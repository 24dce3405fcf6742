"""The README's picture shows the screen as it is now."""

import html
import re
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.picture import picture


def words(svg: str) -> list[str]:
    """The text of an SVG, without the layout and the ids that change with every export."""
    return [html.unescape(t).replace("\xa0", " ") for t in re.findall(r">([^<>]+)</text>", svg)]


async def test_the_readme_shows_the_screen_of_today(tmp_path: Path) -> None:
    """If this fails, look at the screen, then: python -m tests.picture docs/review.svg"""
    assert words((REPOSITORY / "docs/review.svg").read_text()) == words(
        await picture(tmp_path / "workspace")
    )
