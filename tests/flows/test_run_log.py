"""What a run tells its log, and the artifacts it leaves: for people, and without secrets."""

import logging
import threading

import pytest

from extract.standin.server import Standin
from flows.artifacts import artifacts
from flows.invocation import Invocation
from flows.progress import Silent
from flows.run_log import Logged, tell
from flows.running import Job, run_direct
from test_history_into_warehouse import NIGHT, at


@pytest.fixture
def standin():
    """A stand-in whose clock stands still."""
    with Standin(domains=6, now=at(NIGHT)) as server:
        yield server


def test_a_run_in_lines_and_pages(live, standin, caplog):
    """Due, a line a batch, the end and what failed; the grid, a row a domain, and what is at risk."""
    standin.faults([{"kind": "not_json", "operation": "traffic", "domain": "play002.example.com"}])
    caplog.set_level(logging.INFO)
    log = logging.getLogger("a run")
    job = Job("nightly", as_of=NIGHT)
    summary = run_direct(job, threading.Event(), Logged(log, Silent()))
    tell(log, summary)
    lines = [record.getMessage() for record in caplog.records if record.name == "a run"]
    assert lines[0] == "15 requests due for 5 domains, in 3 batches"
    assert "5 domains: " in lines[1]
    assert "1 slices failed" in lines[1]
    assert any(line.startswith("Failed: play002.example.com ") for line in lines)

    call = Invocation({}, as_json=False, as_of=NIGHT)
    loaded = call.load_settings()
    left = artifacts("nightly", summary, loaded, int(call.clock(loaded)().timestamp()))
    page, coverage, domains = left
    assert page.key == "live-traffic-nightly"
    assert summary.headline() in page.content
    assert "## At risk" in coverage.content
    assert "`play002.example.com`" in coverage.content
    assert "x" * 20 in coverage.content, "its failed days are drawn"
    assert domains.content[0]["domain"] == "play002.example.com"
    assert {row["failed"] for row in domains.content[1:]} == {0}
    assert standin.ready["token"] not in repr(left)


def test_names_cannot_break_out_of_a_page():
    """A name from a warehouse that others wrote stays inside its code."""
    from flows.artifacts import code

    assert code("a`b|c\nd") == "a'b/c d"
