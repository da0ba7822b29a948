"""Sums over a window of some domains, through the key of ``traffic``."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam

from livetraffic.window import Window
from load.database.dialect import Dialect
from load.database.statements import statement
from load.rows import MICRO
from load.sink import Total

CHUNK = 500
"""Names that one statement is given."""
_PIECE = 10_000
_HALF = 1 << 32


def by_source(
    connection: Connection, dialect: Dialect, window: Window, domains: Sequence[str]
) -> list[Total]:
    """As ``Sink.totals``."""
    rows = _rows(connection, dialect, "totals", window, domains)
    return sorted(
        Total(domain, source, int(points), _joined(upper, lower), _second(dialect, newest))
        for domain, source, points, upper, lower, newest in rows
    )


def by_point(
    connection: Connection, dialect: Dialect, window: Window, domains: Sequence[str]
) -> dict[int, int]:
    """As ``Sink.point_totals``."""
    sums: defaultdict[int, int] = defaultdict(int)
    for timestamp, upper, lower in _rows(connection, dialect, "point_totals", window, domains):
        sums[dialect.microseconds(timestamp) // MICRO] += _joined(upper, lower)
    return dict(sorted(sums.items()))


def _rows(
    connection: Connection, dialect: Dialect, name: str, window: Window, domains: Sequence[str]
) -> Iterator[Any]:
    """The statement's rows for some domains after the other, as they come."""
    question = statement(name, dialect.address.kind).bindparams(
        bindparam("domains", expanding=True)
    )
    ends = {
        "first": dialect.instant(window.start * MICRO),
        "after": dialect.instant(window.end * MICRO),
    }
    names = sorted(set(domains))
    streamed = connection.execution_options(yield_per=_PIECE)
    for start in range(0, len(names), CHUNK):
        given = {"domains": names[start : start + CHUNK], **ends}
        yield from streamed.execute(question, given)


def _joined(upper: Any, lower: Any) -> int:
    return int(upper) * _HALF + int(lower)


def _second(dialect: Dialect, newest: Any) -> int | None:
    return None if newest is None else dialect.microseconds(newest) // MICRO
