"""From a list to the sign-off: wait for the disk, freeze what is drafted, show it."""

from collections.abc import Callable

from textual import work

from passmuster import campaigns
from passmuster.campaigns import Campaign
from passmuster.errors import MusterError
from passmuster.tui.screens._list import ListScreen


class Freezing(ListScreen):
    """A list on which something is drafted."""

    def freeze(self, campaign: Campaign, then: Callable[[bool | None], None]) -> None:
        """Show everything of mine that a sign-off would sign; *then* is told whether it did."""
        self.say("putting together what is to be signed …")
        self._freeze(campaign, then)

    @work(thread=True, exclusive=True, group="freeze")
    def _freeze(self, campaign: Campaign, then: Callable[[bool | None], None]) -> None:
        from passmuster.tui.screens.sign_off import SignOffScreen

        self.muster.writer.flush()
        try:
            with self.muster.reading() as db:
                batch = campaigns.prepare(db, campaign.id, self.desk.me)
        except MusterError as error:
            self.app.call_from_thread(self.say, str(error), "error")
            return
        self.app.call_from_thread(self.say, "")
        self.app.call_from_thread(self.app.push_screen, SignOffScreen(batch, campaign.name), then)
