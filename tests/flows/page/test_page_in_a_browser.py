"""The page as a person meets it, in a real Chromium: quiet, usable with the keyboard, readable, safe."""

import re
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser

from browser import opened
from flows.page.amounts import bytes_text
from load.parquet.sink import ParquetSink
from page.conftest import HOSTILE
from page.warehouses import AS_OF

ZONE = ZoneInfo("Asia/Shanghai")
CONTRAST, NAMELESS = (
    Path(__file__).with_name(name).read_text() for name in ("contrast.js", "nameless.js")
)


@pytest.mark.parametrize("name", ["en", "zh", "long"])
def test_it_is_quiet_and_asks_nothing(chrome: Browser, reports: dict[str, Path], name: str) -> None:
    """No complaint on the console, no request but for the file itself; a hostile name is only text."""
    with opened(chrome, reports[name]) as seen:
        assert seen.said == []
        assert seen.asked == [reports[name].as_uri()]
        assert seen.page.evaluate("typeof hacked") == "undefined"
        assert HOSTILE in seen.page.eval_on_selector_all(
            "#ranking tbody tr", "rows => rows.map(row => row.dataset.domain)"
        )
        assert seen.page.locator("img").count() == 0


def test_figures_are_the_views(chrome: Browser, reports: dict[str, Path], troubled: Path) -> None:
    """What the browser shows is what SQL answers: headline, ranking, and the tip of a day."""
    within = "local_date >= '2026-10-27' AND local_date < '2026-11-26'"
    sink = ParquetSink(troubled)
    ask = lambda text: sink.query(text).to_pylist()  # noqa: E731
    [total] = ask(f"SELECT SUM(traffic_bytes) AS n FROM traffic_daily WHERE {within}")
    [peak] = ask(f"SELECT MAX(bits_per_second) AS n FROM bandwidth_daily_peak_total WHERE {within}")
    p95 = ask("SELECT bits_per_second AS n FROM bandwidth_monthly_p95_total ORDER BY local_month")
    by_domain = ask(
        "SELECT domain, SUM(traffic_bytes) AS n FROM traffic_daily "
        f"WHERE {within} GROUP BY domain ORDER BY n DESC, domain"
    )
    by_day = ask(
        f"SELECT local_date, SUM(traffic_bytes) AS n FROM traffic_daily WHERE {within} "
        "GROUP BY local_date ORDER BY local_date"
    )
    with opened(chrome, reports["en"]) as seen:
        assert seen.values("#card-traffic") == [str(total["n"])]
        assert seen.text("#card-traffic .figure") == bytes_text(total["n"])
        assert seen.values("#card-peak") == [str(peak["n"])]
        assert seen.values("#table-p95") == [str(row["n"]) for row in p95][-2:]
        ranked = [*(str(row["n"]) for row in by_domain), "0"]
        assert seen.values("#ranking tbody td:nth-child(4)") == ranked
        assert seen.values("#table-days tbody td:nth-child(2)") == [str(r["n"]) for r in by_day]
        seen.page.locator("#chart-time .plot").scroll_into_view_if_needed()
        box = seen.page.locator("#chart-time svg").bounding_box()
        assert box is not None
        inner = box["width"] - 76 - 26
        seen.page.mouse.move(box["x"] + 76 + inner * 10.5 / 30, box["y"] + 100)
        tip = seen.text("#chart-time .tip")
        assert str(by_day[10]["local_date"]) in tip
        assert f"Total {bytes_text(by_day[10]['n'])}" in tip


@pytest.mark.parametrize(("name", "days"), [("en", 30), ("long", 90)])
def test_the_grid_is_that_of_coverage(
    chrome: Browser, reports: dict[str, Path], troubled: Path, capsys, name: str, days: int
) -> None:
    """Cells by state equal those counted from ``coverage --json`` and ``expiring --json``."""
    from flows.cli import main
    from terminal import Outcome

    def asked(*command: str) -> dict[str, list[dict[str, str]]]:
        main([*command, "--json", "--warehouse", str(troubled), "--as-of", AS_OF])
        return Outcome(0, capsys.readouterr().out, "").document

    first = datetime(2026, 11, 26, tzinfo=ZONE) - timedelta(days=days)
    rank = ["complete", "provisional", "partial", "missing", "failed", "expiring", "lost"]
    cells: dict[tuple[str, int], str] = {}

    def mark(item: dict[str, str], state: str, *, over: tuple[str, ...]) -> None:
        begin, end = (datetime.fromisoformat(item[key]) for key in ("start", "end"))
        for day in range(days):
            midnight = first + timedelta(days=day)
            if begin < midnight + timedelta(days=1) and end > midnight:
                known = cells.get((item["domain"], day), "complete")
                if known in over:
                    cells[item["domain"], day] = max(known, state, key=rank.index)

    for item in asked("coverage")["intervals"]:
        mark(item, item["state"], over=tuple(rank))
    for item in asked("expiring", "--within", "14d")["gaps"]:
        mark(item, "expiring", over=("partial", "missing", "failed"))
    expected = Counter(cells.values())
    assert {"lost", "failed", "missing", "provisional"} <= expected.keys()
    assert ("expiring" in expected) == (name == "long")
    with opened(chrome, reports[name]) as seen:
        drawn = {state: seen.page.locator(f".grid .c.{state}").count() for state in rank}
        assert drawn == {state: expected[state] for state in rank}
        told = dict(
            seen.page.eval_on_selector_all(
                ".legend data", "all => all.map(e => [e.dataset.state, Number(e.value)])"
            )
        )
        assert told == {state: count for state, count in drawn.items() if state in told}
        assert set(told) >= {state for state, count in drawn.items() if count}


