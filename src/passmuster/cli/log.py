"""`muster log`: the append-only log of this workspace, as others may check it."""

import sys
from pathlib import Path
from typing import Any

import click

from passmuster import text
from passmuster.cli import roster_text
from passmuster.cli.common import Bench, emit, json_option, now, pass_bench, passphrase_option, talk
from passmuster.errors import ImportRefused, UsageError

MAX_BYTES = 1 << 20
"""Of a file that is read here; a note of a hundred signatures is far below."""


def _new_file(_ctx: click.Context, _param: click.Parameter, out: Path | None) -> Path | None:
    """Refuse a file that is there before anything is signed for it."""
    if out is not None and out.exists():
        raise UsageError(f"{out} is there already: name another file")
    return out


out_option = click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", callback=_new_file,
    help="Write a new file.",
)  # fmt: skip


def read(path: Path) -> bytes:
    """A small file from outside."""
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImportRefused(f"{path}: too long to be a checkpoint, a line or a request")
    return data


def write(data: str, out: Path | None) -> None:
    """*data* into a new file, or to stdout: as it is into a pipe, made visible on a terminal."""
    if out is None:
        if sys.stdout.isatty():
            data = "".join(f"{text.visible(line)}\n" for line in data.splitlines())
        sys.stdout.write(data)
        return
    with out.open("xb") as stream:
        stream.write(data.encode())


@click.group("log")
def log_command() -> None:
    """The append-only log of what was signed here: its size, its proofs, who has seen it.

    \b
    Example:
      muster log checkpoint --out checkpoint
    """


@log_command.command("show")
@click.option("--entries", is_flag=True, help="The entries instead, newest first.")
@json_option
@pass_bench
def show_command(bench: Bench, entries: bool, as_json: bool) -> None:
    """How long the log is, its checkpoints, and which witnesses have seen them.

    \b
    Example:
      muster log show --json
    """
    if entries:
        _show_entries(bench, as_json)
        return
    from passmuster import tlog

    checkpoints = tlog.checkpoints(bench.db)
    name, size = tlog.origin(bench.db), tlog.size(bench.db)
    signed = {(line.name, line.id) for one in checkpoints for line in one.note.lines}
    keys = [str(k) for k in tlog.log_keys(bench.db, name) if (k.name, k.id) in signed]
    rows = [_row(one) for one in checkpoints]
    if as_json:
        root = tlog.root(bench.db).hex()
        emit([{"origin": name, "size": size, "root": root, "keys": keys, "checkpoints": rows}], {},
             as_json=True)  # fmt: skip
        return
    print(f"log      {text.visible(name)}")
    print(f"entries  {size:,}")
    for key in keys:
        print(f"key      {text.visible(key)}")
    said = [{**row, "root": row["root"][:16], "witnesses": _in_words(row)} for row in rows]
    if not emit(
        said, {"size": "SIZE", "made_at": "MADE", "root": "ROOT", "witnesses": "WITNESSES"}
    ):
        talk("no checkpoint yet: muster log checkpoint")


def _row(one: Any) -> dict[str, Any]:
    return {
        "origin": one.checkpoint.origin, "size": one.checkpoint.size,
        "root": one.checkpoint.root.hex(), "made_at": one.made_at,
        "witnesses": [
            {"witness": str(c.witness), "asked_at": c.asked_at, "cosigned_at": c.cosigned_at}
            for c in one.cosignatures
        ],
    }  # fmt: skip


def _in_words(row: dict[str, Any]) -> str:
    said = [
        f"{one['witness'].partition('+')[0]} {one['cosigned_at'] or 'pending'}"
        for one in row["witnesses"]
    ]
    return ", ".join(said) or "none was asked"


def _show_entries(bench: Bench, as_json: bool) -> None:
    from passmuster import tlog

    ids, synced = tlog.rank(bench.db), tlog.central(bench.db) is not None
    windows = (ids[at : at + 200] for at in range(0, len(ids), 200))
    rows = (
        {"index": row.id - 1, "kind": row.kind, "principal": row.principal,
         "campaign": row.campaign, "statement": row.statement, "logged_at": row.logged_at,
         **({"central": tlog.central_index_of(bench.db, row.id)} if synced else {})}
        for window in windows
        for row in sorted(tlog.rows(bench.db, window), reverse=True)
    )  # fmt: skip
    columns = {"index": "INDEX", "kind": "KIND", "principal": "PRINCIPAL", "campaign": "CAMPAIGN",
               "statement": "STATEMENT", "logged_at": "LOGGED",
               **({"central": "CENTRAL"} if synced else {})}  # fmt: skip
    if not emit(rows, columns, as_json=as_json) and not as_json:
        talk("nothing is logged yet")


@log_command.command("verify")
@click.option("--checkpoint", "kept", multiple=True, type=click.Path(path_type=Path),
              metavar="FILE", help="A checkpoint kept elsewhere; can be repeated.")  # fmt: skip
