"""What a screen works with; apart from `app`, so that screens need not import it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from passmuster.config import Settings
from passmuster.tui.staged import Clock

if TYPE_CHECKING:
    from passmuster.keys import Passphrase, SigningKey

Signer = Callable[["Passphrase"], "SigningKey"]
"""Gives the signing key; called in a worker thread. What it is given asks for the passphrase on
the screen and raises KeyUnavailable when the person goes back."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One reviewer at work in one workspace."""

    folder: Path
    me: str
    signer: Signer
    settings: Settings
    clock: Clock
    fingerprint: str | None = None
    """Of the key that will sign, when it is known beforehand."""

    @property
    def old_days(self) -> int:
        """Age of a credential from which the pane marks it, as the rule has it."""
        return self.settings.rules.get("credential-old", {}).get("max_days", 90)
