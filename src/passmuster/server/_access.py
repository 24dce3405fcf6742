"""Who asks: a person with a session, by the roles on the newest roster. Nobody yet: fails closed.

The routes of sessions, invitations and enrolments are here too.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import BaseRoute

from passmuster.server._http import Problem

if TYPE_CHECKING:
    from passmuster.server._central import Central


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a session."""

    principal: str
    roles: tuple[str, ...]


async def who(request: Request) -> Member:  # noqa: ARG001 - the stub fails closed
    """Who asks. Raises Problem `unauthorized`."""
    raise Problem("unauthorized")


def first_invitation(here: "Central") -> str | None:  # noqa: ARG001
    """The one string that the first person needs to enrol; None when there is a roster."""
    return None


def routes() -> list[BaseRoute]:
    """The routes of sessions, invitations and enrolments."""
    return []
