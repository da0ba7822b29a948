"""Bodies that lie, each by name, through the client into a warehouse; and generated ones.

Whatever the source sends with status 200: no stored value differs from the truth, nothing that is not
stored is settled, and what could not be understood is kept with the reason and the request's number.
"""

import json
import os
import random
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from extract.fields import V1_FIELDS, V2_FIELDS
from extract.frames import frame_of, parse
from extract.live_api import LiveApi
from extract.quarantine import Quarantine
from extract.slices import Stamp, read_slice
from livetraffic.errors import ContractError
from livetraffic.ledger import fold
from livetraffic.limits import V1
from livetraffic.window import DAY, Window, floor, instant_text, to_seconds
from load.parquet.sink import ParquetSink
from tests.extract.scripted import NOW, TOKEN, serving, transport

STEP, COUNT, ODD = 300, 12, 5
WINDOW = Window(floor(to_seconds(NOW), DAY) - 3 * DAY, floor(to_seconds(NOW), DAY) - 3 * DAY + 3600)
GRID = range(WINDOW.start, WINDOW.end, STEP)
TRUTH = {at: 1000 + place for place, at in enumerate(GRID)}
DOMAIN = "play.example.com"
WHOLE, HOLE, REFUSED, EMPTY = "whole", "hole", "refused", "empty"


def points():
    return [{"traffic": value, "timestamp": instant_text(at)} for at, value in TRUTH.items()]


def body(rows, **fields):
    return json.dumps({"total": len(rows), "traffic_info": rows, **fields}).encode()


GOOD = body(points())


def with_odd(**changes):
    """The good answer with one point that is odd; a value of ``...`` takes the field away."""
    rows = points()
    for name, value in changes.items():
        if value is ...:
            del rows[ODD][name]
        else:
            rows[ODD][name] = value
    return body(rows)


def literal(text):
    """The same with a literal that Python cannot be made to write."""
    return GOOD.replace(b'"traffic": 1005', b'"traffic": ' + text)


def in_place(row):
    rows = points()
    rows[ODD] = row
    return body(rows)


def spelt(name, value):
    return json.dumps({"total": COUNT, "traffic_info": points(), name: value}).encode()


def moved(seconds):
    rows = [
        {**row, "timestamp": instant_text(at + seconds)}
        for at, row in zip(GRID, points(), strict=True)
    ]
    return body(rows)


