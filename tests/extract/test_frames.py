"""Bodies to frames: every irregularity by name."""

import json

import pandas as pd
import pytest

from extract.frames import frame_of, parse
from livetraffic.errors import ContractError
from livetraffic.window import Window, from_seconds, instant_text

STEP = 300
START = 1_780_000_200
WINDOW = Window(START, START + 12 * STEP)
DOMAIN = "play.example.com"


def at(place):
    """The text of the window's grid point of that number."""
    return instant_text(START + place * STEP)


def point(place, traffic):
    return {"traffic": traffic, "timestamp": at(place)}


def body(points, **fields):
    return json.dumps({"total": len(points), "traffic_info": points, **fields}).encode()


def read(content):
    if not isinstance(content, bytes):
        content = body(content)
    return parse(content, window=WINDOW, step=STEP, domain=DOMAIN, source="v1")


def stored(parsed):
    """Place on the window's grid -> bytes, read back from the frame."""
    rows = zip(parsed.frame["timestamp"], parsed.frame["traffic_bytes"], strict=True)
    return {int((stamp - from_seconds(START)).total_seconds()) // STEP: int(v) for stamp, v in rows}


DTYPES = {
    "domain": "category",
    "timestamp": "datetime64[us, UTC]",
    "traffic_bytes": "int64",
    "source": "category",
}


@pytest.mark.parametrize("points", [[], [point(0, 5), point(1, 6)]], ids=["none", "two"])
def test_a_frame_has_the_dtypes_of_the_table(points):
    """Empty or not: what is concatenated and written must not drift."""
    frame = read(points).frame
    assert frame.dtypes.astype(str).to_dict() == DTYPES
    assert (frame["domain"] == DOMAIN).all()
    assert (frame["source"] == "v1").all()


def test_the_empty_frame_has_them_too():
    """For whoever has nothing to write."""
    assert len(frame_of([])) == 0
    assert frame_of([]).dtypes.astype(str).to_dict() == DTYPES


def test_a_clean_answer_is_stored_as_it_is():
    """And nothing odd is said of it."""
    parsed = read([point(0, 5), point(1, 0), point(2, 2**63 - 1)])
    assert stored(parsed) == {0: 5, 1: 0, 2: 2**63 - 1}
    assert (parsed.total, parsed.listed, parsed.cut, parsed.has_zero) == (3, 3, False, True)
    assert parsed.notes == ()
    assert parsed.points.seconds.tolist() == [START, START + STEP, START + 2 * STEP]


def test_equal_duplicates_are_one():
    """The value is not in doubt."""
    parsed = read([point(0, 5), point(0, 5), point(1, 6)])
    assert stored(parsed) == {0: 5, 1: 6}
    assert parsed.conflicts == 0
    assert parsed.doubtful == ()


def test_disorder_is_sorted():
    """The API promises no order."""
    parsed = read([point(3, 4), point(0, 1), point(2, 3)])
    assert stored(parsed) == {0: 1, 2: 3, 3: 4}
    assert parsed.frame["timestamp"].is_monotonic_increasing


def test_points_outside_the_window_are_dropped_and_counted():
    """Among them the one that starts exactly at the end: the end rule is unknown."""
    parsed = read([point(-1, 9), point(0, 5), point(11, 6), point(12, 9)])
    assert stored(parsed) == {0: 5, 11: 6}
    assert parsed.dropped_outside == 2
    assert parsed.notes == ("2 outside dropped",)


@pytest.mark.parametrize("values", [(5, 6), (6, 5, 6), (5, 5, 6), (0, 5)], ids=str)
def test_conflicting_duplicates_are_a_hole(values):
    """Neither of them is believed."""
    parsed = read([point(0, 1), *(point(1, value) for value in values), point(2, 3)])
    assert stored(parsed) == {0: 1, 2: 3}
    assert parsed.conflicts == 1
    assert parsed.doubtful == (START + STEP,)
    assert parsed.notes == ("1 in conflict",)


@pytest.mark.parametrize(
    ("total", "cut"),
    [
        (2, False),
        (3, True),
        (1, True),
        (2.0, False),
        ("2", False),
        (2.5, False),
        (None, False),
        (True, False),
        ("x", False),
        ([], False),
        (-1, True),
        ("", False),
    ],
    ids=repr,
)
def test_a_total_that_differs_from_the_length_is_a_cut(total, cut):
    """A total that is none says nothing; the good points are stored all the same."""
    parsed = read(body([point(0, 5), point(1, 6)], total=total))
    assert stored(parsed) == {0: 5, 1: 6}
    assert parsed.cut is cut


def test_a_missing_total_is_noted():
    """It is unknown then whether the answer is whole."""
    content = json.dumps({"traffic_info": [point(0, 5)]}).encode()
    assert read(content).total is None
    assert read(content).notes == ("total not given",)


BAD_VALUES = {
    "null": None,
    "negative": -1,
    "a boolean": True,
    "a fraction": 1.5,
    "a large fraction": float(2**53 + 2),
    "too large": 2**63,
    "far too large": 10**30,
    "a text": "many",
    "a signed text": "+5",
    "a negative text": "-5",
    "a fraction as text": "5.0",
    "a text too large": str(2**63),
    "foreign digits": "٥",
    "a list": [5],
    "an object": {"v": 5},
    "nothing": "",
}


@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES.keys())
def test_a_value_that_is_none_makes_a_hole(value):
    """The other points are stored, and the reason names the point."""
    parsed = read([point(0, 1), point(1, value), point(2, 3)])
    assert stored(parsed) == {0: 1, 2: 3}
    assert parsed.doubtful == (START + STEP,)
    assert parsed.rejected_points == 1
    assert parsed.rejected[0].startswith("traffic is ")
    assert parsed.rejected[0].endswith(at(1))


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"-Infinity"])
def test_not_a_number_makes_a_hole(literal):
    """Strict JSON has no NaN; some writers do."""
    content = body([point(0, 1), point(1, 424242)]).replace(b"424242", literal)
    parsed = read(content)
    assert stored(parsed) == {0: 1}
    assert parsed.rejected == (f"traffic is a fraction or an inexact number at {at(1)}",)


