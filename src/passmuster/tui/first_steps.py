"""The steps from an empty workspace to the first decision, and whether each is done.

There are two ways: with an inventory and a campaign of one's own, or by an invitation to somebody
else's, whose items then come by themselves.

Read from the workspace alone, so that a step done on the command line is done here as well.
"""

import json
from typing import NamedTuple

from passmuster import campaigns, connectors, keys
from passmuster.config import Settings
from passmuster.store import Database
from passmuster.text import plural
from passmuster.tui import words
from passmuster.tui.lines import Line, Span, fold, say

WHO, IMPORT, KEY, CAMPAIGN, INVITED = range(5)
TITLES = ("say who you are", "import an export", "make your signing key", "open a campaign",
          "or paste an invitation")  # fmt: skip
NOT_NEEDED = "not needed"
"""How a step begins that is not for who was invited."""


class Step(NamedTuple):
    """One step."""

    title: str
    done: str
    """What there is, once it is done; empty before."""


def steps(db: Database, me: str) -> list[Step]:
    """Every step, in the order in which they are done; keyed look-ups and small tables alone."""
    imports = int(db.value("SELECT count(*) FROM import_run"))
    mine = [k for k in keys.listed(db)
            if me and k["principal"].lower() == me.lower() and not k["replaced_by"]]  # fmt: skip
    opened = campaigns.campaigns(db)
    at = db.value("SELECT url FROM central")
    came = NOT_NEEDED if at else ""
    done = (
        me,
        plural(imports, "import") if imports else came,
        f"{mine[0]['fingerprint'][:23]}… in {keys.kept_in(mine[0])}" if mine else "",
        plural(len(opened), "campaign") if opened else came,
        str(at or ""),
    )
    return [Step(title, what) for title, what in zip(TITLES, done, strict=True)]


def needed(db: Database, settings: Settings) -> bool:
    """Whether somebody who starts the workstation should see these steps first.

    A workspace with a campaign is at work, and needs at most to know whose queue to show; who has
    a key and an inventory knows the way.
    """
    me = settings.me or db.value(
        "SELECT principal FROM signing_key WHERE store <> 'foreign' ORDER BY made_at DESC LIMIT 1"
    )
    found = steps(db, me or "")
    if found[INVITED].done:
        return not (me and found[KEY].done)
    if found[CAMPAIGN].done:
        return not me
    return not all(step.done for step in found[:CAMPAIGN])


def imported(said: list[str]) -> list[str]:
    """The rows of `muster import --json` in words."""
    out = []
    for line in said:
        if line.startswith("{"):
            row = json.loads(line.rstrip(","))
            problems = f", {plural(row['problems'], 'problem')}" if row["problems"] else ""
            out.append(f"{row['source']}: {plural(row['records'], 'record')}, "
                       f"{plural(row['new'], 'new identity')}{problems}")  # fmt: skip
    return out


class Recipe(NamedTuple):
    """How an export of one format is made."""

    name: str
    title: str
    howto: str

    @property
    def platform(self) -> str:
        """As its makers write it."""
        return words.platform(self.name.partition(".")[0])


def recipes() -> list[Recipe]:
    """Every format that muster reads, those of one platform together."""
    return [Recipe(f.name, f.title, f.howto) for f in connectors.formats().values()]


def other_platform(all_: list[Recipe], place: int, by: int) -> int:
    """Where the first export of the platform stands that is *by* further."""
    names = list(dict.fromkeys(one.platform for one in all_))
    wanted = names[(names.index(all_[place].platform) + by) % len(names)]
    return next(at for at, one in enumerate(all_) if one.platform == wanted)


def other_export(all_: list[Recipe], place: int, by: int) -> int:
    """Where another export of the same platform stands, *by* further."""
    same = [at for at, one in enumerate(all_) if one.platform == all_[place].platform]
    return same[(same.index(place) + by) % len(same)]


