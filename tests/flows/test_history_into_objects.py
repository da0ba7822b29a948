"""The whole way into an object store, good and bad, against the stand-in; read back by plain requests."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from extract.standin.server import Standin
from flows.object_store import QUIET_S
from livetraffic.errors import ConfigError, SinkError
from load.objects import home as object_home
from load.objects.address import parse
from load.objects.lease import Leases
from load.objects.sink import ObjectSink
from load.objects.store import ObjectStore
from terminal import commands
from test_history_into_databases import NEXT_NIGHT, NIGHT, at
from tests import objects, servers
from tests.contract.stores import (
    LOADED_AT,
    SETTLE_AFTER,
    STEP,
    STORES,
    ZONE,
    covering,
    frame,
    object_sink,
    prepared,
    put,
    read_objects,
)
from tests.contract.stores import at as point_at
from tests.source import offered


@pytest.fixture
def standin():
    """A stand-in whose clock stands still."""
    with Standin(domains=6, now=at(NIGHT), requests_per_minute=0) as server:
        yield server


@pytest.fixture
def place(tmp_path):
    STORES["s3"].find()
    yield tmp_path / "warehouse"
    objects.drop(tmp_path / "warehouse")


@pytest.fixture
def live(capsys, monkeypatch, standin, place, tmp_path):
    """The command line on a bucket."""
    monkeypatch.setenv("LIVE_TRAFFIC_S3_ENDPOINT", objects.endpoint())
    monkeypatch.setenv("LIVE_TRAFFIC_REQUESTS_PER_MINUTE", "100000")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return commands(capsys, monkeypatch, standin, objects.url_of(place))


def manifest(place):
    return json.loads(objects.read(place, "manifest.json"))


def test_history_goes_into_a_bucket_and_is_read_in_sql_and_copied_out(
    live, standin, place, tmp_path
):
    """Backfill, next night, views through the manifest, a plain directory for other readers."""
    assert live("backfill", "--engine", "direct", as_of=NIGHT).code == 0
    assert read_objects(place).values == offered(standin, NIGHT)
    standin.set_clock(at(NEXT_NIGHT))
    again = live("nightly", "--engine", "direct", "--json", as_of=NEXT_NIGHT)
    assert (again.code, again.document["failed"]) == (0, [])
    values = read_objects(place).traffic
    (row,) = live.json("sql", "SELECT count(*) AS n, sum(traffic_bytes) AS b FROM traffic")
    assert row == {"n": len(values), "b": sum(value[0] for value in values.values())}
    days = live.json("sql", "SELECT domain, points FROM traffic_daily WHERE complete")
    assert sum(day["points"] for day in days) > 0
    assert live("coverage", as_of=NEXT_NIGHT).code == 0
    copy = tmp_path / "plain"
    assert live("copy", live.warehouse, str(copy)).code == 0
    count = duckdb.sql(f"SELECT count(*) FROM '{copy}/traffic/*/data.parquet'").fetchall()
    assert count == [(len(values),)]


def test_a_question_fetches_only_the_tables_that_it_needs(place):
    """The ledger alone says how fresh the data is."""
    sink = prepared(STORES["s3"], place)
    put(sink, [("a.example", point_at(0), 1)])
    reader = ObjectSink(
        objects.url_of(place), endpoint=objects.endpoint(), cache=place.parent / "others"
    )
    reader.query("SELECT count(*) FROM load_ledger")
    fetched = {path.parts[-3] for path in (place.parent / "others").rglob("*.parquet")}
    assert fetched == {"load_ledger"}
    assert reader.query("SHOW TABLES").num_rows > 10


def test_what_was_replaced_is_kept_an_hour_and_then_removed(place):
    """Whoever opened the warehouse before still reads it."""
    sink = prepared(STORES["s3"], place)
    put(sink, [("a.example", point_at(0), 1)])
    opened = sink._home.files()
    put(sink, [("a.example", point_at(1), 2)])
    assert duckdb_count(opened.path("traffic/month=2026-01/data.parquet")) == 1
    old = manifest(place)["retired"]
    assert old
    age_the_manifest(place)
    put(sink, [("a.example", point_at(2), 3)])
    there = objects.objects(place)
    assert not {item["key"] for item in old} & there.keys()
    assert len(read_objects(place).traffic) == 3


def duckdb_count(path):
    return duckdb.sql(f"SELECT count(*) FROM '{path}'").fetchall()[0][0]


def age_the_manifest(place):
    """Everything in it was replaced more than an hour ago."""
    content = manifest(place)
    for item in content["retired"]:
        item["at"] -= 3601
    bucket = objects.url_of(place).split("/")[2]
    objects.client().put_object(
        Bucket=bucket, Key="some/prefix/manifest.json", Body=json.dumps(content).encode()
    )


def test_orphans_of_a_killed_commit_go_after_an_hour_and_a_sleeper_cannot_name_them(
    place, monkeypatch
):
    """The next run publishes a manifest of its own before it removes anything."""
    sink = prepared(STORES["s3"], place)
    put(sink, [("a.example", point_at(0), 1)])
    bucket = objects.url_of(place).split("/")[2]
    orphan = "data/traffic/month=2026-01/data-killed.parquet"
    objects.client().put_object(Bucket=bucket, Key=f"some/prefix/{orphan}", Body=b"half")
    with sink.run_lock(wait=0, holder="young"):
        assert orphan in objects.objects(place)
    before = manifest(place)
    monkeypatch.setattr(object_home, "KEPT_SECONDS", -5)
    with object_sink(place).run_lock(wait=5, holder="later"):
        assert orphan not in objects.objects(place)
    after = manifest(place)
    assert (after["files"], after["number"]) == (before["files"], before["number"] + 1)
    assert read_objects(place).values == {("a.example", point_at(0)): 1}


KILLED = """
import os, sys
from pathlib import Path
from tests.contract.stores import object_sink, at, put
sink = object_sink(Path(sys.argv[1]))
wanted, number = sys.argv[2].split(":")
real = getattr(sink.store, wanted)
count = 0
def dying(*given):
    global count
    count += 1
    if count == int(number):
        os.kill(os.getpid(), 9)
    return real(*given)
