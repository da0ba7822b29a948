"""Damage of every kind: found and named, mended, read again, and equal to the source in the end."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract.standin.server import Standin
from livetraffic.limits import V1
from livetraffic.table import TABLES
from load.inspection.trying import Tryer
from terminal import CommandLine, commands, settings_of
from test_history_into_warehouse import at, later, stored
from tests.figures import Figures, long_form

NIGHT = "2026-02-10T19:15:00Z"
RETENTION = "20d"
MONTH = "month=2026-01"
TRAFFIC = f"traffic/{MONTH}/data.parquet"
LEDGER = "load_ledger/month=2026-02/data.parquet"
RECONCILIATIONS = "reconciliations/month=2026-02/data.parquet"
FILES = (TRAFFIC, LEDGER, RECONCILIATIONS, "calendar.parquet", "domains.parquet")

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def server():
    """A stand-in whose clock stands still, without a quota."""
    with Standin(domains=3, now=at(NIGHT), requests_per_minute=0) as standin:
        yield standin


@pytest.fixture(scope="module")
def filled(server, tmp_path_factory) -> Path:
    """A warehouse as a night left it; never written to again."""
    place = tmp_path_factory.mktemp("filled") / "warehouse"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place.parent)
        _configure(patch, server, place)
        from flows.cli import main

        assert main(["nightly", "--engine", "direct", "--as-of", NIGHT]) == 0
    return place


def _configure(patch, server, place) -> None:
    for name, value in settings_of(server, place).items():
        patch.setenv(name, value)
    for name, value in (
        ("RETENTION", RETENTION), ("API", "v1"), ("REQUESTS_PER_MINUTE", "100000"),
        ("DELAY", "15m"),
    ):  # fmt: skip
        patch.setenv(f"LIVE_TRAFFIC_{name}", value)
    patch.setenv("XDG_STATE_HOME", str(place.parent / "state"))


@pytest.fixture
def live(capsys, monkeypatch, server, filled, tmp_path) -> CommandLine:
    """The command line on a copy of the filled warehouse."""
    shutil.copytree(filled, tmp_path / "warehouse")
    _configure(monkeypatch, server, tmp_path / "warehouse")
    server.set_clock(at(NIGHT))
    return commands(capsys, monkeypatch, server, tmp_path / "warehouse")


def offer(live: CommandLine) -> dict:
    """What the source offers at the night, of the short retention that is configured."""
    since = at(later(NIGHT, days=-20, hours=1))
    until = V1.reach(int(at(NIGHT).timestamp()), 300).ends_at
    return {
        (domain, moment): value
        for domain in live.standin.domains("pull")
        for moment, value in live.standin.truth(domain, since, until).items()
    }


def kinds(document) -> set[tuple[str, str]]:
    return {(item["kind"], item["place"]) for item in document["findings"]}


def mended(live: CommandLine, *expected: tuple[str, str]) -> dict:
    """Found, mended, read again: what ``fsck --repair`` said."""
    held = offer(live)
    found = live.json("fsck", as_of=NIGHT)
    assert found["exit_code"] == 3
    assert kinds(found) >= set(expected), found["findings"]
    document = live.json("fsck", "--repair", as_of=NIGHT)
    assert document["exit_code"] == 0, document["left"]
    assert document["lost"] == []
    assert live.json("nightly", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    assert stored(live.warehouse) == held
    sound = live.json("fsck", as_of=NIGHT)
    assert sound["exit_code"] == 0, sound["findings"]
    assert live.json("coverage", "--check", "--end", "2026-02-09", as_of=NIGHT)["exit_code"] == 0
    return document


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_text("domain,timestamp\n")


def foreign(path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), path)


def flipped(path: Path) -> None:
    """The last byte of the first column's values."""
    column = pq.read_metadata(path).row_group(0).column(0)
    content = bytearray(path.read_bytes())
    content[column.dictionary_page_offset + column.total_compressed_size - 1] ^= 16
    path.write_bytes(content)


def future(path: Path) -> None:
    table = pq.ParquetFile(path).read()
    pq.write_table(table.append_column("from_the_future", pa.array([1] * len(table))), path)


DAMAGES = [cut, empty, garbage, foreign, flipped, future]
CASES = [
    (file, damage)
    for file in FILES
    for damage in (DAMAGES if long_form() else {DAMAGES[len(file) % 6]: None, flipped: None})
]


def test_a_sound_warehouse_is_sound_and_untouched(live):
    outcome = live("fsck", as_of=NIGHT)
    assert outcome.code == 0
    assert "is sound" in outcome.out
    document = live.json("fsck", "--repair", as_of=NIGHT)
    assert document["exit_code"] == 0
    assert document["findings"] == document["set_aside"] == []
    assert document["rows"] == len(stored(live.warehouse))