@pytest.mark.parametrize(
    ("value", "meant"),
    [("7", 7), ("007", 7), (7.0, 7), (float(2**53), 2**53), (-0.0, 0), (str(2**63 - 1), 2**63 - 1)],
    ids=repr,
)
def test_a_number_in_another_dress_is_accepted(value, meant):
    """An integer as text; an integral float that is still exact."""
    parsed = read([point(0, value), point(1, 2)])
    assert stored(parsed) == {0: meant, 1: 2}
    assert parsed.rejected == ()


BAD_TIMES = {
    "null": None,
    "a number": START,
    "a boolean": True,
    "no zone": "2026-05-28T20:30:00",
    "a date": "2026-05-28",
    "no time at all": "yesterday",
    "empty": "",
    "a thirteenth month": "2026-13-01T00:00:00Z",
    "a lone surrogate": "\ud800",
}


@pytest.mark.parametrize("stamp", BAD_TIMES.values(), ids=BAD_TIMES.keys())
def test_a_point_without_a_time_is_rejected(stamp):
    """And any hole of the answer may be it."""
    parsed = read([point(0, 1), {"traffic": 2, "timestamp": stamp}, point(2, 3)])
    assert stored(parsed) == {0: 1, 2: 3}
    assert parsed.untimed == 1
    assert parsed.doubtful == ()
    assert parsed.rejected[0].startswith("timestamp ")
    assert "point 1" in parsed.rejected[0]


def test_the_vendors_own_malformed_example_makes_holes():
    """Value and time of one sample in two elements: never paired blindly."""
    parsed = read([point(0, 50), {"traffic": 78}, {"timestamp": at(1)}])
    assert stored(parsed) == {0: 50}
    assert parsed.rejected == ("timestamp is missing in point 1", f"traffic is missing at {at(1)}")
    assert parsed.untimed == 1
    assert parsed.doubtful == (START + STEP,)


@pytest.mark.parametrize("thing", [None, 5, "x", [], [1, 2], {}], ids=repr)
def test_an_element_that_is_no_point_is_rejected(thing):
    """It costs no other point."""
    parsed = read([point(0, 1), thing])
    assert stored(parsed) == {0: 1}
    assert parsed.untimed == 1


