"""Settings: one `config.toml`, in the workspace or in the user's folder; unknown keys are errors.

Order: environment over workspace over user over what stands here. Every limit that a person may
want to change is in this file, with its unit.
"""

import os
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from passmuster import text
from passmuster.errors import UsageError

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


BULK = {"critical": 5, "high": 25, "medium": 200, "low": 5_000}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person may set in `config.toml`; each key is a field here."""

    me: str | None = None
    """The reviewer's e-mail; `MUSTER_ME` goes before it. Selects a queue, never a signer."""
    theme: str = "muster-dark"
    key_store: str = "auto"
    """auto, keyring or file."""
    keyring_timeout_s: float = 5.0
    max_yaml_mib: int = 32
    rules: dict[str, dict[str, int]] = field(default_factory=dict)
    """Thresholds, for example `[rules.unused] max_days = 45`."""
    reasons: dict[str, str] = field(default_factory=lambda: dict(REASONS))
    """One-key reasons: a digit and its words."""
    keys: dict[str, str] = field(default_factory=dict)
    """Keys of the workstation by the id of what they do, for example `[keys] approve = "A"`."""
    columns: list[str] = field(default_factory=list)
    """Columns of the queue; without any, as many as there is room for."""
    sections: dict[str, str] = field(default_factory=dict)
    """Your own saved filters, shown as tabs: a name and a filter."""
    bulk: dict[str, int] = field(default_factory=lambda: dict(BULK))
    """How many items of a tier of risk one act may decide."""
    read_only: bool = False
    """Begin without the verbs; `%` in the workstation allows them."""
    troubles: tuple[str, ...] = ()
    """What could not be used of the settings of the screen; never set in a file."""


def user_folder() -> Path:
    """Where the user's own settings and themes are."""
    import platformdirs

    return Path(platformdirs.user_config_dir("passmuster", appauthor=False))


def default_workspace() -> Path:
    """The workspace when neither `--workspace` nor `MUSTER_WORKSPACE` names one."""
    import platformdirs

    return Path(platformdirs.user_data_dir("passmuster", appauthor=False))


def load(workspace: Path) -> Settings:
    """The settings for *workspace*.

    Raises UsageError, with the file and the nearest right key, for anything it cannot use.
    """
    values: dict[str, Any] = {}
    for path in (user_folder() / "config.toml", workspace / "config.toml"):
        if path.is_file():
            values.update(_read(path))
    if me := os.environ.get("MUSTER_ME"):
        values["me"] = me
    if "bulk" in values:
        values["bulk"] = {**BULK, **values["bulk"]}
    if "reasons" in values:
        values["reasons"] = {**REASONS, **values["reasons"]}
    return Settings(**values)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from None
    known = {f.name: f for f in fields(Settings)}
    for key, value in values.items():
        if key not in known:
            raise UsageError(f"{path}: unknown key {key!r}{text.nearest(key, known)}")
        if not _fits(key, value):
            raise UsageError(f"{path}: {key} has a value of the wrong type: {value!r}")
    return values


_SHAPES: dict[str, tuple[type, ...]] = {
    "me": (str,), "theme": (str,), "key_store": (str,), "keyring_timeout_s": (int, float),
    "max_yaml_mib": (int,), "rules": (dict,), "reasons": (dict,),
    "keys": (dict,), "columns": (list,), "sections": (dict,), "bulk": (dict,),
    "read_only": (bool,), "troubles": (),
}  # fmt: skip


def _fits(key: str, value: Any) -> bool:
    if type(value) not in _SHAPES[key]:
        return False
    if key == "reasons":
        return all(len(k) == 1 and k.isdigit() and isinstance(v, str) for k, v in value.items())
    if key == "rules":
        return all(
            isinstance(params, dict)
            and all(isinstance(v, int) and not isinstance(v, bool) for v in params.values())
            for params in value.values()
        )
    if key == "key_store":
        return value in ("auto", "keyring", "file")
    return True
