"""Memory over time while the history grows: 1, 4 and 16 times as much, on v2, for 64 domains.

The stand-in renders v2's answers one by one, so the seconds here are its own; the memory is ours.
"""

from datetime import timedelta
from typing import Any

from benchmarks.contenders import Job, ours, run, target
from benchmarks.source import NOW, standin
from benchmarks.watching import Watched
from livetraffic.limits import V2
from livetraffic.window import from_seconds, to_seconds

DOMAINS = tuple(f"new{number:03}.example.com" for number in range(1, 65))
HISTORIES = {1: 23, 4: 91, 16: 365}
"""Days by how many times the history."""
POINTS = 200


def job(days: int) -> Job:
    """So many days of all domains; of 365, what the source still offers."""
    reach = V2.reach(to_seconds(NOW), 300)
    assert reach is not None
    start = max(from_seconds(reach.start), NOW - timedelta(days=days))
    return Job(DOMAINS, start, from_seconds(reach.end), NOW, "v2")


def measure(*, peers: bool = True) -> dict[str, Any]:
    """Ours for each history; the script for the longest and the shortest."""
    found: dict[str, Any] = {"runs": {}}
    with standin(domains=0) as source:
        source.create(DOMAINS, "new")
        for times, days in HISTORIES.items():
            with target("parquet") as place:
                assert place is not None
                wanted = job(days)
                words = ["backfill", "--engine", "direct", "--start", _text(wanted.start)]
                source.clear()
                watched = ours(source, place.place, words, NOW, LIVE_TRAFFIC_API="v2")
                found["runs"][f"live-traffic {times}x"] = _figures(watched)
                found["runs"][f"live-traffic {times}x"]["requests"] = source.counted()
        for times in (1, 16) if peers else ():
            with target("parquet") as place:
                assert place is not None
                watched = run("script", job(HISTORIES[times]), source, place)
                found["runs"][f"script {times}x"] = _figures(watched)
    return found


def _text(instant: Any) -> str:
    return str(instant.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _figures(watched: Watched) -> dict[str, Any]:
    print(f"  {watched.peak_mib:.0f} MiB in {watched.wall_s:.1f} s", flush=True)
    step = max(1, len(watched.memory) // POINTS)
    series = [[round(at, 2), round(mib, 1)] for at, mib in watched.memory[::step] if mib]
    rows = watched.said.get("rows_fetched", watched.said.get("rows"))
    return {**watched.figures(), "rows": rows, "series": series}
