"""What every peer is told: an API, domains, a range and a target. Peers share nothing else with us."""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from requests.adapters import HTTPAdapter

SPANS = {"v1": timedelta(days=30), "v2": timedelta(days=31)}
IN_FLIGHT = 8


@dataclass(frozen=True)
class Slice:
    """One request: one domain, at most the API's span."""

    domain: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Task:
    """One job of a peer. ``kind`` is ``parquet``, ``duckdb`` or ``postgresql``."""

    endpoint: str
    project: str
    token: str
    api: str
    domains: list[str]
    start: datetime
    end: datetime
    kind: str
    place: str
    began: float

    def windows(self) -> Iterator[tuple[datetime, datetime]]:
        """The range in as few windows as the API allows, oldest first."""
        start = self.start
        while start < self.end:
            end = min(start + SPANS[self.api], self.end)
            yield start, end
            start = end

    def slices(self) -> list[Slice]:
        """Every request, window by window."""
        return [Slice(d, start, end) for start, end in self.windows() for d in self.domains]

    @property
    def path(self) -> str:
        """The statistics' path."""
        paths = {"v1": "stream/traffic", "v2": "stats/traffic/detail"}
        return f"/{self.api}/{self.project}/{paths[self.api]}"

    def query(self, part: Slice) -> dict[str, str]:
        """The parameters of one request."""
        if self.api == "v1":
            end, names = part.end, {"domain": part.domain, "step": "5"}
        else:
            end = part.end - timedelta(seconds=1)
            names = {"play_domains": part.domain, "interval": "300"}
        return {**names, "start_time": _text(part.start), "end_time": _text(end)}

    @property
    def fields(self) -> tuple[str, str, str]:
        """What the answer calls its list, its times and its values."""
        return {
            "v1": ("traffic_info", "timestamp", "traffic"),
            "v2": ("data_list", "time", "value"),
        }[self.api]

    def session(self) -> requests.Session:
        """Kept-alive connections for all threads, gzip as requests asks for it."""
        session = requests.Session()
        session.mount("http://", HTTPAdapter(pool_maxsize=IN_FLIGHT))
        session.headers["X-Auth-Token"] = self.token
        session.trust_env = False
        return session

    def get(self, session: requests.Session, part: Slice) -> requests.Response:
        """One answer."""
        answer = session.get(self.endpoint + self.path, params=self.query(part), timeout=60)
        answer.raise_for_status()
        return answer

    def done(self, rows: int) -> None:
        """Say on the last line how long it took since the imports."""
        print(json.dumps({"seconds": time.perf_counter() - self.began, "rows": rows}))


def given() -> Task:
    """The job on the command line, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("job")
    job: dict[str, Any] = json.loads(parser.parse_args().job)
    for name in ("start", "end"):
        job[name] = datetime.fromisoformat(job[name])
    return Task(**job, began=time.perf_counter())


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
