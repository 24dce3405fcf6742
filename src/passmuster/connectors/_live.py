"""What a connector may do on its platform, live: read one object, put it into a state, ask again.

Every remediation is one object and the state that is wanted of it, so three verbs do all of them:
*read* tells the state as it is (that is what is saved, compared and put back), *write* puts the
object into a state, *refused* asks the platform whether it still takes what was stopped. When
which of them is called, and what a difference means, is `remediation`'s matter.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from passmuster.errors import UsageError
from passmuster.text import Json

Verdict = Literal["refused", "flag", "works", "unknown"]
"""refused: the platform refused what was stopped. flag: it says that it is off, and nobody tried.
works: it still takes it. unknown: it could not be asked."""
VERDICTS: tuple[Verdict, ...] = ("refused", "flag", "works", "unknown")


@dataclass(frozen=True, slots=True)
class Act:
    """One object of a platform and the state that it is to be put into; can be kept as JSON."""

    name: str
    """Dotted: `aws.access_key.status`."""
    on: Json
    """What finds the object: an object of texts, `{"user": "ci", "key": "AKIA…"}`. No secret."""
    wanted: Json | None
    """The state that is asked for, as `Live.read` tells it: those fields alone that change. None:
    the object is to be gone."""
    known: Json | None = None
    """What the import knows of the state now; a difference from what is read before the first
    write means that somebody changed it since. None: the export does not tell."""


class Live(Protocol):
    """A platform that was logged in at.

    Each verb raises Declined where the platform will not (its `status` is HTTP's or the like:
    401 and 403 not allowed), Unreachable where the result is not known. No other error leaves it.
    """

    def read(self, act: Act) -> Json | None:
        """The state of the object: all that is needed to put it back, and no secret. None where it
        is not there.
        """

    def write(self, act: Act, state: Json | None) -> None:
        """Put the object into *state* (as `wanted`, or as `read` told it); None: delete it. Doing
        it twice is as doing it once.
        """

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """Ask the platform whether it refuses what *act* stopped, and how it said so.

        With *secret* (at hand only for this) the thing itself is tried. `flag` where there is
        nothing to try: the state is then read, and that is all.
        """

    def close(self) -> None:
        """Close the connections; what was logged in with is forgotten."""


def _no_secret(name: str, command: Sequence[str]) -> str:
    raise NotImplementedError(f"{name}: {command}")


@dataclass(frozen=True, slots=True)
class Where:
    """Which tenant of a platform to speak with, and who lends the login."""

    source: str
    """`platform:tenant`, as the inventory calls it; the tenant is empty where nobody knows it
    before the platform is asked."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """`[sources."platform:tenant"]` of `config.toml`: `endpoint`, `profile`, `user`, `ca`."""
    secret: Callable[[str, Sequence[str]], str] = _no_secret
    """(name, the vendor's command that prints it) → a token or a password: of the person who is
    logged in with the vendor's own tool, else of the keyring. Never kept."""

    @property
    def tenant(self) -> str:
        """The tenant's own id."""
        return self.source.partition(":")[2]

    def no_endpoint(self, example: str) -> UsageError:
        """What to raise where the settings do not say how to reach it; *example* is a line or two
        of TOML.
        """
        return UsageError(
            f"{self.source}: the settings do not say where it is: put {example} under"
            f' [sources."{self.source}"] into config.toml (`muster info` says where that is)'
        )
