"""Runs a command on one core and watches it: wall, CPU, and the memory of its whole process tree."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EVERY_SECONDS = 0.02
LONGEST_SECONDS = 600
_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20


class BenchError(RuntimeError):
    """A measurement that did not come about."""


@dataclass(slots=True)
class Watched:
    """What one command took; memory in MiB."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    said: dict[str, Any]
    """The last line of its standard output, if that is JSON."""
    memory: list[tuple[float, float]] = field(default_factory=list)
    """Seconds since the start, and the resident memory then."""

    def figures(self) -> dict[str, float]:
        """What goes into the results."""
        found = {"wall_s": self.wall_s, "cpu_s": self.cpu_s, "peak_mib": self.peak_mib}
        if "seconds" in self.said:
            found["inside_s"] = float(self.said["seconds"])
        return found


def cores() -> tuple[set[int], set[int]]:
    """The core of the stand-in, and that of whoever is measured; all where there is only one."""
    free = sorted(os.sched_getaffinity(0))
    return ({free[0]}, {free[-1]}) if len(free) > 1 else (set(free), set(free))


def watch(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    codes: Sequence[int] = (0,),
) -> Watched:
    """Run a command to its end on the measured core.

    Raises:
        BenchError: it ended with another code than those.
    """
    core = cores()[1]
    began = time.perf_counter()
    child = subprocess.Popen(
        command,
        env=dict(os.environ) | dict(environment or {}),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.sched_setaffinity(child.pid, core)
    timer = threading.Timer(LONGEST_SECONDS, child.kill)
    timer.start()
    memory: list[tuple[float, float]] = []
    over = threading.Event()
    sampler = threading.Thread(target=_sample, args=(child.pid, began, memory, over))
    sampler.start()
    outputs: list[str] = ["", ""]
    readers = [
        threading.Thread(target=_drain, args=(stream, outputs, place))
        for place, stream in enumerate((child.stdout, child.stderr))
    ]
    for reader in readers:
        reader.start()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    timer.cancel()
    over.set()
    for thread in (*readers, sampler):
        thread.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in codes:
        raise BenchError(f"{' '.join(command)[:300]}\n{outputs[0][-500:]}\n{outputs[1][-3000:]}")
    peak = max((mib for _, mib in memory), default=0.0)
    return Watched(
        wall,
        usage.ru_utime + usage.ru_stime,
        max(peak, usage.ru_maxrss / 1024),
        _last_line(outputs[0]),
        memory,
    )


def _drain(stream: Any, outputs: list[str], place: int) -> None:
    with stream:
        outputs[place] = stream.read()


def _last_line(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)  # a document
    except ValueError:
        try:
            found = json.loads(text.strip().rpartition("\n")[2])
        except ValueError:
            return {}
    return found if isinstance(found, dict) else {}


def _sample(
    root: int, began: float, memory: list[tuple[float, float]], over: threading.Event
) -> None:
    while not over.wait(EVERY_SECONDS):
        memory.append((time.perf_counter() - began, sum(map(_resident, _tree(root)))))


def _tree(root: int) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        try:  # it may be gone by now
            for task in list(Path(f"/proc/{pid}/task").iterdir()):
                waiting += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _resident(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_MIB
    except (OSError, IndexError):
        return 0.0
