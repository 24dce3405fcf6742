"""Reading the two files and the environment, and where each value comes from."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from passmuster import text
from passmuster.config._check import Judged, dotted, judge
from passmuster.config._fields import SCREEN, SECRET_COMMAND, SHAPES, Settings, docs
from passmuster.errors import UsageError

FILE = "config.toml"
Origin = Literal["default", "user", "workspace", "environment"]
_From = tuple[Origin, str | None]
_DEFAULT: _From = ("default", None)


def user_folder() -> Path:
    """Where the user's own settings and themes are."""
    import platformdirs

    return Path(platformdirs.user_config_dir("passmuster", appauthor=False))


def default_workspace() -> Path:
    """The workspace when neither `--workspace` nor `MUSTER_WORKSPACE` names one."""
    import platformdirs

    return Path(platformdirs.user_data_dir("passmuster", appauthor=False))


def files(workspace: Path) -> dict[Origin, Path]:
    """Where settings may stand, the later going first; the files need not exist."""
    return {"user": user_folder() / FILE, "workspace": workspace / FILE}


def load(workspace: Path) -> Settings:
    """The settings for *workspace*.

    Raises UsageError, with the file and the nearest right key, for what decisions and evidence
    depend on; what only the screen depends on is left out and told in `troubles`.
    """
    read = _read_all(files(workspace), os.environ)
    return Settings(**read.values, troubles=tuple(read.troubles))


def alone(path: Path) -> Settings:
    """What the file *path* by itself makes of the settings; raises as `load`."""
    read = _read_all({"user": path}, {})
    return Settings(**read.values, troubles=tuple(read.troubles))


def troubles(path: Path) -> list[str]:
    """All that is wrong with the settings in *path*, one line each."""
    try:
        judged = _read(path)
    except OSError as error:
        return [f"{path}: {error.strerror}"]
    except UsageError as error:
        return [str(error)]
    return judged.errors + judged.troubles


def parse(path: Path, content: bytes) -> dict[str, Any]:
    """The values of *content*, which is what *path* holds or is to hold."""
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {text.visible(str(error))}") from None


def _read(path: Path) -> Judged:
    judged = judge(parse(path, path.read_bytes()))
    return Judged(
        judged.values,
        [f"{path}: {told}" for told in [*judged.errors, *_commands_of_others(path, judged)]],
        [f"{path}: {told}; it is left out" for told in judged.troubles],
    )


def _commands_of_others(path: Path, judged: Judged) -> Iterator[str]:
    """A command is run as whoever reads the file, so nobody else may have written it."""
    commands = [s for s, given in judged.values.get("sources", {}).items()
                if SECRET_COMMAND in given]  # fmt: skip
    if not commands or os.name != "posix":
        return
    about = path.stat()
    if about.st_mode & 0o022 or about.st_uid not in (0, os.geteuid()):
        yield (f"{dotted('sources', commands[0], SECRET_COMMAND)} is not run: others can write "
               "this file: it must be yours, and chmod go-w")  # fmt: skip


class _Read(NamedTuple):
    values: dict[str, Any]
    origins: dict[str, _From]
    troubles: list[str]


def _read_all(paths: Mapping[Origin, Path], environment: Mapping[str, str]) -> _Read:
    started = Settings()
    read = _Read({key: getattr(started, key) for key in SHAPES}, {}, [])
    for origin, path in paths.items():
        if path.is_file():
            judged = _read(path)
            if judged.errors:
                raise UsageError(judged.errors[0])
            read.troubles.extend(judged.troubles)
            _lay_over(read, read.values, judged.values, (), (origin, str(path)))
    if me := environment.get("MUSTER_ME"):
        _lay_over(read, read.values, {"me": me}, (), ("environment", "MUSTER_ME"))
    return read


def _lay_over(
    read: _Read, under: dict[str, Any], over: dict[str, Any], place: tuple[str, ...],
    origin: _From,
) -> None:  # fmt: skip
    """Put *over* on *under*, table by table: a file that sets one threshold leaves the others."""
    for key, value in over.items():
        if isinstance(value, dict):
            _lay_over(read, under.setdefault(key, {}), value, (*place, key), origin)
        else:
            under[key] = value
            read.origins[dotted(*place, key)] = origin


@dataclass(frozen=True, slots=True)
class Setting:
    """One value as it holds now; what a table holds is one of these for each entry."""

    key: str
    """`theme`, `reasons.4`, `rules.unused.max_days`: what `change` takes."""
    value: Any
    origin: Origin
    where: str | None
    """The file, or the variable of the environment, that it comes from."""
    about: str
    choices: tuple[str, ...]
    """The words that it may be, where there are only so many."""
    of_screen: bool
    """Whether only the screen depends on it."""


def listing(workspace: Path) -> list[Setting]:
    """Every setting in the order of the documentation, with where it comes from.

    An empty table is one row, so that it is seen that there could be something. Raises as `load`.
    """
    read = _read_all(files(workspace), os.environ)
    found = []
    for key, shape in SHAPES.items():
        choices = tuple(shape.get("enum") or shape.get("items", {}).get("enum", ()))
        for name, value in _flat(key, read.values[key]):
            origin, where = read.origins.get(name, _DEFAULT)
            found.append(Setting(name, value, origin, where, docs()[key], choices, key in SCREEN))
    return found


def _flat(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [row for key, entry in value.items() for row in _flat(dotted(name, key), entry)]
    return [(name, value)]
