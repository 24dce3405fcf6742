"""The workstation as a process of its own, with a fixed key and clock.

`python -m tests.tui.seat DIR`, for tests in a real terminal that sign, or that need the program
to break: `--break` makes the details screen fail with a secret among its local variables, and
with `--gone` the terminal cannot be given back, as when it is not there any more.
"""

import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from passmuster import keys, tui
from passmuster.config import Settings
from passmuster.errors import MusterError
from passmuster.keys import SigningKey

NOW = "2026-11-23T08:00:00Z"
ME = "rev@example.com"
SECRET = "kL9mQ2xV7pR4tW8z"


def key() -> SigningKey:
    """The same in every run."""
    return keys.from_private(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), ME, "memory")


def command(folder: Path, *more: str) -> list[str]:
    """What to run."""
    return [sys.executable, "-m", "tests.tui.seat", str(folder), *more]


def _break() -> None:
    from passmuster.tui.screens.review import ReviewScreen

    def fail(self: ReviewScreen) -> None:
        api_token = SECRET
        raise ValueError(f"no item {api_token}")

    ReviewScreen.action_details = fail  # type: ignore[method-assign]


def _gone() -> None:
    from textual.drivers.linux_driver import LinuxDriver

    LinuxDriver.disable_input = lambda _: None  # type: ignore[method-assign, assignment]


def main() -> int:
    if "--gone" in sys.argv:
        _gone()
    if "--break" in sys.argv:
        _break()
    try:
        tui.run(Path(sys.argv[1]), None, ME, lambda _: key(), Settings(me=ME), lambda: NOW)
    except MusterError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
