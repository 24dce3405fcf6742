"""The workstation in a real terminal: what it sends, where the cursor is, what it leaves behind."""

import io
import random
import re
import signal
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from passmuster import campaigns, config, store, tlog
from passmuster.store import Database
from passmuster.tui import terminal
from tests.estates import bring_in, report
from tests.terminal import Terminal
from tests.tui import seat

NAMES = [f"svc-{n:02}" for n in range(40)]
ATTACKS = {
    "osc 0": "t\x1b]0;OWNED\x07t",
    "osc 52": "c\x1b]52;c;T1dORUQ=\x07c",
    "osc 8": "l\x1b]8;;http://owned.example/\x1b\\OWNED\x1b]8;;\x1b\\l",
    "clear": "s\x1b[2J\x1b[1;1HOWNED\x1b[31m",
    "c1 csi": "r\x9b31mOWNED\x9b2J",
    "c1 osc": "o\x9d0;OWNED\x9c",
    "c1 dcs": "d\x90q#0OWNED\x9c",
    "bidi": "b\u202egnp.exe\u2066x\u2069",
    "zero width": "z\u200bz\u2060z\ufeffz\u00adz",
    "tag": "u\U000e0041\U000e0042",
    "rich": "[/]x[bold red]OWNED[/]",
    "action": "[@click=app.quit]OWNED[/]",
    "bell": "k\x07\x08\x7f\x0e\x00k",
}  # fmt: skip
_ALLOWED = re.compile(
    r"\x1b\[\?[\d;]+[hl]|\x1b\[\?\d+\$p|\x1b\[>\d+u|\x1b\[<u"  # modes, questions, keys
    r"|\x1b\[\d+;\d+H|\x1b\[(\d+)?[ABCDGJK]|\r|\n"  # the cursor
    r"|\x1b\[(?:(?:0|1|2|3|4|7|9|39|49|[34]8;2;\d+;\d+;\d+);?)*m"  # our styles
    r"|\x1b\]22;[a-z-]*\x07"  # the mouse pointer
)
_SGR = re.compile(rb"\x1b\[([\d;]*)m")


@pytest.fixture
def queue(db: Database, folder: Path, tmp_path: Path) -> Path:
    """A workspace with a review of forty items, all of the same risk."""
    return opened(db, folder, tmp_path, *NAMES)


def opened(db: Database, folder: Path, tmp_path: Path, *names: str) -> Path:
    bring_in(db, tmp_path / "credential-report.csv", report(*names))
    tlog.enrol(db, seat.key(), seat.NOW)
    wanted = campaigns.Definition("Autumn", "2026-12-31", seat.ME)
    campaigns.open_campaign(db, wanted, seat.key(), config.Settings(), seat.NOW)
    return folder


def muster(folder: Path) -> list[str]:
    return [sys.executable, "-m", "passmuster", "--workspace", str(folder)]


def unwanted(sent: bytearray) -> list[str]:
    """What a terminal would take as anything but text, and we do not send."""
    left = _ALLOWED.sub("", sent.decode())
    return [left[max(0, m.start() - 20) : m.end() + 20]
            for m in re.finditer(r"[^\x20-\x7e]", left) if not m[0].isprintable()]  # fmt: skip


def drafts(folder: Path) -> dict[str, str]:
    db = store.open_(folder, read_only=True)
    try:
        return dict(db.execute(
            "SELECT y.display_name, d.verdict FROM draft d JOIN item i ON i.id = d.item_id"
            " JOIN identity y ON y.id = i.identity_id").fetchall())  # fmt: skip
    finally:
        db.close()


def pointed(t: Terminal) -> int:
    """The row of the list's cursor sign."""
    return next(n for n, line in enumerate(t.screen.display) if line.startswith(">"))


# what is painted


@pytest.mark.parametrize("size", [(24, 80), (40, 120)])
def test_the_first_thing_painted_is_the_queue_with_its_data(
    queue: Path, size: tuple[int, int]
) -> None:
    with Terminal(muster(queue), rows=size[0], columns=size[1]) as t:
        t.until(lambda: "Autumn" in str(t))
        assert "svc-00" in str(t.wait_for("> "))
        t.wait_for("impact").settle()  # the evidence of the first
        assert not unwanted(t.sent)


def test_the_terminals_own_cursor_follows_the_focus(queue: Path) -> None:
    with Terminal(seat.command(queue), rows=24, columns=80) as t:
        t.wait_for("all 40").settle()
        assert t.cursor == (t.row("svc-00"), 0)
        for number in range(1, 12):
            name = NAMES[number]
            t.press("down").wait_for(f" {name} ")
            t.settle(0.1)
            assert t.cursor == (t.row(f" {name} "), 0)
            assert t.cursor[0] == pointed(t)
        t.press("/").wait_for("tab completes").settle(0.1)
        t.press("s", "v").settle(0.2)
        row = t.row("/ sv")
        assert t.cursor == (row, t.screen.display[row].index("/ sv") + 4)
        t.press("escape").wait_without("/ sv").settle(0.2)
        t.press("r").wait_for("why?").settle(0.2)
        t.press("h", "m").settle(0.2)
        assert t.screen.display[t.cursor[0]][: t.cursor[1]].endswith("hm")
        t.press("escape").wait_without("why?").settle(0.2)
        assert t.cursor == (pointed(t), 0)