def test_a_good_point_beside_a_rejected_one_of_the_same_time_is_a_hole():
    """The source says two things about that time, one of them nonsense."""
    assert stored(read([point(0, 1), point(1, 5), point(1, None)])) == {0: 1}


def test_reasons_are_bounded():
    """A thousand bad points are counted, not listed."""
    parsed = read([point(0, None)] * 1000)
    assert parsed.rejected_points == 1000
    assert len(parsed.rejected) == 20


@pytest.mark.parametrize("zone", ["+08:00", "+00:00", "-05:30"])
def test_another_zone_is_turned_into_utc(zone):
    """An instant is an instant."""
    local = pd.Timestamp(at(3)).tz_convert(f"UTC{zone}" if zone != "+00:00" else "UTC")
    assert stored(read([{"traffic": 4, "timestamp": local.isoformat()}])) == {3: 4}


@pytest.mark.parametrize("offset", [1, 15, 299])
def test_a_constant_offset_is_floored_and_noted(offset):
    """As in the vendor's example, whose point lies 15 seconds behind the grid."""
    points = [
        {"traffic": n, "timestamp": instant_text(START + n * STEP + offset)} for n in range(4)
    ]
    parsed = read(points)
    assert stored(parsed) == {0: 0, 1: 1, 2: 2, 3: 3}
    assert parsed.offset_s == offset
    assert parsed.notes == (f"offset {offset} s floored",)


def test_a_fraction_of_a_second_is_an_offset_too():
    """The grid is exact."""
    parsed = read([{"traffic": 4, "timestamp": at(2).replace("Z", ".250Z")}])
    assert stored(parsed) == {2: 4}
    assert parsed.offset_s == 0.25


@pytest.mark.parametrize("offsets", [(0, 7), (7, 0), (7, 8)], ids=str)
def test_points_at_different_offsets_store_nothing(offsets):
    """Which period they are of is anybody's guess."""
    points = [
        {"traffic": n, "timestamp": instant_text(START + n * STEP + offset)}
        for n, offset in enumerate(offsets)
    ]
    with pytest.raises(ContractError, match="timestamp"):
        read(points)


def test_a_point_off_the_grid_outside_the_window_costs_nothing():
    """It is dropped like any other that was not asked for."""
    stray = {"traffic": 1, "timestamp": instant_text(WINDOW.end + 7)}
    assert stored(read([point(0, 5), stray])) == {0: 5}


BAD_BODIES = {
    "nothing": b"",
    "HTML": b"<html><body>502</body></html>",
    "cut JSON": b'{"total": 1, "traffic_info": [{"traf',
    "a list": b"[]",
    "null": b"null",
    "a text": b'"fine"',
    "a number": b"1",
    "no list": b'{"total": 0}',
    "null for the list": b'{"total": 0, "traffic_info": null}',
    "an object for the list": b'{"total": 0, "traffic_info": {}}',
    "a deep nest": b"[" * 100_000,
    "no UTF-8": b'{"total": 0, "traffic_info": "\xff"}',
}


@pytest.mark.parametrize("content", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_body_that_is_no_answer_is_refused(content):
    """Nothing of it is stored, and it is no program error."""
    with pytest.raises(ContractError):
        read(content)


def test_the_refusal_names_the_field():
    """For whoever reads the log."""
    with pytest.raises(ContractError, match="traffic_info is null"):
        read(b'{"total": 0}')


def test_unknown_fields_are_named_and_ignored():
    """The API may grow."""
    content = body([point(0, 5) | {"peak": 9}, point(1, 6)], step=5)
    parsed = read(content)
    assert stored(parsed) == {0: 5, 1: 6}
    assert parsed.unknown_fields == ("peak", "step")


def test_unknown_fields_beside_missing_ones_are_named():
    """A renamed field has the right number of fields."""
    assert read([{"value": 5, "timestamp": at(0)}]).unknown_fields == ("value",)


def test_an_idle_answer_is_an_empty_frame():
    """No point is invented."""
    parsed = read([])
    assert len(parsed.frame) == 0
    assert parsed.total == 0
    assert not parsed.has_zero
