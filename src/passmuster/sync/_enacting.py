"""A roster comes into force by way of the central log."""

from passmuster import roster, tlog
from passmuster.errors import Conflict
from passmuster.sync._run import sync
from passmuster.sync._work import Work


def put_in_force(work: Work, made: roster.Draft) -> None:
    """Sync a roster that has all its signatures: into the central log first, and from there here.

    In this order, so that two registrars who list somebody at the same time do not end with two
    versions of one number (the central log takes one of them), and so that here it stands behind
    what others had logged before it. Raises Conflict with the reason when it was not taken.
    """
    tlog.enact(work.db, made, work.now())
    report = sync(work)
    if roster.current_name(work.db) != made.roster.name:
        why = "; ".join([*report.pushed.rejected, *report.pulled.void])
        raise Conflict(
            f"the central log has not taken roster version {made.roster.version}: "
            f"{why or 'another registrar was faster'}: `muster roster drop`, then admit again"
        )
