"""Under a quota: how much of it is used, and whether it is ever crossed, by the stand-in's journal.

A stand-in with 300 requests a minute on the real clock, 250 domains x 90 days at 60 minutes: 750
requests, a little over two minutes. The run mostly waits, so it goes on beside the preparations.
"""

import math
import sys
import tempfile
import threading
from bisect import bisect_left
from contextlib import suppress
from typing import Any

from benchmarks.contenders import command, environment
from benchmarks.source import standin
from benchmarks.watching import BenchError, Watched, watch

PER_MINUTE = 300
MINUTE_S = 60.0


class Quota:
    """One run under a quota, going on in the background."""

    def __init__(self, requests: int) -> None:
        self._domains = requests // 3
        self._found: dict[str, Any] | BenchError = {}
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def figures(self) -> dict[str, Any]:
        """Wait for its end.

        Raises:
            BenchError: the run did not end well.
        """
        print("quota:", flush=True)
        self._thread.join()
        if isinstance(self._found, BenchError):
            raise self._found
        return self._found

    def _run(self) -> None:
        try:
            self._found = _measured(self._domains)
        except BenchError as error:
            self._found = error


def _measured(domains: int) -> dict[str, Any]:
    with (
        standin(domains=domains, requests_per_minute=PER_MINUTE, clock=False) as source,
        tempfile.TemporaryDirectory() as folder,
    ):
        settings = environment(
            source,
            f"{folder}/warehouse",
            LIVE_TRAFFIC_REQUESTS_PER_MINUTE=str(PER_MINUTE),
            LIVE_TRAFFIC_STEP_MINUTES="60",
        )
        watched: Watched = watch(
            command("backfill", "--engine", "direct", "--json"), environment=settings
        )
        journal = [entry for entry in source.journal() if entry["operation"] == "traffic"]
    sent = sorted(float(entry["real_s"]) for entry in journal)
    throttled = sum(entry["status"] == 429 for entry in journal)
    return {
        "per_minute": PER_MINUTE,
        "requests": len(sent),
        "throttled": throttled,
        "refused": sum(entry["status"] != 200 for entry in journal) - throttled,
        "most_in_a_minute": most(sent, MINUTE_S),
        "used": used(sent, PER_MINUTE),
        "wall_s": watched.wall_s,
        "cpu_s": watched.cpu_s,
    }


def most(sent: list[float], window: float) -> int:
    """The largest number of requests in any stretch of that many seconds."""
    return max((bisect_left(sent, at + window) - place for place, at in enumerate(sent)), default=0)


def used(sent: list[float], per_minute: int) -> float:
    """The share of the quota that was used, over the whole minutes in which there was work.

    The last burst is not whole: what counts is the time up to its first request, and what was sent in it.
    """
    whole = (math.ceil(len(sent) / per_minute) - 1) * per_minute
    if whole <= 0:
        return math.nan
    return whole / (per_minute * (sent[whole] - sent[0]) / MINUTE_S)


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        print(Quota(int(sys.argv[1])).figures())
