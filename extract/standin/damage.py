"""Faults that spoil a good answer: its points, its document, or its bytes."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

import orjson

from extract.standin.faults import BODY_KINDS, Fault
from extract.standin.wire import Answer

HUGE = 2**63 - 1
LISTS = ("traffic_info", "domain_info", "projects")
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

Point = dict[str, object]
Document = dict[str, object]


def spoil(answer: Answer, faults: Iterable[Fault], name: str) -> None:
    """Let the faults spoil a good answer, the list of which is called ``name``."""
    for fault in faults:
        if fault.kind in BODY_KINDS:
            _spoil_body(answer, fault, name)
        else:
            document = orjson.loads(answer.body)
            if name == "data_list":
                _as_v1(document, name)
                spoil_points(document, fault, name)
                _as_v2(document, name)
            else:
                spoil_points(document, fault, name)
            answer.body = _dumps(document)


_V2_NAMES = {"traffic": "value", "timestamp": "time"}


def _as_v1(document: Document, name: str) -> None:
    """v2's points under v1's names, so that every fault knows both."""
    names = {v2: v1 for v1, v2 in _V2_NAMES.items()}
    rows = document.get(name)
    if isinstance(rows, list):
        document[name] = [{names.get(k, k): v for k, v in row.items()} for row in rows]
        document["total"] = len(rows)


def _as_v2(document: Document, name: str) -> None:
    rows = document.get(name)
    document.pop("total", None)
    if isinstance(rows, list):
        document[name] = [{_V2_NAMES.get(k, k): v for k, v in row.items()} for row in rows]


def spoil_points(document: Document, fault: Fault, name: str) -> None:
    """Let a fault of ``POINT_KINDS`` spoil a document's points in place."""
    points = document.get(name)
    if not isinstance(points, list) or not points:
        return
    kept = document["total"]
    if fault.kind in _VALUES:
        for index in fault.picked(len(points)):
            _VALUES[fault.kind](points[index])
    else:
        _LISTS[fault.kind](points, fault)
    adjusted = fault.text("total", "kept" if fault.kind == "truncate_tail" else "adjusted")
    document["total"] = len(points) if adjusted == "adjusted" else kept
    if fault.kind == "total_mismatch":
        document["total"] = len(points) + int(fault.number("by", 1))


def _set(value: object) -> Callable[[Point], None]:
    def change(point: Point) -> None:
        point["traffic"] = value

    return change


def _turn(function: Callable[[int], object]) -> Callable[[Point], None]:
    def change(point: Point) -> None:
        value = point["traffic"]
        point["traffic"] = function(value) if isinstance(value, int) else value

    return change


def _without(key: str) -> Callable[[Point], None]:
    def change(point: Point) -> None:
        point.pop(key, None)

    return change


def _no_zone(point: Point) -> None:
    point["timestamp"] = str(point["timestamp"]).removesuffix("Z")


_VALUES: Mapping[str, Callable[[Point], None]] = {
    "missing_value": _without("traffic"),
    "missing_time": _without("timestamp"),
    "null_value": _set(None),
    "negative": _turn(lambda value: -max(value, 1)),
    "fraction": _turn(lambda value: value + 0.5),
    "string_number": _turn(str),
    "integral_float": _turn(float),
    "nan": _set(float("nan")),
    "bool_value": _set(value=True),
    "too_big": _set(HUGE + 1),
    "huge_values": _set(HUGE),
    "time_without_zone": _no_zone,
}


def _split(points: list[Point], fault: Fault) -> None:
    for index in reversed(fault.picked(len(points))):
        whole = points[index]
        parts: list[Point] = [{key: whole[key]} for key in ("traffic", "timestamp") if key in whole]
        points[index : index + 1] = parts


def _repeat(points: list[Point], fault: Fault) -> None:
    more = 1 if fault.kind == "duplicate_conflict" else 0
    for index in reversed(fault.picked(len(points))):
        twin = dict(points[index])
        twin["traffic"] = int(str(twin.get("traffic", 0))) + more
        points.insert(index + 1, twin)


def _outside(points: list[Point], _fault: Fault) -> None:
    step = _step(points)
    points.insert(0, {"traffic": 1, "timestamp": _moved(points[0], -step)})
    points.append({"traffic": 1, "timestamp": _moved(points[-1], step)})


def _drop(points: list[Point], fault: Fault) -> None:
    for index in reversed(fault.picked(len(points))):
        del points[index]


def _truncate(points: list[Point], fault: Fault) -> None:
    count = int(fault.number("points", max(1, len(points) // 10)))
    del points[max(0, len(points) - count) :]


def _shuffle(points: list[Point], fault: Fault) -> None:
    before = list(points)
    fault.dice.shuffle(points)
    if points == before:
        points.reverse()


def _off_grid(points: list[Point], fault: Fault) -> None:
    for index, point in enumerate(points):
        mixed = fault.kind == "off_grid_mixed"
        seconds = 7 + 13 * (index % 5) if mixed else int(fault.number("seconds", 15))
        point["timestamp"] = _moved(point, seconds)


def _nothing(_points: list[Point], _fault: Fault) -> None:
    return


_LISTS: Mapping[str, Callable[[list[Point], Fault], None]] = {
    "split_points": _split,
    "duplicate_equal": _repeat,
    "duplicate_conflict": _repeat,
    "disorder": _shuffle,
    "outside_window": _outside,
    "total_mismatch": _nothing,
    "truncate_tail": _truncate,
    "drop_points": _drop,
    "off_grid": _off_grid,
    "off_grid_mixed": _off_grid,
}


def _spoil_body(answer: Answer, fault: Fault, name: str) -> None:
    match fault.kind:
        case "cut_body":
            answer.cut = True
        case "slow_body":
            answer.pause = fault.number("seconds", 1.0)
        case "empty_body":
            answer.body = b""
        case "not_json":
            answer.body = answer.body[: len(answer.body) // 2] + b"}}"
        case _:
            answer.body = _dumps(_respelt(orjson.loads(answer.body), fault, name))


def _respelt(document: Document, fault: Fault, name: str) -> object:
    rows = document.get(name)
    if fault.kind == "not_object":
        return rows if isinstance(rows, list) else [document]
    if fault.kind == "unknown_field":
        document["quality"] = "good"
        for row in rows if isinstance(rows, list) else []:
            row["quality"] = "good"
        return document
    document.pop(name, None)
    spelt: dict[str, object] = {"null": None, "string": "", "object": {}}
    wanted = fault.text("as", "missing")
    return document | {name: spelt[wanted]} if wanted in spelt else document


def _moved(point: Point, seconds: int) -> str:
    instant = datetime.strptime(str(point["timestamp"]), _FORMAT).replace(tzinfo=UTC)
    return (instant + timedelta(seconds=seconds)).strftime(_FORMAT)


def _step(points: list[Point]) -> int:
    if len(points) < 2:
        return 300
    first, second = (
        datetime.strptime(str(point["timestamp"]), _FORMAT).replace(tzinfo=UTC)
        for point in points[:2]
    )
    return int(abs((second - first).total_seconds())) or 300


def _dumps(document: object) -> bytes:
    """JSON that may hold NaN and integers of any size."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
