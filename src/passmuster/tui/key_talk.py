"""A signing key's questions and words on a screen: asked and told from the thread that signs."""

import queue
import threading
from collections.abc import Callable
from typing import Any

from textual.screen import Screen

from passmuster.errors import KeyUnavailable
from passmuster.keys import CALLED_OFF, Talk

Box = queue.SimpleQueue[str]
"""Where the screen puts what was typed."""


class KeyTalk:
    """One signing: a screen makes it, gives its `talk` to the key, and may call it off."""

    def __init__(
        self, screen: Screen[Any], put: Callable[[str, Box], None], tell: Callable[[str], None]
    ) -> None:
        """*put* shows a question, *tell* a line; both are called in the screen's own thread."""
        self._screen, self._put, self._tell = screen, put, tell
        self._off = threading.Event()

    @property
    def talk(self) -> Talk:
        """What the key is given."""
        return Talk(self._ask, self.say, self._called_off)

    def call_off(self) -> None:
        """The person went back: the key stops to wait, and nothing is signed."""
        self._off.set()

    @property
    def is_called_off(self) -> bool:
        """Whether the person went back."""
        return self._off.is_set()

    def _called_off(self) -> bool:
        return self._off.is_set() or not self._screen.app.is_running or (
            not self._screen.is_attached)  # fmt: skip

    def say(self, words: str) -> None:
        """Tell the person something, from the thread that signs."""
        if not self._called_off():
            self._screen.app.call_from_thread(self._tell, words)

    def _ask(self, question: str) -> bytes:
        box: Box = queue.SimpleQueue()
        if not self._called_off():
            self._screen.app.call_from_thread(self._put, question, box)
        while not self._called_off():
            try:
                return box.get(timeout=0.1).encode()
            except queue.Empty:
                continue
        raise KeyUnavailable(CALLED_OFF)