@click.option("--rebuild", is_flag=True, help="Make the tree anew from the entries first.")
@json_option
@pass_bench
def verify_command(bench: Bench, kept: tuple[Path, ...], rebuild: bool, as_json: bool) -> None:
    """Check entries, tree, checkpoints and cosignatures; exit code 4 on the first wrong.

    What was cut off or rewritten together with this workspace's own checkpoints shows only
    against one that was kept elsewhere.

    \b
    Example:
      muster log verify --checkpoint checkpoint
    """
    from passmuster import tlog

    if rebuild:
        tlog.rebuild(bench.db)
    count = tlog.check(bench.db)
    for path in kept:
        tlog.check_file(bench.db, read(path))
    checkpoints = tlog.checkpoints(bench.db)
    witnessed = sum(bool(one.witnessed) for one in checkpoints)
    elsewhere = tlog.lacking(bench.db)
    if as_json:
        emit([{"entries": count, "root": tlog.root(bench.db).hex(),
               "checkpoints": len(checkpoints), "witnessed": witnessed, "kept": len(kept),
               "elsewhere": elsewhere}], {},
             as_json=True)  # fmt: skip
        return
    print(f"{text.plural(count, 'entry')} and {text.plural(len(checkpoints), 'checkpoint')} hold"
          f" ({witnessed:,} seen by a witness)")  # fmt: skip
    if elsewhere:
        talk(f"{text.plural(elsewhere, 'statement')} of other devices never came here, by their"
             " own count: what is of no published campaign stays where it was signed")  # fmt: skip
    if not kept and not witnessed:
        talk("No witness has seen this log: that it was not set back as a whole is unknown here. "
             "Keep a checkpoint elsewhere: muster log checkpoint --out FILE")  # fmt: skip


@log_command.command("checkpoint")
@click.option("--for-witness", metavar="VKEY", help="Write a request to this witness instead.")
@click.option("--old", type=click.IntRange(0), metavar="SIZE",
              help="What this witness last saw, where it says another size.")  # fmt: skip
@out_option
@passphrase_option
@pass_bench
def checkpoint_command(
    bench: Bench, for_witness: str | None, old: int | None, out: Path | None,
    passphrase_fd: int | None,
) -> None:  # fmt: skip
    """Sign how long the log is and what it holds; keep the file where nobody here can change it.

    With --for-witness the file is what an independent witness needs to cosign it: carry it there,
    and bring the line that it returns to `muster log cosigned`.

    \b
    Example:
      muster log checkpoint --out checkpoint
    """
    from passmuster import note, tlog

    bench.passphrase_fd = passphrase_fd
    witness = None if for_witness is None else note.parse_key(for_witness)
    key = bench.key()
    tlog.enrol(bench.db, key, now())
    signed = tlog.checkpoint(bench.db, key, now())
    if witness is not None:
        signed = tlog.request(bench.db, witness, now(), old)
    write(signed, out)
    talk(f"Signed: {text.plural(tlog.size(bench.db), 'entry')}.")


@log_command.command("cosigned")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@json_option
@pass_bench
def cosigned_command(bench: Bench, path: Path, as_json: bool) -> None:
    """Take the line that a witness returned: it is checked and kept with its checkpoint.

    \b
    Example:
      muster log cosigned line
    """
    from passmuster import tlog

    found = tlog.cosigned(bench.db, read(path))
    roster_text.tell_void(bench)
    if as_json:
        emit([{"witness": str(one.witness), "cosigned_at": one.cosigned_at} for one in found], {},
             as_json=True)  # fmt: skip
        return
    for one in found:
        talk(f"{one.witness.name} saw the log at {one.cosigned_at}.")


@log_command.command("receipt")
@click.argument("statement")
@click.option("--size", type=click.IntRange(1), help="Against the checkpoint of this size.")
@click.option("--central", is_flag=True, help="In the central log instead, as far as it is synced.")
@out_option
@pass_bench
def receipt_command(
    bench: Bench, statement: str, size: int | None, central: bool, out: Path | None
) -> None:
    """The proof that a statement (any unique beginning of its digest) is in the log.

    \b
    Example:
      muster log receipt 3f9c1a --out statement.tlog-proof
      muster log receipt 3f9c1a --central
    """
    from passmuster import note, tlog

    entry_id = tlog.find(bench.db, statement)
    if central and size is not None:
        raise UsageError("--central is against the newest checkpoint: leave --size out")
    found = (
        tlog.central_receipt(bench.db, entry_id)
        if central
        else tlog.receipt(bench.db, entry_id, size)
    )
    write(found, out)
    witnesses = len(note.parse(note.parse_receipt(found).checkpoint).lines) - 1
    talk(f"Cosigned by {text.plural(witnesses, 'witness')}." if witnesses > 0 else
         "Pending: no witness has cosigned this checkpoint yet.")  # fmt: skip