def test_without_colour_no_colour_is_sent_and_the_cursor_is_a_sign_in_reverse(queue: Path) -> None:
    with Terminal(seat.command(queue), rows=24, columns=80, env={"NO_COLOR": "1"}) as t:
        t.wait_for("all 40").settle()
        for keys in (["down"], ["space"], ["r"], ["escape"], ["/", "zz"], ["escape"], ["right"],
                     ["escape"], ["a", "1"], ["$"], ["escape"], ["?"], ["escape"]):  # fmt: skip
            t.press(*keys).settle(0.25 if keys == ["escape"] else 0.1)
        numbers = {int(n or 0) for sgr in _SGR.findall(bytes(t.sent)) for n in sgr.split(b";")}
        assert numbers <= {0, 1, 2, 3, 4, 7, 9, 22, 23, 24, 27, 39, 49}
        t.until(lambda: "\n>" in str(t))
        line = t.screen.buffer[pointed(t)]
        assert all(line[x].reverse for x in range(40))
        assert not unwanted(t.sent)


@pytest.mark.ci
def test_a_storm_of_sizes_leaves_the_screen_that_a_fresh_start_would_have(queue: Path) -> None:
    rng = random.Random(3)
    sizes = [(5, 20), (100, 300), (2, 9), (24, 80), (1, 1)]
    sizes += [(rng.randint(5, 100), rng.randint(20, 300)) for _ in range(14)]
    with Terminal(seat.command(queue), rows=24, columns=80) as t:
        t.wait_for("all 40")
        for number, (rows, columns) in enumerate([*sizes, (36, 118)]):
            t.resize(rows, columns)
            t.read(0.02 if number % 3 else 0.2)
        t.press("down").settle()
        with Terminal(seat.command(queue), rows=36, columns=118) as fresh:
            fresh.wait_for("all 40").settle().press("down").settle()
            t.until(lambda: str(t) == str(fresh), f"this screen:\n{fresh}\n")
            assert t.cursor == fresh.cursor


# what is not


@pytest.mark.parametrize("past_import", [
    pytest.param(False, id="imported", marks=pytest.mark.ci),
    pytest.param(True, id="past the import"),
])  # fmt: skip
def test_no_byte_of_a_name_reaches_the_terminal_as_a_control(
    db: Database, folder: Path, tmp_path: Path, past_import: bool
) -> None:
    """Imported, names are made harmless twice; *past_import* puts them raw where screens read."""
    opened(db, folder, tmp_path, *ATTACKS.values())
    if past_import:
        names = db.execute("SELECT id, display_name FROM identity ORDER BY id").fetchall()
        with db.atomic():
            for (row_id, _), attack in zip(names, ATTACKS.values(), strict=True):
                db.execute("UPDATE identity SET display_name = ? WHERE id = ?", (attack, row_id))
                db.execute("UPDATE listing SET owner = ? WHERE identity_id = ?", (attack, row_id))
    with Terminal(seat.command(folder), rows=48, columns=160) as t:
        t.wait_for("all 13").settle()
        assert "]52;c;T1dORUQ=" in str(t), "it is there, as text"
        for _ in ATTACKS:
            t.press("a", "1").read(0.1)
        t.settle(0.2).press("home", "down", "r", "3", "down", "d", "4").settle(0.2)
        t.press("right").wait_for("[evidence]").press("escape").settle(0.2)
        t.press("?").settle(0.2).press("escape").settle(0.2)
        t.press("/").wait_for("tab completes").paste("".join(ATTACKS.values()).encode()).settle()
        t.press("escape").settle(0.2)
        t.press("$").wait_for("Sign off").settle(0.2)
        t.press("s").wait_for("Nothing has been stopped yet").settle(0.2)
        t.press("ctrl+q")
        assert t.finish() == 0
        assert not unwanted(t.sent)
        # their words may stand anywhere, but only as text: no title, link or clipboard was sent
        assert b"\x1b]0" not in t.sent
        assert b"\x1b]52" not in t.sent


def test_what_is_pasted_is_text_whatever_it_holds(queue: Path) -> None:
    garbage = b"ab\x1b[2J\x1b]52;c;aGk=\x07\xc2\x9b31mcd\x1b[A\xe2\x80\xae\xff\r\nef"
    with Terminal(seat.command(queue), rows=24, columns=100) as t:
        t.wait_for("all 40").settle()
        t.press("r").wait_for("why?").settle(0.2).paste(garbage).settle()
        assert "ab" in t.screen.display[t.cursor[0]]
        assert "ef" in t.screen.display[t.cursor[0]]
        assert not drafts(queue), "a line end in it does not send it off"
        t.press("escape").wait_without("why?")
        t.press("/").wait_for("tab completes").paste(garbage).settle()
        assert "ab" in t.screen.display[t.cursor[0]]
        assert not unwanted(t.sent)
        t.press("escape").wait_for("all 40").press("ctrl+q")
        assert t.finish() == 0


