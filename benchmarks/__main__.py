"""``make bench``: everything once, side by side, and the pages written from what was seen.

``python -m benchmarks [--quick] [--only PART ...]``. A part that is not run keeps the figures it had.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import cold, ledger, memory, page, prefect_cost, starts, years
from benchmarks.contenders import BENCH, HERE, made_environment
from benchmarks.quota import Quota
from benchmarks.watching import BenchError

RESULTS = HERE / "results.json"
PAGES = {"sinks": ["--runs", "2"], "scaling": ["--runs", "3"]}
"""What writes a page of its own."""


def parts(*, quick: bool) -> dict[str, Callable[[], Any]]:
    """What is measured, in order: the quota's bursts, beside them, fall into writing the year."""
    rounds = 1 if quick else 3
    return {
        "years": lambda: years.measure(rounds),
        "starts": lambda: starts.measure(rounds),
        "cold": lambda: cold.measure(rounds, slow=not quick),
        "prefect": lambda: prefect_cost.measure(rounds),
        "memory": lambda: memory.measure(peers=not quick),
        "ledger": ledger.measure,
    }


def main() -> None:
    """Measure what is asked for and write the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, without the longest rows")
    parser.add_argument("--only", nargs="+", choices=[*parts(quick=True), "quota", *PAGES, "page"])
    given = parser.parse_args()
    made_environment()
    began, results = time.monotonic(), _before()
    wanted = given.only or [*parts(quick=given.quick), "quota", *([] if given.quick else PAGES)]
    failed: list[str] = []
    held = Quota(requests=400 if given.quick else 750) if "quota" in wanted else None
    for name, measure in parts(quick=given.quick).items():
        if name in wanted:
            print(f"{name}:", flush=True)
            failed += _measured(name, measure, results, quick=given.quick)
    if held is not None:
        failed += _measured("quota", held.figures, results, quick=given.quick)
    for name, arguments in PAGES.items():
        if name in wanted:
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=True)
    results["took_s"] = round(time.monotonic() - began)
    _keep(results)
    page.write(results)
    subprocess.run([str(BENCH), str(HERE / "peers" / "plots.py"), str(RESULTS)], check=True)
    print(f"Written in {results['took_s']} s: {page.PAGE.name}, {RESULTS.name} and the plots.")
    if failed:
        raise SystemExit(f"Not measured, their figures are older: {', '.join(failed)}")


def _measured(
    name: str, measure: Callable[[], Any], results: dict[str, Any], *, quick: bool
) -> list[str]:
    """Measure one part; its name where that did not come about."""
    try:
        results[name] = {**measure(), "seen": _seen(quick=quick)}
    except BenchError as error:
        print(f"  {error}", flush=True)
        return [name]
    _keep(results)
    return []


def _before() -> dict[str, Any]:
    return dict(json.loads(RESULTS.read_text())) if RESULTS.exists() else {}


def _keep(results: dict[str, Any]) -> None:
    results["machine"] = {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _seen(*, quick: bool) -> dict[str, Any]:
    """When, and how busy the machine was with other things."""
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%MZ"),
        "load": round(os.getloadavg()[0], 1),
        "quick": quick,
    }


if __name__ == "__main__":
    main()
