"""The central API: one log that many workstations write to and read from, over HTTP.

The server verifies everything and adds nothing: who may sign is said by the roster in the log, the
order by the log, the time by witnesses. It signs checkpoints, and no checkpoint leaves it that its
anchor, kept elsewhere, contradicts. What it does not know it refuses.

The one package that imports Starlette, uvicorn, msgspec and psycopg (extra `passmuster[server]`).
"""

from passmuster.server._app import app
from passmuster.server._central import Central, Settings, open_central
from passmuster.server._enrolling import invitation
from passmuster.server._invites import invites
from passmuster.server._recovery import recover
from passmuster.server._serving import Listen, first_invitation, serve, server, witness_of

__all__ = [
    "Central", "Listen", "Settings", "app", "first_invitation", "invitation", "invites",
    "open_central", "recover", "serve", "server", "witness_of",
]  # fmt: skip
