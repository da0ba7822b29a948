"""The stand-in in a process and on a core of its own, and what it has to say of the runs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from benchmarks.watching import BenchError, cores

NOW = datetime(2026, 11, 20, tzinfo=UTC)
"""Where the stand-in's clock stands: everyone is asked for the same points."""
DAY = timedelta(days=1)


class Source:
    """A running stand-in."""

    def __init__(self, ready: dict[str, str]) -> None:
        self.ready = ready
        self._session = requests.Session()
        self._session.trust_env = False

    def call(self, method: str, name: str, body: dict[str, Any] | None = None) -> Any:
        """One control call."""
        answer = self._session.request(
            method, f"{self.ready['endpoint']}/_standin/{name}", json=body, timeout=120
        )
        answer.raise_for_status()
        return answer.json()

    def clear(self) -> None:
        """Forget the requests so far."""
        self.call("DELETE", "requests")

    def journal(self) -> list[dict[str, Any]]:
        """Every request since, as the stand-in noted it."""
        return list(self.call("GET", "requests")["requests"])

    def counted(self) -> dict[str, int]:
        """The requests since, by operation; those that were refused apart."""
        found: dict[str, int] = {}
        for entry in self.journal():
            name = str(entry["operation"])
            name = name if entry["status"] == 200 else f"{name}:{entry['status']}"
            found[name] = found.get(name, 0) + 1
        return found

    def stand_at(self, now: datetime) -> None:
        """Move the clock; it stands still there."""
        self.call("PUT", "clock", {"now": now.isoformat()})

    def create(self, names: Sequence[str], service: str) -> None:
        """More domains, there since 2020."""
        since = "2020-03-01T00:00:00Z"
        changes = [
            {"action": "create", "domain": name, "service": service, "at": since} for name in names
        ]
        self.call("PUT", "domains", {"changes": changes})

    def truth(self, domain: str, start: datetime, end: datetime) -> dict[str, int]:
        """Count, sum and a sum weighted by the time of what a range really holds."""
        said = self.call("GET", f"truth?domain={domain}&start={_text(start)}&end={_text(end)}")[
            "points"
        ]
        slots = [int(_instant(point["timestamp"]).timestamp()) // 300 % 1009 for point in said]
        values = [point["traffic"] for point in said]
        return {
            "rows": len(values),
            "bytes": sum(values),
            "weighted": sum(a * b for a, b in zip(slots, values, strict=True)),
        }


@contextmanager
def standin(
    *, domains: int, warm_up: int = 0, requests_per_minute: int = 0, clock: bool = True
) -> Iterator[Source]:
    """Start one, pinned; it is stopped at the end.

    Raises:
        BenchError: it did not start.
    """
    command = [sys.executable, "-m", "extract.standin", "--json", "--plain"]
    command += ["--domains", str(domains), "--warm-up", str(warm_up)]
    command += ["--requests-per-minute", str(requests_per_minute)]
    if clock:
        command += ["--now", NOW.isoformat()]
    core = cores()[0]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(child.pid, core)
    try:
        line = child.stdout.readline() if child.stdout else ""
        if not line:
            raise BenchError("the stand-in did not start")
        yield Source(json.loads(line))
    finally:
        child.terminate()
        child.wait()


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
