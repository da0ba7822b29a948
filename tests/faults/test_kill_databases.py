"""A process killed before anything it asks of its database or object store: old warehouse or new one.

The steps are every statement, every piece of a bulk load, every commit and every request as the driver
sends them, with those of the files beside (``sent``, ``steps``). After each kill the warehouse is read
through the driver, the same work is done again, and it ends as if nothing had happened.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract import version_1
from tests.contract.stores import STORES
from tests.faults import copies, scenarios
from tests.faults.bases import Base
from tests.figures import MOST, Figures, long_form

DATABASES = ["duckdb", "sqlite", "postgres", "mariadb"]
OBJECTS = "s3"
"""Never of format version 1; and a killed copy holds its lease for seconds."""
SAMPLE = 3
"""Kill points of a scenario that are tried in the short form."""
NEVER = 1_000_000

KillAt = Callable[..., int]


@pytest.fixture(params=DATABASES, ids=str)
def name(request: pytest.FixtureRequest) -> str:
    STORES[request.param].find()
    return str(request.param)


@pytest.fixture
def base(name: str, tmp_path: Path) -> Iterator[Callable[[Callable[[Path], None]], Base]]:
    made: list[Base] = []

    def make(fill: Callable[[Path], None]) -> Base:
        made.append(Base(name, tmp_path / "warehouse", fill))
        return made[0]

    with scenarios.using(name):
        yield make
    made[0].drop()


def points(kill_at: KillAt, found: Base, scenario: str) -> Iterator[int]:
    """Kills before each step, or before some of them; the base is as it was before every one."""
    found.again()
    steps = kill_at(found.place, found.name, scenario, NEVER)
    chosen = list(range(1, steps + 1))
    most = (MOST or steps) if long_form() else SAMPLE - SAMPLE // 2 * (found.name == OBJECTS)
    if most < steps:
        chosen = sorted(random.Random(f"{found.name} {scenario}").sample(chosen, most))
    for step in chosen:
        found.again()
        assert not kill_at(found.place, found.name, scenario, step)
        yield step


@pytest.mark.parametrize("name", [*DATABASES, OBJECTS], indirect=True)
@pytest.mark.parametrize("scenario", ["first_load", "overlap", "revise"])
def test_a_kill_leaves_old_or_new_and_the_next_run_does_the_rest(
    base: Callable[..., Base], kill_at: KillAt, name: str, scenario: str, figures: Figures
) -> None:
    found = base(lambda place: scenarios.before(scenario, place))
    old = found.contents()
    scenarios.SCENARIOS[scenario](found.place)
    new = found.contents()
    assert old != new
    tried = list[int]()
    for step in points(kill_at, found, scenario):
        tried.append(step)
        assert found.contents() in (old, new)
        scenarios.SCENARIOS[scenario](found.place)
        assert found.contents() == new
        assert found.orphans() == []
    figures("kill points", f"{scenario} (kill)", len(tried), sink=name)


def test_a_killed_move_forward_is_finished_by_the_next_run(
    base: Callable[..., Base], kill_at: KillAt, name: str, figures: Figures
) -> None:
    found = base(version_1.MADE[name])
    entries = sorted(scenarios.opened(found.place).ledger())
    scenarios.move_forward(found.place)
    new = found.contents()
    tried = list[int]()
    for step in points(kill_at, found, "move_forward"):
        tried.append(step)
        assert sorted(scenarios.opened(found.place).ledger()) == entries, "readable in between"
        scenarios.move_forward(found.place)
        assert found.contents() == new
        assert found.orphans() == []
    figures("kill points", "move_forward (kill)", len(tried), sink=name)


def test_a_killed_copy_is_finished_by_the_next_one(
    base: Callable[..., Base], kill_at: KillAt, name: str, figures: Figures
) -> None:
    found = base(lambda place: scenarios.before("note", place))
    whole = found.contents()
    tried = list[int]()
    for step in points(kill_at, found, "copy"):
        tried.append(step)
        assert copies.copy(found.place).differences == ()
        assert found.contents(copies.TARGET) == whole
        assert found.contents() == whole
        assert found.orphans() == []
    figures("kill points", "copy (kill)", len(tried), sink=name)