def test_zoom_by_mouse_keys_and_buttons(chrome: Browser, reports: dict[str, Path]) -> None:
    """Dragging, keys and buttons all change the range, and all of it comes back."""
    with opened(chrome, reports["en"]) as seen:
        plot = seen.page.locator("#chart-time .plot")
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        assert box is not None
        span = lambda: int(plot.get_attribute("data-to")) - int(plot.get_attribute("data-from"))  # noqa: E731
        whole = span()
        seen.page.mouse.move(box["x"] + 200, box["y"] + 80)
        seen.page.mouse.down()
        seen.page.mouse.move(box["x"] + 300, box["y"] + 80, steps=4)
        seen.page.mouse.up()
        zoomed = span()
        assert zoomed < whole / 5
        hour = seen.page.get_by_role("button", name="Hour", exact=True)
        assert hour.get_attribute("aria-pressed") == "true"
        plot.focus()
        seen.page.keyboard.press("0")
        assert span() == whole
        seen.page.keyboard.press("ArrowRight")
        live = seen.page.locator("#chart-time [role=status]")
        assert live.inner_text().startswith("2026-10-27, play01.example.com ")
        seen.page.keyboard.press("ArrowRight")
        assert live.inner_text().startswith("2026-10-28, ")
        seen.page.keyboard.press("+")
        assert span() == whole / 2
        bandwidth = seen.page.locator("#chart-bandwidth")
        bandwidth.get_by_role("button", name="Zoom in").click()
        shown = bandwidth.locator(".plot")
        assert (
            int(shown.get_attribute("data-to")) - int(shown.get_attribute("data-from")) == whole / 2
        )
        bandwidth.get_by_role("button", name="Show all").click()
        assert bandwidth.get_by_role("button", name="Show all").is_disabled()
        assert seen.said == []


def test_search_and_a_domain_of_its_own(chrome: Browser, reports: dict[str, Path]) -> None:
    """The search finds by part of a name; a name opens its chart."""
    with opened(chrome, reports["en"]) as seen:
        rows = seen.page.locator("#ranking tbody tr:visible")
        assert rows.count() == 10
        seen.page.get_by_role("button", name="Show all 13").click()
        assert rows.count() == 13
        seen.page.get_by_label("Find a domain").fill("HOLES")
        assert rows.count() == 1
        seen.page.get_by_label("Find a domain").fill("nowhere")
        assert seen.page.get_by_text("No domain has this in its name.").is_visible()
        seen.page.get_by_label("Find a domain").fill("play03")
        rows.get_by_role("button").click()
        assert seen.page.locator("#chart-time select").input_value() == "2"
        assert seen.page.locator("#chart-time .keys li").all_inner_texts() == ["play03.example.com"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_names(chrome: Browser, reports: dict[str, Path], scheme: str) -> None:
    """Every text stands out by 4.5 at least, and every control has a name; then the other way round."""
    with opened(chrome, reports["long"], color_scheme=scheme) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        switch = seen.page.locator("#theme")
        assert switch.get_attribute("aria-pressed") == str(scheme == "dark").lower()
        assert seen.page.evaluate(CONTRAST) == []
        before = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        switch.click()
        assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") != before
        assert seen.page.evaluate(CONTRAST) == []
        assert seen.page.evaluate(NAMELESS) == []


def test_landmarks_and_tables(chrome: Browser, reports: dict[str, Path]) -> None:
    """Language, landmarks, one heading a section, and a table behind every drawing."""
    with opened(chrome, reports["zh"]) as seen:
        page = seen.page
        assert page.get_attribute("html", "lang") == "zh-Hans"
        for landmark in ("header", "nav[aria-label]", "main", "footer"):
            assert page.locator(f"body > {landmark}").count() == 1
        assert page.locator("h1").count() == 1
        labels = page.eval_on_selector_all("section", "all => all.map(LABEL)".replace(
            "LABEL", "s => document.getElementById(s.getAttribute('aria-labelledby'))?.tagName"
        ))  # fmt: skip
        assert set(labels) == {"H2"}
        for drawing in (".chart", ".heat", ".grid"):
            for section in page.locator("section", has=page.locator(drawing)).all():
                assert section.locator("details table").count() >= 1
                assert (
                    section.locator(f"{drawing}[aria-label], {drawing} [aria-label]").count() >= 1
                )
        assert page.locator("th:not([scope])").count() == 0
        words = re.sub(r"[\w.-]+\.example\.com", "", page.locator("main").inner_text())
        assert not re.findall(r"\b(?:the|of|and|days|complete|not)\b", words)


def test_narrow_and_printed(chrome: Browser, reports: dict[str, Path]) -> None:
    """On a phone nothing runs out at the side; on paper there are no controls, and few sheets."""
    with opened(chrome, reports["long"], viewport={"width": 360, "height": 740}) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360
    with opened(chrome, reports["en"], color_scheme="dark", reduced_motion="reduce") as seen:
        assert (
            seen.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior")
            == "auto"
        )
        seen.page.emulate_media(media="print", color_scheme="light")
        assert (
            seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
            == "rgb(255, 255, 255)"
        )
        assert not seen.page.locator("nav").is_visible()
        assert not seen.page.locator("#chart-time .controls").is_visible()
        sheets = len(re.findall(rb"/Type\s*/Page\b", seen.page.pdf(format="A4")))
        assert 2 <= sheets <= 6
