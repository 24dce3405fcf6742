"""What a replica does by itself: look for records of other replicas, ask witnesses, sweep."""

import asyncio
import contextlib

from passmuster.note import VerifierKey
from passmuster.server import _blobs, _log, _witness
from passmuster.server._central import Central
from passmuster.server._http import log

WATCH_S = 1.0
SWEEP_S = 3600.0
AGAIN_S = 60.0
"""After which a witness that did not answer is asked again."""


async def watch(here: Central) -> None:
    """Wake those who wait when another replica let the log grow."""
    size = -1
    while True:
        try:
            now = await here.read(lambda tx: _log.head(tx).size)
        except Exception as error:  # noqa: BLE001 - the next look may find it well again
            log("watch", error=type(error).__name__)
        else:
            if now != size:
                size = now
                await here.tell_grown(size)
        await asyncio.sleep(WATCH_S)


async def sweep(here: Central) -> None:
    """Drop uploads that never ended, each hour."""
    while True:
        try:
            count = await here.write(lambda tx: _blobs.sweep(tx, here.clock()))
            if count:
                log("sweep", uploads=count)
        except Exception as error:  # noqa: BLE001 - as above
            log("sweep", error=type(error).__name__)
        await asyncio.sleep(SWEEP_S)


async def witness(here: Central) -> None:
    """Ask every witness for its line whenever the log has grown; never in a writer's way."""
    if not here.settings.witnesses:
        return
    while True:
        growth = here.growth
        await asyncio.gather(*(_ask(here, key, url) for key, url in here.settings.witnesses))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AGAIN_S), here.grown:
                while here.growth == growth:
                    await here.grown.wait()


async def _ask(here: Central, key: VerifierKey, url: str) -> None:
    outcome = await _witness.ask(here, key, url)
    here.metrics.add("muster_witness_total", witness=key.name, outcome=outcome)
