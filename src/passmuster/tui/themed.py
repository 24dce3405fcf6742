"""An app in the colours of a person's theme, dressed once and not again for nothing.

Textual makes the variables of a theme anew at every question, and reads all style sheets a second
time when the theme is set before there is a screen. Both are a good part of the first frame.
"""

from textual.theme import Theme

from passmuster.text import visible
from passmuster.tui import theme_files, themes
from passmuster.tui.terminal import TerminalApp


class ThemedApp(TerminalApp):
    """Knows the themes; NO_COLOR, and a terminal without colours, go before all of them."""

    def __init__(self) -> None:
        self._mono = theme_files.colourless()
        self._variables: tuple[Theme, dict[str, str]] | None = None
        super().__init__(ansi_color=True if self._mono else None)
        self._disable_tooltips = self._disable_notifications = True  # nothing here has any

    @property
    def colourless(self) -> str:
        """Why a theme changes nothing; empty where it does."""
        return self._mono

    def take_theme(self, wanted: str, *, first: bool = False) -> list[str]:
        """Take on the theme called *wanted*, and return what is wrong with the files of themes.

        The *first* frame needs none of the others that ship; they are read when one is asked for.
        """
        wanted = themes.MONO if self._mono else wanted
        found, wrong = self._read_themes(wanted if first else None)
        if first and wanted not in found:
            found, wrong = self._read_themes()
        if wanted not in found:
            wrong.append(f"no theme {visible(wanted)!r}; there are {', '.join(found)}")
            wanted = themes.DEFAULT
        if wanted in found:
            self.theme = wanted
        return wrong

    def _read_themes(self, only: str | None = None) -> tuple[list[str], list[str]]:
        found, wrong = themes.load(theme_files.folders(), only)
        for theme in found.values():
            self.register_theme(theme)
        return list(found), wrong

    def _validate_theme(self, theme_name: str) -> str:
        if theme_name not in self.available_themes:
            self._read_themes()
        return super()._validate_theme(theme_name)

    def get_css_variables(self) -> dict[str, str]:
        """Made once for a theme."""
        theme = self.current_theme
        if self._variables is None or self._variables[0] is not theme:
            self._variables = theme, super().get_css_variables()
        return self._variables[1]

    def refresh_css(self, animate: bool = True) -> None:
        """Before there is a screen, set only what the style sheets will be read with."""
        if self._screen_stacks[self._current_mode]:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(self.get_css_variables())
