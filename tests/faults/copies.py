"""A copy as a scenario: from the warehouse at the path into one below it."""

from pathlib import Path

from load.transfer import Place, Transfer, transfer
from tests.faults import scenarios

TARGET = "copy"


class Silent:
    """Nobody looks on."""

    def planned(self, table: str, months: int, missing: int) -> None:
        """As ``Watcher.planned``."""

    def rows(self, count: int) -> None:
        """As ``Watcher.rows``."""

    def month_done(self, table: str, month: str, rows: int) -> None:
        """As ``Watcher.month_done``."""


def copy(root: Path) -> Transfer:
    """Copy the warehouse, or what is left of it to be copied."""
    old, new = scenarios.opened(root), scenarios.opened(root / TARGET)
    with (
        old.run_lock(wait=0, holder="copy"),
        new.run_lock(wait=0, holder="copy"),
    ):
        return transfer(Place(old, "old"), Place(new, "new"), Silent())


def copied(root: Path) -> None:
    """As a scenario."""
    assert copy(root).differences == ()


SCENARIOS = {"copy": copied}
