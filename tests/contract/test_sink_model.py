"""Random upserts, late writers and reopenings, on the sink and on a dictionary."""

import os
import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from livetraffic.ledger import Entry
from load.batch import microseconds
from load.sink import Receipt
from tests.contract.stores import (
    LOADED_AT,
    SENT,
    STEP,
    STORES,
    Key,
    Store,
    entry,
    frame,
    prepared,
)

DOMAINS = ["a.example", "b.example", "流量.例子"]
# Around the end of January 2026, in UTC: batches touch one month, the other or both.
FIRST = 1_769_904_000 - 6 * STEP
POINTS = range(12)

SOURCES = ["v1", "v2"]

Slice = tuple[str, int, int, dict[int, int]]


@st.composite
def slices(draw: st.DrawFn) -> list[Slice]:
    """Some domains, each with a window and values for some of its points."""
    chosen = draw(st.lists(st.sampled_from(DOMAINS), min_size=1, unique=True))
    made: list[Slice] = []
    for name in chosen:
        start = draw(st.integers(0, len(POINTS) - 1))
        end = draw(st.integers(start + 1, len(POINTS)))
        inside = st.integers(start, end - 1)
        made.append((name, start, end, draw(st.dictionaries(inside, st.integers(0, 3)))))
    return made


class SinkAgainstDictionary(RuleBasedStateMachine):
    """The model is assumed to be perfect: it is ten lines of Python on a dictionary."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp()) / "warehouse"
        self.sink = prepared(self.store, self.place)
        self.values: dict[Key, int] = {}
        self.sources: dict[Key, str] = {}
        self.written: dict[Key, int] = {}
        self.changes: list[tuple[str, int, int, int, int]] = []
        self.read_at: dict[Key, int] = {}
        self.entries: list[Entry] = []
        self.sent = 0
        self.loads = 0

    def teardown(self) -> None:
        self.store.drop(self.place)
        shutil.rmtree(self.place.parent)

    @rule(batch=slices(), source=st.sampled_from(SOURCES))
    def newer(self, batch: list[Slice], source: str) -> None:
        """An answer sent after all others."""
        self.sent += 1
        self._upsert(batch, self.sent, source)

    @rule(batch=slices(), age=st.integers(0, 6), source=st.sampled_from(SOURCES))
    def late(self, batch: list[Slice], age: int, source: str) -> None:
        """An answer that was sent some time ago and is written now."""
        self._upsert(batch, max(0, self.sent - age), source)

    @rule(name=st.sampled_from(DOMAINS), state=st.sampled_from(["failed", "partial", "lost"]))
    def note(self, name: str, state: str) -> None:
        """Entries without rows."""
        self.sent += 1
        given = [self._entry(name, 0, len(POINTS), self.sent, state)]
        assert self._write([], given) == Receipt()

    @rule()
    def reopen(self) -> None:
        """Another process would begin like this."""
        self.sink = prepared(self.store, self.place)

    @precondition(lambda self: self.entries)
    @rule()
    def read_back_through_the_sink(self) -> None:
        assert sorted(self.sink.ledger()) == sorted(self.entries)

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        found = self.store.read(self.place)
        assert found.values == self.values
        assert {key: row[1] for key, row in found.traffic.items()} == self.sources
        assert sorted(found.ledger) == sorted(self.entries)
        in_order = sorted(found.revisions, key=lambda row: row[2])
        for key in {row[:2] for row in self.changes}:
            assert [row[3:6] for row in in_order if row[:2] == key] == [
                row[2:] for row in self.changes if row[:2] == key
            ]
        assert len(found.revisions) == len(self.changes)

    def _upsert(self, batch: list[Slice], sent: int, source: str) -> None:
        rows = [(name, at(i), value, source) for name, _, _, of in batch for i, value in of.items()]
        entries = [self._entry(name, start, end, sent) for name, start, end, _ in batch]
        expected = Receipt()
        for name, time, value, _ in rows:
            expected += self._apply((name, time), value, sent, source)
        for name, start, end, _ in batch:
            for point in range(start, end):
                key = (name, at(point))
                self.read_at[key] = max(sent, self.read_at.get(key, -1))
        assert self._write(rows, entries) == expected

    def _apply(self, key: Key, value: int, sent: int, source: str) -> Receipt:
        if self.read_at.get(key, -1) > sent:
            return Receipt(superseded=1)
        old = self.values.get(key)
        if old == value or (value == 0 and old and self.sources[key] != source):
            return Receipt(unchanged=1)
        if old is not None:
            self.changes.append((*key, old, value, self.written[key]))
        self.values[key] = value
        self.sources[key] = source
        self.written[key] = microseconds(self._loaded_at(self.loads + 1))
        return Receipt(inserted=1) if old is None else Receipt(updated=1)

    def _write(self, rows: list[Any], entries: list[Entry]) -> Receipt:
        self.entries += entries
        self.loads += 1
        loaded_at = self._loaded_at(self.loads)
        return self.sink.upsert(frame(rows), entries, loaded_at=loaded_at, run_id="run")

    @staticmethod
    def _loaded_at(load: int) -> datetime:
        """Two loads share an instant now and then."""
        return LOADED_AT + timedelta(seconds=load // 2)

    def _entry(self, name: str, start: int, end: int, sent: int, state: str = "read") -> Entry:
        return entry(name, at(start), at(end), state, fetched_at=SENT + sent * 1_000_000)


def at(point: int) -> int:
    return FIRST + point * STEP


SLOW = ("postgres", "mariadb", "duckdb", "s3")
"""Each example makes a schema, a file or a prefix of its own there, and every step is slower."""


@pytest.mark.timeout(400)  # some stores open a file for each of some thousand steps
@pytest.mark.parametrize("name", STORES)
def test_any_sequence_leaves_what_a_dictionary_would_hold(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    STORES[name].find()
    monkeypatch.setattr(os, "fsync", lambda _: None)  # nobody pulls the plug here
    machine = type("Machine", (SinkAgainstDictionary,), {"store": STORES[name]})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=10 if name in SLOW else 30,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
