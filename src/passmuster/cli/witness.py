"""`muster witness`: hold other logs to one history, by files where there is no network."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from passmuster import text
from passmuster.cli.common import Bench, emit, json_option, now, pass_bench, passphrase_option, talk
from passmuster.cli.log import out_option, read, write
from passmuster.errors import (
    Conflict,
    KeyUnavailable,
    MusterError,
    NotFound,
    UsageError,
    VerificationFailed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from passmuster.keys import SigningKey
    from passmuster.note import VerifierKey
    from passmuster.server import Said
    from passmuster.store import Database
    from passmuster.tlog import Answer


@click.group("witness")
def witness_command() -> None:
    """Cosign the growth of other logs, and refuse whatever was set back or forked.

    A witness is worth what its independence is: run it where the log's people cannot reach.

    \b
    Example:
      muster witness cosign request --out line
      muster witness serve --log-key VKEY
    """


@witness_command.command("key")
@click.option("--name", metavar="NAME", help="Of this witness, for example auditor.example/w1.")
@pass_bench
def key_command(bench: Bench, name: str | None) -> None:
    """The verifier key of this witness, to be given to those whose logs it cosigns.

    \b
    Example:
      muster witness key --name auditor.example/w1
    """
    from passmuster import keys, tlog

    mine = [key["public"] for key in keys.listed(bench.db) if key["principal"].lower() == bench.me]
    if not mine:
        raise KeyUnavailable("no key yet: make one with `muster key new`")
    print(tlog.cosigner(bench.db, mine[0], name))


@witness_command.command("cosign")
@click.argument("path", metavar="REQUEST", type=click.Path(path_type=Path))
@click.option("--log-key", metavar="VKEY", help="The log's key, at first contact or a new one.")
@click.option("--trust", is_flag=True, help="Do not ask whether that key is the right one.")
@out_option
@passphrase_option
@pass_bench
def cosign_command(
    bench: Bench, path: Path, log_key: str | None, trust: bool, out: Path | None,
    passphrase_fd: int | None,
) -> None:  # fmt: skip
    """Cosign a checkpoint if the log only grew since it was last seen; else exit code 4.

    The request is a file of `muster log checkpoint --for-witness`; the line that comes out goes
    back. What the log signed and is refused is kept as evidence.

    \b
    Example:
      muster witness cosign request --log-key log.example+1b2c3d4e+AbC= --trust --out line
    """
    from passmuster import tlog

    bench.passphrase_fd = passphrase_fd
    request = read(path)
    trusted = _vouched(bench, request, log_key, trust) if log_key else None
    answer = tlog.cosign(bench.db, request, bench.key(), now(), trusted)
    if answer.status != 200:
        raise _error(answer, path)
    write(answer.body, out)
    assert answer.said is not None
    talk(f"Cosigned: {answer.said.origin} with {text.plural(answer.said.size, 'entry')}.")


def _vouched(bench: Bench, request: bytes, log_key: str, trust: bool) -> "VerifierKey":
    """The log's key that the person vouches for, asked where it is not known yet."""
    from passmuster import note, tlog

    said = note.parse_checkpoint(note.parse(note.parse_request(request).checkpoint).text)
    key = note.parse_key(log_key)
    if key.name != said.origin:
        raise UsageError(f"--log-key is of {text.visible(key.name)}, the request of "
                         f"{text.visible(said.origin)}")  # fmt: skip
    known = tlog.known_log(bench.db, said.origin)
    if known is not None and key in known.keys:
        return key
    seen = (
        f"seen before with {text.plural(known.size, 'entry')}, under another key"
        if known
        else "never seen here before"
    )
    talk(f"{said.origin}: {seen}. It now says {text.plural(said.size, 'entry')}, root "
         f"{said.root.hex()}, key {key}.")  # fmt: skip
    if not trust:
        if bench.no_input:
            raise UsageError("a new key of a log: compare it with what the log's owner told you "
                             "by another way, then give --trust")  # fmt: skip
        click.confirm("Did the log's owner tell you this key by another way?", abort=True, err=True)
    return key


def _error(answer: "Answer", path: Path) -> MusterError:
    if answer.status == 404:
        return NotFound(f"{path}: this log is not known here: give its key with --log-key")
    if answer.status == 403:
        return VerificationFailed(f"{path}: {answer.why}; not cosigned: where the log has a new "
                                  "key, give it with --log-key")  # fmt: skip
    if answer.is_evidence:
        return VerificationFailed(f"{path}: {answer.why}; not cosigned, and the request is kept: "
                      "muster witness show")  # fmt: skip
    if answer.status == 409:
        return Conflict(f"{path}: {answer.why}; ask for a request made with "
                        f"--old {answer.body.strip()}")  # fmt: skip
    return VerificationFailed(f"{path}: {answer.why}; not cosigned")


