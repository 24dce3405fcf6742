"""The key that stops what is under the cursor at once; where it cannot be used it says why."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster.text import Json
from passmuster.tui.screens._list import ListScreen


class Stopping(ListScreen):
    """A list from which something can be stopped."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("exclamation_mark", "stop", "stop now", id="stop", key_display="!",
                tooltip="an emergency: stop it on the platform at once, and sign why"),
    ]  # fmt: skip

    def to_stop(self) -> Json | None:
        """The dossier, as of now, of what is under the cursor."""
        raise NotImplementedError

    def action_stop(self) -> None:
        """Show what would stop; nothing is stopped before its handle was typed."""
        self.stop_this(self.to_stop())

    def stop_this(self, dossier: Json | None) -> None:
        """The same for what *dossier* is of, wherever the cursor is by now."""
        if self.muster.read_only:
            self.say("read only: nothing is stopped here until % allows it", "error")
            return
        if dossier is None:
            self.say("there is nothing here to stop")
            return
        if why := self._why_not(dossier):
            self.say(why, "error")
            return
        from passmuster.tui.screens.stop import StopScreen

        self.app.push_screen(StopScreen(dossier), lambda _: self.refresh_rows())

    def _why_not(self, dossier: Json) -> str:
        """Why it cannot be stopped by this person, or at all; empty where it can."""
        from passmuster import campaigns, remediation
        from passmuster.errors import MusterError

        try:
            campaigns.check_emergency(self.muster.db, "why", None, self.desk.me)
        except MusterError as error:
            return str(error)
        if dossier["of"] not in ("identity", "credential"):
            return "only an account or a credential can be stopped at once: this is a part of it"
        parts = [dossier, *campaigns.credentials_of(dossier)]
        offers = [remediation.offer(part) for part in parts]
        if any(offered.plan for offered in offers):
            return ""
        if any(offered.destroys for offered in offers):
            return "its platform has no stop that can be undone, and ! destroys nothing"
        platform = dossier["source"]["platform"]
        return f"muster knows no command of {platform} that stops it: muster revoke signs why"
