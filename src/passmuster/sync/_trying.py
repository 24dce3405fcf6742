"""Whether this workspace could have a session with its central log now, for `muster doctor`."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from passmuster import central, keys, roster, tlog
from passmuster.errors import Declined, MusterError
from passmuster.keys import SigningKey
from passmuster.roster import Time
from passmuster.store import Database
from passmuster.sync._calling import connect
from passmuster.sync._session import Session
from passmuster.text import Json
from passmuster.tlog import Central

QUICK_S = 5.0


class Tried(NamedTuple):
    """What came of trying."""

    good: bool | None
    """None where it was not tried to the end."""
    found: str
    advice: str = ""


def try_session(
    db: Database, me: str, now: str, ca: Path | None, key: Callable[[], SigningKey] | None
) -> Tried:  # fmt: skip
    """Whether my key gets a session: by the roster that is known here, then by asking the server.

    Without *key* (it could not be had without asking somebody) only the server's own key is
    compared with the pin. One try, a few seconds.
    """
    row = keys.signs_for(db, me)
    if row is None:
        return Tried(False, f"no signing key of {me}", "make one: muster key new")
    in_force = roster.current(db)
    if in_force is not None:
        time, principal = Time(now, proven=True), row["principal"]
        why = roster.may_sign(in_force, (), principal, row["fingerprint"], time, "acknowledgement")
        if why:
            return Tried(False, why, "tell a registrar its fingerprint, then: muster sync")
    try:
        return _asked(db, tlog.pinned(db), row["fingerprint"], ca, key)
    except Declined as error:
        return Tried(False, str(error), "do what is said there")
    except MusterError as error:
        return Tried(None, str(error), "work here goes on; try again when the network is there")


def _asked(
    db: Database, at: Central, mark: str, ca: Path | None, key: Callable[[], SigningKey] | None
) -> Tried:  # fmt: skip
    with connect(db, at.url, ca) as caller:
        said = caller.call("GET", "/v1/about", deadline_s=QUICK_S, tries=1).json()
        if not isinstance(said, dict) or said.get("key") != str(at.key):
            wrong = f"{at.url} has another key than the one that is pinned here"
            return Tried(False, wrong, "do not follow it before you know why: muster sync")
        if key is None:
            return Tried(None, f"not tried: {at.url} answers, the key would have to be unlocked")

        def post(body: bytes) -> Json:
            found: Json = caller.call(
                "POST", "/v1/sessions", body, deadline_s=QUICK_S, tries=1
            ).json()
            return found

        Session(at.origin, key, post).headers("GET", f"{at.url}/v1/feed")
    minutes = central.LIMITS.session_s // 60
    return Tried(True, f"{at.url} gives {mark} one, of {minutes} minutes")
