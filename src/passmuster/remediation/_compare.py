"""Whether a state that was read is the one that is meant, and what differs."""

from passmuster.text import Json, visible

MAX_SHOWN = 60


def is_as(wanted: Json | None, state: Json | None) -> bool:
    """Whether *state* has what is *wanted*: those fields alone, or that it is gone."""
    if wanted is None or state is None:
        return wanted is None and state is None
    return all(name in state and state[name] == value for name, value in wanted.items())


def changed(before: Json | None, state: Json | None) -> str:
    """The first field in which *state* is not as it was *before*, in words; empty: none."""
    if before is None or state is None:
        if before is None and state is None:
            return ""
        return "it is there, and was not" if before is None else "it is gone"
    for name in sorted(before):
        if name not in state:
            return f"{visible(name)} is gone"
        if state[name] != before[name]:
            return f"{visible(name)} was {_shown(before[name])} and is {_shown(state[name])}"
    return ""


def _shown(value: object) -> str:
    words = visible(str(value))
    return words if len(words) <= MAX_SHOWN else words[: MAX_SHOWN - 1] + "…"
