"""Runs a scenario in children that are killed, one at every durable step.

It is a program of its own, so that it can fork: nothing here has started a thread. Its orders come
as lines of JSON.
"""

import faulthandler
import json
import os
import random
import shutil
import sys
import traceback
from pathlib import Path

import pyarrow as pa

from tests.faults import copies, scenarios
from tests.faults.sent import asking
from tests.faults.steps import Killed, NewestName, PowerLoss, watching
from tests.faults.twins import GUARDS

SCENARIOS = {
    **scenarios.SCENARIOS,
    **copies.SCENARIOS,
    "move_forward": scenarios.move_forward,
    "take_out": scenarios.take_out,
}
LIMIT = 500
ENDED = "ended"
PATIENCE_SECONDS = 120
"""A child that takes longer hangs."""


def kill_at_every_step(base: Path, out: Path, scenario: str, mode: str, twin: str) -> int:
    """Leave ``out/1``, ``out/2`` …: copies of ``base`` whose scenario was killed before that step.

    Returns:
        How many steps the scenario has; the copy after the last was killed when it had ended.
    """
    for step in range(1, LIMIT):
        root = out / str(step)
        if base.exists():
            shutil.copytree(base, root)
        child = os.fork()
        if child == 0:
            _live(root, scenario, step, mode, twin)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            sys.exit(f"the scenario failed at step {step}")
        if (out / ENDED).exists():
            return step - 1
    sys.exit("the scenario does not end")


def _live(root: Path, scenario: str, step: int, mode: str, twin: str) -> None:
    fault = _fault(root, step, mode)
    try:
        with GUARDS[twin](), watching(fault):
            SCENARIOS[scenario](root)
    except BaseException:  # noqa: BLE001 - the child must not live on as its parent
        traceback.print_exc()
        os._exit(1)
    (root.parent / ENDED).touch()
    fault.die()


def kill_at(place: Path, store: str, scenario: str, step: int) -> int:
    """0 where the scenario was killed before that step; else how many steps it had."""
    ended = place.with_name(ENDED)
    child = os.fork()
    if child == 0:
        fault = Killed(step)
        faulthandler.dump_traceback_later(PATIENCE_SECONDS, exit=True)
        try:
            with scenarios.using(store), watching(fault), asking(fault):
                SCENARIOS[scenario](place)
        except BaseException:  # noqa: BLE001 - as in _live
            traceback.print_exc()
            os._exit(1)
        ended.write_text(str(len(fault.seen)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit(f"the scenario failed at step {step}")
    if not ended.exists():
        return 0
    steps = int(ended.read_text())
    ended.unlink()
    return steps


def _fault(root: Path, step: int, mode: str) -> Killed:
    if mode == "kill":
        return Killed(step)
    attic = root.parent / f"{root.name}.attic"
    if mode == "power":
        return PowerLoss(step, root, attic)
    if mode == "newest":
        return NewestName(step, root, attic)
    chance = random.Random(step)
    return PowerLoss(step, root, attic, luck=lambda count: chance.randint(0, count))


if __name__ == "__main__":
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    for line in sys.stdin:
        order = json.loads(line)
        if "place" in order:
            print(kill_at(Path(order.pop("place")), **order), flush=True)
            continue
        steps = kill_at_every_step(Path(order.pop("base")), Path(order.pop("out")), **order)
        print(steps, flush=True)
