"""The page's figures, read from its text, against the same answered in SQL by another road."""

import re
from html import unescape
from pathlib import Path

import duckdb
import pytest

from flows.cli import main
from load.parquet.sink import ParquetSink
from page.warehouses import AS_OF, DAY, MIDNIGHT, entry, known, prepared, read_whole, stored

DOMAINS = ("a.example.com", "b.example.com", "silent.example.com")


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty days of two domains and a silent one; of b one day is lost and one was restated."""
    place = tmp_path / "warehouse"
    sink = prepared(ParquetSink(place), days=70)
    start = MIDNIGHT - 40 * DAY
    known(sink, list(DOMAINS), since=start)
    for number, name in enumerate(DOMAINS[:2], 1):
        values = {
            at: number * 10**9 + (at // 300 % 7919) * 10**6 for at in range(start, MIDNIGHT, 300)
        }
        if number == 2:
            gap = range(MIDNIGHT - 10 * DAY, MIDNIGHT - 9 * DAY)
            values = {at: count for at, count in values.items() if at not in gap}
            read_whole(sink, name, {a: c for a, c in values.items() if a < gap[0]}, start, gap[0])
            read_whole(
                sink, name, {a: c for a, c in values.items() if a > gap[-1]}, gap[-1] + 1, MIDNIGHT
            )
            stored(sink, {}, [entry(name, gap[0], gap[-1] + 1, state="lost")])
            day = MIDNIGHT - 5 * DAY
            read_whole(sink, name, {day: 5 * 10**12}, day, day + 300)
        else:
            read_whole(sink, name, values, start, MIDNIGHT)
    zeros = dict.fromkeys(range(start, MIDNIGHT, 300), 0)
    read_whole(sink, DOMAINS[2], zeros, start, MIDNIGHT)
    monkeypatch.setenv("LIVE_TRAFFIC_WAREHOUSE", str(place))
    return place


def answer(warehouse: Path, statement: str) -> list[tuple[object, ...]]:
    """From the open files themselves, without the views and the sink."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'Asia/Shanghai'")
    connection.execute(
        "CREATE VIEW t AS SELECT *, timestamp::DATE AS day "
        f"FROM read_parquet('{warehouse}/traffic/*/*.parquet')"
    )
    return connection.execute(statement).fetchall()


def page_of(path: Path, *more: str) -> str:
    assert main(["report", "-o", str(path), "--as-of", AS_OF, *more]) == 0
    return path.read_text("utf-8")


def values_of(html: str, within: str) -> list[str]:
    """The exact values inside the element of that id, in order."""
    begin = html.index(f'id="{within}"')
    end = min(
        at
        for mark in ("</table>", 'class="card', "</section>")
        if (at := html.find(mark, begin)) > 0
    )  # fmt: skip
    return re.findall(r'<data value="(-?\d*)"', html[begin:end])


def test_headline(warehouse: Path, tmp_path: Path) -> None:
    """Traffic, peak and the comparison are those of the files."""
    html = page_of(tmp_path / "r.html")
    [(total,)] = answer(warehouse, "SELECT SUM(traffic_bytes) FROM t WHERE day >= '2026-10-27'")
    assert values_of(html, "card-traffic") == [str(total)]
    assert f"{total:,} bytes" in html
    [(bits,)] = answer(
        warehouse,
        "SELECT MAX(s) FROM (SELECT (SUM(traffic_bytes) * 16 + 300)::HUGEINT // 600 AS s FROM t "
        "WHERE day >= '2026-10-27' GROUP BY timestamp)",
    )
    assert values_of(html, "card-peak") == [str(bits)]
    [(before,)] = answer(warehouse, "SELECT SUM(traffic_bytes) FROM t WHERE day < '2026-10-27'")
    assert values_of(html, "card-change") == [str(before)]


def test_days_and_domains(warehouse: Path, tmp_path: Path) -> None:
    """The table behind the chart, and the ranking, hold every sum."""
    html = page_of(tmp_path / "r.html")
    days = answer(
        warehouse,
        "SELECT SUM(traffic_bytes), SUM(traffic_bytes) FILTER (domain = 'a.example.com') AS a, "
        "SUM(traffic_bytes) FILTER (domain = 'b.example.com') AS b FROM t "
        "WHERE day >= '2026-10-27' GROUP BY day ORDER BY day",
    )
    found = values_of(html, "table-days")
    expected = [
        str(v) for total, a, b in days for v in (total, *sorted_by_rank(a, b), 0) if v is not None
    ]
    assert found == expected
    ranked = answer(
        warehouse,
        "SELECT domain, SUM(traffic_bytes) FROM t WHERE day >= '2026-10-27' "
        "GROUP BY domain ORDER BY 2 DESC, 1",
    )
    assert re.findall(r'<tr data-domain="([^"]*)"', html) == [name for name, _ in ranked]
    assert values_of(html, "ranking")[::3] == [str(total) for _, total in ranked]


def sorted_by_rank(a: object, b: object) -> tuple[object, object]:
    """b carries more than a."""
    return (b, a)


def test_revisions_and_losses_are_told(warehouse: Path, tmp_path: Path) -> None:
    """A restated value and a lost day are both on the page."""
    text = unescape(re.sub(r"<[^>]+>", " ", page_of(tmp_path / "r.html")))
    assert "Lost: b.example.com. Days that expired at the source before they were read: 1." in text
    assert "Values that changed after they were published: 1, by" in text


def test_one_domain(warehouse: Path, tmp_path: Path) -> None:
    """With one domain the bandwidth is its own."""
    html = page_of(tmp_path / "r.html", "--domain", "a.example.com")
    [(total, most)] = answer(
        warehouse,
        "SELECT SUM(traffic_bytes), MAX((traffic_bytes * 16 + 300)::HUGEINT // 600) FROM t "
        "WHERE domain = 'a.example.com' AND day >= '2026-10-27'",
    )
    assert values_of(html, "card-traffic") == [str(total)]
    assert values_of(html, "card-peak") == [str(most)]
    assert "b.example.com" not in html
