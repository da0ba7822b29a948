"""What an upsert refuses, in every store: nothing is written then."""

from collections.abc import Callable

import pandas as pd
import pytest

from livetraffic.errors import SinkError
from livetraffic.ledger import Entry
from load.sink import Sink
from tests.contract.stores import LOADED_AT, RUN, at, entry, frame, put

A, B = "a.example.com", "b.example.com"
Trace = Callable[[], object]


def good() -> pd.DataFrame:
    return frame([(A, at(0), 1), (A, at(1), 2)])


def changed(**columns: object) -> pd.DataFrame:
    made = good()
    for name, values in columns.items():
        made[name] = values
    return made


BAD_FRAMES = {
    "a column is missing": good().drop(columns="source"),
    "a column too many": changed(loaded_at=1),
    "a column of another name": good().rename(columns={"traffic_bytes": "bytes"}),
    "no columns": pd.DataFrame(),
    "time without zone": changed(timestamp=pd.to_datetime([at(0), at(1)], unit="s").as_unit("us")),
    "time in another zone": changed(timestamp=good()["timestamp"].dt.tz_convert("Asia/Shanghai")),
    "time in nanoseconds": changed(timestamp=good()["timestamp"].dt.as_unit("ns")),
    "time as text": changed(timestamp="2026-01-01T00:00:00Z"),
    "time as a number": changed(timestamp=[at(0), at(1)]),
    "a time is null": changed(timestamp=good()["timestamp"].where([True, False])),
    "a time off the grid": frame([(A, at(0), 1), (A, at(1) + 1, 2)]),
    "a fraction of a second": changed(timestamp=good()["timestamp"] + pd.Timedelta("1us")),
    "bytes as float": changed(traffic_bytes=[1.0, 2.0]),
    "bytes as bool": changed(traffic_bytes=[True, False]),
    "bytes as text": changed(traffic_bytes=["1", "2"]),
    "bytes in 32 bits": changed(traffic_bytes=pd.Series([1, 2], dtype="int32")),
    "bytes unsigned": changed(traffic_bytes=pd.Series([1, 2], dtype="uint64")),
    "bytes too large": changed(traffic_bytes=pd.Series([1, 2**64], dtype="object")),
    "bytes null": changed(traffic_bytes=pd.Series([1, None], dtype="Int64")),
    "bytes negative": changed(traffic_bytes=[1, -1]),
    "a domain is null": changed(domain=pd.Series([A, None], dtype="str")),
    "a domain is a number": changed(domain=1),
    "domains of mixed types": changed(domain=pd.Series([A, 1], dtype="object")),
    "a source is null": changed(source=pd.Series(["v1", None], dtype="str")),
    "a key twice": frame([(A, at(0), 1), (A, at(0), 1)]),
    "a key twice, apart": frame([(A, at(0), 1), (A, at(1), 1), (A, at(0), 2)]),
    "a row after the window": frame([(A, at(2), 1)]),
    "a row before the window": frame([(A, at(-1), 1)]),
    "a row of another domain": frame([(A, at(0), 1), (B, at(0), 1)]),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_a_frame_of_another_shape_is_refused_and_nothing_is_written(
    sink: Sink, trace: Trace, name: str
) -> None:
    put(sink, [(A, at(1), 7)])
    before = trace()
    with pytest.raises(SinkError) as caught:
        sink.upsert(BAD_FRAMES[name], [entry(A, at(0), at(2))], loaded_at=LOADED_AT, run_id=RUN)
    assert caught.value.remedy
    assert trace() == before


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [entry(A, at(0), at(2), "partial")],
        [entry(A, at(0), at(2), "failed")],
        [entry(B, at(0), at(2))],
        [entry(A, at(0), at(1))],
        [entry(A, at(1), at(3))],
        [entry(A, at(0), at(1)), entry(A, at(1), at(2), "partial")],
    ],
    ids=["none", "partial", "failed", "other-domain", "too-short", "too-late", "half"],
)
def test_rows_outside_what_was_read_are_refused(
    sink: Sink, trace: Trace, entries: list[Entry]
) -> None:
    before = trace()
    with pytest.raises(SinkError, match="outside"):
        sink.upsert(good(), entries, loaded_at=LOADED_AT, run_id=RUN)
    assert trace() == before


@pytest.mark.parametrize(
    "bad",
    [
        entry(A, at(0) + 1, at(2)),
        entry(A, at(0), at(2) + 1),
        entry(A, at(2), at(2)),
        entry(A, at(2), at(0)),
        entry(A, at(0), at(2), "read?"),
        entry(A, at(0), at(2), traffic_bytes=2**63),
        entry(A, at(0), at(2), run_id=None),
        entry(A, at(0), at(2), points=None),
    ],
    ids=[
        "start-off-grid",
        "end-off-grid",
        "empty",
        "backwards",
        "state",
        "too-large",
        "no-run",
        "no-points",
    ],
)
def test_a_bad_entry_is_refused_and_nothing_is_written(
    sink: Sink, trace: Trace, bad: Entry
) -> None:
    before = trace()
    for rows in ([], [(A, at(0), 1)]):
        with pytest.raises(SinkError):
            put(sink, rows, [bad, entry(A, at(0), at(2))])
    assert trace() == before
