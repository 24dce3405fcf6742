"""A reviewer without a network, and what is carried between them and a town that has one."""

import gzip
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from passmuster import attestations, campaigns, central, config, packets, sync, tlog
from passmuster.campaigns import Campaign
from passmuster.sync import Brought, Work
from passmuster.text import sha256
from passmuster.transport import Patience
from tests import travelling
from tests.sync.town import BOSS, REV, URL, Desk, Inside, Town
from tests.travelling import estate

OWNERS = {"deploy": REV, "backup": REV, "mail": BOSS}


def person(desk: Desk) -> travelling.Desk:
    """What somebody does at their desk."""
    return travelling.Desk(desk.db, desk.me, desk.key)


def published(place: Town, folder: Path, owners: dict[str, str] = OWNERS) -> Campaign:
    """The boss opens a campaign and publishes it; it is in the central log."""
    boss = person(place.boss)
    estate(boss, folder, owners)
    wanted = campaigns.Definition("Autumn", "2026-12-31", "owner", fallback=BOSS)
    campaigns.open_campaign(boss.db, wanted, boss.key, config.Settings(), travelling.NOW)
    campaigns.publish(boss.db, boss.at, boss.key, travelling.NOW)
    place.boss.sync()
    return boss.at


def offline(desk: Desk, *, folder: Path | None = None) -> Desk:
    """The same person at a new workspace that nobody ever connected."""
    made = folder or desk.folder.with_name(f"{desk.folder.name}-offline")
    return Desk(made, desk.key, desk.clock, Inside(desk.wire.server, lambda *_: "no_request"))


def first_roster(place: Town) -> str:
    lines = [attestations.unchecked(line) for line in place.server.lines]
    return next(said.name for said in lines if said.kind == "roster")


def alone(desk: Desk) -> Work:
    """The work of somebody who has no network."""
    return Work(desk.db, None, desk.me, desk.clock)


def bring(desk: Desk, path: Path, place: Town | None = None) -> Brought:
    """Import a packet; with *place* as the first one, by what its registrar told."""
    with packets.opened(path, desk.folder) as packet:
        if place is not None and tlog.central(desk.db) is None:
            pin = central.pin_of(str(place.server.here.key.verifier))
            sync.trust(desk.db, packet, pin, first_roster(place), desk.clock())
        return sync.bring(alone(desk), packet)


def hand_over(place: Town, upload: Path, receipt: Path) -> None:
    """As a relay, without a key and a workspace."""
    with packets.opened(upload) as packet:
        origin = packet.manifest.origin
    sync.hand_over(upload, URL, origin, receipt, transport=Inside(place.server),
                   patience=Patience(tries=1))  # fmt: skip


# --- packets that somebody has changed


def members(path: Path) -> dict[str, bytes]:
    """Every file of a packet, by a reader that is not ours."""
    with tarfile.open(path) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]


def archive_of(files: Iterable[tuple[str, bytes]]) -> bytes:
    """The packed archive of these files, in this order, as a packet has it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), 6, mtime=0)


def sums(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same files with a `SHA256SUMS` that is right."""
    rest = {name: data for name, data in sorted(files.items()) if name != packets.SUMS}
    lines = "".join(f"{sha256(data)}  {name}\n" for name, data in rest.items())
    return {packets.SUMS: lines.encode(), **rest}
