"""What a run does when time passes, the source falls silent or the list is down."""

from datetime import timedelta

import pytest

import flows.loader
from extract.standin.server import Standin
from flows import settings
from flows.bootstrap import connect
from flows.pipeline import Request, in_threads, run
from flows.progress import Silent
from livetraffic.errors import LiveTrafficError
from livetraffic.limits import V1
from livetraffic.window import from_seconds, to_seconds
from load.parquet.sink import ParquetSink
from test_history_into_warehouse import NIGHT, at, later, offered, stored

STEP = 300


@pytest.fixture
def standin():
    """A stand-in whose clock stands still."""
    with Standin(domains=6, now=at(NIGHT)) as server:
        yield server


@pytest.fixture
def quick_retries(monkeypatch):
    """The waits between attempts are the transport's business."""
    import extract.transport

    monkeypatch.setattr(extract.transport.Retries, "first", lambda *_: 0.001)


def test_what_slides_behind_the_edge_while_queueing_is_clipped_and_lost(live, standin):
    """A month passes after the first batch: the next begins at the edge as it is then."""

    def slowly(load, batches):
        yield load(batches[0])
        standin.set_clock(at(NIGHT) + timedelta(days=31))
        standin.clear_requests()
        yield from map(load, batches[1:])

    deps = connect(settings.load(), clock=standin.now, writes=True)
    summary = run(deps, Request(), slowly, Silent())

    edge = V1.edge(to_seconds(standin.now()), STEP)
    asked = standin.requests("traffic")
    assert len(asked) == 10
    assert all(item["status"] == 200 for item in asked), "nothing was asked beyond the retention"
    assert min(at(item["start_time"]) for item in asked) == from_seconds(edge)
    assert summary.exit_code == 4
    assert {item.window.end for item in summary.lost} == {edge}
    assert {item.window.seconds for item in summary.lost} == {86400}
    older = set(standin.domains("pull")) - {"play004.example.com"}
    assert {item.domain for item in summary.lost} == older, "one was created after that time"


def test_no_request_begins_at_the_very_edge_of_the_retention(live, standin):
    """The plan waits for all but a minute of its margin: a request keeps two minutes of it."""

    def slowly(load, batches):
        standin.set_clock(at(NIGHT) + timedelta(minutes=59))
        yield from map(load, batches)

    deps = connect(settings.load(), clock=standin.now, writes=True)
    run(deps, Request(), slowly, Silent())
    asked = standin.requests("traffic")
    assert {item["status"] for item in asked} == {200}
    first = min(at(item["start_time"]) for item in asked)
    assert first == from_seconds(V1.edge(to_seconds(standin.now()), STEP))


def test_a_source_that_stops_answering_is_not_asked_for_ever(
    live, standin, quick_retries, monkeypatch
):
    """After a few silent slices the rest is left for the next run; exit 1 and one sentence."""
    monkeypatch.setenv(
        "LIVE_TRAFFIC_DOMAINS", ",".join(f"play{n:03}.example.com" for n in range(1, 41))
    )
    standin.faults([{"kind": "html", "status": 503, "operation": "traffic"}])
    last_week = ("backfill", "--start", "2026-02-22", "--engine", "direct", "--json")
    outcome = live(*last_week, as_of=NIGHT)
    assert len({i["domain"] for i in standin.requests("traffic")}) < 30, "40 domains were due"
    assert outcome.code == 1
    assert outcome.document["error"]["code"] == "unavailable"


