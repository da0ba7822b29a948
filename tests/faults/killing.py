"""Runs a scenario in children that are killed, one at every durable step.

It is a program of its own, so that it can fork: nothing here has started a thread. Its orders come
as lines of JSON.
"""

import json
import os
import random
import shutil
import sys
import traceback
from pathlib import Path

import pyarrow as pa

from tests.faults import copies, scenarios
from tests.faults.steps import Killed, PowerLoss, watching
from tests.faults.twins import GUARDS

SCENARIOS = {**scenarios.SCENARIOS, **copies.SCENARIOS}
LIMIT = 500
ENDED = "ended"


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


def _fault(root: Path, step: int, mode: str) -> Killed:
    if mode == "kill":
        return Killed(step)
    attic = root.parent / f"{root.name}.attic"
    if mode == "power":
        return PowerLoss(step, root, attic)
    chance = random.Random(step)
    return PowerLoss(step, root, attic, luck=lambda count: chance.randint(0, count))


if __name__ == "__main__":
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    for line in sys.stdin:
        order = json.loads(line)
        steps = kill_at_every_step(Path(order.pop("base")), Path(order.pop("out")), **order)
        print(steps, flush=True)
