"""A Prefect server for the tests that judge by one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.local_server import local_server
from tests.contract.stores import STORES


@pytest.fixture
def place_in_postgres(tmp_path: Path) -> Iterator[Path]:
    """The path of an empty warehouse in PostgreSQL, for ``servers.postgres_place``."""
    STORES["postgres"].find()
    yield tmp_path / "warehouse"
    STORES["postgres"].drop(tmp_path / "warehouse")


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps its database."""
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="session")
def prefect_api(prefect_home: Path) -> Iterator[str]:
    """Its address; a test that wants it used puts it into ``PREFECT_API_URL``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(prefect_home))
        patch.setenv("PREFECT_API_URL", "")  # so that it is as before in the end
        with local_server() as url:
            patch.undo()
            yield url