sink._home._conditional()
setattr(sink.store, wanted, dying)
put(sink, [("a.example", at(i), 100 + i) for i in range(3)])
"""


@pytest.mark.parametrize("step", ["put_file:1", "put_file:2", "put_if:1", "delete:1"])
def test_a_killed_commit_is_seen_whole_or_not_at_all(place, step):
    """kill -9 before an upload, between uploads, before the manifest, and right after it."""
    sink = prepared(STORES["s3"], place)
    for _ in range(2):
        put(sink, [("a.example", point_at(0), 1)])
    age_the_manifest(place)
    before = read_objects(place)
    root = Path(__file__).parents[2]
    died = subprocess.run([sys.executable, "-c", KILLED, str(place), step], cwd=root, timeout=100)
    assert died.returncode == -signal.SIGKILL
    after = read_objects(place)
    if step.startswith("delete"):
        assert (len(after.traffic), len(after.ledger), len(after.revisions)) == (3, 3, 1)
    else:
        assert after == before
    put(sink, [("a.example", point_at(i), 100 + i) for i in range(3)])
    assert {key: value[0] for key, value in read_objects(place).traffic.items()} == {
        ("a.example", point_at(i)): 100 + i for i in range(3)
    }


def test_a_commit_whose_answer_is_lost_is_made_once(place):
    """The client asks again by itself, and is told that somebody came first: it was itself."""
    sink = prepared(STORES["s3"], place)
    put(sink, [("a.example", point_at(0), 1)])
    before, once = manifest(place)["number"], sink.store.put_if

    def asked_twice(*given):
        once(*given)
        return once(*given)

    sink.store.put_if = asked_twice
    receipt = put(sink, [("a.example", point_at(i), 100 + i) for i in range(3)])
    assert (receipt.inserted, receipt.updated) == (2, 1)
    found = read_objects(place)
    assert found.values == {("a.example", point_at(i)): 100 + i for i in range(3)}
    assert (len(found.ledger), len(found.revisions)) == (2, 1)
    assert manifest(place)["number"] == before + 1


def test_a_commit_that_another_overtook_is_made_anew_on_top_of_it(place):
    """It had read, merged and begun to upload when the other one was published."""
    sink, other = prepared(STORES["s3"], place), object_sink(place)
    put(sink, [("a.example", point_at(0), 1)])
    upload, overtaken = sink.store.put_file, []

    def slowly(*given):
        if not overtaken:
            rows = [("a.example", point_at(0), 2), ("b.example", point_at(0), 3)]
            overtaken.append(put(other, rows))
        upload(*given)

    sink.store.put_file = slowly
    put(sink, [("a.example", point_at(0), 4), ("a.example", point_at(1), 5)])
    found = read_objects(place)
    assert found.values == {
        ("a.example", point_at(0)): 4,
        ("a.example", point_at(1)): 5,
        ("b.example", point_at(0)): 3,
    }
    assert [row[3:5] for row in found.revisions] == [(1, 2), (2, 4)]
    assert len(found.ledger) == 4


def test_a_run_that_stood_still_cannot_publish_after_another_took_its_lock(place):
    """The token of the lease fences it off."""
    sleeper, other = object_sink(place), object_sink(place)
    sleeper.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    with sleeper.run_lock(wait=0, holder="sleeper"):
        sleeper._home._leases._seconds = 10**6  # it renews no more
        bucket = objects.url_of(place).split("/")[2]
        stolen = json.loads(objects.read(place, "run-lock.json")) | {"until": 0}
        objects.client().put_object(
            Bucket=bucket, Key="some/prefix/run-lock.json", Body=json.dumps(stolen).encode()
        )
        with other.run_lock(wait=5, holder="other"):
            put(other, [("a.example", point_at(0), 2)])
            with pytest.raises(SinkError, match="lost to another run"):
                put(sleeper, [("a.example", point_at(0), 1)])
    assert read_objects(place).traffic["a.example", point_at(0)][0] == 2


@pytest.mark.parametrize(
    ("quiet", "waits"), [(QUIET_S, range(QUIET_S - 30, QUIET_S + 2)), (0, [0])]
)
def test_a_run_of_another_machine_waits_a_window_where_no_budget_is_shared(place, quiet, waits):
    """So that both together keep the quota; without the rule, the twin, it begins at once.

    The time that the test itself takes is waited as well.
    """
    url = objects.url_of(place)
    passed = []

    def pass_time(seconds):
        """The store's clock cannot be moved: what is written of it is moved back instead."""
        passed.append(seconds)
        kept = {"Bucket": url.split("/")[2], "Key": "some/prefix/run-lock.json"}
        lease = json.loads(objects.client().get_object(**kept)["Body"].read())
        lease["until"] -= seconds
        objects.client().put_object(**kept, Body=json.dumps(lease).encode())

    def run_of(machine, wait):
        store = ObjectStore(parse(url), objects.endpoint())
        rules = {"quiet": quiet, "seconds": 60, "sleep": pass_time, "clock": lambda: sum(passed)}
        with Leases(store, machine=machine, **rules).hold(wait=wait, holder=machine):
            pass

    run_of("one", 0)
    run_of("one", 0)
    assert not passed, "the same machine counts its requests itself"
    run_of("two", 2 * QUIET_S)
    assert sum(passed) in waits


