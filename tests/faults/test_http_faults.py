"""Kinds of HTTP faults, each by name, before a whole run: what it does, what it says, what it keeps.

The first run meets the fault at every traffic request, the second one none. Whatever the first made of
it, the second leaves the warehouse equal to the source: so nothing was marked as read that was not.
"""

import functools
import gzip
import random
import resource
from datetime import UTC, datetime

import duckdb
import pytest

import extract.exchange
import extract.transport
import flows.rate_state
import flows.source
from extract.budget_file import SqliteBudget
from extract.exchange import Bounds
from extract.standin.server import Standin
from extract.transport import Retries
from terminal import commands
from tests.faults.wire import GIBIBYTE, Spoilt, bomb, chunked, in_front_of
from tests.figures import long_form

NIGHT = "2026-03-01T19:15:00Z"
START, END = "2026-02-20T00:00:00Z", "2026-02-21T00:00:00Z"
GOOD, AGAIN, ONCE, CREDENTIALS, CLOCK = "good", "again", "once", "credentials", "clock"


def status(line, *lines, body=b""):
    return lambda s: s.answer(line, body, *lines)


def coded(line, code, *lines):
    body = f'{{"error_code": "{code}", "error_msg": "no", "request_id": "r-1"}}'.encode()
    return status(line, *lines, body=body)


def raw(*parts):
    return lambda s: s.send(*parts)


def after(*steps):
    """One thing after the other, on the same connection; then it is closed."""

    def fault(s: Spoilt) -> None:
        for step in steps:
            step(s)
        s.socket.shutdown(2)

    return fault


def head(line="200 OK", *lines, length=-1):
    return lambda s: s.send(s.head(line, *lines, length=length))


