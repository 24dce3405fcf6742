"""The settings: what each one is, what it may be, and which ones only the screen depends on.

The docstring under a field is its documentation everywhere: in `muster config show`, in the JSON
Schema, on the settings screen and in `docs/settings.md`.
"""

import ast
import functools
import inspect
import itertools
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

from passmuster.model import SEVERITIES

REASONS: dict[str, str] = {
    "1": "in use, owner confirmed",
    "2": "needed, privilege is right",
    "3": "no longer used",
    "4": "owner has left",
    "5": "too much privilege",
    "6": "replaced by another identity",
    "7": "supplier contract ended",
    "8": "cannot judge: not mine",
    "9": "risk accepted for now",
}
BULK: dict[str, int] = {"critical": 5, "high": 25, "medium": 200, "low": 5000}
COLUMNS = (
    "risk", "name", "kind", "source", "owner", "used", "decision", "env", "supplier", "reviewer",
)  # fmt: skip

SECRET_COMMAND = "secret_command"  # noqa: S105 - the name of a setting


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person may set in `config.toml`; each key is a field here."""

    me: str | None = None
    """The reviewer's e-mail; `MUSTER_ME` goes before it. Selects a queue, never a signer."""
    read_only: bool = False
    """Decide nothing: every verb of the workstation, and every command that decides, signs, opens
    or closes, refuses. `muster --read-only` is the same for once."""
    key_store: str = "auto"
    """Where a new signing key is kept: the system's keyring if there is one (auto), the keyring or
    nothing (keyring), or a file under a passphrase (file)."""
    tsa_url: str | None = None
    """A time-stamp authority (RFC 3161) that stamps the log's checkpoint in an evidence pack."""
    tsa_ca: str | None = None
    """The file with that authority's certificates, PEM."""
    central_ca: str | None = None
    """The file with the certificate authorities that vouch for the central API, PEM; none named:
    the system's. Those of the file are then the only ones."""
    witnesses: list[str] = field(default_factory=list)
    """Verifier keys of witnesses of the central log, who must not be its operators."""
    witness_quorum: int = 1
    """How many of them must have cosigned a checkpoint before it is believed."""
    sync_every_s: int = 300
    """Seconds between two syncs of the workstation with the central log; 0: only when asked for
    (`S`, `muster sync`)."""
    sync_hold_s: int = 30
    """Seconds for which the workstation holds back what was just signed, so that a correction goes
    with it; `S` and `muster sync` send at once."""
    keyring_timeout_s: float = 5.0
    """Seconds until a keyring that does not answer is given up."""
    max_yaml_mib: int = 32
    """The largest YAML file that is read, in MiB; YAML cannot be read piece by piece."""
    sources: dict[str, dict[str, str]] = field(default_factory=dict)
    """How to reach a platform live: `[sources."ldap:dc=example,dc=com"]` with `endpoint` (its
    address), `profile` (of the vendor's own tool), `user`, `ca` (a file, PEM) and `regions` (of
    AWS, for what is of a region). Never a secret: that is asked of `secret_command` (run without a
    shell, prints it), else of the vendor's tool, else of the keyring."""
    rules: dict[str, dict[str, int]] = field(default_factory=dict)
    """Thresholds of rules, for example `[rules.unused] max_days = 45`."""
    control_owners: dict[str, str] = field(default_factory=dict)
    """Who answers for a control: `"iso27001 A.5.18" = "ciso@example.com"`, or `iso27001` alone for
    the rest of a framework; `controls.csv` of an evidence pack has them."""
    reasons: dict[str, str] = field(default_factory=lambda: dict(REASONS))
    """One-key reasons: a digit and its words."""
    bulk: dict[str, int] = field(default_factory=lambda: dict(BULK))
    """How many items of a risk tier one act may decide; 1 forbids deciding them together."""
    second: list[str] = field(default_factory=list)
    """Who may be the second person in new campaigns; `muster campaign open --second` goes before
    it, and `--second none` leaves it out."""
    second_when: str = "privileged"
    """Which approvals then need a second person: of privileged identities (privileged), from a
    risk on (risk:70), or all."""
    stop_most: int = 25
    """How many identities one run of `muster remediate apply` may stop without asking once more."""
    stop_percent: int = 10
    """And what share of the identities of one source that can log in, in percent; a run that stops
    one identity is never held up by it."""
    watch_days: int = 14
    """Days for which a stop that can be undone must have stood, verified, before the secret may be
    destroyed. Google's IAM reference asks for at least 24 hours."""
    theme: str = "muster-dark"
    """The colours of the workstation: a name of `muster theme list`. Under NO_COLOR it is mono."""
    mouse: bool = True
    """Whether the workstation takes the mouse; without it the terminal selects text itself.
    `muster --no-mouse` is the same for once."""
    screen_reader: bool = False
    """For braille displays and screen readers: one thing below the other, in words.
    `muster --screen-reader` is the same for once."""
    clipboard: str = "auto"
    """How to copy: through the terminal (osc52), the system's own command (native), into a file
    (file), or the first of these that works here (auto)."""
    keys: dict[str, str] = field(default_factory=dict)
    """Other keys: what it does (an id of `docs/settings.md`) and one key, or several with commas
    between them. An id with a dot needs quotation marks."""
    columns: list[str] = field(default_factory=list)
    """The columns of the queue, in order; none named: as many as the width allows."""
    sections: dict[str, str] = field(default_factory=dict)
    """Tabs of your own: a name and a filter."""
    troubles: tuple[str, ...] = ()
    """What was left out of the settings because it cannot be used, one line each; not a setting."""


