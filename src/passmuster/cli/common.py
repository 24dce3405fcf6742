"""What every command needs: the workspace, the settings, the person, the key, the printer."""

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from passmuster import config, text
from passmuster.config import Settings
from passmuster.errors import KeyUnavailable, UsageError

if TYPE_CHECKING:
    from passmuster.campaigns import Campaign
    from passmuster.keys import Passphrase, SigningKey, Talk
    from passmuster.store import Database


def now() -> str:
    """The time, as it is stored everywhere; the one place of the command line that asks."""
    return text.rfc3339(datetime.now(UTC))


class Bench:
    """The workspace that a command works on; opened when first needed."""

    def __init__(
        self, workspace: str | None, no_input: bool, campaign_name: str | None = None,
        for_once: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.named = workspace
        self.campaign_name = campaign_name
        self.no_input = no_input or not sys.stdin.isatty()
        self.for_once = dict(for_once or {})
        """Settings that the flags of `muster` put in place of the files' for this one run."""
        self.shows_troubles = False
        """Whether the screen tells what is wrong with the settings; else stderr does, once."""
        self.passphrase_fd: int | None = None
        self.held_key: SigningKey | None = None

    @cached_property
    def folder(self) -> Path:
        """The workspace's folder."""
        named = self.named or os.environ.get("MUSTER_WORKSPACE")
        return Path(named).expanduser() if named else config.default_workspace()

    @cached_property
    def settings(self) -> Settings:
        """The settings of the files and the environment that hold in this workspace."""
        loaded = config.load(self.folder)
        if not self.shows_troubles:
            for trouble in loaded.troubles:
                talk(f"settings: {trouble}")
        return loaded

    @property
    def settings_for_once(self) -> Settings:
        """The settings with the flags of this run."""
        if theme := self.for_once.get("theme"):
            from passmuster.tui import theme_files

            known, _ = theme_files.load(theme_files.folders())
            if theme not in known:
                raise UsageError(f"no theme {theme!r}{text.nearest(theme, known)}")
        return dataclasses.replace(self.settings, **self.for_once)

    def may_decide(self) -> None:
        """Refuse to go on where nothing may be decided; every command that decides asks."""
        if self.for_once.get("read_only"):
            raise UsageError("--read-only: nothing is decided, signed, opened or closed")
        if self.settings.read_only:
            raise UsageError(
                "read_only is set in your settings: nothing is decided, signed, opened or closed"
            )

    @cached_property
    def db(self) -> "Database":
        """The workspace's database."""
        from passmuster import store

        return store.open_(self.folder)

    def refresh(self) -> None:
        """Bring the findings up to date where facts, thresholds or the day have changed."""
        from passmuster import intake

        intake.refresh(self.db, self.settings, now())

    @property
    def me(self) -> str:
        """Whose queue this is: `MUSTER_ME`, `me` in config.toml, or the one key's principal."""
        if self.settings.me:
            return self.settings.me.strip().lower()
        principals = {
            row[0]
            for row in self.db.execute("SELECT principal FROM signing_key WHERE store <> 'foreign'")
        }
        if len(principals) == 1:
            return str(principals.pop()).lower()
        raise UsageError(
            "who are you? `muster init --me you@example.com` keeps it; or set MUSTER_ME"
        )

    def campaign(self, name: str | None) -> "Campaign":
        """The campaign called *name*, else the open one."""
        from passmuster import campaigns

        return campaigns.campaign(self.db, name or self.campaign_name)

    def key(self) -> "SigningKey":
        """My signing key, unlocked; asks for the passphrase where it must."""
        from passmuster import keys

        if self.held_key is not None:
            return self.held_key
        return keys.load(self.db, self.me, self.talk(), self.settings.keyring_timeout_s)

    def talk(self) -> "Talk":
        """How a key speaks with me on the command line: it asks here, and tells on stderr."""
        from passmuster import keys

        return keys.Talk(self.secret, talk)

    def confirm(self, question: str, *, yes: bool, flag: str = "--yes") -> None:
        """Ask once more; *yes* is the answer that was given by *flag*. Where nobody can be asked
        and nothing was given it fails, and nothing is done.
        """
        if yes:
            return
        if self.no_input:
            raise UsageError(f"{question} Nobody can be asked here: answer with {flag}")
        click.confirm(question, abort=True, err=True)

    def secret(self, question: str) -> bytes:
        """A passphrase, or the PIN of a hardware key: a wrong one of those is counted against me,
        so only I give it, in a terminal.
        """
        if "PIN" not in question:
            return self.passphrase(question)
        if self.no_input:
            raise KeyUnavailable(f"{question}: run this in a terminal, without --no-input")
        return self._prompt(question)

    def passphrase(self, question: str = "passphrase of your signing key") -> bytes:
        """From a file descriptor, a file, or a prompt; never from the command line."""
        if self.passphrase_fd is not None:
            with os.fdopen(self.passphrase_fd, "rb") as stream:
                return stream.read().rstrip(b"\r\n")
        if path := os.environ.get("MUSTER_KEY_PASSPHRASE_FILE"):
            try:
                return Path(path).read_bytes().rstrip(b"\r\n")
            except OSError as error:
                raise KeyUnavailable(
                    f"the passphrase file of MUSTER_KEY_PASSPHRASE_FILE, {path}: {error.strerror}"
                ) from None
        if self.no_input:
            raise KeyUnavailable(
                "the key needs its passphrase: give MUSTER_KEY_PASSPHRASE_FILE or "
                "--passphrase-fd, or run without --no-input in a terminal"
            )
        return self._prompt(question)

    @staticmethod
    def _prompt(question: str) -> bytes:
        words = question[:1].upper() + question[1:]
        answer: str = click.prompt(words, hide_input=True, err=True)
        return answer.encode()

    def workstation(self, campaign_name: str | None) -> None:
        """Open the screen; without a terminal say what to use instead."""
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError("no terminal: use `muster queue`, `muster decide`, `muster sign-off`")
        if os.environ.get("TERM") == "dumb":
            raise UsageError("TERM=dumb cannot show a screen: use `muster queue`, `muster decide`,"
                             " `muster sign-off`, or another terminal")  # fmt: skip
        settings = self.settings_for_once
        from passmuster import store, tui

        if not (self.folder / store.FILE).exists():
            store.create(self.folder).close()  # the first screen says what to do in it
        mark = self.held_key.fingerprint if self.held_key else None
        try:
            me = self.me
        except UsageError:
            me = ""  # the screen asks
        left = tui.run(
            self.folder, campaign_name or self.campaign_name, me, self._unlock, settings,
            now, fingerprint=mark,
        )  # fmt: skip
        if left and self.held_key is None:
            talk(f"{text.plural(left, 'draft')} kept, not signed: muster, or muster sign-off")

    def _unlock(self, ask: "Passphrase") -> "SigningKey":
        """The signing key for the workstation, which asks on its own screen."""
        from passmuster import keys, store

        if self.held_key is not None:
            return self.held_key
        screen = keys.Talk.of(ask)
        silent = "MUSTER_KEY_PASSPHRASE_FILE" in os.environ

        def secret(question: str) -> bytes:
            return self.passphrase() if silent and "PIN" not in question else screen.ask(question)

        db = store.open_(self.folder)  # called in a thread of its own
        return keys.load(
            db, self.me, keys.Talk(secret, screen.tell, screen.called_off),
            self.settings.keyring_timeout_s,
        )  # fmt: skip


pass_bench = click.pass_obj

json_option = click.option("--json", "as_json", is_flag=True, help="One array of objects.")
csv_option = click.option("--csv", "as_csv", is_flag=True, help="Comma-separated, with a header.")
passphrase_option = click.option(
    "--passphrase-fd", type=int, metavar="N", help="Read the key's passphrase from descriptor N."
)
campaign_option = click.option(
    "--campaign", "campaign_name", metavar="NAME", help="Which campaign, when several are open."
)


def talk(message: str) -> None:
    """Say something to the person; stdout is for data."""
    print(text.visible(message), file=sys.stderr)


def emit(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], *,
    as_json: bool = False, as_csv: bool = False,
) -> int:  # fmt: skip
    """Print *rows*; returns how many. *columns* (key → heading) are what a person's table shows.

    JSON is one array with one object per line, so that it streams and greps.
    """
    if as_json and as_csv:
        raise UsageError("--json or --csv, not both")
    if as_json:
        return _emit_json(rows)
    if as_csv:
        return _emit_csv(rows)
    return _emit_table(rows, columns)


