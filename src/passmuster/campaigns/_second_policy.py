"""The two-person rule of a campaign that is being opened: who is known by which name, and whether
it can succeed. A rule under which some item could never be approved is refused at opening.
"""

from collections.abc import Sequence

from passmuster import blobs, seconds
from passmuster.campaigns._who import not_another
from passmuster.config import Settings
from passmuster.errors import PreflightFailed, UsageError
from passmuster.seconds import Known, Policy
from passmuster.store import Database
from passmuster.text import Json, plural, strict_json

NOBODY = "none"
"""What `--second` takes to leave the settings' persons out for once."""


def wanted_policy(
    db: Database, by: Sequence[str] | None, when: str | None, settings: Settings
) -> Policy | None:
    """The rule that somebody asks for; what they do not say is as the settings have it.

    Raises UsageError for words that mean nothing, PreflightFailed for a person who has left.
    """
    named = settings.second if by is None else [e for e in by if e != NOBODY]
    if not named:
        if when is not None:
            raise UsageError("--second-when says when, not who: give --second EMAIL too")
        return None
    when = when or settings.second_when
    seconds.check_when(when)
    emails = list(dict.fromkeys(map(seconds.address, named)))
    return Policy(when, tuple(emails), {email: _known(db, email) for email in emails})


def _known(db: Database, email: str) -> Known:
    """What the registers say of the person at that address, frozen with the rule."""
    found = db.execute(
        "SELECT uid, active FROM person WHERE absent_since IS NULL AND email = ?1 UNION"
        " SELECT p.uid, p.active FROM alias a JOIN person p ON p.uid = a.person_uid"
        " WHERE p.absent_since IS NULL AND a.name = ?1 ORDER BY 1",
        (email,),
    ).fetchall()
    if found and not any(active for _, active in found):
        raise PreflightFailed(f"{email} has left, says the register of people")
    teams = db.execute(
        "SELECT DISTINCT display_name FROM team WHERE absent_since IS NULL AND lead = ?"
        " ORDER BY display_name",
        (email,),
    ).fetchall()
    return Known(tuple(dict.fromkeys(uid for uid, _ in found)), tuple(row[0] for row in teams))


def policy_of(db: Database, definition: str) -> Policy | None:
    """The rule of the campaign whose definition has that digest; None where it has none."""
    return seconds.parse(strict_json(blobs.get(db, definition)).get("second"))


def second_ext(policy: Policy | None) -> Json:
    """What the rule adds to the definition and to the statement's `ext`; nothing where there is
    none, as in every campaign before it.
    """
    return {} if policy is None else {"second": policy.as_json()}


class Needing:
    """Which items need a second person, counted while they are frozen."""

    def __init__(self, db: Database, policy: Policy | None) -> None:
        self.policy = policy
        self._same = not_another(db, policy.by if policy else ())
        self.count = 0
        self._idle = set(policy.by) if policy else set()
        self._stuck: list[str] = []

    def note(self, item: Json, reviewer: str) -> tuple[int, str]:
        """(needs_second, barred) of an item, as its row keeps them: barred are those named who
        own it, with a space around each.
        """
        if self.policy is None or not seconds.needs(self.policy, item):
            return 0, ""
        self.count += 1
        allowed = seconds.may(self.policy, item)
        left = {email for email in allowed if email != reviewer.lower()
                and reviewer.lower() not in self._same[email]}  # fmt: skip
        self._idle -= left
        if not left:
            self._stuck.append(item["identity"]["display_name"])
        barred = [email for email in self.policy.by if email not in allowed]
        return 1, f" {' '.join(barred)} " if barred else ""

    def refuse_stuck(self) -> None:
        """Raise PreflightFailed when an item has nobody, or somebody named has no item."""
        if self._stuck:
            shown = ", ".join(self._stuck[:3]) + (" …" if len(self._stuck) > 3 else "")
            raise PreflightFailed(
                f"{plural(len(self._stuck), 'item')} could never be approved ({shown}): of the "
                "second persons each is its reviewer or its owner; name another with --second"
            )
        if self.count and self._idle:
            raise PreflightFailed(
                f"{min(self._idle)} is the reviewer or an owner of every item that needs a "
                "second person, so could never be one: name somebody else with --second"
            )
