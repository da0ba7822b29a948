"""Random answers: the fast reader against one that goes point by point and can be read aloud."""

import json
import re
from collections import defaultdict
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from extract.frames import parse
from livetraffic.errors import ContractError
from livetraffic.window import Window, instant_text

STEP = 300
START = 1_780_000_200
POINTS = 8
WINDOW = Window(START, START + POINTS * STEP)


def value_of(raw):
    """What the design says of a value; None for none."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, str) and re.fullmatch("[0-9]+", raw):
        raw = int(raw)
    if isinstance(raw, float):
        if raw != raw or raw in (float("inf"), float("-inf")) or raw != int(raw):
            return None
        if abs(raw) > 2**53:
            return None
        raw = int(raw)
    return raw if isinstance(raw, int) and 0 <= raw < 2**63 else None


def time_of(raw):
    """Seconds, or None."""
    if not isinstance(raw, str):
        return None
    try:
        instant = datetime.fromisoformat(raw)
    except ValueError:
        return None
    return None if instant.tzinfo is None else instant.astimezone(UTC).timestamp()


def oracle(points):
    """Seconds -> bytes as they should be stored, or ContractError."""
    said = defaultdict(set)
    bad = set()
    offsets = set()
    for point in points:
        at = time_of(point.get("timestamp"))
        if at is None or not WINDOW.start <= at < WINDOW.end:
            continue
        value = value_of(point.get("traffic"))
        if value is None:
            bad.add(at // STEP * STEP)
            continue
        offsets.add(at % STEP)
        said[at // STEP * STEP].add(value)
    if len(offsets) > 1:
        return ContractError
    return {
        int(at): values.pop() for at, values in said.items() if len(values) == 1 and at not in bad
    }


VALUES = st.one_of(
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(
        [None, True, False, -1, 0, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 2**70]
    ),
    st.sampled_from([0.0, 1.5, float(2**53), 1e300, float("nan"), "5", "x", "", "1.0", [], {}]),
)


@st.composite
def stamps(draw, offset):
    place = draw(st.integers(-2, POINTS + 1))
    text = instant_text(START + place * STEP + offset)
    kind = draw(st.integers(0, 19))
    if kind == 0:
        return draw(st.sampled_from([None, 5, "", "x", text[:-1], "2026-01-01", text + "Z"]))
    if kind == 1:
        return instant_text(START + place * STEP + draw(st.integers(0, STEP - 1)))
    return text[:-1] + "+00:00" if kind == 2 else text


@st.composite
def answers(draw):
    offset = draw(st.sampled_from([0, 0, 0, 15]))
    point = st.fixed_dictionaries(
        {}, optional={"traffic": VALUES, "timestamp": stamps(offset), "more": st.just(1)}
    )
    whole = st.fixed_dictionaries({"traffic": VALUES, "timestamp": stamps(offset)})
    clean = st.fixed_dictionaries(
        {"traffic": st.integers(0, 2**63 - 1), "timestamp": stamps(offset)}
    )
    return draw(st.lists(draw(st.sampled_from([clean, whole, whole, point])), max_size=14))


@settings(max_examples=600, deadline=None)
@given(points=answers(), total=st.one_of(st.none(), st.integers(0, 14)))
def test_the_frame_is_what_the_oracle_says(points, total):
    """Both paths of the reader, on every mixture of irregularities."""
    body = json.dumps({"total": total, "traffic_info": points}).encode()
    expected = oracle(points)
    try:
        parsed = parse(body, window=WINDOW, step=STEP, domain="a.example", source="v1")
    except ContractError:
        assert expected is ContractError
        return
    seconds = parsed.points.seconds.tolist()
    assert dict(zip(seconds, parsed.frame["traffic_bytes"].tolist(), strict=True)) == expected
    assert seconds == sorted(set(seconds))
    assert all(WINDOW.start <= at < WINDOW.end and at % STEP == 0 for at in seconds)
    assert parsed.has_zero == (0 in expected.values())
    assert parsed.listed == len(points)
    assert parsed.cut == (total is not None and total != len(points))
    assert not set(parsed.doubtful) & set(seconds)
