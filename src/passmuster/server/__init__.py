"""The central API: one log that many workstations write to and read from, over HTTP.

The server verifies everything and adds nothing: who may sign is said by the roster in the log, the
order by the log, the time by witnesses. It signs checkpoints, and no checkpoint leaves it that its
anchor, kept elsewhere, contradicts. What it does not know it refuses.

The one package that imports Starlette, uvicorn, msgspec and psycopg (extra `passmuster[server]`).
"""
