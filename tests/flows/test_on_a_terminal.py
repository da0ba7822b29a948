"""Commands on a pseudo-terminal of 40, 80 and 200 columns, and in a pipe: widths and colours."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from extract.standin.server import Standin
from flows.covered import Covered
from flows.grid import grid_rows
from flows.terminal import bytes_text, left_text, span
from livetraffic.plan import Interval
from livetraffic.window import DAY, HOUR, Window
from terminal import settings_of
from test_history_into_warehouse import at

NIGHT = "2026-03-01T19:15:00Z"
LATER = "2026-05-28T19:15:00Z"
LONG = "a-very-long-name-of-a-domain-that-somebody-made.live.region-north.customer.example.com"
NAMES = [LONG, *(f"play{number:03}.example.com" for number in range(1, 64))]
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]")
WIDE = """
SELECT domain AS 播放域名, traffic_bytes AS 流量字节, '账单「二月」' AS 备注 FROM traffic_daily LIMIT 3
"""
LOOKS = (
    ["coverage", "--as-of", NIGHT],
    ["plan", "--as-of", NIGHT],
    ["expiring", "--within", "10d", "--as-of", LATER],
    ["revisions", "--since", "2026-01-01", "--as-of", NIGHT],
    ["sql", WIDE],
    ["sql", "SELECT * FROM load_ledger LIMIT 2"],
)
CALLS = (
    "import sys, json\nfrom flows.cli import main\nfor each in json.loads(sys.argv[1]): main(each)"
)


@pytest.fixture(scope="module")
def standin():
    """A stand-in with 64 domains; its clock stands still."""
    with Standin(domains=0, now=at(NIGHT), requests_per_minute=0) as server:
        for name in NAMES:
            server.change_domain("create", name, at=at("2020-01-01T00:00:00Z"))
        yield server


@pytest.fixture(scope="module")
def settings(standin, tmp_path_factory):
    """The environment of a warehouse with a few days, one failed domain and two restated values."""
    place = tmp_path_factory.mktemp("terminal") / "warehouse"
    found = {**settings_of(standin, place), "XDG_STATE_HOME": str(place.parent)}
    found |= {f"LIVE_TRAFFIC_{api}REQUESTS_PER_MINUTE": "100000" for api in ("", "V2_")}
    standin.faults([{"kind": "not_json", "domain": NAMES[5], "operation": "traffic"}])
    run = ["backfill", "--start", "2026-02-26", "--engine", "direct", "--as-of", NIGHT]
    in_a_pipe([run], found)
    standin.faults([])
    for name in NAMES[:2]:
        standin.restate(name, timestamp=at("2026-02-28T20:00:00Z"), traffic=4_000_000_000)
    again = ["--domain", NAMES[0], "--domain", NAMES[1], "--engine", "direct", "--as-of", NIGHT]
    in_a_pipe([["backfill", "--start", "2026-02-28", *again]], found)
    return found


def child(calls, environment, **streams):
    import json

    kept = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONIOENCODING": "utf-8"}
    return subprocess.Popen(
        [sys.executable, "-c", CALLS, json.dumps(calls)],
        env={**kept, "TERM": "xterm-256color", **environment}, **streams,
    )  # fmt: skip


def in_a_pipe(calls, environment) -> str:
    """Both streams of the commands, through a pipe."""
    done = child(calls, environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.communicate(timeout=300)[0].decode()


def on_a_terminal(calls, environment, columns: int) -> str:
    """What the commands write to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = child(calls, environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    written, deadline = b"", time.monotonic() + 300
    with suppress(OSError):  # the other end is closed when the process has ended
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 1)[0]:
                part = os.read(ours, 65536)
                if not part:
                    break
                written += part
    os.close(ours)
    assert process.wait(10) is not None
    return written.decode().replace("\r\n", "\n")


