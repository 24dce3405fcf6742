"""From a list to the sign-off: wait for the disk, freeze what is drafted, show it."""

from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from passmuster import campaigns
from passmuster.campaigns import Campaign
from passmuster.errors import MusterError
from passmuster.tui.screens._list import ListScreen


class Freezing(ListScreen):
    """A list of items on which something is drafted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,right", "details", "details", id="details",
                tooltip="the whole evidence of this item"),
        Binding("dollar_sign", "sign", "review and sign", id="sign", key_display="$",
                tooltip="see all that is drafted, then sign it"),
    ]  # fmt: skip

    # what the whole screen gives

    def action_details(self) -> None:
        """The whole evidence on a screen of its own."""
        raise NotImplementedError

    def signed(self, *, done: bool) -> None:
        """One is back from the sign-off, and has signed or not."""
        raise NotImplementedError

    # the sign-off

    def action_sign(self) -> None:
        """Wait for the disk, freeze what is drafted, and show it: all that is mine."""
        at = self.muster.campaign
        if self.muster.read_only:
            self.say("read only: nothing is signed here until % allows it", "error")
        elif at is None:
            self.say("no campaign is open: there is nothing to sign")
        else:
            self.say("putting together what is to be signed …")
            self._freeze(at)

    @work(thread=True, exclusive=True, group="freeze")
    def _freeze(self, campaign: Campaign) -> None:
        from passmuster.tui.screens.sign_off import SignOffScreen

        self.muster.writer.flush()
        try:
            with self.muster.reading() as db:
                batch = campaigns.prepare(db, campaign.id, self.desk.me)
        except MusterError as error:
            self.app.call_from_thread(self.say, str(error), "error")
            return
        self.app.call_from_thread(self.say, "")
        screen = SignOffScreen(batch, campaign.name)
        self.app.call_from_thread(self.app.push_screen, screen, self._back)

    def _back(self, signed: bool | None) -> None:
        if signed:
            self.muster.sitting.forget()
            self.muster.seconding.forget()
        self.signed(done=bool(signed))