def bad(kind, place, guard=None):
    """A sink on a bad store."""
    client = objects.boto3.client("s3", endpoint_url=objects.endpoint(kind))
    client.create_bucket(Bucket=kind)
    return ObjectSink(
        f"s3://{kind}/{place.parent.name}",
        endpoint=objects.endpoint(kind),
        cache=place.parent / "copies",
        guard=guard,
    )


def forgetful(place, guard=None):
    return bad("forgetful", place, guard)


def filled(sink):
    """A first commit."""
    sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    rows = [("a.example", point_at(0), 7)]
    sink.upsert(frame(rows), covering(rows), loaded_at=LOADED_AT, run_id="run")


def test_a_store_that_keeps_more_than_it_was_given_publishes_nothing(tmp_path):
    """Every size is asked for after writing."""
    sink = bad("padding", tmp_path / "x")
    with pytest.raises(SinkError, match=r"has \d+ bytes, not \d+") as caught:
        filled(sink)
    assert "nothing was published" in caught.value.remedy
    assert sink.ledger() == []


def test_without_the_second_look_it_would_be_published_and_unreadable(tmp_path, monkeypatch):
    """The twin: what is there then is found out by the reader of the manifest only."""
    monkeypatch.setattr(
        ObjectStore, "put_file", lambda store, name, path: store.put(name, path.read_bytes())
    )
    filled(bad("padding", tmp_path / "x"))
    monkeypatch.undo()
    shutil.rmtree(tmp_path / "copies")
    with pytest.raises(SinkError, match=r"has \d+ bytes, not \d+"):
        bad("padding", tmp_path / "x").query("SELECT count(*) FROM traffic")


