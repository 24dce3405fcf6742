"""Where the folders that ship beside the code are: in the wheel, or in the checkout.

hatchling copies `themes/` and `sample_data/` into the wheel, but an editable install has only the
checkout; so look in both.
"""

from pathlib import Path

from passmuster.errors import MusterError

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder *name* (`themes`, `sample_data`) of this installation."""
    for path in (_PACKAGE / name, _PACKAGE.parent.parent / name):
        if path.is_dir():
            return path
    raise MusterError(f"the folder {name} is missing from this installation: install it again")