@witness_command.command("show")
@click.option("--refused", metavar="DIGEST", help="Print the refused request of this digest.")
@out_option
@json_option
@pass_bench
def show_command(bench: Bench, refused: str | None, out: Path | None, as_json: bool) -> None:
    """The logs that this witness knows, and what it refused.

    \b
    Example:
      muster witness show --json
    """
    from passmuster import tlog

    if refused:
        found = tlog.refused(bench.db, refused.lower())
        if len(found) != 1:
            raise NotFound(f"{len(found)} refused requests begin with {refused}")
        write(found[0].request.decode(), out)
        return
    kept = tlog.refused(bench.db)
    rows = [
        {"origin": one.origin, "size": one.seen.size, "root": one.seen.root.hex(),
         "seen_at": one.seen_at, "keys": list(map(str, one.seen.keys)),
         "refused": [{"sha256": r.sha256, "status": r.status, "why": r.why,
                      "refused_at": r.refused_at} for r in kept if r.origin == one.origin]}
        for one in tlog.witnessed(bench.db)
    ]  # fmt: skip
    if as_json:
        emit(rows, {}, as_json=True)
        return
    said = [{**row, "refused": len(row["refused"])} for row in rows]  # type: ignore[arg-type]
    columns = {"origin": "LOG", "size": "SIZE", "seen_at": "SEEN", "refused": "REFUSED"}
    if not emit(said, columns):
        talk("no log yet: muster witness cosign")
    for one in kept:
        talk(f"refused {one.sha256[:12]}  {one.refused_at}  {one.origin}: {one.why}")


@witness_command.command("serve")
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:8471", show_default=True)
@click.option("--log-key", "log_keys", metavar="VKEY", multiple=True,
              help="Of a log to be cosigned from now on; may be given several times.")  # fmt: skip
@click.option("--tls-cert", metavar="FILE", type=click.Path(exists=True, path_type=Path))
@click.option("--tls-key", metavar="FILE", type=click.Path(exists=True, path_type=Path))
@click.option("--behind-proxy", is_flag=True, help="Something in front of it does TLS.")
@passphrase_option
@pass_bench
def serve_command(
    bench: Bench, listen: str, log_keys: tuple[str, ...], tls_cert: Path | None,
    tls_key: Path | None, behind_proxy: bool, passphrase_fd: int | None,
) -> None:  # fmt: skip
    """Cosign over HTTP whatever only grew since it was last seen (C2SP tlog-witness).

    The key is unlocked once. Who gives --log-key has compared it with what the log's owner told
    them by another way. What a log signed and is refused is kept: `muster witness show`.

    \b
    Example:
      muster witness serve --log-key muster.example.com/central/1f+1b2c3d4e+AbC=
      muster witness serve --listen 0.0.0.0:443 --tls-cert c.pem --tls-key k.pem
    """
    from passmuster import note, store, tlog

    try:
        from passmuster import server
    except ImportError as error:
        raise UsageError(
            f"the server's parts are not installed ({error.name}): pip install 'passmuster[server]'"
        ) from None
    bench.passphrase_fd = passphrase_fd
    where = server.listen(listen, tls_cert, tls_key, behind_proxy=behind_proxy)
    trusted = tuple(map(note.parse_key, log_keys))
    if witnesses := [key.name for key in trusted if key.kind == note.COSIGNATURE]:
        raise UsageError(f"--log-key: {witnesses[0]} is the key of a witness, not of a log")
    key = bench.key()
    if key.store == "ssh":
        raise KeyUnavailable(
            "an SSH key makes SSH signatures only, and a witness's is a raw one: make a key of "
            "ours, `muster key new --key-store file`"
        )
    mine = tlog.cosigner(bench.db, key.public)
    db = store.open_(bench.folder, check_same_thread=False)

    def ready(url: str) -> None:
        print(f"key     {mine}")
        print(f"url     {url}")
        sys.stdout.flush()

    talk(f"workspace {bench.folder}; stop with ctrl+c")
    try:
        server.serve_witness(answering(db, key, trusted), where, ready)
    finally:
        db.close()


def answering(
    db: "Database", key: "SigningKey", trusted: "tuple[VerifierKey, ...]"
) -> "Callable[[bytes], Said]":
    """What the witness in the workspace *db* answers to a request; one at a time."""
    from passmuster import tlog
    from passmuster.server import Said

    def answers(request: bytes) -> Said:
        try:
            said = tlog.cosign(db, request, key, now(), _trusted(trusted, request))
        except VerificationFailed as error:  # the log's own key asks itself
            return Said(403, "", str(error), None)
        return Said(said.status, said.body, said.why, said.said.origin if said.said else None)

    return answers


def _trusted(keys: "tuple[VerifierKey, ...]", request: bytes) -> "VerifierKey | None":
    """The key that a person vouched for of the log that asks."""
    from passmuster import note

    try:
        signed = note.parse(note.parse_request(request).checkpoint)
        origin = note.parse_checkpoint(signed.text).origin
    except VerificationFailed:
        return None
    by = {(line.name, line.id) for line in signed.lines}
    found = [key for key in keys if key.name == origin]
    return next((key for key in found if (key.name, key.id) in by), found[0] if found else None)
