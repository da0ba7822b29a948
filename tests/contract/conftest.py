"""Every test that asks for ``store``, ``sink`` or ``contents`` runs once for each store."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from load.sink import Sink
from tests.contract.stores import STORES, Contents, Store, prepared


@pytest.fixture(params=STORES, ids=str)
def store(request: pytest.FixtureRequest) -> Store:
    """One of the stores."""
    STORES[request.param].find()
    return STORES[request.param]


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Where the warehouse is; nothing is there yet, and nothing afterwards."""
    store = request.getfixturevalue("store") if "store" in request.fixturenames else None
    yield tmp_path / "warehouse"
    if store is not None:
        store.drop(tmp_path / "warehouse")


@pytest.fixture
def sink(store: Store, place: Path) -> Sink:
    """A sink over a new, prepared warehouse."""
    return prepared(store, place)


@pytest.fixture
def contents(store: Store, place: Path) -> Callable[[], Contents]:
    """Reads what is stored, by another road than the sink."""
    return lambda: store.read(place)


@pytest.fixture
def trace(store: Store, place: Path) -> Callable[[], object]:
    """Differs as soon as anything was written."""
    return lambda: store.trace(place)
