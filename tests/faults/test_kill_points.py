"""A process killed before any of its durable steps leaves the old warehouse or the new one.

``kill``: the process dies. ``power``: everything that was not synced is lost as well. ``chance``:
of what was not synced, some is lost and some is not, as a disk without power will have it.
``newest``: of the names that were not synced only the newest is there.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from load.parquet.sink import ParquetSink
from tests.contract import version_1
from tests.contract.stores import SETTLE_AFTER, ZONE, Contents, read_parquet_files
from tests.faults import scenarios
from tests.faults.scenarios import SCENARIOS, STEP, before
from tests.faults.twins import GUARDS
from tests.figures import Figures

FILES = {"warehouse.json", "calendar.parquet", "domains.parquet", "data.parquet"}
LOCKS = {".commit.lock", ".run.lock"}
MODES = ["kill", "power", "chance"]
ONE_COMMIT = [name for name in SCENARIOS if name != "create"]


Killed = tuple[Contents, Contents, list[Path]]
Everywhere = Callable[..., Killed]


@pytest.fixture
def killed_everywhere(kill_at_every_step: Callable[..., int], tmp_path: Path) -> Everywhere:
    """Kills a scenario: the warehouse before, after, and the killed ones in order of the step."""

    def kill(scenario: str, mode: str, *, twin: str = "") -> Killed:
        base, out, undisturbed = tmp_path / "base", tmp_path / "out", tmp_path / "undisturbed"
        before(scenario, base)
        before(scenario, undisturbed)
        SCENARIOS[scenario](undisturbed)
        out.mkdir()
        steps = kill_at_every_step(base, out, scenario=scenario, mode=mode, twin=twin)
        killed = [out / str(step) for step in range(1, steps + 2)]
        return contents(base), contents(undisturbed), killed

    return kill


def contents(root: Path) -> Contents:
    found = read_parquet_files(root)
    return replace(found, ledger=sorted(found.ledger), domains=sorted(found.domains))


def recovered(root: Path) -> Contents:
    """What is there once the next run has begun, as a reader sees it."""
    settings = read_parquet_files(root).settings  # and every file is whole before the recovery
    settle_after = settings[-1] if settings else SETTLE_AFTER
    assert isinstance(settle_after, int)
    ParquetSink(root).prepare(step=STEP, timezone=ZONE, settle_after=settle_after)
    return contents(root)


def orphans(root: Path) -> list[str]:
    """Files that no warehouse should hold."""
    return [
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and path.name not in FILES | LOCKS
    ]


def check_old_or_new(root: Path, old: Contents, new: Contents) -> bool:
    """Hold one killed warehouse against the promise; True when the commit had happened."""
    found = recovered(root)
    assert found in (old, new)
    assert orphans(root) == []
    return found == new


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", ONE_COMMIT)
def test_a_kill_before_any_step_leaves_old_or_new(
    killed_everywhere: Everywhere, scenario: str, mode: str, figures: Figures
) -> None:
    old, new, killed = killed_everywhere(scenario, mode)
    assert old != new
    assert len(killed) > 10
    happened = []
    for root in killed:
        happened.append(check_old_or_new(root, old, new))
        SCENARIOS[scenario](root)  # the next run does what is left
        assert contents(root) == new
        assert orphans(root) == []
    assert not happened[0]
    assert happened[-1], "what was reported as done must stay"
    if mode != "chance":
        assert happened == sorted(happened)
    figures("kill points", f"{scenario} ({mode})", len(killed), sink="parquet")


@pytest.mark.parametrize("mode", MODES)
def test_a_kill_while_the_warehouse_is_made(
    killed_everywhere: Everywhere, mode: str, figures: Figures
) -> None:
    """Two commits: the warehouse, then its calendar."""
    _, new, killed = killed_everywhere("create", mode)
    assert len(killed) > 15
    for root in killed:
        found = recovered(root)
        assert found.settings == new.settings
        assert found.calendar in ([], new.calendar)
        SCENARIOS["create"](root)
        assert contents(root) == new
        assert orphans(root) == []
    figures("kill points", f"create ({mode})", len(killed), sink="parquet")


@pytest.mark.parametrize("mode", MODES)
def test_a_killed_move_forward_is_finished_by_the_next_run(
    kill_at_every_step: Callable[..., int], tmp_path: Path, mode: str, figures: Figures
) -> None:
    """A warehouse of format version 1 is readable in between, and ends as if nothing had happened."""
    base, out, undisturbed = tmp_path / "base", tmp_path / "out", tmp_path / "undisturbed"
    for root in (base, undisturbed):
        version_1.parquet(root)
    entries = sorted(ParquetSink(base).ledger())
    scenarios.move_forward(undisturbed)
    new = contents(undisturbed)
    out.mkdir()
    steps = kill_at_every_step(base, out, scenario="move_forward", mode=mode, twin="")
    for root in (out / str(step) for step in range(1, steps + 2)):
        assert sorted(ParquetSink(root).ledger()) == entries
        scenarios.move_forward(root)
        assert contents(root) == new
        assert orphans(root) == []
    figures("kill points", f"move_forward ({mode})", steps, sink="parquet")


@pytest.mark.parametrize("scenario", ["name_domains", "first_load", "revise"])
def test_no_name_is_on_the_disk_before_what_it_speaks_of(
    killed_everywhere: Everywhere, scenario: str, figures: Figures
) -> None:
    """Above all the journal's: without the files that it lists it would stop every writer."""
    old, new, killed = killed_everywhere(scenario, "newest")
    happened = [check_old_or_new(root, old, new) for root in killed]
    assert happened == sorted(happened)
    assert (happened[0], happened[-1]) == (False, True)
    figures("kill points", f"{scenario} (newest)", len(killed), sink="parquet")


