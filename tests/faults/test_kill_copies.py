"""A copy killed before any of its durable steps is finished by the next one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from load.parquet.sink import ParquetSink
from tests.contract.stores import Contents, read_parquet_files, trace_of_files
from tests.faults.copies import TARGET, copy
from tests.faults.scenarios import SCENARIOS, before
from tests.faults.test_kill_points import MODES, contents, orphans
from tests.figures import Figures, long_form


def months(found: Contents) -> set[int]:
    """The points of the traffic that is there."""
    return {second for _, second in found.traffic}


@pytest.mark.parametrize("mode", MODES)
def test_a_killed_copy_is_finished_by_the_next(
    kill_at_every_step: Callable[..., int], tmp_path: Path, mode: str, figures: Figures
) -> None:
    base, out = tmp_path / "base", tmp_path / "out"
    before("settle_later", base)
    whole, source = contents(base), trace_of_files(base)
    out.mkdir()
    steps = kill_at_every_step(base, out, scenario="copy", mode=mode, twin="")
    assert steps > 80
    judged = list(range(1, steps + 2))
    if not long_form():
        judged = [*judged[:: len(MODES)], steps + 1]
    for root in (out / str(step) for step in judged):
        left = read_parquet_files(root / TARGET)  # every file is whole
        assert set(left.traffic.items()) <= set(whole.traffic.items())
        assert not left.ledger or left.traffic == whole.traffic, "the ledger speaks last"
        done = copy(root)
        assert done.differences == ()
        assert contents(root / TARGET) == whole
        assert orphans(root) == []
        assert len(trace_of_files(root)) == 2 * len(source)
        assert contents(root) == whole
    assert done.tables["traffic"].copied_months == 0, "what was reported as done must stay"
    figures("kill points", f"copy ({mode})", len(judged) - 1, sink="parquet")


def test_a_source_that_was_killed_in_a_commit_is_mended_first(
    kill_at_every_step: Callable[..., int], tmp_path: Path
) -> None:
    """A published commit is part of the source, also where its files are not in their places yet."""
    base, out = tmp_path / "base", tmp_path / "out"
    before("revise", base)
    old = contents(base)
    out.mkdir()
    steps = kill_at_every_step(base, out, scenario="revise", mode="kill", twin="")
    SCENARIOS["revise"](base)
    seen = set()
    for root in (out / str(step) for step in range(1, steps + 2)):
        assert copy(root).differences == ()
        found = contents(root / TARGET)
        assert found in (old, contents(base))
        seen.add(found == old)
        ParquetSink(root).prepare(step=86_400, timezone="Asia/Shanghai", settle_after=86_400)
        assert contents(root) == found
    assert seen == {True, False}
