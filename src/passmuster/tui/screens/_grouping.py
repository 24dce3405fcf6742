"""The queue in groups, a verb for a whole group, and going to what was pasted."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import campaigns
from passmuster.campaigns import Campaign
from passmuster.errors import MusterError, NotFound
from passmuster.tui.lines import Span
from passmuster.tui.screens._marking import GROUP_WORDS, Marking


class Grouping(Marking):
    """Groups of one's own queue, and its items by any handle."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("equals_sign", "groups", "groups", id="groups", key_display="=",
                tooltip="by owner, source, kind, supplier; decide on a whole group"),
    ]  # fmt: skip
    campaign: Campaign

    # groups

    def action_groups(self) -> None:
        """Ask what to group by, and show the groups."""
        offered = list(GROUP_WORDS)
        options = [(str(n), GROUP_WORDS[by]) for n, by in enumerate(offered, 1)]

        def answer(typed: str) -> str | None:
            if typed not in dict(options):
                return "press a digit, or esc"
            self.show_groups(offered[int(typed) - 1])
            return None

        self.ask.ask([Span("group by", "strong")], options, answer, hint="a digit")
        self.redraw_bars()

    def show_groups(self, by: str) -> None:
        """The queue in groups; a verb there comes back here for the undecided of one."""
        from passmuster.tui.screens.groups import Chosen, GroupsScreen

        if by not in GROUP_WORDS:
            self.say(f"nothing can be grouped by {by}: {', '.join(GROUP_WORDS)}", "error")
            return

        def chosen(one: Chosen | None) -> None:
            if one is None:
                return
            if one.verb is None:
                self.show_look(self.look._replace(ids=tuple(one.ids), expression="", section=""))
                self.section = 0
                self.say(f"{one.what}; esc: everything again")
            else:
                self.table.marks = set(one.ids)
                self.table.forget()
                self.for_marked, self.marked_how = True, one.what
                self.call_later(self.run_action, one.verb)

        self.app.push_screen(GroupsScreen(self.campaign, by), chosen)

    # going to what was pasted

    def pasted(self, text: str) -> None:
        """A key id, an ARN, a fingerprint from an alert: go there."""
        self.jump(text)

    def jump(self, handle: str) -> None:
        """Put the cursor on the item of *handle*: its id, or any handle of its platform."""
        handle = " ".join(handle.split()).strip("'\"`,;()<>")
        if not handle:
            self.say("jump to what? type or paste a key id, an ARN, an e-mail, a fingerprint")
            return
        try:
            found = campaigns.find_item(self.muster.db, self.campaign.id, handle[:500])
        except NotFound as error:
            self.say(str(error), "error")
            return
        except MusterError as error:
            self.say(f"cannot be looked up: {error}", "error")
            return
        self.show_item(found)

    def show_item(self, item_id: int) -> None:
        """Put the cursor on an item, in the whole queue where this view does not have it."""
        self.table.want(item_id)
        [row] = campaigns.rows(self.muster.db, [item_id])
        if self.table.cursor_id == item_id:
            self.say(f"{row.display_name} is here")
            return
        if row.reviewer != self.desk.me:
            self.say(f"{row.display_name} is {row.reviewer}'s to decide", "error")
            return
        self.section = 0
        self.say(f"{row.display_name}: the whole queue is shown")
        self.show_look(self.look._replace(section="", expression="", ids=None))
