"""Simulated months on the movable clock: outages, late and restated values, domains that come and go."""

import random
from datetime import timedelta

import pytest

from extract.standin.server import Standin
from livetraffic.limits import V1
from livetraffic.window import from_seconds, to_seconds
from terminal import commands
from test_history_into_warehouse import at, stored

STEP = 300
START = "2026-01-10T19:15:00Z"


def nights(rng: random.Random, count: int):
    """The instants of the runs: mostly nightly, now and then after an outage of up to twenty days."""
    moment = at(START)
    for _ in range(count):
        yield moment
        gap = rng.randrange(2, 21) if rng.random() < 0.15 else 1
        moment += timedelta(days=gap, minutes=rng.randrange(-90, 90))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(3))
def test_the_warehouse_is_the_source_wherever_a_run_could_read_it(
    capsys, monkeypatch, tmp_path, seed
):
    """Late values have grown, restated ones are the new ones, gaps are closed."""
    rng = random.Random(f"nights {seed}")
    idle = rng.choice(["zero", "omit"])
    switches = {"late_minutes": 180, "idle": idle, "deleted_domain": "history"}
    with Standin(domains=4, seed=seed + 1, now=at(START), switches=switches) as standin:
        standin.switches(traffic_per_minute=0)
        live = commands(capsys, monkeypatch, standin, tmp_path / "w")
        monkeypatch.setenv("LIVE_TRAFFIC_REQUESTS_PER_MINUTE", "100000")
        for number, moment in enumerate(nights(rng, 25)):
            standin.set_clock(moment)
            instant = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
            if number == 8:
                standin.change_domain("create", "late.example.com")
            if number == 16:
                standin.change_domain("delete", "late.example.com")
            for _ in range(rng.randrange(0, 4)):
                hours = rng.randrange(1, 20)
                point = from_seconds(to_seconds(moment - timedelta(hours=hours)) // STEP * STEP)
                standin.restate(
                    "play001.example.com", timestamp=point, traffic=rng.randrange(10**9)
                )
            summary = live.json("nightly", "--engine", "direct", as_of=instant)
            assert summary["exit_code"] == 0, summary
            assert summary["lost"] == []

            reach = V1.reach(to_seconds(moment), STEP)
            held = stored(live.warehouse)
            for domain in standin.domains("pull"):
                truth = standin.truth(domain, reach.starts_at, reach.ends_at)
                mine = {t: held.get((domain, t)) for t in truth}
                assert mine == truth, (number, domain)
        settled_end = from_seconds(to_seconds(moment) - 86400 - 2 * STEP)
        for domain in standin.domains("pull"):
            history = standin.truth(domain, at(START) - timedelta(days=80), settled_end)
            assert {t: held.get((domain, t)) for t in history} == history, (
                "older than the retention too"
            )
