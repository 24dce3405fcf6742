"""Everything that passmuster refuses to do, in one tree.

    MusterError                 1  failed
    ├── UsageError              2  the words of the command are wrong
    │   └── FilterError         2  a filter with an unknown key or value
    ├── ConditionMet            3  the condition that you asked to fail on is there
    ├── VerificationFailed      4  evidence does not verify
    │   └── UnknownKind         4  a statement of a kind that this release does not know
    ├── WorkspaceError          1  the folder is missing, too open, or of another version
    ├── ImportRefused           1  a file is not what it claims; nothing was changed
    │   └── OlderExport         1  it was imported before, and a newer one of its source since
    ├── PreflightFailed         1  a campaign that cannot succeed was not opened
    ├── NotFound                1  no such campaign, item, identity
    ├── KeyUnavailable          1  no signing key, or it cannot be unlocked
    │   └── WrongPassphrase     1  what was typed does not open it
    ├── NoLogin                 1  nobody is logged in at a platform; nothing was begun there
    ├── Conflict                1  the workspace changed underneath; nothing was written
    ├── NotReversible           1  what was done destroyed a secret: nothing can be put back
    └── Unreachable             1  another machine did not answer as it should
        └── Declined            1  it answered that it will not, and why

A message is one line that says what to do next. Only `cli` turns an error into an exit.
"""


class MusterError(Exception):
    """Something that a person can act on; its text is all that they get to see."""

    exit_code = 1


class UsageError(MusterError):
    """The words of the command are wrong."""

    exit_code = 2


class FilterError(UsageError):
    """A filter has an unknown key or value; the message names the nearest right one."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position
        """Offset of the word at fault in the expression, so that a screen can point at it."""


class ConditionMet(MusterError):
    """The condition that the caller asked to fail on is there (`--fail-on`)."""

    exit_code = 3


class VerificationFailed(MusterError):
    """Evidence does not verify; the message names the file and what is wrong with it."""

    exit_code = 4


class UnknownKind(VerificationFailed):
    """A statement of a kind that a later release may know."""


class WorkspaceError(MusterError):
    """The workspace is missing, open to other users, or of another version."""


class ImportRefused(MusterError):
    """A file is not what it claims to be; the inventory is as it was."""


class OlderExport(ImportRefused):
    """It was imported before, and a newer one of its source since: it would go back in time."""


class PreflightFailed(MusterError):
    """A campaign that cannot succeed was not opened."""


class NotFound(MusterError):
    """No campaign, item or identity by that name, or more than one."""


class KeyUnavailable(MusterError):
    """There is no signing key, or it cannot be unlocked."""


class WrongPassphrase(KeyUnavailable):
    """The passphrase, or the PIN, that was given does not open the signing key."""


class NoLogin(MusterError):
    """Nobody is logged in at a platform: nothing was begun there."""


class Conflict(MusterError):
    """The workspace changed while this was being done; nothing was written."""


class NotReversible(MusterError):
    """What was done cannot be undone (a secret is gone): it can only be issued anew."""


class Unreachable(MusterError):
    """Another machine did not answer, or not as it should."""

    def __init__(self, message: str, *, again: bool = False, after_s: float | None = None) -> None:
        super().__init__(message)
        self.again = again
        """Whether the same request may succeed later: nobody has to do anything for it."""
        self.after_s = after_s
        """Seconds that the other machine asks to wait."""


class Declined(Unreachable):
    """Another machine understood the request and will not do it."""

    def __init__(
        self, message: str, code: str, status: int, *, again: bool = False,
        after_s: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message, again=again, after_s=after_s)
        self.code = code
        """Of `central.PROBLEMS`."""
        self.status = status
        """HTTP's."""
