"""What every screen shares: the app by its own type, and the desk."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar, cast

from textual.screen import Screen

from passmuster.errors import MusterError
from passmuster.tui import clipboard
from passmuster.tui.clipboard import Copied
from passmuster.tui.desk import Desk
from passmuster.tui.widgets.text_line import TextLine

if TYPE_CHECKING:
    from passmuster.tui.app import MusterApp

T = TypeVar("T")


class MusterScreen(Screen[T]):
    """A screen of the workstation."""

    @property
    def typing(self) -> TextLine | None:
        """The line that keys go to now, if one is being typed in."""
        return None

    def on_screen_suspend(self) -> None:
        """Another screen covers this one, perhaps before its first frame."""
        self.muster.begin()

    def pasted(self, text: str) -> None:
        """Something was pasted while nothing is typed: most screens let it be."""

    def written(self, ids: Sequence[int], error: MusterError | None) -> None:
        """The writer has done a job about these items, or could not: most screens show none."""

    @property
    def muster(self) -> "MusterApp":
        """The app, as what it is."""
        return cast("MusterApp", self.app)

    @property
    def desk(self) -> Desk:
        """Whose queue, in which workspace."""
        return self.muster.desk

    def copied(self, text: str) -> Copied:
        """Copy *text* in the way that the settings have; what is returned says which it was."""
        driver = self.app._driver  # noqa: SLF001 - Textual's own copying writes to it too
        write = driver.write if driver is not None else (lambda _: None)
        return clipboard.copy(text, write, self.desk.settings.clipboard, self.desk.folder)
