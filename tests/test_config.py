"""Settings: what is refused, what is left out and told, which file wins, and changing one."""

import dataclasses
import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from passmuster import config
from passmuster.config import _check, _fields
from passmuster.errors import MusterError, UsageError
from tests.conftest import ME

FIELDS = {f.name for f in dataclasses.fields(config.Settings)} - {"troubles"}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / config.FILE
    path.write_text(text, "utf-8")
    return path


def test_each_setting_has_a_shape_and_a_docstring_and_its_default_fits_the_shape() -> None:
    assert set(_fields.SHAPES) == FIELDS
    assert set(_fields.docs()) == FIELDS
    assert FIELDS >= _fields.SCREEN
    for name, shape in _fields.SHAPES.items():
        default = getattr(config.Settings(), name)
        assert default is None or not list(_check.faults(default, shape)), name


def keywords(shape: Any) -> Iterator[str]:
    if isinstance(shape, dict):
        for key, value in shape.items():
            yield key
            if key in ("additionalProperties", "items", "propertyNames"):
                yield from keywords(value)


def test_the_schema_says_nothing_that_is_not_checked() -> None:
    checked = {"type", "enum", "minimum", "minLength", "additionalProperties", "propertyNames",
               "pattern", "items", "uniqueItems", "description"}  # fmt: skip
    used = {word for shape in _fields.SHAPES.values() for word in keywords(shape)}
    assert used == checked
    properties = config.schema()["properties"]
    assert set(properties) == FIELDS
    assert all(entry["description"] for entry in properties.values())


@pytest.mark.parametrize(("text", "tells"), [
    ("reasns = {}", "did you mean reasons?"),
    ("key_stor = 'file'", "did you mean key_store?"),
    ("frequency = 3", "unknown key 'frequency'"),
    ("key_store = 'fil'", "did you mean file?"),
    ("keyring_timeout_s = -1", "less than 0.1"),
    ("keyring_timeout_s = nan", "less than 0.1"),
    ("keyring_timeout_s = true", "wrong type"),
    ("max_yaml_mib = 0", "less than 1"),
    ("read_only = 1", "not true or false"),
    ("troubles = ['x']", "unknown key 'troubles'"),
    ("[bulk]\ncritical = 0", "bulk.critical cannot be less than 1"),
    ("[bulk]\ncritcal = 3", "did you mean critical?"),
    ("[bulk]\nlow = true", "wrong type"),
    ("[reasons]\nten = 'x'", "is not a digit"),
    ("[reasons]\n1 = ''", "reasons.1 is empty"),
    ("reasons = 'x'", "not a table"),
    ("[rules]\nunused = 3", "rules.unused has a value of the wrong type"),
    ("me = 1979-05-27", "wrong type"),
    ("theme = ", "not TOML"),
    ("me = '\x1b'", "not TOML"),
    ("'a\\u202eb' = 1", "unknown key"),
])  # fmt: skip
def test_a_wrong_setting_that_evidence_depends_on_is_an_error(
    here: Path, text: str, tells: str
) -> None:
    path = write(here, text)
    with pytest.raises(UsageError) as told:
        config.load(here)
    assert tells in str(told.value)
    assert str(told.value).startswith(str(path))
    assert str(told.value).isprintable()
    assert config.troubles(path) == [str(told.value)]


@pytest.mark.parametrize(("text", "tells"), [
    ("them = 'x'", "unknown key 'them'; did you mean theme?"),
    ("theme = 3", "theme has a value of the wrong type"),
    ("theme = ''", "theme is empty"),
    ("mouse = 'no'", "not true or false"),
    ("screen_reader = 0", "not true or false"),
    ("clipboard = 'osc25'", "did you mean osc52?"),
    ("columns = 'risk'", "not a list"),
    ("columns = ['name', 'rsk']", "columns.1 cannot be 'rsk'; did you mean risk?"),
    ("columns = ['name', 'name']", "columns.1 stands there twice"),
    ("[keys]\npane.on = 'L'", "needs quotation marks"),
    ("[keys]\napprove = ''", "keys.approve is empty"),
    ("[keys]\nAPPROVE = 'a'", "is not the id of a key"),
    ("[sections]\nmine = 3", "sections.mine has a value of the wrong type"),
    ("[sections]\n' x' = 'a'", "is not a name of 1 to 24 signs"),
    ("[sections]\n'12345678901234567890x2345' = 'a'", "is not a name of 1 to 24 signs"),
])  # fmt: skip
def test_a_wrong_setting_of_the_screen_is_left_out_and_told(
    here: Path, text: str, tells: str
) -> None:
    write(here, "read_only = true\n" + text)
    settings = config.load(here)
    (told,) = settings.troubles
    assert tells in told
    assert told.endswith("; it is left out")
    assert settings.read_only
    for name in _fields.SCREEN - {"columns"}:
        assert getattr(settings, name) == getattr(config.Settings(), name)
    assert settings.columns in ([], ["name"])


