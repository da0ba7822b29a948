"""A warehouse in each database that is there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from load.database.address import parse
from load.database.choice import dialect_of
from load.database.dialect import Dialect
from load.database.sink import DatabaseSink
from tests import servers
from tests.contract.stores import STORES, Store, prepared

URLS = {
    "sqlite": lambda place: f"sqlite:///{place}/warehouse.sqlite",
    "postgres": servers.postgres_place,
    "mariadb": servers.mariadb_place,
}


@pytest.fixture(params=URLS, ids=str)
def name(request: pytest.FixtureRequest) -> str:
    """A kind of database that is there; a test may ask for some of them by parametrising it."""
    STORES[request.param].find()
    return str(request.param)


@pytest.fixture
def store(name: str) -> Store:
    return STORES[name]


@pytest.fixture
def place(tmp_path: Path, store: Store) -> Iterator[Path]:
    yield tmp_path / "warehouse"
    store.drop(tmp_path / "warehouse")


@pytest.fixture
def url(name: str, place: Path) -> str:
    return URLS[name](place)


@pytest.fixture
def sink(store: Store, place: Path) -> DatabaseSink:
    made = prepared(store, place)
    assert isinstance(made, DatabaseSink)
    return made


@pytest.fixture
def dialect(url: str) -> Dialect:
    return dialect_of(parse(url))
