"""The tables of a workspace, and the steps from each released version to the next.

Split from `store` because it is long and changes for other reasons.
"""

from passmuster.schema._steps import migrations

__all__ = ["migrations"]
