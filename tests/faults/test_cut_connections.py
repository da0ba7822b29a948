"""A connection to the database that is cut at each request, before it arrives or before it is answered.

Once: the work is done again as a whole and succeeds. From there on: one sentence, and the next run does
the rest. A commit whose answer is lost may have happened or not; either way nothing is lost or doubled.
"""

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from livetraffic.errors import SinkError
from load.database.sink import DatabaseSink
from load.sink import Sink
from tests import servers
from tests.contract.stores import SENT, STORES, at, covering, prepared, put
from tests.faults.database_proxy import DatabaseProxy, in_front_of
from tests.figures import MOST, Figures, long_form

PLACES: dict[str, Callable[[Path], str]] = {
    "postgres": servers.postgres_place,
    "mariadb": servers.mariadb_place,
}
PORTS = {"postgres": 5432, "mariadb": 3306}
WAYS = {
    f"{what}, {'and every later one' if lasting else 'once'}": {
        "lasting": lasting,
        "answered": answered,
    }
    for what, answered in (("a request is cut off", False), ("its answer is cut off", True))
    for lasting in (False, True)
}
SAMPLE = 5
"""Requests of a batch that are cut in each way in the short form."""


@pytest.fixture(params=PLACES, ids=str)
def name(request: pytest.FixtureRequest) -> str:
    STORES[request.param].find()
    return str(request.param)


@pytest.fixture
def proxy(name: str, tmp_path: Path) -> Iterator[DatabaseProxy]:
    """In front of the server; a private one behind a socket file cannot be reached by it."""
    url = make_url(PLACES[name](tmp_path / "warehouse"))
    if url.query.get("unix_socket") or url.host is None or url.host.startswith("/"):
        pytest.skip("the server listens on a socket file only")
    with in_front_of(name, (url.host, url.port or PORTS[name])) as running:
        yield running


def through(proxy: DatabaseProxy, name: str) -> Callable[[Path], DatabaseSink]:
    """Opens the warehouse of a path through the proxy; nothing is waited for."""

    def opened(place: Path) -> DatabaseSink:
        url = make_url(PLACES[name](place)).set(host="127.0.0.1", port=proxy.port)
        return DatabaseSink(url.render_as_string(hide_password=False), sleeper=lambda _: None)

    return opened


def rows_of(number: int) -> list[tuple[str, int, int]]:
    """A first load of a domain of its own, and a new value for one that is there."""
    names = ("a.example.com", f"d{number}.example.com")
    return [(name, at(point), number) for name in names for point in range(20)]


def load(sink: Sink, number: int) -> None:
    """One batch; the same again does what is left of it."""
    rows = rows_of(number)
    put(sink, rows, covering(rows, fetched_at=SENT + number))


@pytest.mark.parametrize("way", WAYS)
def test_a_cut_connection_loses_and_doubles_nothing(
    tmp_path: Path, proxy: DatabaseProxy, name: str, way: str, figures: Figures
) -> None:
    place = tmp_path / "warehouse"
    try:
        direct, cut = prepared(STORES[name], place), through(proxy, name)(place)
        load(direct, 0)
        proxy.arm(0, lasting=False, answered=False)
        load(cut, 1)
        requests, tried = proxy.seen, chosen(proxy.seen, f"{name} {way}")
        assert requests > 20
        for number, request in enumerate(tried, 2):
            old = STORES[name].read(place).values
            new = old | {row[:2]: row[2] for row in rows_of(number)}
            proxy.arm(request, **WAYS[way])
            try:
                load(cut, number)
            except SinkError as error:
                assert "broke" in error.message or "cannot be reached" in error.message
                assert error.remedy
                assert WAYS[way]["lasting"]
                assert STORES[name].read(place).values in (old, new), request
            else:
                assert STORES[name].read(place).values == new, request
            load(direct, number)
            assert STORES[name].read(place).values == new, request
        figures("vanishing databases", way, len(tried), sink=name)
    finally:
        STORES[name].drop(place)


@pytest.mark.parametrize("way", WAYS)
def test_a_warehouse_whose_making_is_cut_is_made_by_the_next_run(
    tmp_path: Path, proxy: DatabaseProxy, name: str, way: str, figures: Figures
) -> None:
    """Also where the database commits each table by itself."""
    place, open_cut = tmp_path / "warehouse", through(proxy, name)
    cutting = replace(STORES[name], make=open_cut)
    try:
        proxy.arm(0, lasting=False, answered=False)
        prepared(cutting, place)
        tried = chosen(proxy.seen, f"{name} making {way}")
        for request in tried if long_form() else tried[:2]:
            STORES[name].drop(place)
            open_cut(place)  # the database itself is there
            proxy.arm(request, **WAYS[way])
            with contextlib.suppress(SinkError):
                prepared(cutting, place)
            load(prepared(STORES[name], place), 1)
            assert STORES[name].read(place).values == {row[:2]: row[2] for row in rows_of(1)}
            figures("vanishing databases", f"making it: {way}", 1, sink=name)
    finally:
        STORES[name].drop(place)


def chosen(requests: int, seed: str) -> list[int]:
    """The numbers of the requests that are cut: all of them, or some."""
    numbers = range(1, requests + 1)
    most = (MOST or requests) if long_form() else SAMPLE
    return [*numbers] if most >= requests else sorted(random.Random(seed).sample(numbers, most))
