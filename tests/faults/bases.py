"""A warehouse in a database or object store as a scenario finds it, to be had again after each fault."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests import servers
from tests.contract.stores import STORES, Contents
from tests.faults import copies


class Base:
    """A warehouse as a scenario finds it, to be had again after each kill."""

    def __init__(self, name: str, place: Path, make: Callable[[Path], None]) -> None:
        self.name, self.place, self._make = name, place, make
        self._kept = place.with_name("kept")
        make(place)
        if self.in_files:
            shutil.copytree(place, self._kept)

    @property
    def in_files(self) -> bool:
        return self.name in {"sqlite", "duckdb"}

    def again(self) -> None:
        """As before the scenario."""
        if self.in_files:
            shutil.rmtree(self.place)
            shutil.copytree(self._kept, self.place)
            return
        self.drop()
        self._make(self.place)

    def drop(self) -> None:
        STORES[self.name].drop(self.place)
        STORES[self.name].drop(self.place / copies.TARGET)

    def contents(self, below: str = "") -> Contents:
        """Read through the driver; the same entry twice says nothing new."""
        found = STORES[self.name].read(self.place / below)
        return replace(found, ledger=sorted(set(found.ledger)), domains=sorted(found.domains))

    def orphans(self) -> list[str]:
        """What no database of a warehouse should hold; an object that was not named is kept an hour."""
        if self.name == "s3":
            return []
        if self.in_files:
            known = ("warehouse.", ".warehouse.")
            paths = (p for p in self.place.rglob("*") if p.is_file())
            return [str(path) for path in paths if not path.name.startswith(known)]
        query = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'staged%'"
        if self.name == "postgres":
            with servers.postgres_connection(self.place) as connection:
                mine = f"{query} AND table_schema = current_schema()"
                return [str(row) for row in connection.execute(mine.encode())]
        with servers.mariadb_connection(self.place) as mariadb, mariadb.cursor() as cursor:
            cursor.execute(f"{query} AND table_schema = DATABASE()")
            return [str(row) for row in cursor.fetchall()]
