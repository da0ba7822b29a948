"""A name that is markup, in a warehouse that others wrote: on the page it is only text."""

import json
from html.parser import HTMLParser
from pathlib import Path

from flows.cli import main
from load.parquet.sink import ParquetSink
from page.warehouses import AS_OF, DAY, MIDNIGHT, NOW, known, prepared, read_whole

HOSTILE = """</script ><img src=x onerror="hacked=1"><script>hacked=2</script>'; DROP"""


class Elements(HTMLParser):
    """The elements as a browser would see them, and what is inside those that hold data."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.data: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag, facts = self.found[-1] if self.found else ("", {})
        if tag == "script" and facts.get("type") == "application/json":
            self.data[str(facts.get("id"))] = self.data.get(str(facts.get("id")), "") + data


def test_a_hostile_name_is_only_text(tmp_path: Path, monkeypatch) -> None:
    """It makes no element, ends no script, and reads back as it was stored."""
    sink = prepared(ParquetSink(tmp_path / "w"), days=10)
    start = MIDNIGHT - 3 * DAY
    read_whole(sink, HOSTILE, dict.fromkeys(range(start, MIDNIGHT, 300), 7), start, MIDNIGHT)
    known(sink, [HOSTILE], since=NOW - DAY)
    monkeypatch.setenv("LIVE_TRAFFIC_WAREHOUSE", str(tmp_path / "w"))
    assert main(["report", "-o", str(tmp_path / "r.html"), "--as-of", AS_OF]) == 0
    page = Elements()
    page.feed((tmp_path / "r.html").read_text("utf-8"))
    assert not [tag for tag, facts in page.found if tag == "img" or "onerror" in facts]
    rows = {facts.get("data-domain") for tag, facts in page.found if tag == "tr"}
    assert HOSTILE in rows
    (data,) = page.data.values()
    assert json.loads(data)["domains"] == [HOSTILE]