Shape = dict[str, Any]
"""A piece of JSON Schema: what `_check` understands of it is all that may be used here."""


def _table(values: Shape, **names: Any) -> Shape:
    return {"type": "object", "additionalProperties": values, "propertyNames": names}


_WORDS: Shape = {"type": "string", "minLength": 1}
SHAPES: dict[str, Shape] = {
    "me": {"type": "string"},
    "read_only": {"type": "boolean"},
    "key_store": {"type": "string", "enum": ["auto", "keyring", "file"]},
    "tsa_url": {"type": "string", "minLength": 1},
    "tsa_ca": {"type": "string", "minLength": 1},
    "central_ca": {"type": "string", "minLength": 1},
    "witnesses": {"type": "array", "uniqueItems": True, "items": _WORDS},
    "witness_quorum": {"type": "integer", "minimum": 0},
    "sync_every_s": {"type": "integer", "minimum": 0},
    "sync_hold_s": {"type": "integer", "minimum": 0},
    "keyring_timeout_s": {"type": "number", "minimum": 0.1},
    "max_yaml_mib": {"type": "integer", "minimum": 1},
    "sources": _table(_table(_WORDS, enum=["endpoint", "profile", "user", "ca", "regions",
                                           SECRET_COMMAND]),
                      pattern=r"^[a-z0-9]+:.*$", description="a source: platform:tenant"),
    "rules": _table({"type": "object", "additionalProperties": {"type": "integer"}}),
    "control_owners": _table(_WORDS, pattern=r"^[a-z0-9-]+( \S.*)?$",
                             description="a framework and a control of it"),
    "reasons": _table(_WORDS, pattern="^[0-9]$", description="a digit"),
    "bulk": _table({"type": "integer", "minimum": 1}, enum=list(SEVERITIES)),
    "second": {"type": "array", "uniqueItems": True, "items": _WORDS},
    "second_when": _WORDS,
    "stop_most": {"type": "integer", "minimum": 1},
    "stop_percent": {"type": "integer", "minimum": 1},
    "watch_days": {"type": "integer", "minimum": 1},
    "theme": _WORDS,
    "mouse": {"type": "boolean"},
    "screen_reader": {"type": "boolean"},
    "clipboard": {"type": "string", "enum": ["auto", "osc52", "native", "file"]},
    "keys": _table(_WORDS, pattern="^[a-z_.]+$", description="the id of a key"),
    "columns": {"type": "array", "uniqueItems": True, "items": {"enum": list(COLUMNS)}},
    "sections": _table(_WORDS, pattern=r"^\S(.{0,22}\S)?$", description="a name of 1 to 24 signs"),
}  # fmt: skip
"""What each setting may be. Also what `muster config schema` prints."""

SCREEN = frozenset({
    "theme", "mouse", "screen_reader", "clipboard", "keys", "columns", "sections",
})  # fmt: skip
"""Settings that no decision and no evidence depends on: a wrong one is left out, and told."""


def docs() -> dict[str, str]:
    """The docstring of each setting, on one line."""
    with _ONE_AT_A_TIME:  # CPython 3.11 counts wrong when two threads parse (SystemError)
        return _docs()


_ONE_AT_A_TIME = threading.Lock()


@functools.cache
def _docs() -> dict[str, str]:
    (body,) = (
        node.body
        for node in ast.parse(inspect.getsource(sys.modules[__name__])).body
        if isinstance(node, ast.ClassDef) and node.name == Settings.__name__
    )
    found = {}
    for stated, told in itertools.pairwise(body):
        if isinstance(stated, ast.AnnAssign) and isinstance(stated.target, ast.Name):
            match told:
                case ast.Expr(ast.Constant(str(words))) if stated.target.id in SHAPES:
                    found[stated.target.id] = " ".join(words.split())
    return found
