"""The README's pictures show the screens as they are now."""

import html
import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.picture import SHOWN, pictures


def words(svg: str) -> list[str]:
    """The text of an SVG, without the layout and the ids that change with every export."""
    return [html.unescape(t).replace("\xa0", " ") for t in re.findall(r">([^<>]+)</text>", svg)]


@pytest.mark.ci
async def test_the_readme_shows_the_screens_of_today(tmp_path: Path) -> None:
    """If this fails, look at the screens, then: python -m tests.picture docs"""
    found = await pictures(tmp_path / "workspace")
    kept = {name: (REPOSITORY / "docs" / f"{name}.svg").read_text() for name in SHOWN}
    for name, svg in found.items():
        assert words(kept[name]) == words(svg), name


def test_every_picture_is_in_the_readme_and_every_one_of_the_readme_is_drawn() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    assert set(re.findall(r"\(docs/([\w-]+)\.svg\)", readme)) == set(SHOWN)
