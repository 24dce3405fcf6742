"""Whom somebody trusts: one log's keys, and how many of which witnesses."""

from dataclasses import dataclass

from passmuster.errors import VerificationFailed
from passmuster.note._checkpoint import Opened, open_checkpoint
from passmuster.note._keys import COSIGNATURE, VerifierKey, parse_key
from passmuster.note._signed import Note
from passmuster.note._text import decode
from passmuster.text import visible


@dataclass(frozen=True, slots=True)
class Policy:
    """A log, by any of *logs*, and *quorum* of *witnesses*.

    Raises VerificationFailed for a policy that counts one key twice, a log among its own
    witnesses, or more witnesses than there are.
    """

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0

    def __post_init__(self) -> None:
        if not self.logs or any(key.kind == COSIGNATURE for key in self.logs):
            raise VerificationFailed("the policy names no key of a log")
        if any(key.kind != COSIGNATURE for key in self.witnesses):
            raise VerificationFailed("the policy names a witness by a key that is none")
        everyone = [key.material for key in (*self.logs, *self.witnesses)]
        if len(set(everyone)) != len(everyone):
            raise VerificationFailed("the policy names one key twice")
        if not 0 <= self.quorum <= len(self.witnesses):
            raise VerificationFailed(
                f"the policy asks for {self.quorum} of {len(self.witnesses)} witnesses"
            )

    def check(self, data: bytes | str | Note) -> Opened:
        """Read a checkpoint and raise VerificationFailed unless this policy is met."""
        opened = open_checkpoint(data, (*self.logs, *self.witnesses))
        origin = opened.checkpoint.origin
        by = {one.key for one in opened.signed}
        if not any(key in by and key.name == origin for key in self.logs):
            raise VerificationFailed(f"no trusted key of {visible(origin)} signed the checkpoint")
        seen = sum(key in by for key in self.witnesses)
        if seen < self.quorum:
            raise VerificationFailed(
                f"{seen} of the {self.quorum} witnesses that are asked for cosigned the checkpoint"
            )
        return opened


def parse_policy(data: bytes | str) -> Policy:
    """Read a policy as c2sp.org/tlog-policy writes it, with one group at most.

    Raises VerificationFailed for groups of groups: what cannot be kept is refused.
    """
    logs: list[VerifierKey] = []
    named: dict[str, VerifierKey] = {}
    groups: dict[str, tuple[int, list[str]]] = {}
    quorum: str | None = None
    text = decode(data.replace(b"\t", b" ") if isinstance(data, bytes) else data, "the policy")
    for line in text.split("\n"):
        match words := [word for word in line.split(" ") if word]:
            case []:
                continue
            case [first, *_] if first.startswith("#"):
                continue
            case ["log", key] | ["log", key, _]:
                logs.append(parse_key(key))
            case ["witness", name, key] | ["witness", name, key, _] if _is_new(name, named, groups):
                named[name] = parse_key(key)
            case ["group", name, count, *members] if members and _is_new(name, named, groups):
                groups[name] = _group(count, members, named)
            case ["quorum", name] if quorum is None and (
                name == "none" or name in named or name in groups
            ):
                quorum = name
            case _:
                raise VerificationFailed(f"the policy's line {visible(' '.join(words))[:60]!r}")
    if quorum is None:
        raise VerificationFailed("the policy has no quorum line")
    if quorum == "none":
        return Policy(tuple(logs))
    needed, who = groups.get(quorum, (1, [quorum]))
    return Policy(tuple(logs), tuple(named[name] for name in who), needed)


def _is_new(
    name: str, named: dict[str, VerifierKey], groups: dict[str, tuple[int, list[str]]]
) -> bool:
    return name != "none" and name not in named and name not in groups


def _group(count: str, members: list[str], named: dict[str, VerifierKey]) -> tuple[int, list[str]]:
    if unknown := [name for name in members if name not in named]:
        raise VerificationFailed(f"the policy groups {visible(unknown[0])}, which is no witness")
    if len(set(members)) != len(members):
        raise VerificationFailed("the policy's group names a witness twice")
    wanted = {"all": len(members), "any": 1}.get(count)
    if wanted is None:
        wanted = int(count) if count.isascii() and count.isdecimal() else 0
    if not 1 <= wanted <= len(members):
        raise VerificationFailed(f"the policy's group asks for {visible(count)}")
    return wanted, members
