"""The person's own editor for a longer text: `$VISUAL`, else `$EDITOR`."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from textual.app import App, SuspendNotSupported

NONE = "no editor: set $EDITOR, for example to vim"
_HINT = "# Lines that begin with # are left out. Reason for: "


def edited(app: "App[None]", text: str, about: str) -> str | None:
    """*text* as the person left it, in lines; None where there is no editor or it failed.

    The file is private and gone afterwards; the screen is as it was when the editor is left.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not command:
        return None
    with tempfile.TemporaryDirectory(prefix="muster-") as folder:
        path = Path(folder) / "reason.txt"
        path.write_text(f"{text}\n{_HINT}{about}\n", "utf-8")
        path.chmod(0o600)
        try:
            with app.suspend():
                done = subprocess.run([*shlex.split(command), str(path)], check=False)  # noqa: S603 - the person's own
        except (OSError, ValueError, SuspendNotSupported):
            return None
        if done.returncode != 0:
            return None
        lines = path.read_text("utf-8", errors="replace").splitlines()
    return "\n".join(line.rstrip() for line in lines if not line.startswith("#")).strip()