def cells(line: str) -> int:
    """How many columns a terminal takes for a line."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_line_is_longer_than_the_terminal(settings, columns):
    """With 64 domains, a very long name and Chinese columns; whatever is cut, the figures stay."""
    colours = {"NO_COLOR": "1"} if columns == 40 else {}
    shown = on_a_terminal(LOOKS, {**settings, **colours}, columns)
    lines = ESCAPE.sub("", shown).splitlines()
    assert "Traceback" not in shown
    assert max(map(cells, lines)) <= columns
    assert bool(COLOUR.search(shown)) == (columns != 40), "NO_COLOR"
    text = "\n".join(lines)
    assert "流量字节" in text
    assert "Next: live-traffic backfill" in text.replace("\n", " ")
    if columns == 40:
        assert re.search(r"^2025-12-02 \.\. 2026-01-01 +64 .* +\S+$", text, re.MULTILINE)
    else:
        assert "2025-12-02 04:15 .. 2026-01-01 04:15  v1   64 domains" in text
        assert "2026-03-02 .. 03-10  63 domains" in text


def test_columns_of_wide_letters_stand_below_each_other(settings):
    """The last column begins in the same cell on each line."""
    shown = ESCAPE.sub("", on_a_terminal([["sql", WIDE.replace(LONG, "x")]], settings, 200))
    head, *rows = [line for line in shown.splitlines() if line.strip()]
    place = cells(head[: head.index("备注")])
    assert len(rows) == 3
    assert {cells(row[: row.index("账单")]) for row in rows} == {place}


def test_the_grid_of_wide_names_stands_in_columns():
    """Whatever a name is made of, and however long it is, its cells begin in one column."""
    week = Window(1_767_225_600, 1_767_225_600 + 7 * DAY)
    names = (
        "a.cn",
        "播放.cn",
        "很长很长很长很长的播放域名.cn",
        "a-very-long-name-indeed.example.com",
    )
    covered = Covered([Interval(name, week, "complete") for name in names], [], list(names))
    for width in (30, 80):
        grid = grid_rows(covered, ZoneInfo("UTC"), width)
        assert {cells(row.label) for row in grid.rows} == {grid.label_width}
    alone = Covered([Interval("播放域名.cn", week, "complete")], [], ["播放域名.cn"])
    assert [row.label for row in grid_rows(alone, ZoneInfo("UTC"), 80).rows] == ["播放域名.cn"]


def test_a_pipe_gets_no_escape_and_what_is_asked_for_is_coloured(settings):
    """A pipe: none. FORCE_COLOR in a pipe: colour, and no cursor that moves."""
    run = ["backfill", "--start", "2026-02-28", "--engine", "direct", "--as-of", NIGHT]
    night = [LOOKS[0], run]
    assert "\x1b" not in in_a_pipe(night, settings)
    forced = in_a_pipe(night, {**settings, "FORCE_COLOR": "1"})
    assert COLOUR.search(forced)
    assert not re.search(r"\x1b\[(\d*[A-HJK]|\?25)", forced), "no cursor is moved in a pipe"
    assert "1/1 " in forced


def test_progress_on_a_terminal_leaves_nothing_behind(settings):
    """The bar is drawn over and gone; a terminal that cannot do that gets lines."""
    run = [["backfill", "--start", "2026-02-28", "--force", "--engine", "direct", "--as-of", NIGHT]]
    shown = on_a_terminal(run, settings, 80)
    assert "fetching" in shown
    assert "64/64" in shown
    last = shown[shown.rindex("\x1b[2K") :]
    assert "fetching" not in last
    assert "points from" in ESCAPE.sub("", last)
    dumb = on_a_terminal(run, {**settings, "TERM": "dumb"}, 80)
    assert "1/1 " in dumb
    assert "\x1b[2K" not in dumb


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["nightly", "--engine", ""], {"auto", "prefect", "direct", "dask"}),
        (["plan", "--log-level", ""], {"debug", "info", "warning", "error"}),
    ],
)
def test_shells_are_offered_what_fits(words, offered):
    """As bash asks for it."""
    asking = {
        "_LIVE_TRAFFIC_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["live-traffic", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        ["live-traffic"], capture_output=True, text=True, check=False,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **asking},
    )  # fmt: skip
    assert set(done.stdout.split()) == offered


def test_figures_read_well():
    """Units of 1000 with three digits; durations to the day; the year once."""
    from zoneinfo import ZoneInfo

    sizes = {0: "0 B", 999: "999 B", 1000: "1.00 kB", 35_123_456_789: "35.1 GB", -1_500: "-1.50 kB"}
    sizes |= {999_999_999: "1.00 GB", 10**18: "1.00 EB", 123_456: "123 kB"}
    assert {count: bytes_text(count) for count in sizes} == sizes
    assert [left_text(s) for s in (-1, 0, 5 * HOUR, 2 * DAY + HOUR)] == ["now", "now", "5h", "2d"]
    utc = ZoneInfo("UTC")
    assert span(Window(0, DAY), utc) == "1970-01-01 00:00 .. 01-02 00:00"
    assert span(Window(0, 366 * DAY), utc, days=True) == "1970-01-01 .. 1971-01-02"
