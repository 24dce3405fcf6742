"""To and from the central API; nothing of the work here waits for it."""

from passmuster.sync._session import Session, session

__all__ = ["Session", "session"]