def test_of_a_table_of_the_screen_only_the_wrong_entry_is_left_out(here: Path) -> None:
    write(here, "[keys]\napprove = 'y'\nrevoke = 3\n[sections]\nmine = ''\nold = 'unused:>90d'")
    settings = config.load(here)
    assert settings.keys == {"approve": "y"}
    assert settings.sections == {"old": "unused:>90d"}
    assert len(settings.troubles) == 2


@pytest.mark.parametrize("key", sorted(FIELDS))
def test_a_key_with_a_letter_too_many_finds_the_right_one_and_never_passes_in_silence(
    here: Path, key: str
) -> None:
    path = write(here, f"{key}x = 1")
    (told,) = config.troubles(path)
    assert f"did you mean {key}?" in told
    assert ("left out" in told) == (key in _fields.SCREEN)


def test_a_table_is_laid_over_entry_by_entry_and_the_workspace_goes_first(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MUSTER_ME")
    mine = write(
        config.user_folder(),
        """
me = "mine@example.com"
theme = "muster-light"
[bulk]
high = 10
low = 10
[rules.unused]
max_days = 45
[reasons]
1 = "mine"
""",
    )
    its = write(
        here,
        """
me = "its@example.com"
[bulk]
low = 20
[rules.credential-old]
max_days = 30
""",
    )
    settings = config.load(here)
    assert settings.bulk == {"critical": 5, "high": 10, "medium": 200, "low": 20}
    assert settings.rules == {"unused": {"max_days": 45}, "credential-old": {"max_days": 30}}
    assert settings.reasons == {**config.REASONS, "1": "mine"}
    assert (settings.me, settings.theme) == ("its@example.com", "muster-light")
    monkeypatch.setenv("MUSTER_ME", ME)
    assert config.load(here).me == ME

    listed = {s.key: s for s in config.listing(here)}
    assert {s.key.partition(".")[0] for s in listed.values()} == FIELDS
    where = {key: (s.value, s.origin, s.where) for key, s in listed.items()}
    assert where["me"] == (ME, "environment", "MUSTER_ME")
    assert where["theme"] == ("muster-light", "user", str(mine))
    assert where["bulk.critical"] == (5, "default", None)
    assert where["bulk.high"] == (10, "user", str(mine))
    assert where["bulk.low"] == (20, "workspace", str(its))
    assert where["rules.unused.max_days"] == (45, "user", str(mine))
    assert where["sections"] == ({}, "default", None)
    assert listed["clipboard"].choices == ("auto", "osc52", "native", "file")
    assert listed["theme"].of_screen
    assert not listed["bulk.low"].of_screen
    assert config.Settings().bulk == config.BULK  # what ships is not written into


WRITTEN = """# my settings

me = "rev@example.com"   # also in MUSTER_ME
theme = 'muster-dark'

# agreed with audit
[rules.unused]
max_days = 45 # not 90

[keys]
"pane.on" = "L"  # as ever
"""


@pytest.mark.parametrize(("key", "value"), [
    ("theme", "muster-light"), ("mouse", False), ("keyring_timeout_s", 2.5),
    ("me", "x@example.com"),
    ("columns", ["risk", "name"]), ("keys.approve", "y"), ("keys.pane.on", "shift+down"),
    ("sections.my tab, of old", "unused:>90d"), ("rules.unused.max_days", 30),
    ("rules.credential-old.max_days", 30), ("reasons.1", 'a "quoted" \\ reason'), ("bulk.low", 9),
    ("keys", {"approve": "y"}), ("rules", {}), ("theme", None), ("keys.pane.on", None),
    ("keys", None), ("rules.unused.max_days", None), ("bulk.low", None), ("clipboard", None),
])  # fmt: skip
def test_one_setting_is_changed_and_nothing_else_is(here: Path, key: str, value: Any) -> None:
    path = write(here, WRITTEN)
    before = config.load(here)
    config.change(path, key, value)
    after = config.load(here)
    values = tomllib.loads(path.read_text())
    head, _, rest = key.partition(".")
    assert {f for f in FIELDS if getattr(before, f) != getattr(after, f)} <= {head, "me"}
    place = [head, *(rest.split(".", 1) if head == "rules" else [rest])] if rest else [head]
    for step in place[:-1]:
        values = values.get(step, {})
    assert values.get(place[-1]) == value
    text = path.read_text()
    kept = {"# my settings", "# also in MUSTER_ME", "# agreed with audit", "# not 90", "# as ever"}
    gone = {"rules": {"# agreed with audit", "# not 90"}, "keys": {"# as ever"},
            "me": {"# also in MUSTER_ME"}}  # fmt: skip
    allowed = gone.get(head, set()) if rest == "" or value is None else set()
    assert {comment for comment in kept if comment not in text} <= allowed
    assert text == WRITTEN or path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in here.iterdir()] == [config.FILE]


