"""The docs' fenced blocks, and the commands in them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line it begins at, and its text."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.removeprefix('docs/')}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A line behind ``$``, whole; ``words`` without a comment at its end."""

    page: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text, comments=True)


def blocks(language: str) -> list[Block]:
    """All blocks of a language, page by page."""
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for match in _FENCE.finditer(text):
            if match[1] == language:
                line = text.count("\n", 0, match.start()) + 1
                found.append(Block(page.relative_to(ROOT).as_posix(), line, match[2]))
    return found


def commands() -> list[Command]:
    """Every command of every console block; one that ends within quotes goes on in the next line."""
    found: list[Command] = []
    for block in blocks("console"):
        open_text = ""
        for line in block.text.splitlines():
            if not open_text and not line.startswith("$ "):
                continue
            open_text += line.removeprefix("$ ") if not open_text else f"\n{line}"
            if _is_whole(open_text):
                found.append(Command(block.page, open_text))
                open_text = ""
        assert not open_text, f"{block.page}: a quote stays open in {open_text!r}"
    return found


def _is_whole(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return not text.rstrip().endswith("\\")
