"""What the sink asks of each family of databases."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection, Engine

from load.database.address import Address
from load.database.ddl import Words
from load.database.failure import Trouble

if TYPE_CHECKING:
    import pyarrow as pa

COMMIT_WAIT_SECONDS = 60
"""How long a commit waits for that of another worker before the batch is tried again."""
LOCK_WAIT_SECONDS = 5
"""How long it then waits for rows or views that a stranger holds, before it is tried again: what waits
for a view keeps all later readers of it waiting too."""


class Dialect(Protocol):
    """One database of one family.

    Connections are opened for each piece of work and closed after it: none grows stale while a batch
    is fetched, and none is left to a forked child.
    """

    address: Address
    self_check: str
    """A statement by which it checks its own pages, with ``ok`` as the answer; empty: it has none."""
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