def half(s):
    s.send(s.body[: len(s.body) // 2])


def whole(s):
    s.send(s.body)


def packed(s, content):
    s.answer("200 OK", content, "Content-Encoding: gzip")


def ten_gigabytes(s):
    s.send(s.head(length=10 * GIBIBYTE))
    s.pour(b"x" * (1 << 20), 10 << 10)


def in_chunks_for_ever(s):
    s.send(s.head("200 OK", "Transfer-Encoding: chunked", length=None))
    s.pour(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n", 10 << 10)


HTML = b"<html><title>Sign in</title></html>"
PORTAL = "Location: https://user:pw@portal.example/login?token=x"

FAULTS = {
    # -- throttled
    "429": (AGAIN, "too many requests", status("429 Too Many Requests")),
    "429, Retry-After: 0": (AGAIN, "too many", status("429 T", "Retry-After: 0")),
    "429, Retry-After: -5": (AGAIN, "too many", status("429 T", "Retry-After: -5")),
    "429, Retry-After: soon": (AGAIN, "too many", status("429 T", "Retry-After: soon")),
    "429, Retry-After: 0.01": (AGAIN, "too many", status("429 T", "Retry-After: 0.01")),
    "429, Retry-After: nothing": (AGAIN, "too many", status("429 T", "Retry-After: ")),
    "429, a date that is past": (
        AGAIN, "too many", status("429 T", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT")),
    "429, a year in seconds": (ONCE, "too many", status("429 T", "Retry-After: 31536000")),
    "429, a year ahead": (
        ONCE, "too many", status("429 T", "Retry-After: Mon, 01 Mar 2027 07:28:00 GMT")),
    "429, more digits than time has": (
        ONCE, "too many", status("429 T", f"Retry-After: {'9' * 400}")),
    "throttled, as a 500": (AGAIN, "too many", coded("500 E", "LIVE.100011007")),
    "throttled, as a 503": (AGAIN, "over the quota", coded("503 E", "APIG.0308")),
    "throttled, as a 403": (AGAIN, "over the quota", coded("403 E", "APIGW.0308")),
    # -- server errors
    **{
        f"{number}": (AGAIN, str(number), status(f"{number} E"))
        for number in (500, 502, 503, 504, 506, 507, 508, 510, 511, 520, 599)
    },
    **{f"{number}": (ONCE, str(number), status(f"{number} E")) for number in (501, 505)},
    "408": (AGAIN, "time-out", status("408 Request Timeout")),
    "503 with a page": (AGAIN, "503", status("503 E", "Content-Type: text/html", body=HTML)),
    # -- refusals
    **{
        f"{number}": (ONCE, str(number), status(f"{number} E"))
        for number in (400, 402, 404, 406, 409, 410, 413, 418, 451)
    },
    "401": (CREDENTIALS, "401", status("401 Unauthorized")),
    "a locked key": (CREDENTIALS, "0303", coded("401 E", "APIGW.0303")),
    "an account in arrears": (CREDENTIALS, "arrears", coded("401 E", "LIVE.100011014")),
    "another project's": (CREDENTIALS, "project", coded("401 E", "LIVE.100011015")),
    "another region's": (CREDENTIALS, "region", coded("403 E", "APIGW.0801")),
    # -- redirects
    **{
        f"{number} to a portal": (ONCE, "portal.example", status(f"{number} Found", PORTAL))
        for number in (301, 302, 303, 307, 308)
    },
    "302 to nowhere": (ONCE, "another path", status("302 Found")),
    "302 to nonsense": (AGAIN, "broke off", status("302 Found", "Location: http://[::1")),
    "304": (ONCE, "304", lambda s: s.send(s.head("304 Not Modified", length=0))),
    "300": (ONCE, "300", status("300 Multiple Choices")),
    # -- success that is none
    "204": (ONCE, "not JSON", lambda s: s.send(s.head("204 No Content", length=None))),
    "205": (ONCE, "not JSON", status("205 Reset Content")),
    "an empty body": (ONCE, "not JSON", status("200 OK")),
    "a page": (ONCE, "not JSON", status("200 OK", "Content-Type: text/html", body=HTML)),
    "an error with status 200": (ONCE, "traffic_info", coded("200 OK", "LIVE.100011007")),
    "null": (ONCE, "null", status("200 OK", body=b"null")),
    # -- lengths
    "cut, length of the whole": (AGAIN, "broke off", after(head(), half)),
    "cut, length of the half": (
        ONCE, "not JSON", lambda s: s.answer("200 OK", s.body[: len(s.body) // 2])),
    "no length, then the end": (
        ONCE, "not JSON", after(head("200 OK", "Connection: close", length=None), half)),
    "a length too short": (ONCE, "not JSON", after(head(length=100), whole)),
    "a length below zero": (GOOD, "", after(head("200 OK", "Content-Length: -5", length=None), whole)),
    "a length that is none": (
        GOOD, "", after(head("200 OK", "Content-Length: many", length=None), whole)),
    "two lengths that differ": (
        AGAIN, "broke off", after(head("200 OK", "Content-Length: 7"), whole)),
    "two lengths that agree": (
        GOOD, "", lambda s: s.send(s.head("200 OK", f"Content-Length: {len(s.body)}"), s.body)),
    "length and chunks": (
        GOOD, "", lambda s: s.send(s.head("200 OK", "Transfer-Encoding: chunked", length=5),
                                   chunked(s.body))),
    # -- chunks
    "chunks": (
        GOOD, "", lambda s: s.send(s.head("200 OK", "Transfer-Encoding: chunked", length=None),
                                   chunked(s.body[:100], s.body[100:]))),
    "chunks without an end": (
        AGAIN, "broke off",
        after(head("200 OK", "Transfer-Encoding: chunked", length=None),
              lambda s: s.send(chunked(s.body)[:-5]))),
    "a chunk that is cut": (
        AGAIN, "broke off",
        after(head("200 OK", "Transfer-Encoding: chunked", length=None), raw(b"ffff\r\n{"))),
    "a chunk of no size": (
        AGAIN, "broke off",
        after(head("200 OK", "Transfer-Encoding: chunked", length=None), raw(b"zz\r\n{}\r\n"))),
    # -- packed
    "gzip": (GOOD, "", lambda s: packed(s, gzip.compress(s.body))),
    "gzip in two members": (
        GOOD, "", lambda s: packed(s, gzip.compress(s.body[:99]) + gzip.compress(s.body[99:]))),
    "gzip that is none": (AGAIN, "broke off", lambda s: packed(s, s.body)),
    "gzip that is cut": (
        None, "", lambda s: packed(s, gzip.compress(s.body)[:-40])),
    "gzip without its sum": (None, "", lambda s: packed(s, gzip.compress(s.body)[:-8])),
    "gzip with a wrong sum": (
        AGAIN, "broke off", lambda s: packed(s, gzip.compress(s.body)[:-8] + b"12345678")),
    "gzip in gzip": (ONCE, "not JSON", lambda s: packed(s, gzip.compress(gzip.compress(s.body)))),
    "an unknown packing": (
        ONCE, "not JSON", lambda s: s.answer("200 OK", b"\x8b\x02", "Content-Encoding: br")),
    # -- slow
    "silence": (AGAIN, "did not answer", lambda s: s.stall()),
    "silence in the head": (AGAIN, "did not answer", after(raw(b"HTTP/1.1 200 OK\r\nDa"), Spoilt.stall)),
    "silence in the body": (AGAIN, "did not answer", after(head(), half, Spoilt.stall)),
    "a head that drips": (
        AGAIN, "more than", lambda s: s.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 90)),
    "a body that drips": (AGAIN, "more than", after(head(), lambda s: s.drip(s.body))),
    # -- broken connections
    "reset after the request": (AGAIN, "broke off", Spoilt.reset),
    "closed after the request": (AGAIN, "broke off", after()),
    "reset in the status line": (AGAIN, "broke off", after(raw(b"HTTP/1.1 20"), Spoilt.reset)),
    "reset after the head": (AGAIN, "broke off", after(head(), Spoilt.reset)),
    "reset in the body": (AGAIN, "broke off", after(head(), half, Spoilt.reset)),
    # -- heads
    "a status line of noise": (AGAIN, "broke off", after(raw(b"\x16\x03\x01\x02\x00\x01\r\n\r\n"))),
    "a status line without end": (AGAIN, "broke off", after(raw(b"HTTP/1.1 200 " + b"O" * 99_999))),
    "a status that is no number": (AGAIN, "broke off", after(raw(b"HTTP/1.1 OK 200\r\n\r\n"))),
    "a status beyond all": (AGAIN, "broke off", after(raw(b"HTTP/1.1 1200 OK\r\n\r\n"))),
    "a header without end": (AGAIN, "broke off", after(raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 99_999))),
    "a thousand headers": (
        AGAIN, "broke off", after(raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n"), whole)),
    "HTTP/1.0": (
        GOOD, "", after(lambda s: s.send(s.head(length=None).replace(b"HTTP/1.1", b"HTTP/1.0")), whole)),
    "no head at all": (AGAIN, "broke off", after(whole)),
    "100 first": (GOOD, "", lambda s: (s.send(b"HTTP/1.1 100 Continue\r\n\r\n"), s.answer())),
    "101": (ONCE, "101", status("101 Switching Protocols")),
    "no date": (GOOD, "", lambda s: s.send(
        f"HTTP/1.1 200 OK\r\nContent-Length: {len(s.body)}\r\n\r\n".encode(), s.body)),
    "two dates": (GOOD, "", lambda s: s.answer("200 OK", None, f"Date: {s.date}")),
    "a clock an hour fast": (CLOCK, "clock", lambda s: s.send(
        b"HTTP/1.1 200 OK\r\nDate: Sun, 01 Mar 2026 20:15:00 GMT\r\nContent-Length: 2\r\n\r\n{}")),
    "a clock of another age": (CLOCK, "clock", lambda s: s.send(
        b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 2\r\n\r\n{}")),
    # -- too much
    "ten gigabytes": (ONCE, "MiB", ten_gigabytes),
    "ten gigabytes in chunks": (ONCE, "MiB", in_chunks_for_ever),
    "ten gigabytes, packed": (ONCE, "MiB", lambda s: packed(s, BOMB)),
    "JSON a million deep": (ONCE, "not JSON", status("200 OK", body=b'{"a":' * 1_000_000)),
    "lists a million deep": (ONCE, "not JSON", status("200 OK", body=b"[" * 1_000_000)),
    "an error a million deep": (AGAIN, "500", status("500 E", body=b'{"error":' * 1_000_000)),
    "a million fields": (
        ONCE, "traffic_info",
        status("200 OK", body=b"{" + b",".join(b'"k%d":0' % n for n in range(1_000_000)) + b"}")),
}  # fmt: skip
BOMB = bomb()
AT_ONCE = {
    "reset before the request": (AGAIN, "127.0.0.1", Spoilt.reset),
    "an answer before the request": (AGAIN, "500", status("500 E")),
}
CODES = {GOOD: (0,), AGAIN: (1,), ONCE: (1,), CREDENTIALS: (2,), CLOCK: (1,), None: (0, 1)}
MOST_MEMORY = 400 << 20


@pytest.fixture(scope="module")
def standin():
    """One stand-in for all of them, without a quota: in the long form they would use it up."""
    with Standin(domains=3, now=datetime.fromisoformat(NIGHT), requests_per_minute=0) as server:
        yield server


SLOW = ("silence", "drips")
"""Faults that are met by a bound on time: it is set low for them only, the machine may be slow too."""


@pytest.fixture
def impatient(monkeypatch, name):
    """Waits of hundredths of seconds, and short bounds where it is them that are tried."""
    bounds = functools.partial(Bounds, connect_s=60, read_s=60, answer_s=200)
    if any(word in name for word in SLOW):
        bounds = functools.partial(Bounds, connect_s=60, read_s=1.0, answer_s=3.0)
    waits = {"first_wait_s": 0.01, "first_slow_wait_s": 0.01, "first_unreachable_wait_s": 0.01}
    retries = functools.partial(Retries, attempts=2, total_s=60, longest_wait_s=0.02, **waits)

    def minute(path, **how):
        return SqliteBudget(path, **{**how, "window_s": 0.05})

    monkeypatch.setattr(flows.rate_state, "SqliteBudget", minute)
    monkeypatch.setattr(extract.exchange, "Bounds", bounds)
    monkeypatch.setattr(extract.transport, "Retries", retries)


NAMES = [*FAULTS, *AT_ONCE]
TRIED = NAMES if long_form() else sorted(random.Random("faults").sample(NAMES, 14))


@pytest.mark.parametrize("name", TRIED)
def test_a_fault(capsys, monkeypatch, tmp_path, standin, impatient, figures, name):
    """The right action, one sentence, nothing wrong kept, and nothing that is left for good."""
    action, words, fault = {**FAULTS, **AT_ONCE}[name]
    live = commands(capsys, monkeypatch, standin, tmp_path / "w")
    domain = standin.domains("pull")[0]
    truth = standin.truth(domain, *map(datetime.fromisoformat, (START, END)))
    monkeypatch.setenv("LIVE_TRAFFIC_API", "v1")
    monkeypatch.setenv("LIVE_TRAFFIC_REQUESTS_PER_MINUTE", "100000")
    asked = ("backfill", "--engine", "direct", "--domain", domain, "--start", START, "--end", END)
    with in_front_of(standin.ready["endpoint"]) as proxy:
        monkeypatch.setenv("LIVE_TRAFFIC_ENDPOINT", proxy.url)
        proxy.fault, proxy.at_once = fault, name in AT_ONCE
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        outcome = live(*asked, "--json", as_of=NIGHT)
        used = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
        sent = len(proxy.requests)
        assert used < MOST_MEMORY
        assert "Traceback" not in outcome.err + outcome.out
        assert "Internal error" not in outcome.out
        assert standin.ready["token"] not in outcome.err + outcome.out
        assert "pw" not in outcome.out
        assert outcome.code in CODES[action], outcome
        assert words in outcome.out, outcome
        assert (sent == 1) or action in (AGAIN, None), sent
        assert (sent > 1) or action != AGAIN, sent
        proxy.fault = None
        monkeypatch.setattr(extract.exchange, "Bounds", Bounds)
        if action is CREDENTIALS:
            proxy.let_go.set()
        assert set(held(live.warehouse).items()) <= set(truth.items())
        again = live.json(*asked, as_of=NIGHT)
    assert again["exit_code"] == 0, again
    assert held(live.warehouse) == truth
    figures("HTTP faults", name, 1)


def held(warehouse):
    """Every row of the one domain, by another road."""
    if not list(warehouse.glob("traffic/*/data.parquet")):
        return {}
    rows = duckdb.sql(f"SELECT timestamp, traffic_bytes FROM '{warehouse}/traffic/*/data.parquet'")
    return {moment.astimezone(UTC): value for moment, value in rows.fetchall()}
