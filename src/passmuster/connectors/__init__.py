"""One file per platform; the folder is the registry.

A connector module has `FORMATS`, a tuple of `Format`. To add a platform, add a file here with one
and sample exports under `sample_data/<platform>/`; the compliance suite finds both.

What reads a file turns bytes into records and does nothing else: it sees no store, no network and
no key, keeps no secret, and never raises on one bad row (it yields a `Problem`). Where the platform
allows it a module also has `plan` (how to stop something, without a side effect), `connect` (a
`Live` that carries plans out) and `collect` (makes the vendor's export files, which are then
imported as any other); the login is lent to it (`Where`).
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Literal

from passmuster import text
from passmuster.connectors import _secrets
from passmuster.connectors._live import VERDICTS, Act, Live, Verdict, Where
from passmuster.errors import ImportRefused, UsageError
from passmuster.model import Record

__all__ = [
    "SNIFF_BYTES", "VERDICTS", "Act", "Context", "Format", "Live", "Plan", "Verdict", "Where",
    "collect", "connect", "formats", "holds_secret", "may_keep", "named", "plan", "platforms",
    "read", "recognise",
]  # fmt: skip
SNIFF_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Context:
    """What a parser may know besides the file."""

    source_label: str | None = None
    """`--source`: names the tenant only where the file cannot."""
    mapping: dict[str, object] = field(default_factory=dict)
    """The parsed mapping file of the generic formats."""
    max_yaml_bytes: int = 32 * 1024 * 1024
    """YAML is read whole, so it has a limit of its own, in bytes."""

    def named(self, why: str) -> str:
        """`--source`, for an export that does not name its tenant; ImportRefused with *why* where
        nobody gave it.
        """
        if not self.source_label:
            raise ImportRefused(why)
        return self.source_label

    label_is_tenant: bool = False
    """The label is the tenant that was asked for live, and no name that a person gave."""


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of export of one platform."""

    name: str
    """Dotted: `aws.credential_report.csv`; what `--as` takes."""
    title: str
    sniff: Callable[[bytes], bool]
    """Whether the first `SNIFF_BYTES` of a file are of this format, judged by content alone."""
    parse: Callable[[BinaryIO, Context], Iterator[Record]]
    """Streams; raises ImportRefused (before or between records) when the file is not what it
    claims: truncated, wrong shape. A row that cannot be read is a `Problem`."""
    howto: str
    """The vendor command that makes the export."""
    covers: tuple[str, ...] = ()
    """Identity columns that this format speaks for; an update leaves the others alone."""
    supplies: tuple[str, ...] = ()
    """Kinds of facts that rules may need: usage, credential, grant, trust, consumer,
    person_use, auth, automation, sighting, person, supplier, environment, owner."""
    narrowed: "Callable[[Format, Context], Format] | None" = None
    """Where `covers` and `supplies` depend on the mapping: the format as this context makes it."""
    keeps_raw: bool = False
    """The parser knows that the file holds no secret, so its bytes may be kept as evidence."""
    partial: bool = False
    """A file is of some identities and not of a whole source: what it does not list is not gone."""
    lists: tuple[str, ...] = ()
    """Kinds of credentials (`credential_detail`) that a file lists whole for every identity in it:
    one that it does not list is gone, whichever format told of it."""
    columns: tuple[str, ...] = ()
    """Of a table whose bytes are kept: the columns that it vouches for; another one ends that."""


def formats() -> dict[str, Format]:
    """Every format of every connector, by name."""
    found: dict[str, Format] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        if not info.name.startswith("_"):
            module = importlib.import_module(f"{__name__}.{info.name}")
            found.update({f.name: f for f in module.FORMATS})
    return found


def named(name: str) -> Format:
    """The format called *name*; UsageError names the nearest one."""
    known = formats()
    if name not in known:
        near = text.nearest(name, known)
        raise UsageError(f"no format {name!r}{near}; `muster import --formats` lists them")
    return known[name]


def recognise(head: bytes, file_name: str) -> Format:
    """The one format that *head* (the first `SNIFF_BYTES`) is of, judged by content alone."""
    matching = [f for f in formats().values() if f.sniff(head)]
    if len(matching) == 1:
        return matching[0]
    if not matching:
        raise ImportRefused(
            f"{file_name}: not an export that muster knows; "
            "`muster import --formats` lists them, --as names one"
        )
    names = " or ".join(f.name for f in matching)
    raise ImportRefused(f"{file_name}: could be {names}; say which with --as")