def test_a_journal_does_not_come_back_for_a_file_that_was_removed(
    kill_at_every_step: Callable[..., int], tmp_path: Path, figures: Figures
) -> None:
    """Its deletion is durable before anything else happens: else it would stop every writer."""
    base, noted, out = tmp_path / "base", tmp_path / "noted", tmp_path / "out"
    for root in (base, noted):
        before("note", root)
    SCENARIOS["note"](noted)
    out.mkdir()
    steps = kill_at_every_step(base, out, scenario="take_out", mode="power", twin="")
    found = [recovered(out / str(step)) for step in range(1, steps + 2)]
    assert contents(noted) in found
    assert [seen for seen in found if seen not in (contents(base), contents(noted))] == []
    assert found[-1] == contents(base)
    figures("kill points", "take_out (power)", len(found), sink="parquet")


def test_a_finished_batch_survives_a_power_cut(killed_everywhere: Everywhere) -> None:
    _, new, killed = killed_everywhere("first_load", "power")
    assert contents(killed[-1]) == new


@pytest.mark.parametrize(
    ("guard", "mode"),
    [
        ("new files are synced before the journal speaks of them", "power"),
        ("directories are synced", "chance"),
        ("a commit has a journal", "kill"),
    ],
)
def test_without_its_guard_a_kill_leaves_damage(
    killed_everywhere: Everywhere, guard: str, mode: str, figures: Figures
) -> None:
    old, new, killed = killed_everywhere("revise", mode, twin=guard)
    damaged = 0
    for root in killed:
        try:
            check_old_or_new(root, old, new)
        except Exception:  # noqa: BLE001 - whatever it is, the test above would have failed
            damaged += 1
    assert damaged
    figures("twins", guard, 1, sink="parquet")


def test_without_the_roll_forward_a_kill_leaves_damage(
    killed_everywhere: Everywhere, figures: Figures
) -> None:
    old, new, killed = killed_everywhere("revise", "kill")
    with GUARDS["a journal is rolled forward"]():
        seen = [recovered(root) for root in killed]
    assert any(found not in (old, new) for found in seen)
    figures("twins", "a journal is rolled forward", 1, sink="parquet")