@pytest.mark.parametrize(("file", "damage"), CASES)
def test_a_damaged_file_is_named_set_aside_and_read_again(live, file, damage, figures: Figures):
    damage(live.warehouse / file)
    content = (live.warehouse / file).read_bytes()
    document = mended(live, ("damaged", file))
    (aside,) = document["set_aside"]
    assert Path(aside).read_bytes() == content, "never overwritten"
    assert Path(aside).is_relative_to(live.warehouse / "damaged")
    figures("damage", f"a file is {damage.__name__}", 1, sink="parquet")


def rewritten(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    table = pq.ParquetFile(path).read()
    pq.write_table(change(table), path)


def value(table: pa.Table, place: int, number: int) -> pa.Table:
    values = table.column("traffic_bytes").to_pylist()
    values[place] = number
    return table.set_column(2, "traffic_bytes", pa.array(values, pa.int64()))


def moved(table: pa.Table, place: int, seconds: int) -> pa.Table:
    stamps = table.column("timestamp").cast(pa.int64()).to_pylist()
    stamps[place] += seconds * 1_000_000
    column = pa.array(stamps, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    return table.set_column(1, "timestamp", column)


ROWS = {
    "negative": lambda t: value(t, 5, -1),
    "off_grid": lambda t: moved(t, 5, 7),
    "misplaced": lambda t: moved(t, len(t) - 1, 40 * 86_400),
    "duplicate": lambda t: pa.concat_tables([t.slice(0, 6), t.slice(5)]),
    "disorder": lambda t: t.take(np.arange(len(t))[::-1].copy()),
}


@pytest.mark.parametrize("kind", ROWS)
def test_rows_that_break_a_rule_are_set_aside_and_read_again(live, kind, figures: Figures):
    rewritten(live.warehouse / TRAFFIC, ROWS[kind])
    document = mended(live, (kind, TRAFFIC))
    assert len(document["set_aside"]) == 1
    assert bool(document["due"]) == (kind != "disorder")
    figures("damage", f"rows: {kind}", 1, sink="parquet")


def test_points_that_are_gone_are_due_again_and_only_they(live, figures: Figures):
    rewritten(live.warehouse / TRAFFIC, lambda t: pa.concat_tables([t.slice(0, 100), t.slice(110)]))
    domain = min(live.standin.domains("pull"))
    document = mended(live, ("missing", domain))
    (piece,) = document["due"]
    assert piece["domain"] == domain
    assert (at(piece["window_end"]) - at(piece["window_start"])).total_seconds() == 10 * 300
    figures("damage", "rows: gone", 1, sink="parquet")


def test_a_month_that_is_gone_is_due_again(live, figures: Figures):
    shutil.rmtree(live.warehouse / f"traffic/{MONTH}")
    domains = live.standin.domains("pull")
    mended(live, *(("missing", domain) for domain in domains))
    figures("damage", "a file is gone", 1, sink="parquet")


def test_a_value_that_somebody_changed_is_read_again(live, figures: Figures):
    rewritten(live.warehouse / TRAFFIC, lambda t: value(t, 100, 7))
    domain = min(live.standin.domains("pull"))
    mended(live, ("different", domain))
    figures("damage", "rows: changed", 1, sink="parquet")


def test_rows_without_an_entry_are_spoken_of_and_kept(live, figures: Figures):
    (live.warehouse / LEDGER).unlink()
    domains = live.standin.domains("pull")
    document = mended(live, *(("unrecorded", domain) for domain in domains))
    assert {piece["domain"] for piece in document["due"]} == set(domains)
    figures("damage", "a file is gone", 1, sink="parquet")


def test_what_the_source_no_longer_has_is_named_as_lost(live):
    (live.warehouse / TRAFFIC).write_bytes(b"")
    live.standin.set_clock(at("2026-02-15T19:15:00Z"))
    late = "2026-02-15T19:15:00Z"
    document = live.json("fsck", "--repair", as_of=late)
    assert document["exit_code"] == 4
    edge = later(late, days=-20, hours=1)
    assert {piece["window_end"] for piece in document["lost"]} == {edge}
    live("nightly", "--engine", "direct", as_of=late)
    intervals = live.json("coverage", "--start", "2026-01-22", "--end", "2026-01-26", as_of=late)
    assert {row["state"] for row in intervals["intervals"]} == {"lost"}
    held = stored(live.warehouse)
    wanted = {key: number for key, number in offer(live).items() if key[1] >= at(edge)}
    assert {key: held.get(key) for key in wanted} == wanted
    assert live.json("fsck", as_of=late)["exit_code"] == 0


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"format_version": 2}', None],
    ids=["empty", "cut", "list", "half", "gone"],
)
def test_a_damaged_warehouse_json_is_made_anew_where_the_calendar_proves_it(
    live, content, figures: Figures
):
    path = live.warehouse / "warehouse.json"
    before = path.read_bytes()
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    mended(live, ("damaged", "warehouse.json"))
    assert path.read_bytes() == before
    figures("damage", "warehouse.json", 1, sink="parquet")


