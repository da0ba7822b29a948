"""Draws ``docs/images/house.svg``: the rooms and who imports whom, read from the code itself.

    python docs/picture_of_the_house.py

A room is a package with the modules that lie directly in it. An arrow is at least one import; the
thicker, the more modules import. A test holds the picture against the imports.
"""
# ruff: noqa: INP001 - a script, no package

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/images/house.svg"
FLOORS = (("flows",), ("extract", "load"), ("sql", "livetraffic"))
WIDTH, ROOM_WIDTH, ROOM_HEIGHT, GAP, FLOOR_GAP, MARGIN = 960, 140, 46, 14, 78, 24
TITLE = 30


def modules() -> dict[str, Path]:
    """Every module of the five packages, by its dotted name."""
    found = {}
    for floor in FLOORS:
        for package in floor:
            for path in sorted((ROOT / package).rglob("*.py")):
                parts = path.relative_to(ROOT).with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room_of(module: str, rooms: set[str]) -> str:
    """The innermost package that holds the module."""
    while module not in rooms:
        module = module.rpartition(".")[0]
    return module


def rooms() -> dict[str, int]:
    """How many modules each room has."""
    packages = {name for name, path in modules().items() if path.name == "__init__.py"}
    return dict(Counter(room_of(name, packages) for name in modules()))


def arrows() -> dict[tuple[str, str], int]:
    """How many modules of one room import from another."""
    known, names = set(rooms()), set(modules())
    found: Counter[tuple[str, str]] = Counter()
    for module, path in modules().items():
        here = room_of(module, known)
        goals = {room_of(goal, known) for goal in _imported(path, names)}
        found.update((here, goal) for goal in goals if goal != here)
    return dict(found)


def _imported(path: Path, names: set[str]) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found & names


def _placed() -> dict[str, tuple[int, int]]:
    """The left upper corner of each room: a row a floor, and above it one for what is built on it."""
    places, y = {}, MARGIN + TITLE
    for floor in FLOORS:
        outer = [name for name in floor if name in rooms()]
        inner = [
            name for name in sorted(rooms()) if name.partition(".")[0] in floor and "." in name
        ]
        for row in (inner, outer):
            if row:
                gap = (WIDTH - len(row) * ROOM_WIDTH) // (len(row) + 1)
                for number, name in enumerate(row):
                    places[name] = (gap + number * (ROOM_WIDTH + gap), y)
                y += ROOM_HEIGHT + FLOOR_GAP // 2 + GAP
        y += FLOOR_GAP // 2
    return places


def drawing() -> str:
    """The picture as SVG text; it reads in light and dark."""
    places = _placed()
    height = max(y for _, y in places.values()) + ROOM_HEIGHT + MARGIN
    inner = [
        _arrow(places[a], places[b], a, b, count) for (a, b), count in sorted(arrows().items())
    ]
    inner += [_room(name, place, rooms()[name]) for name, place in places.items()]
    return "\n".join([_HEAD.format(width=WIDTH, height=height), *inner, "</svg>", ""])


def _room(name: str, place: tuple[int, int], count: int) -> str:
    x, y = place
    middle = x + ROOM_WIDTH // 2
    kind = name.partition(".")[0]
    return (
        f'<g class="room {kind}" data-room="{name}"><rect x="{x}" y="{y}" width="{ROOM_WIDTH}" '
        f'height="{ROOM_HEIGHT}" rx="6"/><text x="{middle}" y="{y + 20}">{name}</text>'
        f'<text class="small" x="{middle}" y="{y + 37}">{count} modules</text></g>'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int], source: str, goal: str, count: int) -> str:
    across = ROOM_WIDTH // 2
    x1, x2 = start[0] + across, end[0] + across
    if start[1] < end[1]:
        y1, y2 = start[1] + ROOM_HEIGHT, end[1] - 5
        bend = (y1 + y2) // 2
        path = f"M{x1} {y1} C{x1} {bend} {x2} {bend} {x2} {y2}"
    else:
        y1, y2 = start[1], end[1] + ROOM_HEIGHT + 5
        y2 = end[1] - 5 if start[1] == end[1] else y2
        bend = y1 - FLOOR_GAP // 3
        path = f"M{x1 + 30} {y1} C{x1 + 30} {bend} {x2 + 30} {bend} {x2 + 30} {y2}"
    width = 1 + min(count, 24) / 8
    return (
        f'<path class="arrow {source.partition(".")[0]}" data-from="{source}" data-to="{goal}" '
        f'data-imports="{count}" stroke-width="{width:.1f}" d="{path}" marker-end="url(#tip)"/>'
    )


_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>The rooms of live-traffic and who imports whom</title>
<style>
text {{ font: 14px ui-sans-serif, system-ui, sans-serif; text-anchor: middle; fill: #1d2733 }}
.small {{ font-size: 11px; fill: #55606e }}
.head {{ font-size: 13px; text-anchor: start; fill: #55606e }}
rect {{ stroke: #55606e; stroke-width: 1 }}
.flows rect {{ fill: #dbe9ff }} .extract rect {{ fill: #ffe6cc }} .load rect {{ fill: #d8f0dc }}
.sql rect, .livetraffic rect {{ fill: #eee5f7 }}
.arrow {{ fill: none; opacity: .55 }}
.arrow.flows {{ stroke: #2f6fd0 }} .arrow.extract {{ stroke: #c8701a }}
.arrow.load {{ stroke: #2c8a45 }} .arrow.livetraffic, .arrow.sql {{ stroke: #7a4fa3 }}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7"
orient="auto" markerUnits="userSpaceOnUse"><path d="M0 0L8 4L0 8z" fill="#55606e"/></marker></defs>
<rect width="100%" height="100%" style="fill:#fff;stroke:none"/>
<text class="head" x="16" y="28">An arrow: imports. A thicker one: more modules do. Drawn from the code
by docs/picture_of_the_house.py.</text>"""


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawing(), "utf-8")
