"""The operating system's keyring, when it is a real one and answers in time."""

import base64
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from passmuster.errors import KeyUnavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SERVICE = "passmuster"
# stores that encrypt at rest; keyrings.alt would silently offer plain text files as well
REAL_KEYRINGS = (
    "keyring.backends.SecretService", "keyring.backends.libsecret", "keyring.backends.kwallet",
    "keyring.backends.macOS", "keyring.backends.Windows",
)  # fmt: skip
T = TypeVar("T")


def real_keyring(timeout_s: float) -> tuple[Any, str]:
    """The first keyring that encrypts at rest and answers in time, and why there is none.

    Configuration that points keyring elsewhere (`PYTHON_KEYRING_BACKEND`, its own file) is not
    followed: it would let a plain-text store in. A chain of keyrings is not used as one either:
    it writes to whichever member takes it; each member is looked at by itself.
    """
    if sys.platform == "linux" and not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return None, "no desktop session (DBUS_SESSION_BUS_ADDRESS is unset)"
    try:
        found = in_time(_viable_keyrings, timeout_s)
    except KeyUnavailable as error:
        return None, str(error)
    return (found[0], "") if found else (None, "none of the known keyrings runs here")


def headless() -> str:
    """Why nobody could answer a locked keyring that asks; empty where somebody could."""
    if sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
        return ""
    return "no display on which a locked keyring could ask"


def name_of(backend: Any) -> str:
    """The kind of a keyring, in a word."""
    return type(backend).__module__.rpartition(".")[2]


def _viable_keyrings() -> list[Any]:
    import keyring.backend

    usable = [
        backend
        for backend in keyring.backend.get_all_keyring()
        if type(backend).__module__ in REAL_KEYRINGS
    ]
    return sorted(usable, key=lambda backend: float(backend.priority), reverse=True)


def in_time(work: Callable[[], T], timeout_s: float) -> T:
    """*work*'s result; a locked keyring may otherwise wait for ever on a prompt nobody sees."""
    box: list[T] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            box.append(work())
        except Exception as error:  # noqa: BLE001 - back ends raise what they like
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if box:
        return box[0]
    why = f"{type(failed[0]).__name__}: {failed[0]}" if failed else f"no answer in {timeout_s:g} s"
    raise KeyUnavailable(f"the keyring failed: {why}; unlock it, or use --key-store file")


def put(backend: Any, mark: str, private: "Ed25519PrivateKey", timeout_s: float) -> None:
    """Keep the seed of *private* under its fingerprint."""
    seed = base64.b64encode(private.private_bytes_raw()).decode()
    in_time(lambda: backend.set_password(SERVICE, mark, seed), timeout_s)


def get(mark: str, timeout_s: float) -> "Ed25519PrivateKey":
    """The key with that fingerprint; raises KeyUnavailable."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    backend, why = real_keyring(timeout_s)
    if backend is None:
        raise KeyUnavailable(f"the key {mark} is in the keyring, which cannot be reached: {why}")
    seed = in_time(lambda: backend.get_password(SERVICE, mark), timeout_s)
    if seed is None:
        raise KeyUnavailable(f"the keyring no longer has {mark}: make a new key")
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed))


def kept_secret(service: str, user: str, timeout_s: float) -> str | None:
    """What a person put into the keyring with `keyring set SERVICE USER`; None where nothing is.

    Raises KeyUnavailable where there is no keyring that encrypts at rest and answers in time.
    """
    backend, why = real_keyring(timeout_s)
    if backend is None:
        raise KeyUnavailable(f"no keyring: {why}")
    found: str | None = in_time(lambda: backend.get_password(service, user), timeout_s)
    return found
