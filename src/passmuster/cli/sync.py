"""`muster sync`: to and from the central log, and where that stands."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from passmuster import text
from passmuster.cli.common import Bench, emit, json_option, now, pass_bench, passphrase_option, talk
from passmuster.errors import Unreachable, UsageError

if TYPE_CHECKING:
    from passmuster.sync import Report, State, Work

WAIT_S = 25
"""How long `--watch` waits at the server for something new."""


@click.command("sync")
@click.option("--status", is_flag=True, help="Only say where it stands; needs no network.")
@click.option("--watch", is_flag=True, help="Go on until it is stopped.")
@click.option("--again", is_flag=True, help="Offer what the server refused once more.")
@click.option("--accept-recovery", "pin", metavar="PIN",
              help="Follow the log that the server has now, by its key's pin.")  # fmt: skip
@passphrase_option
@json_option
@pass_bench
def sync_command(
    bench: Bench, status: bool, watch: bool, again: bool, pin: str | None,
    passphrase_fd: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Send what was signed here to the central log, and fetch and check what is there.

    What could not be sent stays here and is sent the next time; nobody has to wait for a network
    to decide or to sign. Exit code 1 when the server is not reached or something needs attention,
    4 when the log contradicts itself: the sync is halted then, and both checkpoints are kept.

    \b
    Example:
      muster sync
      muster sync --status --json
      muster sync --watch
    """
    if status:
        return _status(bench, as_json)
    bench.may_decide()
    bench.passphrase_fd = passphrase_fd
    from passmuster import sync, tlog

    if again:
        talk(f"{text.plural(tlog.offer_again(bench.db), 'record')} to be offered again.")
    with _caller(bench) as caller:
        work = work_of(bench, caller)
        if pin is not None:
            found = sync.accept(work, pin)
            talk(f"Followed {found.key.name}: it has {found.size:,} of the {found.before:,} "
                 "entries that were verified here; the others are offered again.")  # fmt: skip
        if watch:
            _watch(work)
        return _tell(_once(work), as_json)


def _caller(bench: Bench) -> Any:
    """Who speaks with the server: the key is unlocked once, when a session is needed."""
    from passmuster import sync

    ca = bench.settings.central_ca

    def key() -> Any:
        if bench.held_key is None:
            bench.held_key = bench.key()
        return bench.held_key

    def waits(why: str, seconds: float) -> None:
        talk(f"{why}; trying again in {seconds:.0f} s")

    return sync.speak(bench.db, key, Path(ca).expanduser() if ca else None, waits=waits)


def work_of(bench: Bench, caller: Any) -> "Work":
    """What a sync of this workspace needs."""
    from passmuster import note, sync

    witnesses = tuple(map(note.parse_key, bench.settings.witnesses))
    quorum = bench.settings.witness_quorum if witnesses else 0
    if quorum > len(witnesses):
        raise UsageError(f"witness_quorum asks for {quorum} of {len(witnesses)} witnesses")
    return sync.Work(bench.db, caller, bench.me, now, witnesses, quorum, progress=_progress())


def _progress() -> Any:
    """On a terminal a line that is written over; nothing into a file."""
    shown = 0.0

    def show(doing: str, done: int, of: int | None) -> None:
        nonlocal shown
        if time.monotonic() - shown < 0.1 or not sys.stderr.isatty():
            return
        shown = time.monotonic()
        whole = "" if of is None else f" of {of:,}"
        sys.stderr.write(f"\r{doing}: {done:,}{whole}\x1b[K")
        sys.stderr.flush()

    return show


def _once(work: "Work", wait_s: int = 0) -> "Report":
    from passmuster import sync

    try:
        return sync.sync(work, wait_s)
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _watch(work: "Work") -> None:
    """Sync for ever; what passes by itself is waited for, anything else ends it."""
    from passmuster import sync

    failed = 0
    while True:
        try:
            report = _once(work, WAIT_S if not failed else 0)
        except Unreachable as error:
            if not error.again:
                raise
            failed += 1
            pause = sync.pause_s(failed, error)
            talk(f"{error}; trying again in {pause:.0f} s")
            time.sleep(pause)
            continue
        failed = 0
        if report.is_news:
            talk(report.words)


def _tell(report: "Report", as_json: bool) -> int:
    if report.recovered is not None:
        talk(f"The central log was set back and recovered: {report.recovered.reason}. "
             f"It goes on as {report.recovered.key.name} after {report.recovered.size:,} entries, "
             "and what came after them was offered again.")  # fmt: skip
    if as_json:
        emit([{
            "sent": report.pushed.accepted, "known": report.pushed.known,
            "later": report.pushed.later, "received": report.pulled.received,
            "entries": report.pulled.entries, "waiting": report.pulled.waiting,
            "rejected": report.pushed.rejected, "void": report.pulled.void,
        }], {}, as_json=True)  # fmt: skip
    else:
        talk(report.words)
    if report.pushed.rejected or report.pulled.void:
        return 1
    return 0


def _status(bench: Bench, as_json: bool) -> int:
    from passmuster import sync, tlog

    found = sync.state(bench.db)
    halts = [h._asdict() for h in tlog.halts(bench.db)]
    if as_json:
        emit([{
            **found._asdict(), "words": found.words,
            "rejected": [one._asdict() for one in found.rejected],
            "void": [{"index": at, "why": why} for at, why in tlog.void(bench.db)],
            "evidence": halts,
        }], {}, as_json=True)  # fmt: skip
    else:
        _print_status(found, len(halts))
    return 4 if found.kind == "halted" else int(found.kind == "attention")


def _print_status(found: "State", halts: int) -> None:
    print(f"state    {text.visible(found.words)}")
    if found.url is None:
        talk(
            "This workspace works alone. To join a central log, ask a registrar "
            "for an invitation: muster enroll INVITATION"
        )
        return
    where = text.visible(found.url) or "by packets alone"
    print(f"central  {where}, {text.plural(found.size, 'entry')} verified")
    for one in found.rejected:
        why = text.visible(one.why)
        print(f"refused  {one.kind} {one.statement[:12]} at {one.at}: {why} ({one.code})")
    if found.rejected:
        talk("When that is mended: muster sync --again")
    if found.kind == "offline" and found.problem:
        talk(found.problem)
    if found.void:
        print(f"void     {text.plural(found.void, 'record')} of others: --json says why")
    if halts:
        print(f"evidence {text.plural(halts, 'pair')} of checkpoints: --json has them")
