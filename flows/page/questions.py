"""What a report asks the warehouse: the statements of ``sql/report``, with their values filled in.

The values are dates, instants, months, a number and a domain's name that was checked at the door: none of
them can hold a quotation mark, so the texts are the same for every engine.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import sql
from flows.page.period import Period
from livetraffic.domain import domain_name
from livetraffic.window import from_seconds
from load.sink import Sink

if TYPE_CHECKING:
    import pyarrow as pa

MOST_HOURLY = 64
"""Domains whose hours are on the page; the others have their days."""
_PLACE = re.compile(r"(?<!:):([a-z_]+)\b")
_COMMENT = re.compile(r"^--[^\n]*\n", re.MULTILINE)


def ask(sink: Sink, name: str, period: Period, domain: str | None = None) -> "pa.Table":
    """The answer to one statement for a period, and for a domain where it is about one.

    Raises:
        ConfigError: there is no warehouse, or the name is none of a domain.
    """
    text = _COMMENT.sub("", sql.statement(f"report/{name}"))
    values = _values(period, domain)
    return sink.query(_PLACE.sub(lambda place: values[place[1]], text))


def rows(table: "pa.Table") -> Iterator[tuple[object, ...]]:
    """The rows of an answer, one at a time."""
    for batch in table.to_batches(max_chunksize=10_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _values(period: Period, domain: str | None) -> dict[str, str]:
    window = period.window
    found = {
        "before": f"'{period.before.start}'",
        "start": f"'{period.start}'",
        "end": f"'{period.end}'",
        "first_month": f"'{period.start:%Y-%m}'",
        "last_month": f"'{period.last:%Y-%m}'",
        # Without a zone: every sink's connection is in UTC, and no engine refuses this form.
        "start_instant": f"'{from_seconds(window.start):%Y-%m-%d %H:%M:%S}'",
        "end_instant": f"'{from_seconds(window.end):%Y-%m-%d %H:%M:%S}'",
        "most": str(MOST_HOURLY),
    }
    return found if domain is None else {**found, "domain": f"'{domain_name(domain)}'"}
