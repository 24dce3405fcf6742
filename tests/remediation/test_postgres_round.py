"""The whole way round on a real PostgreSQL: a role that may not log in any more, and a membership
that is taken away and made anew as it was.
"""

import pytest

from passmuster import campaigns, config, connectors, intake, remediation, tlog
from passmuster.model import Change
from passmuster.store import Database
from tests.live.conftest import a_postgres
from tests.live.test_postgres import SECRET, admin, cluster, logs_in, role, where
from tests.scene import NOW, REV, draft, key
from tests.server.postgres import Cluster

__all__ = ["a_postgres", "cluster", "role"]
pytestmark = pytest.mark.ci
DECIDED, DONE, LATER = "2026-11-24T09:30:00Z", "2026-11-25T09:30:00Z", "2026-11-27T08:00:00Z"
SETTINGS = config.Settings()
MEMBER = "SELECT admin_option FROM pg_auth_members WHERE member = 'asked'::regrole"


def test_a_role_is_refused_and_its_membership_comes_back_as_it_was(
    db: Database, cluster: Cluster, role: str
) -> None:
    rev = key(REV, 2)
    intake.collect(db, where(cluster.folder), SETTINGS, now=NOW)
    tlog.enrol(db, rev, NOW)
    wanted = campaigns.Definition("Autumn", "2026-12-31", REV)
    campaigns.open_campaign(db, wanted, rev, SETTINGS, NOW)
    at = campaigns.campaign(db, "Autumn")
    item = db.value("SELECT i.id FROM item i JOIN identity y ON y.id = i.identity_id"
                    " WHERE y.display_name = ?", (role,))  # fmt: skip
    parts = campaigns.part_uids(campaigns.item_dossier(db, item))
    (held,) = [uid for uid, kind in parts.items() if kind == "grant" and "readers" in uid]
    keep = draft("approve", "less", changes=(Change("revoke", held),))
    for now, words in ((DECIDED, keep), ("2026-11-26T09:30:00Z", draft("disable", "old"))):
        campaigns.save_draft(db, item, words, now)
        campaigns.sign_off(db, campaigns.prepare(db, at.id, REV), rev, now)
        (one,) = remediation.plan(db, now)
        live = connectors.connect(where(cluster.folder, source=one.source))
        with admin(cluster) as asked:
            before = asked.execute(MEMBER).fetchall()
            assert before and logs_in(cluster)
            one = remediation.apply(db, one, live, lambda: DONE)
            assert one.state == "applied", one.said
            secret = None if one.part else SECRET
            one = remediation.verify(db, one, live, lambda: DONE, wait_s=5, secret=secret)
            assert one.state == "verified", one.said
            assert (one.part is None) == (not logs_in(cluster))
            assert (one.part is not None) == (not asked.execute(MEMBER).fetchall())
            one = remediation.restore(db, one, live, lambda: LATER)
            assert one.state == "reverted", one.said
            assert asked.execute(MEMBER).fetchall() == before and logs_in(cluster)
        live.close()
    assert remediation.sign(db, rev, LATER)
