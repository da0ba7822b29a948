"""Simulated months on the movable clock: outages, late and restated values, domains that come, go, move.

``make nights`` runs 400 of them; the tests some dozens a seed.
"""

import os
import random
from datetime import datetime, timedelta

import pytest

from extract.standin.server import Standin
from flows.warehouse import sink_at
from livetraffic.limits import V1, V2
from livetraffic.window import from_seconds, to_seconds
from terminal import commands
from test_history_into_warehouse import at, stored

STEP = 300
START = "2026-01-10T19:15:00Z"
NIGHTS = int(os.environ.get("SOAK_NIGHTS", "12"))
OLD, NEW, MOVER = "play001.example.com", "new001.example.com", "play002.example.com"
LATE = "late.example.com"

Key = tuple[str, datetime]


def nights(rng: random.Random, count: int):
    """The instants of the runs: mostly nightly, now and then after an outage of up to twenty days."""
    moment = at(START)
    for _ in range(count):
        yield moment
        gap = rng.randrange(2, 21) if rng.random() < 0.15 else 1
        moment += timedelta(days=gap, minutes=rng.randrange(-90, 90))


def offered(standin: Standin, moment: datetime, days: int) -> dict[Key, int]:
    """What both APIs offer at an instant of its last days, each for the time that it serves."""
    found: dict[Key, int] = {}
    since = moment - timedelta(days=days)
    for name in standin.domains("pull"):
        life = standin.world.domains.get(name)
        for source, limits in (("v1", V1), ("v2", V2)):
            reach = limits.reach(to_seconds(moment), STEP)
            if life.served(source) is not None:
                start = max(reach.starts_at, since)
                said = standin.truth(name, start, reach.ends_at, service=source)
                found |= {(name, point): value for point, value in said.items()}
    return found


def live_a_day(standin: Standin, rng: random.Random, number: int, moment: datetime) -> None:
    """What happens at the source before a night: corrections, and domains that come, go and move."""
    for _ in range(rng.randrange(0, 4)):
        hours = rng.randrange(1, 20)
        point = from_seconds(to_seconds(moment - timedelta(hours=hours)) // STEP * STEP)
        standin.restate(rng.choice([OLD, NEW]), timestamp=point, traffic=rng.randrange(10**9))
    before = moment - timedelta(hours=rng.randrange(1, 9))
    if number == NIGHTS // 3:
        standin.change_domain("create", LATE, at=before, service=rng.choice(["old", "new"]))
    if number == NIGHTS // 2:
        standin.change_domain("move", MOVER, at=before)
    if number == NIGHTS * 2 // 3:
        standin.change_domain("delete", LATE, at=before)


@pytest.mark.timeout(10_000)
@pytest.mark.parametrize("seed", range(2))
def test_the_warehouse_is_the_source_wherever_a_run_could_read_it(
    capsys, monkeypatch, tmp_path, seed
):
    """Late values have grown, restated ones are the new ones, gaps are closed, sums agree.

    At the end every past night's picture is what the source said on that night.
    """
    rng = random.Random(f"nights {seed}")
    switches = {
        "late_minutes": 180,
        "idle": rng.choice(["zero", "omit"]),
        "deleted_domain": "history",
        "foreign_domain_v1": rng.choice(["400", "404"]),
    }
    pictures: dict[datetime, int] = {}
    with Standin(
        domains=2, seed=seed + 1, now=at(START), switches=switches, services=True, plain=True
    ) as standin:
        standin.switches(traffic_per_minute=0, v2_per_minute=0)
        live = commands(capsys, monkeypatch, standin, tmp_path / "w")
        monkeypatch.setenv("LIVE_TRAFFIC_REQUESTS_PER_MINUTE", "100000")
        for number, moment in enumerate(nights(rng, NIGHTS)):
            standin.set_clock(moment)
            live_a_day(standin, rng, number, moment)
            instant = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
            summary = live.json("nightly", "--engine", "direct", as_of=instant)
            assert summary["exit_code"] == 0, (number, summary)
            assert summary["lost"] == []
            assert {item["state"] for item in summary["reconciliations"]} <= {"agrees"}

            whole = number % max(NIGHTS // 10, 1) == 0 or number == NIGHTS - 1
            said = offered(standin, moment, 400 if whole else 24)
            held = stored(live.warehouse, None if whole else min(key[1] for key in said))
            assert {key: held.get(key) for key in said} == said, number
            if whole:
                pictures[moment] = seen(held)
        for moment, picture in pictures.items():
            assert seen(known_on(live.warehouse, moment)) == picture, moment


def seen(held: dict[Key, int]) -> int:
    """A picture in a few bytes: those of a year of nights would be gigabytes."""
    return hash(frozenset(held.items()))


def known_on(warehouse, moment: datetime) -> dict[Key, int]:
    """What a report of that instant showed, by the view."""
    found = sink_at(str(warehouse)).query(
        "SELECT domain, timestamp, traffic_bytes FROM traffic_as_known_on"
        f" WHERE known_from <= TIMESTAMPTZ '{moment.isoformat()}'"
        f" AND (known_until IS NULL OR known_until > TIMESTAMPTZ '{moment.isoformat()}')"
    )
    columns = found.to_pydict()
    return {
        (domain, point): value
        for domain, point, value in zip(
            columns["domain"], columns["timestamp"], columns["traffic_bytes"], strict=True
        )
    }
