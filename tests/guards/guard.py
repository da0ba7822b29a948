"""A guard of the code, the text that takes it out, and the tests that must then fail."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Guard:
    """``there`` stands once in ``file``; with ``gone`` in its place one of ``noticed_by`` fails.

    ``name`` says what the guard sees to, in a few words; ``file`` and the tests (``path`` or
    ``path::name``, as pytest takes them) are given from the root of the project.
    """

    name: str
    file: str
    there: str
    gone: str
    noticed_by: tuple[str, ...]

    def taken_out(self, root: Path) -> None:
        """Rewrite ``file`` below ``root`` without the guard.

        Raises:
            ValueError: ``there`` does not stand there exactly once.

        """
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if (times := text.count(self.there)) != 1:
            raise ValueError(f"{self.file}: {times} times, not once: {self.there!r}")
        path.write_text(text.replace(self.there, self.gone), encoding="utf-8")
