"""How long it takes before anything happens, and what goes over the wire."""

import statistics
import tempfile
from typing import Any

from benchmarks.contenders import command, environment, ours
from benchmarks.source import NOW, standin
from benchmarks.watching import watch
from benchmarks.wire import Counter


def measure(rounds: int) -> dict[str, Any]:
    """Start-up of the lightest commands; and a backfill through a counting relay."""
    helped = [watch(command("--help")) for _ in range(rounds + 2)]
    with (
        standin(domains=50, warm_up=91) as source,
        tempfile.TemporaryDirectory() as folder,
    ):
        place = f"{folder}/warehouse"
        settings = environment(source, place)
        now = NOW.isoformat()
        plan = command("plan", "--json", "--as-of", now)
        planned = [watch(plan, environment=settings) for _ in range(rounds + 2)]
        source.call("PUT", "switches", {"gzip": True})
        with Counter(source.ready["endpoint"]) as counter:
            relayed = {
                "LIVE_TRAFFIC_ENDPOINT": counter.url,
                "LIVE_TRAFFIC_IAM_ENDPOINT": counter.url,
            }
            ours(source, place, ["backfill", "--engine", "direct"], NOW, **relayed)
        source.call("PUT", "switches", {"gzip": False})
        source.clear()
        ours(source, place, ["backfill", "--engine", "direct"], NOW)
        again = source.counted()
    return {
        "help": _figures(helped),
        "plan": _figures(planned),
        "wire": {
            "connections": counter.connections,
            "received_mib": counter.received / 2**20,
            "sent_mib": counter.sent / 2**20,
            "plain_mib": counter.plain / 2**20,
        },
        "again": again,
    }


def _figures(runs: list[Any]) -> dict[str, float]:
    print(f"  {statistics.median(run.wall_s for run in runs):.2f} s", flush=True)
    return {
        "wall_s": statistics.median(run.wall_s for run in runs),
        "cpu_s": statistics.median(run.cpu_s for run in runs),
        "peak_mib": statistics.median(run.peak_mib for run in runs),
    }
