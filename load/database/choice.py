"""Which dialect an address needs; its driver is imported here and nowhere earlier."""

from livetraffic.errors import ConfigError
from load.database.address import Address, Kind
from load.database.dialect import Dialect

_EXTRAS = {Kind.POSTGRESQL: "postgres", Kind.MYSQL: "mysql"}


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
