"""Pages of next to nothing, and of as much as a page may hold; the same page from every store."""

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser

from browser import opened
from flows.cli import main
from flows.covered import Covered
from flows.outlook import Rules
from flows.page.days import days_of
from flows.page.figures import Bandwidth, Figures, Hour, Peak, Percentile
from flows.page.period import Period, local_day
from flows.page.subject import Subject, subject_of
from flows.page.words import words_of
from flows.page.writing import render
from livetraffic.limits import V1
from livetraffic.plan import Interval
from load.parquet.sink import ParquetSink
from load.sink import Sink
from page.warehouses import (
    AS_OF,
    DAY,
    MIDNIGHT,
    NOW,
    ZONE,
    entry,
    known,
    prepared,
    read_whole,
    stored,
)
from tests.contract.stores import STORES

RULES = Rules(300, DAY, {"v1": V1})


def nothing(sink: Sink) -> None:
    """No domain is known."""


def only_lost(sink: Sink) -> None:
    """A domain of which all expired before it was read."""
    known(sink, ["lost.example.com"], since=NOW - DAY)
    window = (MIDNIGHT - 20 * DAY, MIDNIGHT - 10 * DAY)
    stored(sink, {}, [entry("lost.example.com", *window, state="lost")])


def since_today(sink: Sink) -> None:
    """A domain with three hours of its first day."""
    known(sink, ["new.example.com"], since=NOW + 90 * DAY)
    values = dict.fromkeys(range(MIDNIGHT, MIDNIGHT + 7200, 300), 10**9)
    read_whole(sink, "new.example.com", values, MIDNIGHT, MIDNIGHT + 7200)


def silent(sink: Sink) -> None:
    """A domain that was read and served nothing."""
    known(sink, ["idle.example.com"], since=NOW - DAY)
    values = dict.fromkeys(range(MIDNIGHT - 2 * DAY, MIDNIGHT, 300), 0)
    read_whole(sink, "idle.example.com", values, MIDNIGHT - 2 * DAY, MIDNIGHT)


def written(warehouse: Path, page: Path, *more: str) -> Path:
    flags = ("--warehouse", str(warehouse), "--as-of", AS_OF, "-o", str(page))
    assert main(["report", *flags, *more]) == 0
    return page


@pytest.mark.parametrize(
    "fill", [nothing, only_lost, since_today, silent], ids=lambda f: f.__name__
)
def test_next_to_nothing_is_a_page_too(chrome: Browser, tmp_path: Path, fill) -> None:
    """It opens without a complaint, and says what there is."""
    fill(prepared(ParquetSink(tmp_path / "w"), days=100))
    with opened(chrome, written(tmp_path / "w", tmp_path / "p.html")) as seen:
        assert seen.said == []
        text = seen.text("main")
        assert "NaN" not in text
        assert "undefined" not in text
        expected = {
            "nothing": "No domain is known yet",
            "only_lost": "Lost: lost.example.com. Days that expired",
            "since_today": "24.00 GB",
            "silent": "0 B",
        }[fill.__name__]
        assert expected in text