def who_lines(me: str, width: int) -> list[Line]:
    """The first step."""
    out = _text(
        "Whose queue shall it be? Your e-mail address says which items are yours to "
        "decide. It is written to config.toml of this workspace, and sent nowhere.",
        width,
    )
    if me:
        return [*out, [], [Span("You are "), say(me, "strong"),
                           Span("; enter changes it (MUSTER_ME goes before it).")]]  # fmt: skip
    return [*out, [], _press("enter", "type your address")]


def import_lines(all_: list[Recipe], place: int, said: list[str], width: int) -> list[Line]:
    """The second: how to make an export, and that muster reads it."""
    one = all_[place]
    out = _text(
        "muster reads what your platforms export; it needs no access to them. Make an "
        "export with the platform's own command, then give its file here.",
        width,
    )
    out += [
        [],
        _press("enter", "give a file; tab completes its name"),
        _press("n  N", "the next platform, the one before"),
        _press("m  M", "the next export of this platform, the one before"),
        _press("y", "copy the command"),
        [],
    ]
    same = [other for other in all_ if other.platform == one.platform]
    out += fold([say(one.title, "strong"), say(f"  {one.name}", "dim"),
                 say(f"  {same.index(one) + 1} of {len(same)} of {one.platform}", "dim")],
                width)  # fmt: skip
    out += [[Span("  "), *line] for row in one.howto.splitlines()
            for line in fold([say(row, "accent")], width - 2)]  # fmt: skip
    if said:
        out += [[], [Span("The last import said", "strong")]]
        out += [line for row in said for line in fold([say(row)], width)]
    out += [[], [say(f"Of {one.platform}", "strong")]]
    out += [[say(f"  {other.title}", "plain" if other is one else "dim")] for other in same]
    names = ", ".join(dict.fromkeys(other.platform for other in all_))
    return [*out, [], [Span("Platforms", "strong")], *fold([say(f"  {names}", "dim")], width)]


def key_lines(done: str, width: int) -> list[Line]:
    """The third."""
    out = _text(
        "What you decide is signed with a key that only you have. Its private half is kept "
        "in your system's keyring, or in a file under a passphrase; it is never written "
        "anywhere in the clear. An SSH key that you have, or a hardware key, can sign as well.",
        width,
    )
    if done:
        return [*out, [], [say(f"You have one: {done}")],
                *_text("Tell your auditor its fingerprint by another way than the evidence.",
                       width)]  # fmt: skip
    return [*out, [], _press("enter", "make one")]


def campaign_lines(command: str, done: str, width: int) -> list[Line]:
    """The fourth."""
    out = _text(
        "A campaign freezes what is to be judged, with its evidence, and asks people to "
        "judge it by a day. Press enter for one over everything, or open one with a scope of "
        "its own on the command line:",
        width,
    )
    out += [[], *[[Span("  "), *line] for line in fold([say(command, "accent")], width - 2)], []]
    out += [_press("enter", "open a first one, over everything"), _press("y", "copy the command")]
    if done:
        out.append(_press("b", f"look at what is open ({done})"))
    return out


def _press(key: str, what: str) -> Line:
    return [Span(f"  {key:<7}", "accent"), say(what)]


def _text(words: str, width: int) -> list[Line]:
    return fold([Span(words)], width)


def invited_lines(me: str, key: str, said: list[str], at: str, width: int) -> list[Line]:
    """The other way: what an invitation is, and what comes of it."""
    out = _text(
        "Were you invited to somebody else's campaign? Then you need no export. The invitation is"
        " one string from a registrar (https://…#m1.…), good once and for fifteen minutes. It says"
        " where to go and what to trust there: your key is enrolled, and your items come.",
        width,
    )
    if at:
        out += [[], [Span("You belong to the central log at "), say(at, "strong"), Span(".")],
                _press("S", "syncs: brings your items, sends what you signed"),
                _press("b", "shows the campaigns that came")]  # fmt: skip
    elif not me or not key:
        first = TITLES[WHO if not me else KEY]
        out += [[], [say(f"First: {first}.", "strong")]]
    else:
        out += [[], _press("enter", "paste it; nothing is sent before its pin is compared")]
    if said:
        out += [[], *(line for row in said for line in fold([say(row)], width))]
    return out