@pytest.mark.ci
def test_a_byte_that_is_no_utf_8_ends_nothing(queue: Path) -> None:
    with Terminal(seat.command(queue)) as t:
        t.wait_for("all 40").settle().press("r").wait_for("your own words")
        t.write(b"hel\xe9lo\xff")
        t.wait_for("\ufffdlo").settle()
        assert t.process.poll() is None


def test_without_utf_8_each_sign_is_one_that_the_terminal_has_in_its_cells() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", errors=terminal.PLAINER)
    drawn = "▕█░▏ ─── é ◀ … 名前 ┘\udcff|"
    out.write(drawn)
    out.flush()
    sent = out.buffer.getvalue().decode("latin-1")
    assert sent == "|#.| --- é < . ???? +?|"
    assert len(sent) == cell_len(drawn.replace("\udcff", "?"))


@pytest.mark.ci
def test_in_a_terminal_without_utf_8_everything_stands_where_it_belongs(queue: Path) -> None:
    with Terminal(seat.command(queue), env={"PYTHONIOENCODING": "latin-1"}) as t:
        t.wait_for("all 40").settle()
        assert b"\\u2" not in t.sent
        assert b".....|" in t.sent


# what is left behind

_ON = {"1049", "1000", "1003", "1006", "1015", "1004", "2004", "kitty"}


def assert_restored(t: Terminal) -> None:
    modes = t.modes
    assert {m for m in _ON if modes[m]} == set()
    assert modes["25"], "the cursor is shown"
    assert modes["7"], "lines wrap"
    assert t.attributes == t.before


@pytest.mark.ci
def test_the_terminal_is_given_back_when_the_person_leaves(queue: Path) -> None:
    with Terminal(seat.command(queue)) as t:
        t.wait_for("all 40")
        assert {m for m in _ON if t.modes[m]} == _ON
        t.press("ctrl+q")
        assert t.finish() == 0
        assert_restored(t)


@pytest.mark.ci
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_given_back_and_drafts_kept_at_a_signal(
    queue: Path, number: signal.Signals
) -> None:
    with Terminal(muster(queue), env={"MUSTER_ME": seat.ME}) as t:
        t.wait_for("all 40").settle().press("r", "3").wait_for("1 draft")
        t.kill(number)
        assert t.finish() == 128 + number
        assert_restored(t)
    assert list(drafts(queue).values()) == ["revoke"]


@pytest.mark.ci
def test_closing_the_window_ends_the_program_and_keeps_the_drafts(queue: Path) -> None:
    with Terminal(muster(queue), env={"MUSTER_ME": seat.ME}) as t:
        t.wait_for("all 40").settle().press("r", "3").wait_for("1 draft")
        t.hang_up()
        t.process.wait(30)
    assert list(drafts(queue).values()) == ["revoke"]


@pytest.mark.ci
def test_the_program_ends_also_where_the_terminal_cannot_be_given_back(queue: Path) -> None:
    with Terminal(seat.command(queue, "--gone")) as t:
        t.wait_for("all 40").press("ctrl+q")
        assert t.finish() == 0


@pytest.mark.ci
def test_a_crash_gives_the_terminal_back_and_shows_no_values(queue: Path) -> None:
    with Terminal(seat.command(queue, "--break")) as t:
        t.wait_for("all 40").settle().press("r", "3").wait_for("1 draft").press("right")
        assert t.finish() == 1
        assert_restored(t)
        after = bytes(t.sent).rpartition(b"\x1b[?1049l")[2].decode()
        assert "the screen stopped (ValueError" in after
        assert "Traceback" not in after
        assert seat.SECRET.encode() not in t.sent
    written = "".join(
        p.read_text("utf-8", "replace") for p in queue.iterdir() if p.suffix == ".txt"
    )
    assert "ValueError" in written
    assert seat.SECRET not in written
    assert list(drafts(queue).values()) == ["revoke"]


@pytest.mark.ci
def test_what_was_shown_as_kept_survives_kill_9(queue: Path) -> None:
    """Another program holds the disk: what it keeps from being written shows `…`, and only that."""
    with Terminal(seat.command(queue)) as t:
        t.wait_for("all 40").settle()
        t.press("r", "3", "d", "4", "a", "1").wait_for("3 drafts").settle(0.5)
        other = store.open_(queue)
        try:
            with other.atomic():
                t.press("a", "2", "r", "6").wait_for("r…").wait_for("a…").settle()
                signs = {n: line[2:4] for line in t.screen.display
                         for n in NAMES if f" {n} " in line[:40]}  # fmt: skip
                t.kill(signal.SIGKILL)
                t.process.wait()
        finally:
            other.close()
    kept = {n for n, sign in signs.items() if sign.strip() and "…" not in sign}
    assert len(kept) >= 1
    assert kept <= set(drafts(queue))
    assert sorted(drafts(queue).values()) == ["approve", "disable", "revoke"]
