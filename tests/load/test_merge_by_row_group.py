"""The streaming merge with row groups of a few rows, against a dictionary."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livetraffic.table import TRAFFIC
from load.arrow import schema
from load.parquet import append, merge
from load.parquet.merge import merge_month
from load.rows import Rows, from_arrow
from load.sink import Receipt

NAMES = ["a", "aa", "b", "ä", "c", "\U0001f600"]
KEYS = st.tuples(st.sampled_from(NAMES), st.integers(0, 9))
TABLES = st.dictionaries(KEYS, st.integers(0, 2), max_size=40)
Table = dict[tuple[str, int], int]


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "GROUP_ROWS", 4)
    monkeypatch.setattr(append, "GROUP_ROWS", 4)


def created(opened: ExitStack, path: Path) -> IO[bytes]:
    return opened.enter_context(path.open("xb"))


def rows_of(table: Table, loaded_at: int) -> Rows:
    names = tuple(sorted({name for name, _ in table}))
    items = sorted(table.items())
    count = len(items)

    def column(values: list[int]) -> Any:
        return np.array(values, np.int64)

    return Rows(
        names,
        column([names.index(name) for (name, _), _ in items]),
        column([point * 300 for (_, point), _ in items]),
        column([value for _, value in items]),
        ("v1",),
        np.zeros(count, np.int64),
        np.full(count, loaded_at, np.int64),
    )


def stored(path: Path) -> tuple[Table, dict[tuple[str, int], int]]:
    rows = from_arrow(pq.ParquetFile(path).read())
    keys = [
        (rows.names[code], second // 300)
        for code, second in zip(rows.codes.tolist(), rows.seconds.tolist(), strict=True)
    ]
    assert keys == sorted(set(keys))
    return (
        dict(zip(keys, rows.traffic_bytes.tolist(), strict=True)),
        dict(zip(keys, rows.loaded_at.tolist(), strict=True)),
    )


@given(batches=st.lists(TABLES.filter(bool), min_size=1, max_size=5))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_batches_merge_as_a_dictionary_would(
    batches: list[Table], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("merge")
    path, model, stamps = directory / "none.parquet", dict[Any, int](), dict[Any, int]()
    for number, batch in enumerate(batches):
        following = directory / f"{number}.parquet"
        with ExitStack() as opened:
            outcome = merge_month(path, rows_of(batch, number), partial(created, opened, following))
        new = {key for key in batch if key not in model}
        changed = {key for key in batch if key in model and model[key] != batch[key]}
        assert outcome.receipt == Receipt(
            len(new), len(changed), len(batch) - len(new) - len(changed)
        )
        revised = {
            (change.rows.names[code], second // 300): (old, value)
            for change in outcome.changes
            for code, second, old, value in zip(
                change.rows.codes.tolist(),
                change.rows.seconds.tolist(),
                change.old_bytes.tolist(),
                change.rows.traffic_bytes.tolist(),
                strict=True,
            )
        }
        assert revised == {key: (model[key], batch[key]) for key in changed}
        assert following.exists() is bool(new or changed)
        model |= batch
        stamps |= dict.fromkeys(new | changed, number)
        if following.exists():
            path = following
        assert stored(path) == (model, stamps)
        groups = pq.read_metadata(path)
        sizes = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
        assert all(size == 4 for size in sizes[:-1])
        assert sum(sizes) == len(model)


@pytest.mark.parametrize("point", range(12))
def test_a_change_anywhere_leaves_every_other_row_as_it_is(tmp_path: Path, point: int) -> None:
    """In the first of three groups, between them, at the end of one, in the last; before, behind."""
    held = {("b", 2 * number): 1 for number in range(12)}
    with ExitStack() as opened:
        first = partial(created, opened, tmp_path / "first")
        merge_month(tmp_path / "none", rows_of(held, 0), first)
    changed, between = ("b", 2 * point), ("b", 2 * point + 1)
    for number, key in enumerate([changed, between, ("a", point), ("c", point)]):
        part, new = {key: 7}, tmp_path / str(number)
        with ExitStack() as opened:
            merge_month(tmp_path / "first", rows_of(part, 1), partial(created, opened, new))
        assert stored(new)[0] == held | part


def test_a_file_without_a_row_takes_rows(tmp_path: Path) -> None:
    pq.ParquetWriter(tmp_path / "empty", schema(TRAFFIC)).close()
    part = {("a", 1): 7, ("b", 0): 8}
    with ExitStack() as opened:
        new = partial(created, opened, tmp_path / "new")
        outcome = merge_month(tmp_path / "empty", rows_of(part, 1), new)
    assert outcome.receipt == Receipt(inserted=2)
    assert stored(tmp_path / "new")[0] == part
