"""``domains.parquet``: every domain ever seen, sorted by name."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from livetraffic.domain import Domain
from livetraffic.errors import SinkError
from livetraffic.table import DOMAINS
from load import records
from load.arrow import ParquetOutput, same_columns, schema
from load.failure import damaged, reading
from load.journal import Commit

NAME = f"{DOMAINS.name}.parquet"


def read(root: Path) -> list[Domain]:
    """Every stored domain, sorted by name; none where there is no file yet."""
    path = root / NAME
    try:
        with reading(path), pq.ParquetFile(path) as file:
            if not same_columns(file.schema_arrow, DOMAINS):
                raise damaged(path, "its columns are not those of domains")
            return records.from_arrow(DOMAINS, file.read(use_threads=False), Domain._make)
    except FileNotFoundError:
        return []


def changes(root: Path, given: Sequence[Domain]) -> bool:
    """Whether any of these domains is not stored as it is."""
    stored = {domain.domain: domain for domain in read(root)}
    return any(stored.get(domain.domain) != domain for domain in given)


def write(root: Path, commit: Commit, given: Sequence[Domain]) -> None:
    """Insert or replace these domains by name; the last of a name wins.

    Raises:
        SinkError: a value does not fit its column.
    """
    stored = {domain.domain: domain for domain in [*read(root), *given]}
    try:
        table = records.to_arrow(DOMAINS, [stored[name] for name in sorted(stored)])
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise SinkError(f"A domain has a value that cannot be stored: {error}.") from error
    output = ParquetOutput(commit.create(NAME), schema(DOMAINS))
    output.write(table)
    output.close()