@pytest.mark.parametrize("minutes", [60, 1440])
def test_another_step_has_no_bandwidth(chrome: Browser, tmp_path: Path, minutes: int) -> None:
    """Peaks and percentiles are not made up where they do not exist."""
    step = minutes * 60
    sink = prepared(ParquetSink(tmp_path / "w"), days=10, step=step)
    known(sink, ["a.example.com"], since=NOW - DAY)
    start = (MIDNIGHT - 5 * DAY) // step * step
    values = dict.fromkeys(range(start, MIDNIGHT // step * step, step), 10**12)
    window = (start, MIDNIGHT // step * step)
    stored(sink, {"a.example.com": values}, [entry("a.example.com", *window, step=step)])
    page = written(tmp_path / "w", tmp_path / "p.html", "--step-minutes", str(minutes))
    with opened(chrome, page) as seen:
        assert seen.said == []
        assert "exist only in a warehouse of 5-minute values" in seen.text("#bandwidth")
        assert seen.page.locator("#table-week").count() == (minutes == 60)


@pytest.mark.parametrize("name", STORES, ids=str)
def test_every_store_gives_the_same_page(tmp_path: Path, name: str) -> None:
    """The figures of Parquet, DuckDB, SQLite, PostgreSQL and MariaDB are one page."""
    pages = {}
    for each in dict.fromkeys(("parquet", name)):
        STORES[each].find()
        place = tmp_path / each
        place.mkdir()
        try:
            sink = prepared(STORES[each].make(place), days=40)
            troubles(sink)
            subject = subject_of(
                sink, RULES, ZoneInfo(ZONE), now=NOW, asked=(None, None), names=(), uplift=10.0
            )
            pages[each] = render(subject, words_of("en"), "one place")
        finally:
            STORES[each].drop(place)
    assert "Estimate for the bill" in pages["parquet"]
    assert "Lost: b.example.com" in pages["parquet"]
    assert pages[name] == pages["parquet"]


def troubles(sink: Sink) -> None:
    """Two domains with large and small values, a loss and a revision."""
    known(sink, ["a.example.com", "b.example.com"], since=NOW - DAY)
    start = MIDNIGHT - 3 * DAY
    values = {at: 2**50 + at % 1009 for at in range(start, MIDNIGHT, 300)}
    read_whole(sink, "a.example.com", values, start, MIDNIGHT)
    read_whole(sink, "a.example.com", {start: 1}, start, start + 300)
    read_whole(sink, "b.example.com", {MIDNIGHT - 300: 7}, MIDNIGHT - DAY, MIDNIGHT)
    stored(sink, {}, [entry("b.example.com", start, start + DAY, state="lost")])


def test_as_much_as_a_page_may_hold(chrome: Browser, tmp_path: Path) -> None:
    """64 domains and 90 days with numbers as long as they come stay under 5 MB, and open."""
    page = tmp_path / "large.html"
    page.write_text(render(large(64, 90), words_of("zh"), "w"), "utf-8")
    assert page.stat().st_size < 5_000_000
    with opened(chrome, page) as seen:
        assert seen.said == []
        assert seen.page.locator("#ranking tbody tr:visible").count() == 10
        assert seen.page.locator(".grid .r").count() == 65
        assert seen.page.locator("#chart-time .keys li").count() == 9


def large(domains: int, count: int) -> Subject:
    """Figures that nobody asked a warehouse for: values of 13 digits everywhere."""
    zone = ZoneInfo(ZONE)
    last = local_day(MIDNIGHT, zone)
    period = Period(last - timedelta(days=count), last, zone)
    names = [f"a-rather-long-name-{n:03d}.live-channel.example.com" for n in range(domains)]
    starts = range(period.window.start, period.window.end, 3600)
    value = 9_876_543_210_123
    figures = Figures(
        period=period,
        daily={name: dict.fromkeys(period.days, 24 * value) for name in names},
        previous_bytes=value,
        previous_by_domain=Counter(dict.fromkeys(names, value)),
        hours=[
            Hour(local_day(at, zone), (at // 3600 + 8) % 24, at, domains * value) for at in starts
        ],
        hourly={name: dict.fromkeys(starts, value) for name in names},
        bandwidth=Bandwidth(
            dict.fromkeys(range(period.window.start, period.window.end, 300), value * 16),
            [Peak(day, value * 16, period.midnight(day)) for day in period.days],
            [Percentile("2026-11", value * 16, 25, 7200, 360, False)],
        ),
        domain_peaks=dict.fromkeys(names, value),
        domain_percentiles=dict.fromkeys(names, value),
        settled_until=dict.fromkeys(names, NOW - DAY),
        ranked=names,
    )
    grid = Covered([Interval(name, period.window, "complete") for name in names], [], names)
    return Subject(
        period, figures, days_of(grid, (), period), days_of(grid, (), period.before), (),
        frozenset(names), (), NOW, 300, DAY,
    )  # fmt: skip


def test_both_languages_say_the_same_things() -> None:
    """Every key is in both, with the same values to fill in; no Chinese sentence is left in English."""
    english, chinese = words_of("en").sentences, words_of("zh").sentences
    assert english.keys() == chinese.keys()
    for key, sentence in english.items():
        places = set(re.findall(r"{(\w+)}", sentence))
        assert set(re.findall(r"{(\w+)}", chinese[key])) == places, key
        if re.search(r"[a-z]{3}", re.sub(r"{\w+}", "", sentence)):
            assert re.search(r"[一-鿿]", chinese[key]), key


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--start", "2026-11-27"], "The report would begin on 2026-11-27"),
        (["--start", "2025-01-01"], "a page holds at most 366"),
        (["--start", "yesterday"], "--start is 'yesterday'"),
        (["-o", "nowhere/at/all.html"], "--output nowhere/at/all.html cannot be written"),
        (["--domain", "a'b"], "is not a domain name"),
    ],
)
def test_mistakes_get_one_sentence(tmp_path: Path, capsys, arguments, sentence: str) -> None:
    """Exit 2, what was wrong, and no file."""
    prepared(ParquetSink(tmp_path / "w"), days=3)
    flags = ["--warehouse", str(tmp_path / "w"), "--as-of", AS_OF]
    assert main(["report", *flags, *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.glob("*.html"))
