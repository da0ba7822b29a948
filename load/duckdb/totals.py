"""Sums over a window of some domains, in a DuckDB file."""

from collections.abc import Sequence
from typing import Any

import duckdb

from livetraffic.window import Window
from load.rows import MICRO
from load.sink import Total
from sql import statement


def by_source(
    connection: duckdb.DuckDBPyConnection, window: Window, domains: Sequence[str]
) -> list[Total]:
    """As ``Sink.totals``."""
    found = connection.execute(statement("duckdb/totals"), _asked(window, domains)).fetchall()
    return [
        Total(domain, source, points, int(summed), newest)
        for domain, source, points, summed, newest in found
    ]


def by_point(
    connection: duckdb.DuckDBPyConnection, window: Window, domains: Sequence[str]
) -> dict[int, int]:
    """As ``Sink.point_totals``."""
    found = connection.execute(statement("duckdb/point_totals"), _asked(window, domains))
    return {second: int(total) for second, total in iter(found.fetchone, None)}


def _asked(window: Window, domains: Sequence[str]) -> dict[str, Any]:
    return {
        "start": window.start * MICRO,
        "end": window.end * MICRO,
        "domains": list(domains),
    }