AT = instant_text(GRID[ODD])
DAY_OF, HOUR_OF = AT[:10], AT[11:19]
CASES = {
    # -- no document
    "nothing": (REFUSED, b""),
    "a blank": (REFUSED, b" \r\n"),
    "a NUL": (REFUSED, b"\x00"),
    "zeros": (REFUSED, bytes(1000)),
    "noise": (REFUSED, random.Random(1).randbytes(1000)),
    "HTML": (REFUSED, b"<!doctype html><p>Sign in"),
    "XML": (REFUSED, b'<?xml version="1.0"?><total>12</total>'),
    "CSV": (REFUSED, b"timestamp,traffic\n2026-01-01T00:00:00Z,5\n"),
    "a form": (REFUSED, b"total=12&traffic_info=5"),
    "a word": (REFUSED, b"ok"),
    "null": (REFUSED, b"null"),
    "true": (REFUSED, b"true"),
    "a number": (REFUSED, b"12"),
    "a text": (REFUSED, b'"traffic_info"'),
    "a list": (REFUSED, b"[]"),
    "the list alone": (REFUSED, json.dumps(points()).encode()),
    "a list of the answer": (REFUSED, b"[" + GOOD + b"]"),
    # -- a document that is not whole, or more than whole
    "an open brace": (REFUSED, b"{"),
    "a quarter": (REFUSED, GOOD[: len(GOOD) // 4]),
    "a half": (REFUSED, GOOD[: len(GOOD) // 2]),
    "all but one byte": (REFUSED, GOOD[:-1]),
    "without its first byte": (REFUSED, GOOD[1:]),
    "twice": (REFUSED, GOOD + GOOD),
    "with a tail": (REFUSED, GOOD + b"<!-- cached -->"),
    "with a head": (REFUSED, b")]}',\n" + GOOD),
    "as a call": (REFUSED, b"callback(" + GOOD + b")"),
    "with a comment": (REFUSED, b"/* ok */" + GOOD),
    "with a last comma": (REFUSED, GOOD[:-1] + b",}"),
    "in single quotes": (REFUSED, GOOD.replace(b'"', b"'")),
    "a byte that is no text": (REFUSED, GOOD.replace(b"total", b"t\xff\xfetal")),
    "half a surrogate": (WHOLE, GOOD[:-1] + b', "x": "\xed\xa0\x80"}'),
    "with a mark of its order": (WHOLE, b"\xef\xbb\xbf" + GOOD),
    "in two bytes a sign": (WHOLE, GOOD.decode().encode("utf-16")),
    "with blanks around": (WHOLE, b"\n\n " + GOOD + b"\r\n"),
    "a hundred thousand deep": (REFUSED, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "lists as deep": (REFUSED, b"[" * 100_000 + b"]" * 100_000),
    "a point that is deep": (HOLE, literal(b"[" * 500 + b"]" * 500)),
    "a number of 5000 digits": (None, literal(b"9" * 5000)),
    # -- no list
    "an empty object": (REFUSED, b"{}"),
    "a total alone": (REFUSED, b'{"total": 12}'),
    **{f"the list is {word}": (REFUSED, spelt("traffic_info", value)) for word, value in
       {"null": None, "a number": 12, "a text": "[]", "an object": {}, "true": True}.items()},
    "the list by another name": (REFUSED, GOOD.replace(b"traffic_info", b"trafficInfo")),
    "the list in capitals": (REFUSED, GOOD.replace(b"traffic_info", b"TRAFFIC_INFO")),
    "the list further in": (REFUSED, b'{"data": ' + GOOD + b"}"),
    "v2's answer": (REFUSED, json.dumps({"data_list": points()}).encode()),
    "an error": (REFUSED, b'{"error_code": "LIVE.100011001", "error_msg": "no"}'),
    # -- a list that is not right
    "no point": (EMPTY, body([])),
    "no point of twelve": (EMPTY, body([], total=12)),
    "the tail is missing": (HOLE, body(points()[:-3])),
    "the tail is missing, by its total": (HOLE, body(points()[:-3], total=12)),
    "every second": (HOLE, body(points()[::2])),
    "backwards": (WHOLE, body(points()[::-1])),
    "doubled": (WHOLE, body(points() * 2)),
    "doubled, and one differs": (HOLE, body([*points(), {"traffic": 9, "timestamp": AT}])),
    "all at one time": (EMPTY, body([{**row, "timestamp": AT} for row in points()])),
    "another hour's": (EMPTY, moved(7200)),
    "another year's": (EMPTY, moved(-365 * DAY)),
    "seven seconds late": (WHOLE, moved(7)),
    "one is seven seconds late": (REFUSED, with_odd(timestamp=instant_text(GRID[ODD] + 7))),
    # -- a total that is not right
    **{f"total is {word}": (WHOLE, spelt("total", value)) for word, value in
       {"null": None, "a list": [], "an object": {}, "true": True, "a word": "many"}.items()},
    "total is missing": (WHOLE, json.dumps({"traffic_info": points()}).encode()),
    # -- a point that is none
    **{f"a point is {word}": (HOLE, in_place(row)) for word, row in
       {"null": None, "a number": 5, "a text": AT, "a list": [1005, AT], "empty": {}, "true": True,
        "further in": {"point": points()[ODD]}}.items()},
    "a point with more": (WHOLE, with_odd(quality="good", note={"a": [1]})),
    # -- a value that is none
    **{f"a value is {word}": (HOLE, with_odd(traffic=value)) for word, value in
       {"missing": ..., "null": None, "negative": -1005, "true": True, "a fraction": 1005.5,
        "a list": [1005], "an object": {"v": 1005}, "empty": "", "a word": "many",
        "with a unit": "1005 B", "with a sign": "+1005", "with a comma": "1,005",
        "hexadecimal": "0x3ed", "in wide digits": "１００５", "a fraction in words": "1005.0",
        "beyond 64 bits": 2**63, "far beyond": 10**400 // 10**100, "a blank before": " 1005"}.items()},
    **{f"a value is {text}": (HOLE, literal(text.encode())) for text in
       ("NaN", "Infinity", "-Infinity", "1e400", "-1", "1.5e-3")},
    "a value is -NaN": (REFUSED, literal(b"-NaN")),
    "a value with a leading zero": (None, literal(b"01005")),
    "a value in quotes": (WHOLE, with_odd(traffic="1005")),
    "a value with a point": (WHOLE, with_odd(traffic=1005.0)),
    "a value as a power": (WHOLE, literal(b"1.005e3")),
    # -- a time that is none
    **{f"a time is {word}": (HOLE, with_odd(timestamp=value)) for word, value in
       {"missing": ..., "null": None, "a number": GRID[ODD], "a list": [AT], "empty": "",
        "a word": "yesterday", "a day": DAY_OF, "without zone": AT[:-1],
        "of no month": "2026-13-01T00:00:00Z",
        "of no day": "2026-02-30T00:00:00Z", "of no hour": f"{DAY_OF}T25:00:00Z",
        "in the year 10000": "10000-01-01T00:00:00Z", "the other way round": f"01/05/2026 {HOUR_OF}Z",
        "with a tail": f"{AT} (UTC)", "of an unknown zone": f"{AT[:-1]} CST",
        "of a zone too far": f"{AT[:-1]}+99:00"}.items()},
    "a time with a NUL": (None, with_odd(timestamp=f"{AT}\x00")),
    "a time in the year 1": (None, with_odd(timestamp="0001-01-01T00:00:00+14:00")),
    "a time in another zone": (
        WHOLE, with_odd(timestamp=instant_text(GRID[ODD] + 8 * 3600).replace("Z", "+08:00"))),
    "a time with thousandths": (WHOLE, with_odd(timestamp=f"{AT[:-1]}.000Z")),
    # -- names
    "a name stands twice": (EMPTY, GOOD[:-1] + b', "traffic_info": []}'),
    "a name of a megabyte": (WHOLE, spelt("x" * (1 << 20), 1)),
    "ten thousand names": (WHOLE, body(points(), **{f"k{n}": n for n in range(10_000)})),
    "our own token": (REFUSED, b'{"echo": "' + TOKEN.encode() + b'"}'),
    "our own token in a name": (REFUSED, b'{"traffic_info": 5, "' + TOKEN.encode() + b'": 1}'),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_bad_body(tmp_path, figures, name):
    """What is stored is the truth, and only what is stored is settled."""
    expected, content = CASES[name]
    sink = ParquetSink(tmp_path / "w")
    sink.prepare(step=STEP, timezone="UTC", settle_after=DAY)
    with serving((200, {"X-Request-Id": "r-42"}, content)) as wire:
        result = asked(LiveApi(
            transport(wire.url), project_id="p", region="", account="a", apis={"v1": V1}, step=STEP,
            clock=lambda: NOW, quarantine=Quarantine(tmp_path / "q", clock=lambda: NOW),
        ).statistics("v1"))  # fmt: skip
    frame = frame_of([result.points])
    sink.upsert(frame, result.entries, loaded_at=NOW, run_id="r")
    stored = rows(tmp_path / "w")
    assert stored.items() <= TRUTH.items()
    settled = fold(sink.ledger(0), settle_after=DAY, step=STEP)[DOMAIN].settled
    unread = {at for at in TRUTH if not any(w.start <= at < w.end for w in settled)}
    assert set(stored) | unread == set(TRUTH), "settled, and not there"
    kind = {COUNT: WHOLE, 0: EMPTY}.get(len(stored), HOLE)
    refused = isinstance(result.error, ContractError)
    assert expected in (None, REFUSED if refused else kind)
    if refused:
        kept_with_reason(tmp_path / "q")
    figures("bad bodies", "named", 1)


def asked(source):
    stamp = Stamp("v1", "a", "p", "", "r")
    return read_slice(
        source, DOMAIN, WINDOW, expected=WINDOW, absent=(), zero_filling=False, idle="auto",
        settle_after=DAY, step=STEP, stamp=stamp,
    )  # fmt: skip


def rows(warehouse):
    """Read back by another road."""
    files = [str(path) for path in warehouse.glob("traffic/*/data.parquet")]
    if not files:
        return {}
    found = duckdb.execute(
        "SELECT epoch(timestamp)::BIGINT, traffic_bytes FROM read_parquet(?)", [files]
    )
    return dict(found.fetchall())


def kept_with_reason(folder):
    """A body and its sheet, for the owner only, without our token."""
    (sheet,) = folder.glob("*.json")
    facts = json.loads(sheet.read_text())
    assert facts["request_id"] == "r-42"
    assert facts["reason"]
    assert sheet.with_suffix(".body").exists()
    for path in folder.iterdir():
        assert TOKEN.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


# ---------------------------------------------------------------------------------- generated ones

GENERATED = 20_000
SHARE = GENERATED if os.environ.get("FAULTS") == "long" else 1_000
TIMES = st.one_of(
    st.sampled_from([instant_text(at) for at in GRID]),
    st.sampled_from([AT[:-1], DAY_OF, "", "x", f"{AT[:-1]}+08:00", f"{AT[:-1]}.5Z",
                     "0001-01-01T00:00:00+14:00"]),
    st.datetimes(timezones=st.just(UTC)).map(lambda at: at.isoformat()),
    st.text(max_size=30),
)  # fmt: skip
VALUES = st.one_of(
    st.integers(0, 2**40), st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=8),
    st.integers().map(str), st.lists(st.integers(), max_size=2),
)  # fmt: skip
ROWS = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"traffic": VALUES, "timestamp": TIMES, "value": VALUES, "time": TIMES}),
    st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3), max_leaves=5),
)  # fmt: skip
LISTS = st.one_of(st.lists(ROWS, max_size=14), VALUES)
DOCUMENTS = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"total": VALUES, "traffic_info": LISTS, "data_list": LISTS, "x": VALUES}),
    st.lists(ROWS, max_size=3), VALUES,
)  # fmt: skip
BODIES = st.one_of(
    DOCUMENTS.map(lambda document: json.dumps(document).encode("utf-8", "surrogatepass")),
    st.binary(max_size=60),
    st.tuples(st.integers(0, len(GOOD)), st.binary(max_size=4), st.integers(0, len(GOOD))).map(
        lambda cut: GOOD[: cut[0]] + cut[1] + GOOD[cut[2] :]),
)  # fmt: skip