def test_a_source_that_falls_silent_half_way_costs_only_the_rest(live, standin, quick_retries):
    """What had been read is kept; the run says what it did not ask for."""
    standin.faults([{"kind": "html", "status": 503, "operation": "traffic", "after": 5}])
    summary = live.json("backfill", "--start", "2025-12-20", "--engine", "direct", as_of=NIGHT)
    assert summary["exit_code"] == 5
    assert summary["rows_fetched"] > 0
    held, offer = stored(live.warehouse), offered(standin, NIGHT)
    assert held.items() <= offer.items()
    standin.faults([])
    assert live.json("nightly", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    assert stored(live.warehouse) == offer


def test_a_long_batch_is_committed_every_minute(live, standin, monkeypatch):
    """A batch that takes long is kept piece by piece; here a minute has no length."""
    commits = []
    upsert = ParquetSink.upsert

    def counted(self, frame, entries, **facts):
        commits.append(len(frame))
        return upsert(self, frame, entries, **facts)

    monkeypatch.setattr(ParquetSink, "upsert", counted)
    monkeypatch.setattr(flows.loader, "COMMIT_AFTER_SECONDS", 0.0)
    assert live.json("nightly", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    assert len([rows for rows in commits if rows]) == 14, "15 slices, one of them without a row"
    assert stored(live.warehouse) == offered(standin, NIGHT)


@pytest.mark.parametrize(("damage", "code"), [("a damaged file", 1), ("no directory", 2)])
def test_a_commit_that_fails_ends_the_run_and_the_next_does_the_rest(live, standin, damage, code):
    """January cannot be written: what was read of it counts as nothing, what is before is kept."""
    assert live("backfill", "--start", "2026-02-28", "--engine", "direct", as_of=NIGHT).code == 0
    january = live.warehouse / "traffic" / "month=2026-01"
    if damage == "no directory":
        january.write_text(damage)
    else:
        january.mkdir()
        (january / "data.parquet").write_text(damage)
    deps = connect(settings.load(), clock=lambda: at(NIGHT), writes=True)
    receipts = []

    def kept(load, batches):
        for batch in batches:
            receipts.append(load(batch))
            yield receipts[-1]

    with pytest.raises(LiveTrafficError, match="month=2026-01") as caught:
        run(deps, Request(), kept, Silent())
    assert caught.value.exit_code == code
    assert [bool(receipt.rows_fetched) for receipt in receipts] == [True, False, False]
    january.rename(live.warehouse.parent / "aside")
    assert live.json("nightly", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    assert stored(live.warehouse) == offered(standin, NIGHT)


def test_known_domains_are_read_while_the_list_is_down(live, standin, quick_retries):
    """Their data expires whether or not the list answers."""
    assert live.json("nightly", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    tomorrow = later(NIGHT, days=1)
    standin.set_clock(at(tomorrow))
    standin.faults([{"kind": "html", "status": 502, "operation": "domains"}])
    assert live.json("nightly", "--engine", "direct", as_of=tomorrow)["exit_code"] == 0
    held = stored(live.warehouse)
    offer = offered(standin, tomorrow)
    assert {key: held.get(key) for key in offer} == offer


def test_a_first_run_without_a_list_is_an_error(live, standin, quick_retries):
    """Nothing is known, so nothing can be read: exit 1."""
    standin.faults([{"kind": "html", "status": 502, "operation": "domains"}])
    outcome = live("nightly", "--engine", "direct", as_of=NIGHT)
    assert outcome.code == 1
    assert "Traceback" not in outcome.err


def test_losses_wait_for_an_answer_that_confirms_the_clock(live, standin, monkeypatch):
    """Without one answer of the server nothing is noted as lost, however late it is."""
    assert live.json("nightly", "--engine", "direct", as_of=NIGHT)["exit_code"] == 0
    much_later = later(NIGHT, days=100)
    monkeypatch.setenv("LIVE_TRAFFIC_DOMAINS", "play001.example.com")
    monkeypatch.setenv("LIVE_TRAFFIC_ENDPOINT", "http://127.0.0.1:9")
    outcome = live("nightly", "--engine", "direct", as_of=much_later)
    assert outcome.code == 1
    states = {i["state"] for i in live.json("coverage", as_of=much_later)["intervals"]}
    assert "lost" not in states
    assert "missing" in states or "failed" in states


def test_the_engines_mapper_may_run_batches_in_any_thread(live, standin):
    """Batches are independent: threads of any number give the same warehouse."""
    deps = connect(settings.load(), clock=lambda: at(NIGHT), writes=True)
    assert run(deps, Request(), in_threads, Silent()).exit_code == 0
    assert stored(live.warehouse) == offered(standin, NIGHT)
