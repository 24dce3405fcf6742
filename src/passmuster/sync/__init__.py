"""To and from the central log: what was signed here goes, what others signed comes and is checked.

Nothing here is needed to decide or to sign. A sync that is cut off anywhere is simply run again:
what is to be sent is derived from what the verified mirror lacks, what came goes on where the
verified size is. One sync of a workspace runs at a time.
"""

from passmuster.sync._bringing import Brought, bring, trust
from passmuster.sync._calling import PROTOCOL, connect, speak
from passmuster.sync._device import Bound, Provider, token
from passmuster.sync._enacting import put_in_force
from passmuster.sync._enrolling import (
    FIRST_ROSTER,
    About,
    Enrolled,
    Waiting,
    about,
    asked,
    check_pin,
    enrol,
    invite,
    list_them,
    trusted_roster,
    waiting,
)
from passmuster.sync._packing import Packed, pack_campaigns, pack_upload
from passmuster.sync._pausing import pause_s
from passmuster.sync._recovering import Recovered, accept, recover
from passmuster.sync._relaying import hand_over
from passmuster.sync._run import Report, sync
from passmuster.sync._session import Session, session
from passmuster.sync._state import State, state
from passmuster.sync._trying import Tried, try_session
from passmuster.sync._work import Progress, Work

__all__ = [
    "FIRST_ROSTER", "PROTOCOL", "About", "Bound", "Brought", "Enrolled", "Packed", "Progress",
    "Provider", "Recovered", "Report", "Session", "State", "Tried", "Waiting", "Work", "about",
    "accept", "asked", "bring", "check_pin", "connect", "enrol", "hand_over", "invite", "list_them",
    "pack_campaigns", "pack_upload", "pause_s", "put_in_force", "recover", "session", "speak",
    "state", "sync", "token", "trust", "trusted_roster", "try_session", "waiting",
]  # fmt: skip
