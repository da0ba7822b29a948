"""Sums over a window of some domains, from the row groups that their statistics let through."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from livetraffic.table import TRAFFIC
from livetraffic.window import Window
from load.arrow import same_columns, text_columns
from load.failure import damaged, reading
from load.months import month_of, path_of
from load.parquet.files import Files
from load.parquet.opening import opened
from load.rows import MICRO, Mask, Rows, from_arrow
from load.sink import Total

_HALF = 32
_LOW = (1 << _HALF) - 1


@dataclass(slots=True)
class _Sum:
    points: int = 0
    traffic_bytes: int = 0
    newest_value: int | None = None


def by_source(files: Files, window: Window, domains: Sequence[str]) -> list[Total]:
    """As ``Sink.totals``."""
    sums: defaultdict[tuple[str, str], _Sum] = defaultdict(_Sum)
    for rows in _rows(files, window, frozenset(domains)):
        pairs = rows.codes * len(rows.sources) + rows.source_codes
        for pair in np.unique(pairs).tolist():
            name, source = divmod(pair, len(rows.sources))
            _add(sums[rows.names[name], rows.sources[source]], rows.take(pairs == pair))
    return [
        Total(*key, found.points, found.traffic_bytes, found.newest_value)
        for key, found in sorted(sums.items())
    ]


def by_point(files: Files, window: Window, domains: Sequence[str]) -> dict[int, int]:
    """As ``Sink.point_totals``."""
    sums: defaultdict[int, int] = defaultdict(int)
    for rows in _rows(files, window, frozenset(domains)):
        seconds, places = np.unique(rows.seconds, return_inverse=True)
        high = np.zeros(len(seconds), np.int64)
        low = np.zeros(len(seconds), np.int64)
        np.add.at(high, places, rows.traffic_bytes >> _HALF)
        np.add.at(low, places, rows.traffic_bytes & _LOW)
        for second, upper, lower in zip(seconds.tolist(), high.tolist(), low.tolist(), strict=True):
            sums[second] += (upper << _HALF) + lower
    return dict(sorted(sums.items()))


def _add(found: _Sum, rows: Rows) -> None:
    values = rows.traffic_bytes
    found.points += len(rows)
    found.traffic_bytes += (int((values >> _HALF).sum()) << _HALF) + int((values & _LOW).sum())
    carrying = rows.seconds[values != 0]
    if len(carrying):
        newest = int(carrying.max())
        found.newest_value = max(newest, found.newest_value or newest)


def _rows(files: Files, window: Window, domains: frozenset[str]) -> Iterator[Rows]:
    """The rows of these domains in the window, a row group at a time."""
    if not domains:
        return
    last = month_of((window.end - 1) * MICRO)
    for month in files.months(TRAFFIC.name, month_of(window.start * MICRO)):
        if month > last:
            return
        path = files.path(path_of(TRAFFIC.name, month))
        try:
            with (
                reading(path),
                opened(path, text_columns(TRAFFIC)) as file,
            ):
                if not same_columns(file.schema_arrow, TRAFFIC):
                    raise damaged(path, "its columns are not those of traffic")
                for index in range(file.num_row_groups):
                    if _may_hold(file, index, domains):
                        rows = from_arrow(file.read_row_group(index, use_threads=False))
                        yield rows.take(_chosen(rows, window, domains))
        except FileNotFoundError:
            continue


def _may_hold(file: Any, index: int, domains: frozenset[str]) -> bool:
    statistics = file.metadata.row_group(index).column(0).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    first, last = str(statistics.min), str(statistics.max)
    return any(first <= name <= last for name in domains)


def _chosen(rows: Rows, window: Window, domains: frozenset[str]) -> Mask:
    wanted = np.fromiter((name in domains for name in rows.names), np.bool_, len(rows.names))
    inside = (rows.seconds >= window.start) & (rows.seconds < window.end)
    chosen: Mask = inside & wanted[rows.codes]
    return chosen
