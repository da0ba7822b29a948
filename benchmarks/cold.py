"""Cold backfill and the night after it: ours and the peers in turn, on each target.

50 domains x 90 days x 5 minutes, whole commands from their start to their exit; then the clock moves a
day and each reads what a night owes: the last two days, upserted.
"""

from datetime import datetime
from typing import Any

from benchmarks.contenders import KINDS, Job, Target, ours, read_back, run, target
from benchmarks.source import DAY, NOW, Source, standin
from benchmarks.watching import BenchError, Watched
from livetraffic.limits import V1
from livetraffic.window import from_seconds, to_seconds

DOMAINS = tuple(f"play{number:03}.example.com" for number in range(1, 51))
STEP = 300
TURNS = ("floor", "ours", "script", "dlt_arrow")
SLOW = (("dlt_rest", "duckdb"),)
"""Run once only."""

Figures = dict[str, Any]


def cold_job(now: datetime = NOW) -> Job:
    """All that the source still offers at that instant."""
    reach = V1.reach(to_seconds(now), STEP)
    if reach is None:
        raise BenchError("the source offers nothing")
    return Job(DOMAINS, from_seconds(reach.start), from_seconds(reach.end), now)


def night_job() -> Job:
    """What is owed a day later: a day that had not settled, and a new one."""
    before, after = cold_job(), cold_job(NOW + DAY)
    return Job(DOMAINS, before.end - DAY, after.end, NOW + DAY)


def measure(rounds: int, *, slow: bool = True) -> Figures:
    """The figures of every contender on every target, with their journal and their check."""
    found: Figures = {kind: {} for kind in KINDS}
    with standin(domains=len(DOMAINS), warm_up=93) as source:
        truth = _truth(source)
        for number in range(rounds):
            for kind in KINDS:
                for who in TURNS:
                    _one(who, kind, source, found[kind], truth if number == 0 else None)
        for who, kind in SLOW if slow else ():
            _one(who, kind, source, found[kind], truth)
    found["rows"] = sum(domain["rows"] for domain in truth["cold"].values())
    return found


def _truth(source: Source) -> Figures:
    """What everyone must have in the end: by the stand-in's own account, not through the API."""
    job, night = cold_job(), night_job()
    cold = {name: source.truth(name, job.start, job.end) for name in DOMAINS}
    source.stand_at(night.now)
    fresh = {name: source.truth(name, job.end, night.end) for name in DOMAINS}
    source.stand_at(NOW)
    both = {
        name: {key: value + fresh[name][key] for key, value in cold[name].items()} for name in cold
    }
    return {"cold": cold, "night": both}


def _one(who: str, kind: str, source: Source, found: Figures, truth: Figures | None) -> None:
    with target(kind) as place:
        if place is None:
            return
        source.clear()
        cold = run(who, cold_job(), source, place)
        _note(found, who, "cold", cold, source)
        if who in ("floor", "dlt_rest"):
            _check(who, place, found, "cold", truth)
            return
        source.stand_at(NOW + DAY)
        try:
            source.clear()
            _note(found, who, "night", _night(who, source, place), source)
            _check(who, place, found, "night", truth)
        finally:
            source.stand_at(NOW)


def _night(who: str, source: Source, place: Target) -> Watched:
    if who == "ours":
        return ours(source, place.place, ["nightly", "--engine", "direct"], NOW + DAY)
    return run(who, night_job(), source, place)


def _note(found: Figures, who: str, job: str, watched: Watched, source: Source) -> None:
    runs = found.setdefault(who, {}).setdefault(job, {"runs": []})
    runs["runs"].append(watched.figures())
    runs["requests"] = source.counted()
    print(
        f"  {job:6} {who:10} {watched.wall_s:6.2f} s wall {watched.cpu_s:6.2f} s CPU "
        f"{watched.peak_mib:6.0f} MiB",
        flush=True,
    )


def _check(who: str, place: Target, found: Figures, job: str, truth: Figures | None) -> None:
    if truth is None:
        return
    held = read_back(who, place)
    if held != truth[job]:
        wrong = [name for name in truth[job] if held.get(name) != truth[job][name]]
        raise BenchError(f"{who} holds other values than the source in {place.kind}: {wrong[:3]}")
    found[who][job]["verified"] = True
