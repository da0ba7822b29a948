"""Runs a scenario in children whose disk fails at one call, also where C code makes the calls.

It is a program of its own with ``disk.c`` preloaded; it forks, so nothing here has started a thread. Its
orders come as lines of JSON, and so do its answers.
"""

import ctypes
import faulthandler
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import pyarrow as pa

from livetraffic.errors import ConfigError, SinkError
from tests.faults import scenarios

PATIENCE_SECONDS = 120
"""A child that takes longer hangs."""
SCENARIOS = {"create": scenarios.create, **scenarios.SCENARIOS}


def tried(place: Path, **order: Any) -> dict[str, Any]:
    """What the scenario said with that fault, and the calls it made.

    ``end``: ``done``; ``told`` (an error of ours); ``broke`` (any other); ``died``.
    """
    answer, log = place.with_name("answer"), place.with_name("calls")
    answer.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(PATIENCE_SECONDS, exit=True)
        answer.write_text(json.dumps(_said(place, log, **order)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    found = {"end": "died", "message": f"status {status}", "remedy": ""}
    if answer.exists():
        found = json.loads(answer.read_text())
    return {**found, "calls": log.read_text().splitlines()}


def _said(
    place: Path,
    log: Path,
    *,
    store: str,
    scenario: str,
    nth: int,
    code: int,
    more: bool,
    half: bool,
) -> dict[str, str]:
    arm = ctypes.CDLL(None).disk_arm
    with scenarios.using(store):
        arm(os.fsencode(place), os.fsencode(log), nth, code, int(more), int(half))
        try:
            SCENARIOS[scenario](place)
        except (SinkError, ConfigError) as error:
            return {"end": "told", "message": error.message, "remedy": error.remedy}
        except BaseException:  # noqa: BLE001 - it is what the test is about
            return {"end": "broke", "message": traceback.format_exc(), "remedy": ""}
    return {"end": "done", "message": "", "remedy": ""}


if __name__ == "__main__":
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    for line in sys.stdin:
        given = json.loads(line)
        print(json.dumps(tried(Path(given.pop("place")), **given)), flush=True)