@pytest.mark.parametrize(("key", "value", "tells"), [
    ("theem", "x", "did you mean theme?"), ("mouse", "yes", "true or false"),
    ("mouse.x", True, "has no entries"), ("bulk.lo", 3, "did you mean low?"),
    ("bulk.low", 0, "less than 1"), ("columns", ["nme"], "did you mean name?"),
    ("keys.approve", "", "is empty"), ("reasons.x", "y", "a digit"), ("rules.unused", 3, "a table"),
    ("rules.unused.max_days", "x", "rules.unused.max_days has a value of the wrong type"),
    ("troubles", ["x"], "unknown key"), ("sections.", "x", "1 to 24"),
])  # fmt: skip
def test_what_a_setting_cannot_be_is_refused_and_the_file_is_as_it_was(
    here: Path, key: str, value: Any, tells: str
) -> None:
    path = write(here, WRITTEN)
    with pytest.raises(UsageError, match=tells):
        config.change(path, key, value)
    assert path.read_text() == WRITTEN


def test_a_file_that_is_no_toml_is_not_written_into(here: Path) -> None:
    path = write(here, "me = ")
    with pytest.raises(UsageError, match="not TOML"):
        config.change(path, "theme", "mono")
    assert path.read_text() == "me = "


def test_another_wrong_setting_does_not_keep_one_from_mending_this_one(here: Path) -> None:
    path = write(here, "key_store = 'cloud'\nfoo = 1\n")
    config.change(path, "key_store", "file")
    assert tomllib.loads(path.read_text()) == {"key_store": "file", "foo": 1}


def test_a_missing_file_is_made_for_its_owner_alone_and_a_link_stays_a_link(
    here: Path, tmp_path: Path
) -> None:
    fresh = tmp_path / "none" / "yet" / config.FILE
    config.change(fresh, "theme", "mono")
    assert fresh.read_text() == 'theme = "mono"\n'
    assert fresh.parent.stat().st_mode & 0o077 == 0
    kept = write(tmp_path / "dotfiles", "mouse = true\n")
    link = here / config.FILE
    link.symlink_to(kept)
    config.change(link, "mouse", False)
    assert link.is_symlink()
    assert kept.read_text() == "mouse = false\n"


def test_a_change_that_cannot_be_finished_leaves_the_old_file_and_no_other(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(here, WRITTEN)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MusterError, match="No space left"):
        config.change(path, "theme", "mono")
    assert path.read_text() == WRITTEN
    assert [p.name for p in here.iterdir()] == [config.FILE]


def test_the_schema_is_plain_json() -> None:
    assert json.loads(json.dumps(config.schema())) == config.schema()