def test_a_warehouse_json_is_not_guessed(live, monkeypatch):
    (live.warehouse / "warehouse.json").write_text("{")
    monkeypatch.setenv("LIVE_TRAFFIC_TIMEZONE", "Europe/Berlin")
    document = live.json("fsck", "--repair", as_of=NIGHT)
    assert document["exit_code"] == 3
    assert document["left"][0]["place"] == "warehouse.json"
    assert (live.warehouse / "warehouse.json").read_text() == "{"


def test_a_newer_format_is_left_alone(live):
    path = live.warehouse / "warehouse.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 9}))
    document = live.json("fsck", "--repair", as_of=NIGHT)
    assert document["exit_code"] == 3
    assert kinds(document) == {("newer", "warehouse.json")}
    assert document["set_aside"] == []


def test_another_calendar_than_that_of_the_warehouse_is_written_anew(live, figures: Figures):
    path = live.warehouse / "calendar.parquet"
    rewritten(path, lambda t: t.set_column(4, "local_hour", pa.array([3] * len(t), pa.int64())))
    mended(live, ("calendar", "calendar"))
    figures("damage", "a calendar of another zone", 1, sink="parquet")


def test_strangers_where_readers_look_are_set_aside(live, figures: Figures):
    place = f"traffic/{MONTH}/mine.parquet"
    shutil.copy(live.warehouse / TRAFFIC, live.warehouse / place)
    mended(live, ("foreign", place))
    figures("damage", "a foreign file", 1, sink="parquet")


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 1, "moves": {"a.tmp": "../b"}}'])
def test_a_journal_that_cannot_be_trusted_is_set_aside(live, content, figures: Figures):
    (live.warehouse / ".journal").write_bytes(content)
    (live.warehouse / ".commit-x-0.tmp").write_bytes(b"half")
    document = mended(live, ("damaged", ".journal"))
    assert {Path(path).name for path in document["set_aside"]} == {".journal", ".commit-x-0.tmp"}
    figures("damage", "a journal", 1, sink="parquet")


def test_what_a_kill_left_is_told_and_cleared(live, figures: Figures):
    (live.warehouse / ".commit-x-0.tmp").write_bytes(b"half")
    mended(live, ("leftover", ".commit-x-0.tmp"))
    figures("damage", "a temporary of a killed commit", 1, sink="parquet")


def test_a_run_that_is_at_work_is_waited_for(live):
    from load.parquet.sink import ParquetSink

    with ParquetSink(live.warehouse).run_lock(wait=0, holder="the nightly run"):
        outcome = live("fsck", "--lock-wait", "0m", as_of=NIGHT)
    assert outcome.code == 1
    assert "the nightly run" in outcome.err


def test_nothing_is_not_damaged(live):
    shutil.rmtree(live.warehouse)
    assert live("fsck", as_of=NIGHT).code == 0
    assert not live.warehouse.exists()


def contents(path: Path) -> object:
    """A file's rows, read without us; None where no reader can."""
    try:
        return pq.ParquetFile(path).read().to_pylist()
    except Exception:  # noqa: BLE001 - whatever a reader meets
        return None


@pytest.mark.parametrize("file", FILES)
def test_any_flipped_bit_is_found_or_changes_nothing(live, file, figures: Figures):
    """Pages have checksums, the end of a file is held against its rows."""
    path = live.warehouse / file
    whole, before = path.read_bytes(), contents(path)
    chance = np.random.default_rng(7)
    places = chance.integers(0, len(whole) * 8, 2_000 if long_form() else 60)
    # The end, which no checksum covers, more often.
    places = np.concatenate([places, len(whole) * 8 - chance.integers(0, 9_000, len(places))])
    (table,) = [table for table in TABLES if table.name == file.partition("/")[0].split(".")[0]]
    with closing(Tryer()) as tryer:
        for place in places.tolist():
            content = bytearray(whole)
            content[place // 8 % len(whole)] ^= 1 << place % 8
            path.write_bytes(content)
            assert tryer.fault(path, table) is not None or contents(path) == before, place
    figures("damage", "a bit is flipped", len(places), sink="parquet")
