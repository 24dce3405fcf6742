"""Figures of the server in Prometheus' text format (version 0.0.4); counted in memory."""

import threading
from collections import Counter

NAMES = {
    "muster_requests_total": "Requests by route and status.",
    "muster_request_seconds_total": "Time spent on requests by route.",
    "muster_records_total": "Records by what became of them, and why.",
    "muster_commits_total": "Transactions that appended records.",
    "muster_commit_seconds_total": "Time spent in them, with the anchor.",
    "muster_blob_bytes_total": "Bytes of blobs taken.",
    "muster_seen_ahead_total": "Requests whose Muster-Seen contradicts this log.",
    "muster_anchor_failures_total": "Times that the anchor contradicted the database.",
    "muster_witness_total": "Requests to witnesses by outcome.",
}
"""Counter → what it counts."""


class Metrics:
    """Counters, and gauges that are handed in when they are asked for."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self._lock = threading.Lock()

    def add(self, name: str, amount: float = 1, **labels: object) -> None:
        """Count."""
        assert name in NAMES, name
        key = name, tuple(sorted((k, str(v)) for k, v in labels.items()))
        with self._lock:
            self._counts[key] += amount  # type: ignore[assignment]

    def text(self, gauges: dict[str, tuple[str, float]]) -> str:
        """All of them; *gauges*: name → (what it says, value)."""
        with self._lock:
            counts = sorted(self._counts.items())
        lines = []
        for name, said in NAMES.items():
            lines += [f"# HELP {name} {said}", f"# TYPE {name} counter"]
            lines += [f"{name}{_labels(key[1])} {value:g}" for key, value in counts
                      if key[0] == name]  # fmt: skip
        for name, (said, value) in gauges.items():
            lines += [f"# HELP {name} {said}", f"# TYPE {name} gauge", f"{name} {value:g}"]
        return "\n".join(lines) + "\n"


def _labels(pairs: tuple[tuple[str, str], ...]) -> str:
    if not pairs:
        return ""
    escape = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
    return "{" + ",".join(f'{k}="{v.translate(escape)}"' for k, v in pairs) + "}"
