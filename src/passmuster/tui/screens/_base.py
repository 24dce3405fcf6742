"""What every screen shares: the app by its own type, and the desk."""

from typing import TYPE_CHECKING, TypeVar, cast

from textual.screen import Screen

from passmuster.tui.desk import Desk

if TYPE_CHECKING:
    from passmuster.tui.app import MusterApp

T = TypeVar("T")


class MusterScreen(Screen[T]):
    """A screen of the workstation."""

    @property
    def muster(self) -> "MusterApp":
        """The app, as what it is."""
        return cast("MusterApp", self.app)

    @property
    def desk(self) -> Desk:
        """Whose queue, in which campaign."""
        return self.muster.desk
