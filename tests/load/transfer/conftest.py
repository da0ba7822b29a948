"""Two stores of every kind: one that holds a warehouse, one that is new."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from load.transfer import Place
from tests.contract.stores import (
    STORES,
    Contents,
    Store,
)
from tests.load.transfer.moving import PAIRS, comparable, fill


@pytest.fixture(params=PAIRS, ids="-to-".join)
def pair(request: pytest.FixtureRequest) -> tuple[Store, Store]:
    for name in request.param:
        STORES[name].find()
    return STORES[request.param[0]], STORES[request.param[1]]


@pytest.fixture
def source_store(pair: tuple[Store, Store]) -> Store:
    return pair[0]


@pytest.fixture
def target_store(pair: tuple[Store, Store]) -> Store:
    return pair[1]


@pytest.fixture
def old(tmp_path: Path, source_store: Store) -> Iterator[Path]:
    yield tmp_path / "old"
    source_store.drop(tmp_path / "old")


@pytest.fixture
def new(tmp_path: Path, target_store: Store) -> Iterator[Path]:
    yield tmp_path / "new"
    target_store.drop(tmp_path / "new")


@pytest.fixture
def source(source_store: Store, old: Path) -> Place:
    sink: Any = source_store.make(old)
    fill(sink)
    return Place(sink, "the old one")


@pytest.fixture
def target(target_store: Store, new: Path) -> Place:
    sink: Any = target_store.make(new)
    return Place(sink, "the new one")


@pytest.fixture
def before(source_store: Store, old: Path, source: Place) -> Callable[[], Contents]:
    return lambda: comparable(source_store.read(old))


@pytest.fixture
def after(target_store: Store, new: Path) -> Callable[[], Contents]:
    return lambda: comparable(target_store.read(new))
