"""Each durable step fails, once or from there on: a sentence, and the old warehouse or the new."""

import errno
from pathlib import Path

import pytest

from livetraffic.errors import ConfigError, LiveTrafficError, SinkError
from tests.faults.scenarios import SCENARIOS, before
from tests.faults.steps import Failing, Fault, watching
from tests.faults.test_kill_points import ONE_COMMIT, contents, orphans, recovered
from tests.figures import Figures

CODES = [errno.ENOSPC, errno.EIO, errno.EACCES]


def steps_of(scenario: str, root: Path) -> int:
    before(scenario, root)
    fault = Fault()
    with watching(fault):
        SCENARIOS[scenario](root)
    return len(fault.seen)


def failed(scenario: str, root: Path, fault: Failing) -> LiveTrafficError | None:
    """The error that the user is shown; None where the step did not matter (a directory exists)."""
    try:
        with watching(fault):
            SCENARIOS[scenario](root)
    except (SinkError, ConfigError) as error:
        return error
    return None


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.__getitem__)
@pytest.mark.parametrize("scenario", [name for name in ONE_COMMIT if name != "overlap"])
def test_a_failing_disk_leaves_old_or_new_and_says_so(
    tmp_path: Path, scenario: str, code: int, lasting: bool, figures: Figures
) -> None:
    steps = steps_of(scenario, tmp_path / "counted")
    new = contents(tmp_path / "counted")
    root = tmp_path / "0"
    before(scenario, root)
    old = contents(root)
    for step in range(1, steps + 1):
        error = failed(scenario, root, Failing(step, code, lasting=lasting))
        if error is not None:
            assert str(root) in error.message
            assert error.remedy
        found = recovered(root)
        assert found == new if error is None else found in (old, new)
        assert orphans(root) == []
        if found == new:
            root = tmp_path / str(step)
            before(scenario, root)
    SCENARIOS[scenario](root)
    assert contents(root) == new
    words = "lasting" if lasting else "once"
    figures("I/O faults", f"{errno.errorcode[code]} at each step, {words}", steps, sink="parquet")


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    before("revise", tmp_path)
    for step in range(1, 40, 4):
        fault = Failing(step, errno.ENOSPC, lasting=True)
        with watching(fault), pytest.raises(SinkError, match="written: no space is left"):
            SCENARIOS["revise"](tmp_path)


def test_the_files_of_a_failed_commit_are_removed_at_once(tmp_path: Path) -> None:
    before("revise", tmp_path)
    fault = Failing(12, errno.EIO, lasting=False)
    with watching(fault), pytest.raises(SinkError):
        SCENARIOS["revise"](tmp_path)
    assert orphans(tmp_path) == []
