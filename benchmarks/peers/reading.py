"""Reads a target back by another road than the one it was written by: DuckDB, Delta, psycopg.

Prints, as one line of JSON, each domain's number of rows, the sum of its bytes, and that sum weighted
by time, so that a value in the wrong place is seen.
"""

import json
import sys

import duckdb
import psycopg
from deltalake import DeltaTable

_SUMS = (
    "SELECT {domain}, count(*), CAST(sum({value}) AS VARCHAR), CAST(sum(CAST({value} AS HUGEINT) * "
    "(CAST(epoch({time}) AS BIGINT) // 300 % 1009)) AS VARCHAR) FROM {table} GROUP BY 1"
)
_POSTGRESQL = (
    "SELECT domain, count(*), CAST(sum(traffic_bytes) AS VARCHAR), CAST(sum(CAST(traffic_bytes AS "
    "NUMERIC) * (CAST(extract(epoch FROM timestamp) AS BIGINT) / 300 % 1009)) AS VARCHAR) "
    "FROM traffic GROUP BY 1"
)
_OURS = {"domain": "domain", "time": "timestamp", "value": "traffic_bytes"}
_REST = {"domain": "_slices_name", "time": "timestamp", "value": "traffic"}


def rows_of(who: str, kind: str, place: str) -> list[tuple[str, int, str, str]]:
    """The sums by domain."""
    if kind == "postgresql":
        with psycopg.connect(place) as connection:
            return connection.execute(_POSTGRESQL).fetchall()
    names = _REST if who == "dlt_rest" else _OURS
    if kind == "duckdb":
        table = "bench.traffic" if who.startswith("dlt") else "traffic"
        with duckdb.connect(place, read_only=True) as connection:
            return connection.execute(_SUMS.format(table=table, **names)).fetchall()
    if who.startswith("dlt"):
        given = DeltaTable(f"{place}/bench/traffic").to_pyarrow_dataset()  # noqa: F841 - in the SQL
        return duckdb.execute(_SUMS.format(table="given", **names)).fetchall()
    pattern = f"{place}/traffic/month=*/data.parquet" if who == "ours" else f"{place}/*.parquet"
    table = f"read_parquet('{pattern}', hive_partitioning = false)"
    return duckdb.execute(_SUMS.format(table=table, **names)).fetchall()


if __name__ == "__main__":
    found = {
        domain: {"rows": rows, "bytes": int(total), "weighted": int(weighted)}
        for domain, rows, total, weighted in rows_of(*sys.argv[1:4])
    }
    print(json.dumps(found))