def read(fmt: Format, stream: BinaryIO, context: Context) -> Iterator[Record]:
    """The records of *stream*, with every string made visible (`text.visible`)."""
    for record in fmt.parse(stream, context):
        if "".join([f for f in record if type(f) is str]).isprintable():
            yield record
        else:
            fields = (text.visible(f) if isinstance(f, str) else f for f in record)
            yield type(record)(*fields)  # type: ignore[arg-type]


def may_keep(fmt: Format, data: bytes) -> bool:
    """Whether the bytes of a file may be kept as evidence: no strange column, no secret value.

    A report that somebody added a column to is no longer the file that its format vouches for.
    """
    if not fmt.keeps_raw:
        return False
    content = data.decode("utf-8", "replace")
    columns = set(content.partition("\n")[0].strip().split(","))
    known = not fmt.columns or columns <= set(fmt.columns)
    return known and not holds_secret(content)


def holds_secret(value: str) -> bool:
    """Whether *value* has the marks of a token, a key or a password hash."""
    return _secrets.is_secret(value)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to carry one decision out on the platform, and how to undo it; no side effect.

    The reversible stop comes first: undo class R1 (a flag), R2 (re-creatable), R3 (a secret is
    destroyed).
    """

    what: str
    """One line for people: `set access key AKIA…Q7 Inactive`."""
    stop: tuple[str, ...]
    """The vendor's command lines, quoted for the *shell*."""
    undo: tuple[str, ...]
    """The lines that put the saved state back; empty for R3."""
    undo_class: str
    propagation_s: int
    """How long the platform may go on accepting what was stopped, in seconds."""
    residual: str
    """What goes on working nevertheless: open sessions, issued tokens."""
    act: Act | None = None
    """The same for `Live`, where muster can carry it out itself. Plans for one thing are
    alternatives: at most one of them is to be carried out."""
    shell: Literal["sh", "powershell"] = "sh"
    """Which shell the lines are for: sh is any POSIX shell."""


def plan(dossier: text.Json, verb: str, target: str | None = None) -> list[Plan]:
    """Plans for *verb* (`revoke`, `disable`) on the identity of *dossier* or on the part *target*.

    Empty where the platform's connector has no `plan` yet, or the thing cannot be stopped there.
    """
    make = _of(dossier["source"]["platform"], "plan")
    found: list[Plan] = make(dossier, verb, target) if make else []
    return found


def connect(where: Where) -> Live:
    """Log in at a platform. UsageError where muster cannot do anything there by itself."""
    platform = where.source.partition(":")[0]
    make = _of(platform, "connect")
    if make is None:
        raise UsageError(f"{platform}: muster only reads its exports; run the vendor's lines")
    found: Live = make(where)
    return found


def collect(where: Where, folder: Path) -> None:
    """Make the export files of a source in *folder*, as the vendor's commands would.

    All or nothing: whatever fails is raised, and what is in *folder* then is of no use.
    """
    platform = where.source.partition(":")[0]
    make = _of(platform, "collect")
    if make is None and platform in platforms():
        raise UsageError(
            f"{platform}: cannot be collected live: import its export"
            f" (`muster import --formats {platform}` has the command)"
        )
    if make is None:
        raise UsageError(f"no platform {platform!r}{text.nearest(platform, collectable())}")
    make(where, folder)


def collectable() -> list[str]:
    """Names of the connectors that can collect live."""
    return [name for name in platforms() if _of(name, "collect")]


def platforms() -> tuple[str, ...]:
    """Names of the connectors."""
    return _modules(tuple(__path__))


@cache  # asked for each item that is planned; by its folders, so that one added later counts
def _modules(folders: tuple[str, ...]) -> tuple[str, ...]:
    found = (info.name for info in pkgutil.iter_modules(folders))
    return tuple(name for name in found if not name.startswith("_"))


def _of(platform: str, name: str) -> Callable[..., Any] | None:
    if platform.startswith("_") or platform not in platforms():
        return None
    found: Callable[..., Any] | None = getattr(
        importlib.import_module(f"{__name__}.{platform}"), name, None
    )
    return found
