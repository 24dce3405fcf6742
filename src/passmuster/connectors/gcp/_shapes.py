"""Which kind of object of Google Cloud one is: by its names, and by the form of its own name."""

from collections.abc import Callable

from passmuster import text
from passmuster.connectors import _listing

ARRAYS = ("accounts", "keys", "bindings", "assets", "results", "workloadIdentityPoolProviders",
          "roles", "activities")  # fmt: skip
ACCOUNT = "iam.googleapis.com/ServiceAccount"
KEY = "iam.googleapis.com/ServiceAccountKey"


_TESTS: tuple[tuple[str, Callable[[text.Json, str], object]], ...] = (
    ("asset", lambda of, _: "assettype" in of),
    ("activity", lambda of, _: "activitytype" in of),
    ("key", lambda of, name: "keyalgorithm" in of or ("/serviceAccounts/" in name
     and "/keys/" in name)),
    ("account", lambda of, name: {"email", "projectid"} <= of.keys()
     or "/serviceAccounts/" in name),
    ("provider", lambda _, name: "/workloadIdentityPools/" in name and "/providers/" in name),
    ("api_key", lambda _, name: "/locations/" in name and "/keys/" in name),
    ("role", lambda of, _: "includedpermissions" in of or {"name", "title", "stage"} <= of.keys()),
    ("binding", lambda of, _: {"role", "members"} <= of.keys()),
)  # fmt: skip


def kind(of: text.Json) -> str | None:
    """The kind of an object whose names are folded; None for what holds no access."""
    name = of.get("name")
    name = name if isinstance(name, str) else ""
    return next((k for k, test in _TESTS if test(of, name)), None)


def known(of: text.Json) -> bool:
    """Whether the object is of a kind that is read."""
    return kind(of) is not None


def sniff(*kinds: str) -> Callable[[bytes], bool]:
    """A test for a list whose first known objects are of one of *kinds*; assets go before all."""

    def test(head: bytes) -> bool:
        found = [kind(each) for each in _listing.peek(head, ARRAYS, known)]
        if "asset" in found or (found and found[0] == "role"):
            return "asset" in kinds
        return bool(found) and found[0] in kinds

    return test
