"""Who asks: a person with a session, by the roles on the newest roster. Nobody yet: fails closed.

The routes of sessions, invitations and enrolments are here too.
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.routing import BaseRoute

from passmuster.server._http import Problem


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a session."""

    principal: str
    roles: tuple[str, ...]


async def who(request: Request) -> Member:  # noqa: ARG001 - the stub fails closed
    """Who asks. Raises Problem `unauthorized`."""
    raise Problem("unauthorized")


def routes() -> list[BaseRoute]:
    """The routes of sessions, invitations and enrolments."""
    return []