def test_a_store_that_ignores_conditions_is_found_out_and_refused(tmp_path):
    """Two writers could undo each other's work there, silently."""
    sink = forgetful(tmp_path / "x")
    with pytest.raises(ConfigError, match="does not enforce conditional writes") as caught:
        sink.prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)
    assert "LIVE_TRAFFIC_STATE" in caught.value.remedy
    assert sink.made() is None


@pytest.mark.parametrize("kind", ["file", "postgres"])
def test_with_a_lock_elsewhere_it_can_be_used(tmp_path, kind):
    """Writers take turns by the lock in LIVE_TRAFFIC_STATE; no commit of theirs is lost."""
    from threading import Thread

    from flows.object_store import _guard

    state = str(tmp_path / "state.sqlite") if kind == "file" else servers.postgres()
    sinks = [forgetful(tmp_path / "x", _guard(state)) for _ in range(2)]
    sinks[0].prepare(step=STEP, timezone=ZONE, settle_after=SETTLE_AFTER)

    def write(number):
        for commit in range(5):
            rows = [(f"{number}.example", point_at(commit), commit)]
            sinks[number].upsert(
                frame(rows), covering(rows), loaded_at=LOADED_AT, run_id=f"{number}-{commit}"
            )

    threads = [Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sinks[0].ledger()) == 10
    assert sinks[1].query("SELECT count(*) FROM traffic").to_pydict() == {"count_star()": [10]}
    with (
        sinks[0].run_lock(wait=0, holder="one"),
        pytest.raises(SinkError, match="held by another"),
        sinks[1].run_lock(wait=0, holder="other"),
    ):
        pytest.fail("two runs hold the warehouse")


@pytest.mark.parametrize(
    ("url", "endpoint", "told"),
    [
        ("s3://no-such-bucket-here/x", None, "There is no bucket no-such-bucket-here"),
        ("s3://Not_A_Bucket/x", None, "is not a bucket's name"),
        ("s3://key:top-secret@bucket/x", None, "more than a bucket and a prefix"),
        ("s3://bucket/x", "http://127.0.0.1:9", "cannot be reached"),
    ],
)
def test_mistakes_get_one_sentence(live, monkeypatch, url, endpoint, told):
    """With the remedy, and no secret."""
    monkeypatch.setenv("LIVE_TRAFFIC_WAREHOUSE", url)
    if endpoint:
        monkeypatch.setattr("load.objects.store._OPTIONS", {"retries": {"max_attempts": 1}})
        monkeypatch.setenv("LIVE_TRAFFIC_S3_ENDPOINT", endpoint)
    outcome = live("nightly", "--engine", "direct", as_of=NIGHT)
    assert outcome.code in (1, 2)
    assert told in outcome.err
    assert "Traceback" not in outcome.err
    assert "top-secret" not in outcome.err
