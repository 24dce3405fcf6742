"""`muster doctor`: whether what signing and verifying need is there, and what to do where not.

It reads, asks for no passphrase, and works where the workspace cannot be opened. Only what this
workspace needs is *broken* when it is missing; what an auditor or another key would need is a
warning.
"""

import contextlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import click

from passmuster import config, text
from passmuster.cli.common import Bench, emit, json_option, now, pass_bench, talk
from passmuster.errors import MusterError

State = Literal["ok", "warning", "broken"]
SIGNS_SINCE, WINDOWS_SINCE = (8, 1), (8, 7)
"""OpenSSH releases: `-Y sign` and `-Y verify`; `-O verify-time` and windows of validity."""
FIRST_RELEASE = "2026-01-01T00:00:00Z"
"""No clock of a running passmuster is right before it."""
WAL_BUG = ((3, 7, 0), (3, 51, 3))
"""SQLite from, and before: two writers can damage a WAL file (sqlite.org/wal.html)."""


class Check(NamedTuple):
    """One thing that was looked at."""

    check: str
    state: State
    found: str
    advice: str = ""
    """What to do; empty where nothing is to be done."""


@click.command("doctor")
@json_option
@pass_bench
def doctor_command(bench: Bench, as_json: bool) -> int:
    """Which key store is in use and why, and whether what signing needs is there.

    Exits with 1 when something that is needed is broken.

    \b
    Example:
      muster doctor
    """
    found = list(_checks(bench))
    if as_json:
        emit([check._asdict() for check in found], {}, as_json=True)
    else:
        emit([c._asdict() for c in found], {"check": "CHECK", "state": "STATE", "found": "FOUND"})
        for check in found:
            if check.advice:
                talk(f"{check.check}: {check.advice}")
    return int(any(check.state == "broken" for check in found))


def _checks(bench: Bench) -> Iterator[Check]:
    try:
        bench.settings  # noqa: B018 - reading them is the check
    except MusterError as error:
        yield Check("settings", "broken", str(error), "mend the file: muster config validate")
        bench.settings = config.Settings()
    row, wrong = _key(bench)
    yield from _workspace(bench)
    yield _signing_key(bench, row, wrong)
    yield _store(bench)
    yield _keyring(bench, row)
    yield _ssh_keygen(needed=bool(row) and row.get("store") == "ssh")
    yield _agent(needed=row.get("place") == "agent")
    yield _openssl()
    yield _sqlite()
    yield from _central(bench)
    yield _clock(bench)


def _key(bench: Bench) -> tuple[dict[str, str], str]:
    """The key that signs for me, and why it cannot be told."""
    from passmuster import keys, store

    if not (bench.folder / store.FILE).is_file():
        return {}, "no workspace yet"
    try:
        return keys.signs_for(bench.db, bench.me) or {}, ""
    except MusterError as error:
        return {}, str(error)


def _workspace(bench: Bench) -> Iterator[Check]:
    from passmuster import store

    if not (bench.folder / store.FILE).is_file():
        yield Check("workspace", "warning", f"none in {bench.folder}", "make one: muster init")
        return
    try:
        store.check_modes(bench.folder)
        bench.db  # noqa: B018 - opening it is the check
        yield Check("workspace", "ok", f"{bench.folder}, yours alone")
    except MusterError as error:
        yield Check("workspace", "broken", str(error), "do what is said there")
    folder = bench.folder / "keys"
    if folder.is_dir() and os.name == "posix":
        loose = [p for p in (folder, *sorted(folder.iterdir()))
                 if stat.S_IMODE(p.stat().st_mode) & 0o077]  # fmt: skip
        if loose:
            advice = f"chmod go= {' '.join(map(str, loose))}; others may have copied the key"
            yield Check("key files", "broken", f"other users may read {loose[0]}", advice)
        else:
            yield Check("key files", "ok", f"{len(list(folder.iterdir()))}, yours alone")


def _signing_key(bench: Bench, row: dict[str, str], wrong: str) -> Check:
    from passmuster import keys

    if not row:
        return Check("signing key", "warning", wrong or f"none for {bench.me}",
                     "" if wrong else "make one: muster key new")  # fmt: skip
    said = f"{row['fingerprint']}, in {keys.kept_in(row)}"
    if wrong := keys.reachable(bench.db, row, bench.settings.keyring_timeout_s):
        return Check("signing key", "broken", f"{said}: {wrong}", "mend that, or muster key rotate")
    advice = keys.resolve(row["place"]).warning if row["store"] == "ssh" and (
        row["place"] != keys.AGENT) else ""  # fmt: skip
    return Check("signing key", "warning" if advice else "ok", said, advice)


def _store(bench: Bench) -> Check:
    """Where a new key would go."""
    from passmuster import keys

    try:
        wanted = bench.settings.key_store
        where, why = keys.choose(wanted, bench.settings.keyring_timeout_s)
    except MusterError as error:
        return Check("key store", "warning", str(error), "set key_store, or use --key-store")
    return Check("key store", "ok", f"a new key goes into the {where}: {why} (key_store {wanted})")


def _keyring(bench: Bench, row: dict[str, str]) -> Check:
    from passmuster import keys

    backend, why = keys.real_keyring(bench.settings.keyring_timeout_s)
    ignored = [name for name in ("PYTHON_KEYRING_BACKEND",) if name in os.environ]
    also = f"; {ignored[0]} is set and not followed" if ignored else ""
    if backend is not None:
        return Check("keyring", "ok", f"{type(backend).__module__}{also}")
    state: State = "broken" if row.get("store") == "keyring" else "ok"
    return Check("keyring", state, f"none: {why}{also}")


