"""Small exports written by tests, and workspaces made from them through the real import."""

from pathlib import Path

from passmuster import campaigns, config, inventory, keys, policy, tlog
from passmuster.connectors import Context
from passmuster.keys import SigningKey
from passmuster.store import Database
from tests.bench.estate import ACCOUNT, HEADER

NOW = "2026-11-23T08:00:00Z"
ME = "rev@example.com"
OLD = "2021-03-02T10:00:00+00:00"


def report(*names: str, key_active: str = "true", used: str = "N/A") -> str:
    """A credential report of key-only users called *names*."""
    rows = [
        f"{name},arn:aws:iam::{ACCOUNT}:user/{name},{OLD},false,N/A,N/A,N/A,false,"
        f"{key_active},{OLD},{used},eu-west-1,s3,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
        for name in names
    ]
    return "\n".join([HEADER, *rows]) + "\n"


def bring_in(db: Database, path: Path, text: str, **options: object) -> list[inventory.Run]:
    """Write *text* to *path*, import it and run the rules."""
    path.write_text(text)
    runs = inventory.import_file(
        db,
        path,
        now=str(options.pop("now", NOW)),
        by=ME,
        context=Context(),
        **options,  # type: ignore[arg-type]
    )
    policy.evaluate(db, config.Settings(), NOW)
    return runs


def reviewer(db: Database, principal: str = ME) -> SigningKey:
    """An enrolled key that lives in memory."""
    key = keys.in_memory(principal)
    tlog.enrol(db, key, NOW)
    return key


def opened(db: Database, path: Path, *names: str) -> tuple[SigningKey, campaigns.Campaign]:
    """An open campaign over key-only users called *names*, and its reviewer's key."""
    bring_in(db, path / "credential-report.csv", report(*names))
    key = reviewer(db)
    wanted = campaigns.Definition("Autumn", "2026-12-31", ME)
    campaigns.open_campaign(db, wanted, key, config.Settings(), NOW)
    return key, campaigns.campaign(db, "Autumn")
