"""The docs as one whole: links, images, the index, and the two READMEs in step."""

import re
from pathlib import Path

import grimp
import pytest

from docs.blocks import PAGES, ROOT, commands

DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_PROSE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[tuple[bool, str, str]]:
    """Whether it is an image, its words and its target; code is no prose."""
    found = _LINK.findall(_PROSE.sub("", page.read_text("utf-8")))
    return [(mark == "!", words, target) for mark, words, target in found]


def anchors(page: Path) -> set[str]:
    """The headings as they are linked to."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*PAGES, *DECISIONS], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_image_leads_somewhere(page):
    """Files exist, anchors are headings; an image has words for those who do not see it."""
    for is_image, words, target in links(page):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        goal = (page.parent / name) if name else page
        assert goal.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(goal), f"{page.name}: {target}"
        assert not is_image or len(words) > 10, f"{page.name}: {target} has no words"


def test_every_page_is_in_the_index():
    """What is not found there does not exist for a reader."""
    index = (ROOT / "docs/README.md").read_text("utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name


def test_every_image_is_shown_and_is_small():
    """No picture lies around; none makes a clone slow."""
    shown = {
        (page.parent / target).resolve()
        for page in PAGES
        for image, _, target in links(page)
        if image
    }
    for image in (ROOT / "docs/images").glob("*"):
        assert image.resolve() in shown, image.name
        assert image.stat().st_size < 400_000, image.name


def test_the_readmes_lead_to_each_other_and_are_short():
    """Whoever reads the other language finds it in the first lines."""
    for page, other in (READMES, READMES[::-1]):
        text = page.read_text("utf-8")
        assert f"({other.name})" in "\n".join(text.splitlines()[:5])
        assert len(text.splitlines()) <= 150


def test_the_readmes_are_in_step():
    """The same sections, commands, tables, exit codes and links, in the same order."""
    first, second = READMES
    assert _levels(first) == _levels(second)
    assert _commands(first) == _commands(second)
    assert _cells(first) == _cells(second)
    assert _targets(first) == _targets(second)


def _levels(page: Path) -> list[int]:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]


def _commands(page: Path) -> list[list[str]]:
    return [command.words for command in commands() if command.page == page.name]


def _cells(page: Path) -> list[str]:
    """The first cell of each row of a table, which is code or a number in both."""
    rows = re.findall(r"^\| ([^|]+) \|", page.read_text("utf-8"), re.MULTILINE)
    return [cell for cell in rows if re.match(r"[`\d]", cell)]


def _targets(page: Path) -> set[str]:
    """Files linked to, languages aside."""
    targets = [target for _, _, target in links(page) if "README" not in target]
    return {target.replace(".zh-CN", "") for target in targets}


def test_the_picture_of_the_house_is_drawn_from_the_code():
    """Its rooms and arrows are the imports: run docs/picture_of_the_house.py after a change."""
    image = (ROOT / "docs/images/house.svg").read_text("utf-8")
    assert set(re.findall(r'data-room="([\w.]+)"', image)) == set(_rooms())
    drawn = re.findall(r'data-from="([\w.]+)" data-to="([\w.]+)"', image)
    found = _arrows_by_grimp()
    assert set(drawn) == found, "run: python docs/picture_of_the_house.py"


def _rooms() -> set[str]:
    """The packages, by the files alone."""
    packages = ("flows", "extract", "load", "sql", "livetraffic")
    found = {path.parent for name in packages for path in (ROOT / name).rglob("__init__.py")}
    return {".".join(path.relative_to(ROOT).parts) for path in found}


def _arrows_by_grimp() -> set[tuple[str, str]]:
    """The same by another road: the graph that the import rules are checked on."""
    graph = grimp.build_graph("flows", "extract", "load", "sql", "livetraffic", cache_dir=None)
    rooms = _rooms()

    def room(module: str) -> str:
        while module not in rooms:
            module = module.rpartition(".")[0]
        return module

    pairs = {
        (room(module), room(goal))
        for module in graph.modules
        for goal in graph.find_modules_directly_imported_by(module)
    }
    return {(one, other) for one, other in pairs if one != other}
