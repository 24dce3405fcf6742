"""`muster packet`: what a sync carries, in a file, for those who have no network."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from passmuster import text
from passmuster.cli.common import Bench, emit, json_option, now, pass_bench, passphrase_option, talk
from passmuster.errors import NotFound, UsageError, VerificationFailed

if TYPE_CHECKING:
    from passmuster.packets import Packet
    from passmuster.sync import Packed, Work


@click.group("packet")
def packet_command() -> None:
    """Carry what a sync would send and fetch, where there is no network.

    A packet is a .tar.gz that anybody may carry and check with tar, sha256sum and jq; whoever
    carries it needs no key. It is believed because of the signatures and digests inside.

    \b
    Example:
      muster packet export --out outbox.tar.gz
      muster packet send outbox.tar.gz https://muster.example.com --out receipt.tar.gz
      muster packet import receipt.tar.gz
    """


@packet_command.command("export")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE",
              help="A new file.")  # fmt: skip
@click.option("--for", "reader", metavar="PRINCIPAL",
              help="What the central log has for them; else what waits here.")  # fmt: skip
@click.option("--after", type=click.IntRange(0), default=0, metavar="N",
              help="With --for: they have the first N entries already.")  # fmt: skip
@click.option("--to", "recipients", metavar="PRINCIPAL", multiple=True,
              help="Encrypt it to the keys that the roster lists for them.")  # fmt: skip
@json_option
@pass_bench
def export_command(
    bench: Bench, out: Path, reader: str | None, after: int, recipients: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Write a packet: my outbox, or with --for what the central log has for somebody.

    The same content has the same bytes. With --to it is encrypted by age to their SSH keys, and
    has other bytes each time.

    \b
    Example:
      muster packet export --out outbox.tar.gz
      muster packet export --for rev@example.com --out for-rev.tar.gz
      muster packet export --for rev@example.com --to rev@example.com --out for-rev.tar.gz.age
    """
    from passmuster import sync

    if out.exists():
        raise UsageError(f"{out} is there already: name another file")
    if after and reader is None:
        raise UsageError("--after goes with --for")
    keys = _keys(bench, recipients)
    plain = out.with_name(f".{out.name}.part") if keys else out
    try:
        if reader is None:
            made = sync.pack_upload(_work(bench), plain)
        else:
            made = sync.pack_campaigns(bench.db, reader, after, plain)
        if keys:
            _seal(plain, out, keys)
    finally:
        if keys:
            plain.unlink(missing_ok=True)
    _tell_packed(made, out, reader, as_json=as_json)


def _work(bench: Bench) -> "Work":
    from passmuster import note, sync

    witnesses = tuple(map(note.parse_key, bench.settings.witnesses))
    quorum = bench.settings.witness_quorum if witnesses else 0
    return sync.Work(bench.db, None, bench.me, now, witnesses, quorum)


def _keys(bench: Bench, recipients: tuple[str, ...]) -> list[str]:
    """Public lines of everybody to encrypt to, as the roster in force lists them."""
    from passmuster import roster

    current, at, found = roster.current(bench.db), now(), list[str]()
    for who in recipients:
        lines = [
            line.public for line in (current.lines if current else ())
            if line.principal.casefold() == who.casefold() and line.holds_at(at)
        ]  # fmt: skip
        if not lines:
            raise NotFound(f"the roster lists no key of {who}")
        found += lines
    return found


def _seal(plain: Path, out: Path, keys: list[str]) -> None:
    from passmuster import packets

    out.touch(mode=0o600)
    try:
        packets.seal(plain, out, keys)
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def _tell_packed(made: "Packed", out: Path, reader: str | None, *, as_json: bool) -> None:
    said = made.manifest
    if as_json:
        emit([{"file": str(out), "kind": said.kind, "records": said.records, "blobs": said.blobs,
               "after": said.after.size, "hidden": made.hidden, "lacking": made.lacking}],
             {}, as_json=True)  # fmt: skip
    else:
        what = text.plural(said.records, "record" if reader is None else "entry")
        talk(f"{out}: {what}, {text.plural(said.blobs, 'file')} that they name.")
    if made.lacking:
        talk(f"{text.plural(made.lacking, 'file')} that belong to it are not here: whoever opened "
             "the campaign has them")  # fmt: skip


@contextmanager
def _open(bench: Bench, path: Path) -> Iterator["Packet"]:
    """The packet, decrypted with my key where it must be."""
    import tempfile

    from passmuster import keys, packets

    if not packets.is_sealed(path):
        with packets.opened(path, bench.folder) as packet:
            yield packet
        return
    private = keys.unsealed(bench.db, bench.me, bench.talk(), bench.settings.keyring_timeout_s)
    with tempfile.TemporaryDirectory(prefix="packet-", dir=bench.folder) as made:
        plain = Path(made) / "packet"
        packets.unseal(path, plain, private)
        with packets.opened(plain, Path(made)) as packet:
            yield packet


@packet_command.command("import")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--pin", metavar="PIN", help="At first: of the log, as a registrar told it to me.")
@click.option("--roster", "first_roster", metavar="SHA256",
              help="At first: digest of the log's first roster, as I was told it.")  # fmt: skip
