"""A flame graph small enough to keep: py-spy's stacks, without import machinery and without dust.

``py-spy record --gil --function --full-filenames -f raw -o STACKS -- live-traffic backfill ...``, then
``python -m benchmarks.flame STACKS docs/images/cold-backfill.svg``. Width is the share of samples that
held the interpreter; the root is at the top. Frames that are narrower than ``DUST`` are left out.
"""

import re
import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from zlib import crc32

WIDTH, ROW, LETTER = 1200, 17, 6.3
DUST = 0.004
OURS = ("flows/", "extract/", "load/", "livetraffic/", "sql/")
_FRAME = re.compile(r"(.+) \((.+?)(?::\d+)?\)$")
_MACHINERY = (
    "<frozen",
    "threading.py",
    "runpy.py",
    "<string>",
    "contextlib.py",
    "concurrent/futures",
)


@dataclass
class Node:
    """One function under its caller."""

    samples: int = 0
    under: dict[str, "Node"] = field(default_factory=dict)


def read(stacks: Path) -> Node:
    """The tree of calls in py-spy's raw output."""
    root = Node()
    for line in stacks.read_text().splitlines():
        frames, _, count = line.rpartition(" ")
        node = root
        node.samples += int(count)
        for name in filter(None, map(_named, frames.split(";"))):
            node = node.under.setdefault(name, Node())
            node.samples += int(count)
    return root


def _named(frame: str) -> str:
    match = _FRAME.match(frame)
    if match is None:
        return ""
    function, file = match[1], match[2]
    if any(part in file for part in _MACHINERY):
        return ""
    for top in OURS:
        if f"/{top}" in f"/{file}" and "site-packages" not in file:
            return f"{top}{file.rpartition(top)[2].removesuffix('.py')} {function}"
    library = file.partition("site-packages/")[2] or Path(file).name
    return f"{library.removesuffix('.py').removesuffix('/__init__')} {function}"


def draw(root: Node) -> str:
    """The tree as SVG."""
    boxes: list[str] = []
    deepest = _draw(root, 0, 0, root.samples, boxes)
    height = (deepest + 1) * ROW + 4
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="monospace" font-size="10.5">'
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *boxes, "</svg>\n"])


def _draw(node: Node, left: float, depth: int, whole: int, boxes: list[str]) -> int:
    deepest = depth
    for name, child in sorted(node.under.items(), key=lambda pair: -pair[1].samples):
        share = child.samples / whole
        if share < DUST:
            continue
        x, width = left * WIDTH, share * WIDTH
        hue = 355 if name.startswith(OURS) else 215
        light = 70 + crc32(name.encode()) % 16
        shown = name[: int(width / LETTER)] if width > 4 * LETTER else ""
        boxes.append(
            f'<g><title>{escape(name)} {share:.1%}</title><rect x="{x:.1f}" y="{depth * ROW}" '
            f'width="{max(width - 0.6, 0.4):.1f}" height="{ROW - 1}" fill="hsl({hue},60%,{light}%)"/>'
            f'<text x="{x + 2:.1f}" y="{depth * ROW + 12}">{escape(shown)}</text></g>'
        )
        deepest = max(deepest, _draw(child, left, depth + 1, whole, boxes))
        left += share
    return deepest


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(draw(read(Path(sys.argv[1]))))
