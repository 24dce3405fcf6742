"""The `muster` command: parse, call one function, print.

Rules of the terminal: stdout is data, stderr is talk; an error is one line that says what to do;
no traceback reaches a person; a closed pipe is silent. Exit codes are `errors`' numbers.

Command modules are imported when their command is used: `muster --version` loads click and
nothing else.
"""

import importlib
import os
import sys
from typing import Any

import click

from passmuster import __version__
from passmuster.errors import MusterError

# command → module in this package; the order is the order of work and of `--help`
COMMANDS = {
    "demo": "demo",
    "init": "inventory",
    "import": "inventory",
    "collect": "collect",
    "identities": "inventory",
    "show": "inventory",
    "suppliers": "suppliers",
    "intake": "intake",
    "rules": "rules",
    "findings": "rules",
    "campaign": "campaign",
    "queue": "review",
    "decide": "review",
    "own": "review",
    "drafts": "review",
    "countersign": "countersign",
    "sign-off": "sign_off",
    "revoke": "revoke",
    "remediate": "remediate",
    "key": "key",
    "enroll": "enroll",
    "invite": "enroll",
    "roster": "roster",
    "sync": "sync",
    "packet": "packet",
    "evidence": "evidence",
    "verify": "evidence",
    "log": "log",
    "witness": "witness",
    "serve": "serve",
    "doctor": "doctor",
    "info": "info",
    "config": "config",
    "theme": "theme",
}


class Lazy(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands in the order of work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's module and return the command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_") + "_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Fail on an unknown command with the nearest one."""
        if args and self.get_command(ctx, args[0]) is None:
            from passmuster.text import nearest

            ctx.fail(f"no command {args[0]!r}{nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=Lazy, invoke_without_command=True, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="muster")
@click.option("--workspace", metavar="DIR", help="The folder that holds the inventory.")
@click.option("--no-input", is_flag=True, help="Never ask; fail where an answer would be needed.")
@click.option("--campaign", metavar="NAME", help="For the workstation, when several are open.")
@click.option("--read-only", is_flag=True, help="Decide nothing; look around.")
@click.option("--theme", metavar="NAME", help="The workstation's colours: see `muster theme list`.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
@click.option("--screen-reader", is_flag=True, help="One thing below the other, in words.")
@click.pass_context
def muster(
    ctx: click.Context, workspace: str | None, no_input: bool, campaign: str | None,
    read_only: bool, theme: str | None, no_mouse: bool, screen_reader: bool,
) -> None:  # fmt: skip
    """Review who, and above all what, may get into a company's systems.

    Without a command: the workstation, on the open campaign.

    \b
    Example:
      muster demo                     everything, on made-up data, in a minute
      muster --read-only --theme muster-light
    """
    from passmuster.cli.common import Bench

    for_once: dict[str, Any] = {
        **({"read_only": True} if read_only else {}), **({"theme": theme} if theme else {}),
        **({"mouse": False} if no_mouse else {}),
        **({"screen_reader": True} if screen_reader else {}),
    }  # fmt: skip
    ctx.obj = Bench(workspace, no_input, campaign, for_once)
    ctx.obj.shows_troubles = ctx.invoked_subcommand is None  # the screen does
    if ctx.invoked_subcommand is None:
        ctx.obj.workstation(campaign)


def main(argv: list[str] | None = None) -> None:
    """Run the command and exit with its code."""
    sys.exit(run(argv))


def run(argv: list[str] | None = None) -> int:  # noqa: PLR0911 - one return for each way to end
    """Run the command and return its exit code; never raises, but for SystemExit in `main`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller (`>&-`)
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - for the process
    try:
        code: Any = muster.main(args=argv, prog_name="muster", standalone_mode=False)
        sys.stdout.flush()
    except MusterError as error:
        return _say(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
        hint = f" (see `{where} --help`)" if where else ""
        return _say(_no_secret(error.format_message()).rstrip(".").replace("\n", " ") + hint, 2)
    except (click.Abort, KeyboardInterrupt):
        return _say("stopped; nothing half-done was kept", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _unexpected(error)
    return code if isinstance(code, int) else 0


def _no_secret(message: str) -> str:
    """What click says, which repeats what was typed: perhaps a leaked key, taken for an option."""
    from passmuster.connectors import holds_secret

    if holds_secret(message):
        return "what was typed looks like a secret; it is not repeated here (see --secret-stdin)"
    return message


def _say(message: str, code: int) -> int:
    from passmuster.text import visible

    print(f"muster: {visible(message)}", file=sys.stderr)
    return code


def _unexpected(error: Exception) -> int:
    """What the disk refused has a plain name; else it is our bug, told without a traceback."""
    from passmuster import store

    if refusal := store.refusal(error):
        return _say(f"{refusal}; nothing was changed: try again then", 1)
    if isinstance(error, store.SqliteError):
        return _say(f"the workspace cannot be used: {error}", 1)
    if isinstance(error, OSError):
        return _say(f"{error.filename or 'a file'}: {error.strerror or error}", 1)
    trace = _keep_trace(error)
    return _say(f"this is a bug in passmuster: {type(error).__name__}; the trace is in {trace}", 1)


def _keep_trace(error: Exception) -> str:
    """Write where it happened, without values of variables, to a private file."""
    import tempfile
    import traceback

    handle, path = tempfile.mkstemp(prefix="muster-crash-", suffix=".txt")
    frames = traceback.format_tb(error.__traceback__)
    with os.fdopen(handle, "w") as stream:
        stream.write(f"passmuster {__version__}\n{''.join(frames)}{type(error).__name__}\n")
    return path
