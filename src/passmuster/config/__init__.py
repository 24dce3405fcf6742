"""Settings: one `config.toml`, in the workspace or in the user's folder.

Order: environment over workspace over user over what stands in `_fields.py`, where every limit
that a person may want to change is, with its unit. A setting that decisions and evidence depend
on is an error where it is wrong; one of the screen alone is left out and told
(`Settings.troubles`), so that a wrong colour keeps nobody from their work.
"""

from passmuster.config._change import change
from passmuster.config._check import schema
from passmuster.config._fields import BULK, COLUMNS, REASONS, SECRET_COMMAND, Settings
from passmuster.config._files import (
    FILE,
    Setting,
    alone,
    default_workspace,
    files,
    listing,
    load,
    troubles,
    user_folder,
)  # fmt: skip

__all__ = [
    "BULK", "COLUMNS", "FILE", "REASONS", "SECRET_COMMAND", "Setting", "Settings", "alone",
    "change", "default_workspace", "files", "listing", "load", "schema", "troubles", "user_folder",
]  # fmt: skip