def _ssh_keygen(*, needed: bool) -> Check:
    where, said = shutil.which("ssh-keygen"), _says("ssh", "-V")
    short: State = "broken" if needed else "warning"
    if where is None:
        return Check("ssh-keygen", short, "not here",
                     "install OpenSSH: SSH keys sign with it, auditors verify with it")  # fmt: skip
    match = re.search(r"OpenSSH\w*_(\d+)\.(\d+)", said)
    if match is None:
        return Check("ssh-keygen", "warning", f"{where}, of unknown version")
    version = (int(match[1]), int(match[2]))
    if version < SIGNS_SINCE:
        return Check("ssh-keygen", short, match[0], "signing needs OpenSSH 8.1 or later")
    if version < WINDOWS_SINCE:
        return Check("ssh-keygen", "warning", match[0],
                     "verifying at a past time needs OpenSSH 8.7 or later")  # fmt: skip
    return Check("ssh-keygen", "ok", match[0])


def _agent(*, needed: bool) -> Check:
    from passmuster import keys

    try:
        found = keys.agent_keys()
    except MusterError as error:
        return Check("SSH agent", "broken" if needed else "ok", str(error))
    names = ", ".join(f"{public.split()[0]} {keys.fingerprint(public)}" for public in found)
    return Check("SSH agent", "ok", names or "no key in it that may sign")


def _openssl() -> Check:
    said = _says("openssl", "version")
    match = re.match(r"OpenSSL (\d+)\.", said)
    if match and int(match[1]) >= 3:
        return Check("openssl", "ok", " ".join(said.split()[:2]))
    return Check("openssl", "warning", said or "not here",
                 "an auditor's commands need OpenSSL 3.0 or later")  # fmt: skip


def _sqlite() -> Check:
    from passmuster import store

    said = f"{store.SQLITE_VERSION} ({store.DRIVER})"
    number = tuple(map(int, store.SQLITE_VERSION.split(".")))
    if WAL_BUG[0] <= number < WAL_BUG[1]:
        return Check("sqlite", "warning", said, "two musters that write at once can damage the "
                     "file with this version; 3.51.3 or later cannot")  # fmt: skip
    return Check("sqlite", "ok", said)


def _central(bench: Bench) -> Iterator[Check]:
    """The central log: which one, by which key, and how the last sync went."""
    from passmuster import central, store, sync, tlog

    try:
        at = tlog.central(bench.db) if (bench.folder / store.FILE).is_file() else None
    except MusterError:
        return  # the workspace's own line says what is wrong with it
    if at is None:
        yield Check("central log", "ok", "none: this workspace works alone")
        return
    found = sync.state(bench.db)
    states: dict[str, tuple[State, str]] = {
        "halted": ("broken", "ask who runs the server; muster sync --status has the evidence"),
        "attention": ("warning", "see muster sync --status"),
        "offline": ("warning", found.problem or ""), "never": ("warning", "muster sync"),
    }  # fmt: skip
    state, advice = states.get(found.kind, ("ok", ""))
    yield Check("central log", "ok", f"{at.url}, {text.plural(at.size, 'entry')} verified")
    yield Check("pinned key", "ok", f"{central.pin_of(str(at.key))} of {at.origin}")
    yield Check("last sync", state, found.words, advice)
    yield _session(bench)
    ca = bench.settings.central_ca
    if ca is not None and not Path(ca).expanduser().is_file():
        yield Check("central_ca", "broken", f"no file {ca}", "mend central_ca in config.toml")


def _session(bench: Bench) -> Check:
    """Whether the central log lets me in now; asks for no passphrase, and for no touch."""
    from passmuster import keys, sync

    ca, row = bench.settings.central_ca, _key(bench)[0]
    silent = row.get("store") == "keyring" or (
        row.get("store") == "file" and "MUSTER_KEY_PASSPHRASE_FILE" in os.environ
    )
    path = Path(ca).expanduser() if ca else None
    try:
        timeout = bench.settings.keyring_timeout_s
        load = lambda: keys.load(bench.db, bench.me, bench.talk(), timeout)  # noqa: E731
        tried = sync.try_session(bench.db, bench.me, now(), path, load if silent else None)
    except MusterError as error:
        return Check("session", "warning", str(error))
    state: State = "broken" if tried.good is False else "ok" if not tried.advice else "warning"
    return Check("session", state, tried.found, tried.advice)


def _clock(bench: Bench) -> Check:
    """Against the log, whose newest entry cannot have been made later than now."""
    from passmuster import store

    at, newest = now(), None
    with contextlib.suppress(MusterError):  # the workspace's own line says what is wrong with it
        if (bench.folder / store.FILE).is_file():
            newest = bench.db.value("SELECT max(logged_at) FROM entry")
    behind = max(FIRST_RELEASE, newest or "")
    if at < behind:
        return Check("clock", "broken", f"{at}, which is before {behind}",
                     "set the clock: what you sign says when")  # fmt: skip
    return Check("clock", "ok", at)


def _says(*words: str) -> str:
    """What a tool says of itself; empty where it is not here."""
    tool = shutil.which(words[0])
    if tool is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            [tool, *words[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return f"{done.stdout}{done.stderr}".strip()
