"""What the sink asks of each family of databases."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection, Engine

from livetraffic.errors import ConfigError
from load.database.address import Address, Kind
from load.database.ddl import Words
from load.database.failure import Trouble

if TYPE_CHECKING:
    import pyarrow as pa

COMMIT_WAIT_SECONDS = 300
"""How long a commit waits for that of another worker."""

_EXTRAS = {Kind.POSTGRESQL: "postgres", Kind.MYSQL: "mysql"}


class Dialect(Protocol):
    """One database of one family.

    Connections are opened for each piece of work and closed after it: none grows stale while a batch
    is fetched, and none is left to a forked child.
    """

    address: Address
    errors: tuple[type[Exception], ...]
    """What its driver and SQLAlchemy raise."""

    @property
    def words(self) -> Words:
        """How it says a table; asked for after the first connection."""

    @property
    def writer(self) -> Engine:
        """Connections that may write."""

    @property
    def reader(self) -> Engine:
        """Connections that create nothing."""

    def is_there(self) -> bool:
        """Whether there is a database to look into; a server always is."""

    def make(self) -> None:
        """Make the place of the database, where that is ours to make."""

    def make_schema(self, connection: Connection) -> None:
        """Make the namespace of the tables, where that is ours to make."""

    def lock_commits(self, connection: Connection) -> None:
        """Keep other commits to this warehouse away until this transaction's connection is closed.

        Called first in a transaction that was just begun.
        """

    def insert(self, connection: Connection, name: str, table: "pa.Table") -> None:
        """Insert an Arrow table's rows by the database's fastest path; every one or an error."""

    def analyze(self, connection: Connection, name: str) -> None:
        """Let the planner know how large a temporary table has become."""

    def microseconds(self, value: Any) -> int:
        """A stored instant, as the driver gives it, in microseconds since the epoch."""

    def instant(self, microseconds: int) -> object:
        """An instant as the driver takes it."""

    def judge(self, error: BaseException) -> Trouble:
        """What an error of the driver means."""

    def run_lock(
        self,
        *,
        wait: float,
        holder: str,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> AbstractContextManager[None]:
        """As ``Sink.run_lock``; the tables are there."""

    def query(self, statement: str) -> "pa.Table":
        """As ``Sink.query``; may raise what its driver does."""


def dialect_of(address: Address) -> Dialect:
    """The dialect of an address.

    Raises:
        ConfigError: its driver is not installed.
    """
    try:
        if address.kind is Kind.POSTGRESQL:
            from load.database.postgresql import Postgresql

            return Postgresql(address)
        if address.kind is Kind.MYSQL:
            from load.database.mysql import Mysql

            return Mysql(address)
    except ImportError as error:
        extra = _EXTRAS[address.kind]
        raise ConfigError(
            f"The driver for {address} is not installed ({error.name or error}).",
            f"Install it: pip install 'live-traffic[{extra}]'.",
        ) from error
    from load.database.sqlite import Sqlite

    return Sqlite(address)
