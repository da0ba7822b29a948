"""``demo``: three months of history from the stand-in, a nightly run, coverage and a SQL answer."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows import report, result_formats, settings
from flows.clock import seconds
from flows.covered import covered
from flows.invocation import Invocation
from flows.page.making import make
from flows.running import Job
from flows.summary import RunSummary
from flows.warehouse import open_sink, rules_of
from livetraffic.errors import LiveTrafficError

TOP_DOMAINS = """
SELECT domain, local_month, traffic_bytes, rank
FROM domain_ranking
ORDER BY local_month DESC, rank
LIMIT 5
"""


def run_demo(call: Invocation, directory: Path) -> int:
    """Run the whole thing in ``directory`` and show each step; the exit code of the worst.

    Raises:
        LiveTrafficError: a step could not be run.
    """
    with _standin() as ready:
        given = {
            "endpoint": ready["endpoint"],
            "iam_endpoint": ready["iam_endpoint"],
            "project_id": ready["project_id"],
            "token": ready["token"],
            "warehouse": str(directory),
        }
        with settings.only(given):
            return _steps(call, directory)


def _steps(call: Invocation, directory: Path) -> int:
    call.say(
        "A local stand-in of Huawei Cloud Live is up (it is not Huawei Cloud; traffic is invented)."
    )
    call.say("Starting Prefect's temporary server; this takes 10 to 20 seconds.")
    loaded = call.load_settings()
    summaries: dict[str, RunSummary] = {}
    for name, title in (
        ("backfill", "1. Backfill: everything the source still offers"),
        ("nightly", "2. Nightly, right after: only what has not settled"),
    ):
        _heading(call, title)
        summaries[name] = _run(name)
        if not call.as_json:
            report.show_summary(summaries[name], loaded)
    sink, rules = open_sink(loaded), rules_of(loaded)
    now = seconds(call.clock(loaded))
    grid = covered(sink, rules, now, None, ())
    top = sink.query(TOP_DOMAINS)
    code = max(summary.exit_code for summary in summaries.values())
    page = make(loaded, directory / "report.html", now=now, asked=(None, None), language="en")
    if call.as_json:
        call.answer({**_document(summaries, grid, top, directory), "report": str(page.path)})
        return code
    _heading(call, "3. Coverage")
    report.show_coverage(grid, loaded.zone)
    _heading(call, "4. SQL: the domains with the most traffic this month")
    result_formats.show(top)
    _heading(call, "5. A page for people")
    print(f"{page.path}: open it in a browser; it needs no network.")
    print(f"\nThe warehouse is in {directory}: open Parquet files. Ask it more:")
    print(f"  live-traffic sql --warehouse {directory} 'FROM traffic_daily LIMIT 5'")
    return code


def _heading(call: Invocation, title: str) -> None:
    if not call.as_json:
        print(f"\n{title}", flush=True)


def _run(name: str) -> RunSummary:
    from flows import ingest

    with report.progress() as watcher:
        return ingest.run_flow(Job(name), threading.Event(), watcher)


def _document(
    summaries: dict[str, RunSummary], grid: Any, top: Any, directory: Path
) -> dict[str, Any]:
    return {
        "warehouse": str(directory),
        **{name: summary.document() for name, summary in summaries.items()},
        "coverage": report.coverage_document(grid),
        "top_domains": result_formats.rows(top),
    }


@contextmanager
def _standin() -> Iterator[dict[str, str]]:
    """The stand-in in a process of its own, as a user's own source would be."""
    child = subprocess.Popen(
        [sys.executable, "-m", "extract.standin", "--json"], stdout=subprocess.PIPE, text=True
    )
    try:
        line = child.stdout.readline() if child.stdout is not None else ""
        if not line:
            raise LiveTrafficError("The stand-in did not start.", "Try: live-traffic standin.")
        yield json.loads(line)
    finally:
        child.terminate()
        child.wait()
