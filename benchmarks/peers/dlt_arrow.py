"""dlt as its manual advises for speed: Arrow tables, a window at a time, merge by upsert.

The same download and decoder as the floor's. Parquet as the loader's format (CSV for COPY into
PostgreSQL), no compression in between, no telemetry. ``parquet`` is a Delta table, because dlt's merge
on plain Parquet files falls back to append.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dlt
import pyarrow as pa
import task as given_task
from floor import decoded
from places import load


def main() -> None:
    """One job."""
    task = given_task.given()
    counted: list[int] = []

    @dlt.resource(
        name="traffic",
        primary_key=("domain", "timestamp"),
        write_disposition={"disposition": "merge", "strategy": "upsert"},
        table_format="delta" if task.kind == "parquet" else None,
    )
    def traffic() -> Iterator[pa.Table]:
        with task.session() as session, ThreadPoolExecutor(given_task.IN_FLIGHT) as pool:

            def read(part: given_task.Slice) -> pa.Table:
                return decoded(task, task.get(session, part).content, part.domain)

            slices = task.slices()
            for first in range(0, len(slices), len(task.domains)):
                table = pa.concat_tables(
                    pool.map(read, slices[first : first + len(task.domains)])
                ).combine_chunks()
                counted.append(table.num_rows)
                yield table

    load(task, traffic())
    task.done(sum(counted))


if __name__ == "__main__":
    main()
