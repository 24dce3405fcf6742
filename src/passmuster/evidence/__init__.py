"""Evidence packs: the folder that an auditor gets, and the check of one.

A pack proves who decided what, on what evidence and when, and that nothing was left out, to
somebody who has none of our code (`VERIFY.md` in every pack). What it cannot prove is said there
as well.
"""

from passmuster.evidence._build import Pack, build_pack
from passmuster.evidence._log import Authority
from passmuster.evidence._report import Report
from passmuster.evidence._sample import PER, Pick, sample_campaign, sample_pack
from passmuster.evidence._statements import SUMS
from passmuster.evidence._verify import verify

__all__ = [
    "PER", "SUMS", "Authority", "Pack", "Pick", "Report", "build_pack", "sample_campaign",
    "sample_pack", "verify",
]  # fmt: skip
