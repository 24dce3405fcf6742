"""Themes: what is refused, how much each text stands out, and for whose eyes."""

import itertools
from pathlib import Path

import pytest
from textual.pilot import Pilot

from passmuster.tui import contrast, theme_files, themes
from passmuster.tui.theme_files import ThemeError, ThemeFile
from passmuster.tui.widgets.line_view import styles_of
from tests.conftest import REPOSITORY
from tests.tui.conftest import Review, settle

SHIPPED = theme_files.load([REPOSITORY / "themes"])[0]
GOOD = """
primary = "#777777"
accent = "#777777"
error = "#ff0000"
foreground = "#ffffff"
background = "#000000"
"""

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear light
SIMULATED = {
    "muster-deuteranopia": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "muster-tritanopia": (
        (1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}  # fmt: skip
PROTAN = (
    (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
    (-0.003882, -0.048116, 1.051998),
)  # fmt: skip
Matrix = tuple[tuple[float, ...], ...]


def seen(color: str, matrix: Matrix) -> tuple[float, float, float]:
    """*color* as CIE L*a*b*, as an eye of that kind sees it."""
    found = contrast.channels(color)
    assert found is not None
    light = [contrast.linear(c) for c in found]
    r, g, b = (min(1.0, max(0.0, sum(m * c for m, c in zip(row, light, strict=True))))
               for row in matrix)  # fmt: skip
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def apart(one: str, other: str, matrix: Matrix) -> float:
    """How different two colours look to that eye (CIE76); 2 is the least that is seen."""
    pairs = zip(seen(one, matrix), seen(other, matrix), strict=True)
    return float(sum((p - q) ** 2 for p, q in pairs) ** 0.5)


@pytest.mark.parametrize(("one", "other", "ratio"), [
    ("#000000", "#ffffff", 21.0), ("#fff", "#000", 21.0), ("#777777", "#ffffff", 4.478),
    ("#767676", "#ffffff", 4.542), ("#123456", "#123456", 1.0), ("#ff0000", "#ffffff", 3.998),
    ("#00ff00", "#ffffff", 1.372), ("#0000ff", "#ffffff", 8.592),
])  # fmt: skip
def test_the_ratio_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast.ratio(one, other) == pytest.approx(ratio, abs=0.001)
    assert contrast.ratio(other, one) == contrast.ratio(one, other)


@pytest.mark.parametrize("color", ["ansi_red", "red", "#12345", "#1234567", "#ggg", "", "#fff\n"])
def test_a_colour_that_is_not_written_out_has_no_ratio(color: str) -> None:
    assert contrast.ratio(color, "#ffffff") is None


@pytest.mark.parametrize("theme", SHIPPED.values(), ids=lambda t: t.name)
def test_every_text_of_every_shipped_theme_stands_out(theme: ThemeFile) -> None:
    for pair in theme_files.pairs(theme):
        assert (pair.ratio is None) == theme.ansi
        assert not pair.faint, pair


def test_high_contrast_keeps_to_7_to_1() -> None:
    for pair in theme_files.pairs(SHIPPED["muster-high-contrast"]):
        assert pair.ratio is not None
        assert pair.ratio >= contrast.BEST, pair


@pytest.mark.parametrize("name", ["muster-deuteranopia", "muster-tritanopia"])
def test_accent_error_and_text_look_different_to_the_eyes_that_a_theme_is_for(name: str) -> None:
    colors = SHIPPED[name].colors
    for matrix in (SIMULATED[name], *([PROTAN] if "deuter" in name else [])):
        assert apart(colors["accent"], colors["error"], matrix) > 50
        for one, other in itertools.combinations(("accent", "error", "foreground"), 2):
            assert apart(colors[one], colors[other], matrix) > 20, (one, other)


def test_no_other_two_of_the_sixteen_colours_are_worse_at_worst_than_those_of_the_ansi_theme(
) -> None:  # fmt: skip
    palettes = {  # xterm, VGA, Windows, macOS, Solarized
        "red": ["#cd0000", "#aa0000", "#c50f1f", "#c23621", "#dc322f"],
        "green": ["#00cd00", "#00aa00", "#13a10e", "#25bc24", "#859900"],
        "yellow": ["#cdcd00", "#aa5500", "#c19c00", "#adad27", "#b58900"],
        "blue": ["#0000ee", "#0000aa", "#0037da", "#492ee1", "#268bd2"],
        "magenta": ["#cd00cd", "#aa00aa", "#881798", "#d338d3", "#d33682"],
        "cyan": ["#00cdcd", "#00aaaa", "#3a96dd", "#33bbc8", "#2aa198"],
    }
    worst = {
        name: min(contrast.ratio(c, b) or 0 for c in shades for b in ("#000000", "#ffffff"))
        for name, shades in palettes.items()
    }
    best = set(sorted(worst, key=worst.__getitem__)[-2:])
    ansi = SHIPPED["ansi"].colors
    assert {ansi["accent"], ansi["error"]} == {f"ansi_{name}" for name in best}


@pytest.mark.parametrize("name", SHIPPED)
async def test_the_screen_draws_the_colours_that_were_checked(review: Review, name: str) -> None:
    theme = SHIPPED[name]
    checked = [(p.foreground, p.background) for p in theme_files.pairs(theme)]
    async with review.app().run_test(size=(80, 24)) as pilot:
        pilot.app.theme = name
        await settle(pilot)
        for role, style in styles_of(pilot.app).items():
            if theme.ansi:
                fore = style.color.name if style.color else "default"
                assert style.bgcolor is None
                assert f"ansi_{fore}" in {pair[0] for pair in checked}, role
                continue
            assert style.color, role
            assert style.bgcolor, role
            drawn = (style.color.get_truecolor().hex, style.bgcolor.get_truecolor().hex)
            assert any(_same(drawn, p) or _same(drawn[::-1], p) for p in checked), role
            assert (contrast.ratio(*drawn) or 0) >= contrast.ENOUGH, role
        await _differ(pilot, theme)


def _same(drawn: tuple[str, str], checked: tuple[str, str]) -> bool:
    """Whether these are the colours; Textual's way over hue and lightness rounds by one."""
    channels = [contrast.channels(c) or () for c in (*drawn, *checked)]
    near = zip(channels[0] + channels[1], channels[2] + channels[3], strict=True)
    return all(abs(one - other) < 1.5 / 255 for one, other in near)


async def _differ(pilot: Pilot[None], theme: ThemeFile) -> None:
    styles = styles_of(pilot.app)
    assert styles["cursor"] != styles["plain"]
    assert styles["accent"] != styles["plain"]
    assert styles["error"] != styles["plain"]
    if theme.name != themes.MONO:
        assert styles["accent"] != styles["error"]


@pytest.mark.parametrize(("text", "tells"), [
    ("= [", "cannot be read"),
    ("accent = '#fff'", "primary is missing"),
    (GOOD + "accnt = '#fff'", "did you mean accent?"),
    (GOOD + "success = 'green'", "write #rrggbb"),
    (GOOD + "success = 'ansi_green'", "needs `ansi = true`"),
    (GOOD + "success = 3", "is no colour"),
    (GOOD + "ansi = true", "ansi_default"),
    (GOOD + "dark = 'yes'", "dark must be true or false"),
    (GOOD + "description = 3", "description must be a text"),
    (GOOD + "name = ''", "name must be a word"),
    (GOOD + 'name = "a\\u001b[31m"', "name must be a word"),
    (GOOD + "variables = 3", "variables must be a table"),
    (GOOD + "[variables]\nmuster-dam = '#fff'", "did you mean muster-dim?"),
])  # fmt: skip
def test_a_theme_that_cannot_be_used_says_why(tmp_path: Path, text: str, tells: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ThemeError) as told:
        theme_files.read(path)
    assert tells in str(told.value)
    assert str(told.value).startswith("mine.toml: ")
    assert theme_files.load([tmp_path]) == ({}, [str(told.value)])


@pytest.mark.parametrize(("term", "why"), [
    ("vt100", "TERM=vt100 has no colour"), ("xterm-mono", "TERM=xterm-mono has no colour"),
    ("hp-m", "TERM=hp-m has no colour"), ("xterm-256color", ""), ("vte-256color", ""),
    ("linux", ""),
])  # fmt: skip
def test_a_terminal_without_colour_is_sent_none(
    monkeypatch: pytest.MonkeyPatch, term: str, why: str
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", term)
    assert theme_files.colourless() == why
    assert (theme_files.in_use("muster-dark", ["muster-dark"]) == "mono") is bool(why)


def test_a_theme_of_five_colours_is_enough_and_goes_before_ours(tmp_path: Path) -> None:
    (tmp_path / "muster-dark.toml").write_text(GOOD)
    found, wrong = theme_files.load([REPOSITORY / "themes", tmp_path])
    assert not wrong
    assert found["muster-dark"].path.parent == tmp_path
    assert found["muster-dark"].variables["muster-cursor-background"] == "#777777"
    assert themes.load([tmp_path])[0]["muster-dark"].accent == "#777777"
