"""The parts of an item that a change may name, and how people are told of them. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from passmuster.model import Change
from passmuster.text import Json
from passmuster.tui import words

NOT_LIVE = ("disabled", "deleted")


class Part(NamedTuple):
    """A credential, a permission or a trust of an item."""

    uid: str
    what: str
    name: str


def rotatable(dossier: Json) -> list[Part]:
    """Credentials that a rotation makes sense for: live ones that hold a secret."""
    return [
        Part(c["uid"], "", words.credential_named(c)) for c in dossier["credentials"]
        if c["status"] not in NOT_LIVE and c["credential_type"] != "federated"
    ]  # fmt: skip


def grants(dossier: Json) -> list[Part]:
    """Its permissions, privileged ones first, as the dossier has them; each only once."""
    found: dict[str, Part] = {}
    for row in dossier["grants"]:
        level = row["permission_level"]
        what = "" if level == "unknown" else f"{level}:"
        found.setdefault(row["entitlement"], Part(row["entitlement"], what, row["display_name"]))
    return list(found.values())


def all_of(dossier: Json) -> list[Part]:
    """Everything that can be taken away from it without stopping the whole."""
    live = [
        Part(c["uid"], "", words.credential_named(c))
        for c in dossier["credentials"] if c["status"] not in NOT_LIVE
    ]  # fmt: skip
    trusts = {t["from_uid"]: Part(t["from_uid"], "trust in", t["from_uid"])
              for t in dossier["trusts"]}  # fmt: skip
    return [*live, *grants(dossier), *trusts.values()]


def chosen(typed: str, shown: Mapping[str, Part], found: Sequence[Part]) -> Sequence[Part] | str:
    """The parts that *typed* means: a digit, `+12`, `all`, or a part of a name; else why not."""
    said = typed.strip()
    if said in shown:
        return [shown[said]]
    if said.lower() == "all":
        return found
    if said.startswith("+") and said[1:] and all(c in shown or c in " ,+" for c in said[1:]):
        picked = [shown[c] for c in dict.fromkeys(said) if c in shown]
        return picked or "give the digits after the +: +12"
    named = [p for p in found if said and said.lower() in f"{p.name} {p.uid}".lower()]
    if len(named) == 1:
        return named
    if named:
        return f"{said} is in {len(named)} names: type more of it"
    return "press the digit of one, +12 for several, or type a part of the name"


def change_words(dossier: Json, change: Change) -> str:
    """`rotate access key AKIA…Q7`: the part as its owner would call it."""
    verb = change.verb.replace("_", "-")
    to = f" to {change.to}" if change.to else ""
    for row in dossier["credentials"]:
        if row["uid"] == change.target:
            return f"{verb} {words.credential_named(row)}{to}"
    for row in dossier["grants"]:
        if row["entitlement"] == change.target:
            return f"{verb} {row['display_name']}{to}"
    return f"{verb} {change.target}{to}"
