"""URLs of databases: what is refused, and that nothing ever shows a password."""

import logging
import sys
import traceback

import pytest
from sqlalchemy import make_url

from livetraffic.errors import ConfigError, LiveTrafficError
from load.database.address import Kind, parse
from load.database.sink import DatabaseSink
from tests import servers

SECRET = "s3cr3t-Pa%2Fss"
PLAIN = "s3cr3t-Pa/ss"


@pytest.mark.parametrize(
    ("text", "kind", "driver", "shown"),
    [
        ("sqlite:///a/b.db", Kind.SQLITE, "sqlite", "sqlite:///a/b.db"),
        ("sqlite:////a/b.db", Kind.SQLITE, "sqlite", "sqlite:////a/b.db"),
        ("postgresql://h/d", Kind.POSTGRESQL, "postgresql+psycopg", "postgresql://h/d"),
        ("postgresql+psycopg://h/d", Kind.POSTGRESQL, "postgresql+psycopg", "postgresql://h/d"),
        ("postgres://h:5/d", Kind.POSTGRESQL, "postgresql+psycopg", "postgres://h:5/d"),
        ("mysql://u@h/d", Kind.MYSQL, "mysql+pymysql", "mysql://u@h/d"),
        ("mariadb://u:p@h/d", Kind.MYSQL, "mysql+pymysql", "mariadb://u@h/d"),
        (
            f"postgresql://u:{SECRET}@h:1/d?schema=s_1&password={SECRET}&sslmode=require",
            Kind.POSTGRESQL,
            "postgresql+psycopg",
            "postgresql://u@h:1/d?schema=s_1",
        ),
    ],
)
def test_an_address_is_read_and_shown(text: str, kind: Kind, driver: str, shown: str) -> None:
    address = parse(text)
    assert (address.kind, address.url.drivername, str(address)) == (kind, driver, shown)
    assert "schema" not in address.url.query
    assert SECRET not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "oracle://h/d",
        "postgresql+asyncpg://h/d",
        "postgresql://h",
        "postgresql://h:port/d",
        f"postgresql://u:{SECRET}@x@h/d",
        f"postgresql://u:x@y:{SECRET}@h/d",
        "postgresql://h/d?schema=a-b",
        'postgresql://h/d?schema=a";drop',
        "postgresql://h/d?schema=a&schema=b",
        "mysql://h/d?schema=a",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///a.db?mode=ro",
        "sqlite://host/a.db",
    ],
)
def test_an_address_that_cannot_be_used_is_one_sentence(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DatabaseSink(text)
    assert caught.value.remedy
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("scheme", "module", "extra"),
    [("postgresql", "psycopg", "postgres"), ("mysql", "pymysql", "mysql")],
)
def test_a_missing_driver_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, scheme: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"load.database.{scheme}", raising=False)
    with pytest.raises(ConfigError, match=rf"live-traffic\[{extra}\]"):
        DatabaseSink(f"{scheme}://u:{SECRET}@h/d")


UNREACHABLE = {
    "host": ("no-such-host.invalid", 2, "host"),
    "port": ("127.0.0.1:1", 1, "reached"),
}


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
@pytest.mark.parametrize("what", UNREACHABLE)
def test_a_server_that_is_not_there(
    scheme: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    host, code, word = UNREACHABLE[what]
    with pytest.raises(LiveTrafficError, match=word) as caught:
        DatabaseSink(f"{scheme}://loader:{SECRET}@{host}/d").check(step=300, timezone="UTC")
    assert caught.value.exit_code == code
    assert str(caught.value).count(f"{scheme}://loader@{host}/d") == 1
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert SECRET not in shown
    assert PLAIN not in shown


@pytest.mark.parametrize("server", [servers.postgres, servers.mariadb], ids=["postgres", "mariadb"])
def test_a_database_that_is_not_there(server) -> None:
    url = make_url(server()).set(database="no_such_database").render_as_string(hide_password=False)
    with pytest.raises(ConfigError, match="no such database") as caught:
        DatabaseSink(url).check(step=300, timezone="UTC")
    assert "CREATE DATABASE" in caught.value.remedy


@pytest.mark.parametrize("server", [servers.postgres, servers.mariadb], ids=["postgres", "mariadb"])
def test_an_unknown_user_or_a_wrong_password(server) -> None:
    made = make_url(server()).set(username="nobody_here", password=PLAIN)
    url = made.render_as_string(hide_password=False)
    with pytest.raises(ConfigError, match="password") as caught:
        DatabaseSink(url).check(step=300, timezone="UTC")
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert PLAIN not in shown


@pytest.mark.parametrize("server", [servers.postgres, servers.mariadb], ids=["postgres", "mariadb"])
def test_an_option_that_the_driver_does_not_take(server) -> None:
    url = make_url(server()).update_query_dict({"no_such_option": "1"})
    sink = DatabaseSink(url.render_as_string(hide_password=False))
    with pytest.raises(ConfigError, match="option"):
        sink.check(step=300, timezone="UTC")


def test_a_sink_shows_no_password() -> None:
    sink = DatabaseSink(f"postgresql://u:{SECRET}@h/d?schema=s")
    assert repr(sink) == "DatabaseSink('postgresql://u@h/d?schema=s')"
