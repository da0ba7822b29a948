"""Small warehouses: their rows, and DuckDB over them."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from livetraffic.table import TABLES, Column, Kind
from livetraffic.table import Table as Definition
from load.months import STAMPS
from load.parquet.reading import install_views, query

Row = Mapping[str, object]
Tables = Mapping[str, Sequence[Row]]
Answer = Callable[[str], list[dict[str, Any]]]

_ARROW: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    Kind.DATE: pa.date32(),
}
_EMPTY: dict[Kind, object] = {Kind.TEXT: "", Kind.INTEGER: 0}


def arrow(definition: Definition, rows: Sequence[Row]) -> pa.Table:
    """The rows as the table is declared; what a row leaves out is empty, 0 or the row's first time."""
    arrays = [
        pa.array([_value(column, row) for row in rows], _ARROW[column.kind])
        for column in definition.columns
    ]
    return pa.table(arrays, names=list(definition.column_names))


def _value(column: Column, row: Row) -> object:
    value = row.get(column.name)
    if value is not None or column.nullable:
        return value
    if column.kind in _EMPTY:
        return _EMPTY[column.kind]
    return next(row[name] for name in ("timestamp", "fetched_at", "last_seen") if name in row)


def write_parquet(root: Path, tables: Tables) -> None:
    """Lay the tables out as a Parquet warehouse."""
    for definition in TABLES:
        rows = tables.get(definition.name, ())
        if definition.name == "warehouse":
            (root / "warehouse.json").write_text(json.dumps(dict(rows[0])), encoding="utf-8")
        elif definition in STAMPS:
            path = root / definition.name / "month=2026-01" / "data.parquet"
            if rows:
                path.parent.mkdir(parents=True)
                pq.write_table(arrow(definition, rows), path)
        elif rows:
            pq.write_table(arrow(definition, rows), root / f"{definition.name}.parquet")


def duckdb_over_parquet(root: Path, tables: Tables) -> Answer:
    """The door that users have: files, read by ``load.parquet.reading``."""
    write_parquet(root, tables)
    return lambda statement: query(root, statement).to_pylist()


def duckdb_in_memory(_: Path, tables: Tables) -> Answer:
    """The same views over tables in memory: fast enough for random warehouses."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    for definition in TABLES:
        connection.register(definition.name, arrow(definition, tables.get(definition.name, ())))
    install_views(connection)
    return lambda statement: connection.sql(statement).to_arrow_table().to_pylist()