@passphrase_option
@json_option
@pass_bench
def import_command(
    bench: Bench, path: Path, pin: str | None, first_roster: str | None,
    passphrase_fd: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Take a packet for me, or the receipt of my outbox, into this workspace.

    Everything in it is checked before anything is changed; importing it again changes nothing. Exit
    code 1 when something needs attention, 4 when the packet does not verify, or when it shows that
    the central log contradicts itself: the sync is halted then.

    \b
    Example:
      muster packet import for-rev.tar.gz
      muster packet import receipt.tar.gz
    """
    from passmuster import sync, tlog

    bench.may_decide()
    bench.passphrase_fd = passphrase_fd
    known = tlog.central(bench.db)  # there is a workspace, before anything is put into it
    with _open(bench, path) as packet:
        if known is None:
            if pin is None:
                raise UsageError(
                    f"this workspace has no central log yet, and the packet is of "
                    f"{packet.manifest.origin}: ask a registrar for the pin of that log and for "
                    "the digest of its first roster, then give --pin and --roster"
                )
            sync.trust(bench.db, packet, pin, first_roster, now())
        done = sync.bring(_work(bench), packet)
    if as_json:
        emit([{"entries": done.pulled.entries, "received": done.pulled.received,
               "waiting": done.pulled.waiting, "void": done.pulled.void, "refused": done.refused,
               "size": done.size}], {}, as_json=True)  # fmt: skip
    else:
        talk(done.words)
    return int(bool(done.refused or done.pulled.void))


@packet_command.command("inspect")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--log-key", metavar="VKEY", help="The key that must have signed its checkpoint.")
@json_option
def inspect_command(path: Path, log_key: str | None, as_json: bool) -> None:
    """Check a packet and say what it has; needs neither a workspace nor a key.

    Every digest is checked, and that the entries lead to the root of the checkpoint; with --log-key
    also who signed that.

    \b
    Example:
      muster packet inspect outbox.tar.gz
      muster packet inspect for-rev.tar.gz --json
    """
    from passmuster import note, packets

    if packets.is_sealed(path):
        raise UsageError(f"{path} is encrypted: whoever it is for can import it")
    with packets.opened(path) as packet:
        if log_key is not None:
            packet.signed_by(note.parse_key(log_key))
        rows = _described(packet)
    rows["signed"] = "yes" if log_key is not None else "not checked: --log-key"
    if as_json:
        emit([rows], {}, as_json=True)
        return
    for name, value in rows.items():
        if name != "kinds":
            print(f"{name:<11} {text.visible(str('-' if value is None else value))}")
    for kind, count in rows["kinds"].items():
        print(f"{'':<11} {count:,} {text.visible(kind)}")


def _described(packet: "Packet") -> dict[str, Any]:
    from collections import Counter

    from passmuster import central

    said, kinds = packet.manifest, Counter[str]()
    lines = packet.lines() if said.kind == "upload" else (
        entry.line for _, entry in packet.entries(said.after.size)
    )  # fmt: skip
    for line in lines:
        try:
            kinds["hidden" if line is None else central.kind_of(line) or "of a newer kind"] += 1
        except VerificationFailed:
            kinds["no record"] += 1
    results = Counter(row["status"] for row in packet.results())
    return {
        "kind": said.kind, "principal": said.principal, "log": said.origin, "key": said.key,
        "pin": central.pin_of(said.key), "after": said.after.size,
        "size": packet.said.size if packet.said else None, "records": said.records,
        "blobs": said.blobs, "results": dict(results) or None, "kinds": dict(sorted(kinds.items())),
    }  # fmt: skip


@packet_command.command("send")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("url", metavar="URL")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE",
              help="A new file for the receipt.")  # fmt: skip
@click.option("--ca", type=click.Path(path_type=Path), metavar="FILE",
              help="The certificate authority to believe, PEM.")  # fmt: skip
def send_command(path: Path, url: str, out: Path, ca: Path | None) -> int:
    """Hand somebody's outbox to the central API; needs neither a workspace nor a key.

    The receipt goes back to them: `muster packet import` takes their records off the outbox. Exit
    code 1 when the server refused some of them.

    \b
    Example:
      muster packet send outbox.tar.gz https://muster.example.com --out receipt.tar.gz
    """
    from passmuster import packets, sync

    if out.exists():
        raise UsageError(f"{out} is there already: name another file")
    with packets.opened(path) as packet:
        if packet.manifest.kind != "upload":
            raise UsageError(f"{path} is no outbox but a {packet.manifest.kind} packet: it is for "
                             "a workspace, `muster packet import`")  # fmt: skip
        origin = packet.manifest.origin
    sync.hand_over(path, url, origin, out, ca)
    with packets.opened(out) as receipt:
        results = [row["status"] for row in receipt.results()]
    refused = results.count("rejected")
    talk(f"{text.plural(len(results) - refused, 'record')} in the central log, {refused:,} "
         f"refused. The receipt {out} goes back to {receipt.manifest.principal}.")  # fmt: skip
    return int(bool(refused))