@seed(20260301)
@settings(max_examples=SHARE, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(content=BODIES, version=st.sampled_from(["v1", "v2"]))
def test_generated_bodies_are_rows_or_one_error(content, version):
    """On the grid, in the window, one a time, none that the answer does not hold; or ContractError."""
    fields = {"v1": V1_FIELDS, "v2": V2_FIELDS}[version]
    try:
        parsed = parse(
            content, window=WINDOW, step=STEP, domain=DOMAIN, source=version, fields=fields
        )
    except ContractError as error:
        assert str(error)
        return
    stamps = parsed.points.seconds.tolist()
    assert stamps == sorted(set(stamps))
    assert set(stamps) <= set(GRID)
    assert not set(stamps) & set(parsed.doubtful)
    said = said_of(content, fields)
    for at, value in zip(stamps, parsed.frame["traffic_bytes"].tolist(), strict=True):
        assert 0 <= value < 2**63
        assert (at, value) in said


def said_of(content, fields):
    """What the answer says of each step, read with another reader and without any care."""
    found = set()
    for row in json.loads(content)[fields.rows]:
        try:
            at = datetime.fromisoformat(row[fields.time])
            value = row[fields.value]
            value = int(value)
            found.add((floor(int((at - EPOCH) / timedelta(seconds=1)), STEP), value))
        except (TypeError, ValueError, KeyError, OverflowError):
            continue
    return found


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_so_many_were_generated(figures):
    """For the page: the test above would have failed."""
    figures("bad bodies", "generated", SHARE)