def _emit_json(rows: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    write = sys.stdout.write
    write("[")
    for row in rows:
        write(",\n" if count else "\n")
        write(json.dumps(row, ensure_ascii=False))
        count += 1
    write("\n]\n" if count else "]\n")
    return count


def guard(value: Any) -> str:
    """A CSV cell that no spreadsheet takes for a formula."""
    cell = "" if value is None else str(value)
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _emit_csv(rows: Iterable[Mapping[str, Any]]) -> int:
    import csv

    writer, count = csv.writer(sys.stdout, lineterminator="\n"), 0
    for row in rows:
        if not count:
            writer.writerow(row.keys())
        flat = (json.dumps(v) if isinstance(v, list | dict) else v for v in row.values())
        writer.writerow([guard(value) for value in flat])
        count += 1
    return count


def _emit_table(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> int:
    """Aligned columns; cut to the terminal's width, and never cut when piped."""
    cells = [list(columns.values())]
    for row in rows:
        cells.append([_cell(row.get(key)) for key in columns])
        if len(cells) > 1_000 and sys.stdout.isatty():
            talk("only the first 1,000 are shown: narrow the filter, or use --json")
            break
    if len(cells) == 1:
        return 0
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    limit = width() if sys.stdout.isatty() else 0
    for line in cells:
        out = "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        print(out if not limit or len(out) <= limit else out[: limit - 1] + "…")
    return len(cells) - 1


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return text.visible(str(value))


def width() -> int:
    """Columns of the terminal."""
    import shutil

    return shutil.get_terminal_size().columns
