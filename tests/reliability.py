"""Writes ``docs/reliability.md`` from the figures that a test run kept: ``python -m tests.reliability``.

The page can be read back into the figures it shows, so that a test can hold that it was made here.
"""

import argparse
import os
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.figures import FORM, KILLS, MOST, SECTIONS, Figure, Section, kept, long_form

PAGE = Path(__file__).parents[1] / "docs/reliability.md"
SINKS = ("parquet", "sqlite", "duckdb", "postgres", "mariadb", "s3")
_HEAD = """\
# What is done to it, and what was lost?

*Written by `make reliability` from what its tests counted; not edited by hand.*

{facts}

Each figure was kept by the test that produced it, after it had held the warehouse against the source
or an oracle that reads the files or tables by another road. *Lost* counts rows, entries or commits
that were missing, doubled or torn, and tests that failed.

| what is done to it | here | lost | what others publish of their own |
| --- | ---: | ---: | --- |
"""
_TAIL = """
## How to produce it

`make reliability` runs the tests that keep figures in their long form and writes this page;
`make reliability FAULTS=short` in the form that every change is checked with. A test takes part by
taking the fixture `figures` (`tests/figures.py`). What others publish is from their repositories and
pages as of 2026; where nothing was found, that is said.
"""
_FACTS = re.compile(r"^Form: \*\*([^*]+)\*\*, produced (\S+), (.+)\.$", re.MULTILINE)
_ROW = re.compile(
    r"^\| (?P<kind>[^|]+?) \|(?P<cells>(?: [\d,]* \|)+) (?P<lost>[\d,]+) \|$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Facts:
    """Which run it was."""

    form: str
    produced: str
    machine: str

    def line(self) -> str:
        """As the page says it."""
        return f"Form: **{self.form}**, produced {self.produced}, {self.machine}."


def written(figures: Iterable[Figure], facts: Facts) -> str:
    """The page."""
    found = list(figures)
    sections = [s for s in SECTIONS if any(figure.section == s.name for figure in found)]
    page = _HEAD.format(facts=facts.line())
    for section in sections:
        own = _of(found, section)
        count = f"{sum(f.count for f in own):,} {section.unit}"
        page += f"| {section.title} | {count} | {_lost(own)} | {section.anchors} |\n"
    return page + "".join(_detail(section, _of(found, section)) for section in sections) + _TAIL


def figures_of(page: str) -> list[Figure]:
    """The figures that a page shows; which sink lost something is not shown."""
    found: list[Figure] = []
    for section in SECTIONS:
        _, heading, rest = page.partition(f"\n## {section.title}\n")
        if heading:
            found += _rows(section.name, rest.partition("\n## ")[0])
    return found


def facts_of(page: str) -> Facts:
    """Which run a page says it shows."""
    match = _FACTS.search(page)
    assert match is not None
    return Facts(*match.groups())


def _of(figures: Iterable[Figure], section: Section) -> list[Figure]:
    return [figure for figure in figures if figure.section == section.name]


def _detail(section: Section, figures: list[Figure]) -> str:
    sinks = [sink for sink in SINKS if any(figure.sink == sink for figure in figures)]
    columns = [*sinks, ""] if any(figure.sink not in sinks for figure in figures) else sinks
    heads = [sink or section.unit for sink in columns]
    text = f"\n## {section.title}\n\n| {section.unit} | {' | '.join(heads)} | lost |\n"
    text += f"| --- |{' ---: |' * (len(columns) + 1)}\n"
    for kind in dict.fromkeys(figure.kind for figure in sorted(figures, key=lambda f: f.kind)):
        own = [figure for figure in figures if figure.kind == kind]
        cells = [sum(figure.count for figure in own if figure.sink == sink) for sink in columns]
        shown = " | ".join(f"{cell:,}" if cell or "failed" in kind else "" for cell in cells)
        text += f"| {kind} | {shown} | {_lost(own)} |\n"
    return text


def _rows(section: str, text: str) -> Iterable[Figure]:
    heads = re.search(r"^\| (.+) \| lost \|$", text, re.MULTILINE)
    assert heads is not None
    columns = [name if name in SINKS else "" for name in heads[1].split(" | ")[1:]]
    for row in _ROW.finditer(text):
        cells = map(_number, row["cells"].removesuffix("|").split("|"))
        losses = _number(row["lost"])
        for sink, count in zip(columns, cells, strict=True):
            if count or losses:
                yield Figure(section, row["kind"], sink, count, losses)
                losses = 0


def _number(text: str) -> int:
    return int(text.replace(",", "").strip() or 0)


def _lost(figures: Iterable[Figure]) -> str:
    return f"{sum(figure.losses for figure in figures):,}"


def _machine() -> str:
    return f"Python {platform.python_version()} on {os.cpu_count()} cores"


def main() -> None:
    """Read a run's figures and write the page."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--note", default="", help="what else is to be said of the run")
    given = parser.parse_args()
    form = FORM
    if long_form() and MOST:
        form += f", shortened to {MOST} kill points a scenario of a database, {KILLS} random kills"
    form += f", {given.note}" if given.note else ""
    facts = Facts(form, datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"), _machine())
    given.page.write_text(written(kept(given.directory), facts))


if __name__ == "__main__":
    main()
