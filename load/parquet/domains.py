"""``domains.parquet``: every domain ever seen, sorted by name."""

from collections.abc import Sequence

import pyarrow as pa

from livetraffic.domain import Domain
from livetraffic.errors import SinkError
from livetraffic.table import DOMAINS
from load import records
from load.arrow import ParquetOutput, completed, same_columns, schema
from load.failure import damaged, reading
from load.parquet.files import Draft, Files
from load.parquet.opening import opened

NAME = f"{DOMAINS.name}.parquet"


def read(files: Files) -> list[Domain]:
    """Every stored domain, sorted by name; none where there is no file yet."""
    path = files.path(NAME)
    try:
        with reading(path), opened(path) as file:
            if not same_columns(file.schema_arrow, DOMAINS):
                raise damaged(path, "its columns are not those of domains")
            found = completed(file.read(use_threads=False), DOMAINS)
            return records.from_arrow(DOMAINS, found, Domain._make)
    except FileNotFoundError:
        return []


def changes(files: Files, given: Sequence[Domain]) -> bool:
    """Whether any of these domains is not stored as it is."""
    stored = {domain.domain: domain for domain in read(files)}
    return any(stored.get(domain.domain) != domain for domain in given)


def write(files: Files, draft: Draft, given: Sequence[Domain]) -> None:
    """Insert or replace these domains by name; the last of a name wins.

    Raises:
        SinkError: a value does not fit its column.
    """
    stored = {domain.domain: domain for domain in [*read(files), *given]}
    try:
        table = records.to_arrow(DOMAINS, [stored[name] for name in sorted(stored)])
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise SinkError(f"A domain has a value that cannot be stored: {error}.") from error
    output = ParquetOutput(draft.create(NAME), schema(DOMAINS))
    output.write(table)
    output.close()
