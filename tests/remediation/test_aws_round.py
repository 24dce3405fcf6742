"""The whole way round on an AWS that refuses (ministack): collected, decided, stopped, refused, put
back, accepted. Only the clock is ours.
"""

from typing import Any

import pytest

from passmuster import campaigns, config, connectors, intake, remediation, tlog
from passmuster.campaigns import Campaign
from passmuster.connectors import Where
from passmuster.model import Change
from passmuster.remediation import Remedy
from passmuster.store import Database
from tests.connectors.test_aws_live import account, client_of, iam, login, ministack
from tests.scene import NOW, REV, draft, key

__all__ = ["login", "ministack"]
pytestmark = pytest.mark.ci
DECIDED, DONE, LATER = "2026-11-24T09:30:00Z", "2026-11-25T09:30:00Z", "2026-11-27T08:00:00Z"
SETTINGS = config.Settings()


def opened(db: Database) -> Campaign:
    rev = key(REV, 2)
    tlog.enrol(db, rev, NOW)
    wanted = campaigns.Definition("Autumn", "2026-12-31", REV)
    campaigns.open_campaign(db, wanted, rev, SETTINGS, NOW)
    return campaigns.campaign(db, "Autumn")


def decided(db: Database, at: Campaign, verdict: str, *changes: Change) -> Remedy:
    item = db.value("SELECT i.id FROM item i JOIN identity y ON y.id = i.identity_id"
                    " WHERE y.display_name = 'round-ci'")  # fmt: skip
    campaigns.save_draft(db, item, draft(verdict, "old", changes=changes), DECIDED)
    campaigns.sign_off(db, campaigns.prepare(db, at.id, REV), key(REV, 2), DECIDED)
    (one,) = remediation.plan(db, DONE)
    return one


def is_let_in(ministack: str, made: dict[str, str]) -> bool:
    from botocore.exceptions import ClientError

    sts = client_of("sts", ministack, aws_access_key_id=made["AccessKeyId"],
                    aws_secret_access_key=made["SecretAccessKey"])  # fmt: skip
    try:
        return "round-ci" in sts.get_caller_identity()["Arn"]
    except ClientError:
        return False


@pytest.fixture
def made(ministack: str, login: None) -> Any:
    admin = iam(ministack)
    admin.create_user(UserName="round-ci")
    found = admin.create_access_key(UserName="round-ci")["AccessKey"]
    yield found
    admin.delete_access_key(UserName="round-ci", AccessKeyId=found["AccessKeyId"])
    for name in admin.list_user_policies(UserName="round-ci")["PolicyNames"]:
        admin.delete_user_policy(UserName="round-ci", PolicyName=name)
    admin.delete_user(UserName="round-ci")


@pytest.fixture
def where(db: Database, ministack: str, made: dict[str, str]) -> Where:
    found = Where(f"aws:{account(ministack)}", {"endpoint": ministack})
    intake.collect(db, found, SETTINGS, now=NOW)
    return found


def test_a_key_is_stopped_refused_put_back_and_accepted(
    db: Database, where: Where, made: dict[str, str], ministack: str
) -> None:
    one = decided(db, opened(db), "approve", Change("disable", made["AccessKeyId"]))
    assert is_let_in(ministack, made)
    live = connectors.connect(where)
    one = remediation.apply(db, one, live, lambda: DONE)
    assert one.state == "applied" and not is_let_in(ministack, made)
    secret = f"{made['AccessKeyId']}:{made['SecretAccessKey']}"
    one = remediation.verify(db, one, live, lambda: DONE, wait_s=5, secret=secret)
    assert (one.state, one.verdict) == ("verified", "refused")
    intake.collect(db, where, SETTINGS, now="2026-11-26T08:00:00Z")
    (status,) = remediation.status(db, LATER)
    assert status.proof and status.proof.words == "it is disabled" and not status.alive
    one = remediation.restore(db, one, live, lambda: LATER)
    assert one.state == "reverted" and is_let_in(ministack, made)
    live.close()
    assert remediation.sign(db, key(REV, 2), LATER)
    assert made["SecretAccessKey"].encode() not in db.path.read_bytes()


def test_a_user_is_denied_everything_and_no_export_speaks_against_it(
    db: Database, where: Where
) -> None:
    """ministack keeps the policy and does not go by it: so much is proved, and no more."""
    one = decided(db, opened(db), "revoke")
    live = connectors.connect(where)
    one = remediation.verify(db, remediation.apply(db, one, live, lambda: DONE), live, lambda: DONE)
    assert (one.state, one.verdict) == ("verified", "flag")
    intake.collect(db, where, SETTINGS, now="2026-11-26T08:00:00Z")
    (status,) = remediation.status(db, LATER)
    assert status.alive is None and not status.is_open
    one = remediation.restore(db, one, live, lambda: LATER)
    live.close()
    assert one.state == "reverted"
