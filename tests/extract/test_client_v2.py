"""Our client on the v2 statistics of the stand-in, over real HTTP."""

import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdklive.v2 import (
    ListBandwidthDetailRequest,
    ListDomainTrafficDetailRequest,
    ListDomainTrafficSummaryRequest,
    LiveClient,
)

from extract.budget import Unmetered
from extract.connect import Place, Surroundings, connect
from extract.credentials import Secret, TokenCredentials
from extract.fields import V2_FIELDS
from extract.frames import parse
from extract.live_api import LiveApi
from extract.quarantine import Quarantine
from extract.standin.server import Standin
from extract.statistics import Keep
from extract.summaries import parse_summary
from livetraffic.errors import ContractError, Refused, UnknownDomain
from livetraffic.limits import APIS, V2
from livetraffic.window import DAY, HOUR, Window, from_seconds, to_seconds

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NEW, MOVED, OLD = "new001.example.com", "moved001.example.com", "play001.example.com"
END = to_seconds(NOW) - DAY
WINDOW = Window(END - DAY, END)


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin(now=NOW, seed=7, services=True, requests_per_minute=0) as running:
        yield running


def client(standin: Standin, *, step: int = 300, quarantine: Keep | None = None) -> LiveApi:
    ready = standin.ready
    stop = threading.Event()
    return connect(
        TokenCredentials(Secret(ready["token"])),
        Place("cn-north-4", ready["project_id"], ready["endpoint"]),
        Surroundings(standin.now, standin.now, stop.wait, time.monotonic),
        account="a",
        budget=Unmetered(sleep=stop.wait),
        apis=APIS,
        step=step,
        quarantine=quarantine,
    )


def values(frame) -> dict[datetime, int]:
    stamps = frame["timestamp"].dt.to_pydatetime()
    return dict(zip(stamps, frame["traffic_bytes"].tolist(), strict=True))


def official(standin: Standin) -> LiveClient:
    ready = standin.ready
    keys = BasicCredentials(ready["ak"], ready["sk"], ready["project_id"])
    return LiveClient.new_builder().with_credentials(keys).with_endpoint(standin.url).build()


def told(rows) -> dict[datetime, int]:
    return {datetime.fromisoformat(row.time): row.value for row in rows}


@pytest.mark.parametrize("step", [300, HOUR, DAY])
@pytest.mark.parametrize("profile", ["2021", "2026"])
def test_the_vendors_own_client_reads_the_same_numbers(standin, profile, step):
    """Traffic, its sums and the bandwidth; each client signs and reads in its own way."""
    standin.switches(profile=profile)
    ours, theirs = client(standin, step=step), official(standin)
    ends = {"start_time": f"{WINDOW.starts_at:%Y-%m-%dT%H:%M:%SZ}"}
    ends["end_time"] = f"{from_seconds(WINDOW.end - 1):%Y-%m-%dT%H:%M:%SZ}"
    for name in (NEW, MOVED):
        asked = {"play_domains": [name], "interval": step} | ends
        detail = theirs.list_domain_traffic_detail(ListDomainTrafficDetailRequest(**asked))
        found = values(ours.statistics("v2").traffic(name, WINDOW).parsed.frame)
        assert len(found) == DAY // step
        assert found == told(detail.data_list)
        bandwidth = theirs.list_bandwidth_detail(ListBandwidthDetailRequest(**asked))
        bits = {from_seconds(at): value for at, value in ours.bandwidth(name, WINDOW).items()}
        assert bits == told(bandwidth.data_list)
    names = [NEW, OLD, MOVED]
    summary = theirs.list_domain_traffic_summary(
        ListDomainTrafficSummaryRequest(play_domains=names, **ends)
    )
    found = ours.summary(names, WINDOW).values
    assert set(found) == {NEW, MOVED}
    assert found == {row.domain: row.value for row in summary.traffic_list}


def test_a_window_is_exactly_the_truth(standin):
    """31 days in one request: 8,928 points, all of v2, none beyond the ends."""
    window = Window(END - 31 * DAY, END)
    answer = client(standin).statistics("v2").traffic(NEW, window)
    frame = answer.parsed.frame
    assert values(frame) == standin.truth(NEW, window.starts_at, window.ends_at)
    assert len(frame) == 8_928
    assert set(frame["source"]) == {"v2"}
    assert not answer.parsed.cut
    assert answer.parsed.notes == ()
    (asked,) = standin.requests("traffic_v2")
    assert asked["end_time"] == "2026-02-27T23:59:59Z", "one second before the next point"
    assert asked["step"] == "300"


def test_a_year_ago_can_be_asked_for_and_no_more(standin):
    """The retention of v2."""
    statistics = client(standin).statistics("v2")
    start = V2.edge(to_seconds(NOW), 300)
    assert len(statistics.traffic(NEW, Window(start, start + DAY)).parsed.frame) == 288
    with pytest.raises(ValueError, match="retention"):
        statistics.traffic(NEW, Window(start - DAY, start))


def test_each_api_answers_for_its_own_domains(standin):
    """v1 refuses the new one, v2 has nothing of the old one."""
    api = client(standin)
    with pytest.raises(UnknownDomain, match="not on the API v1"):
        api.statistics("v1").traffic(NEW, WINDOW)
    assert api.statistics("v2").traffic(OLD, WINDOW).parsed.frame.empty
    assert api.requests_sent == 2


def test_the_summary_is_the_sum_of_the_details(standin):
    """One request for both; a domain that v2 does not have is not in it."""
    api = client(standin)
    found = api.summary([NEW, OLD, MOVED], WINDOW)
    truth = {
        name: sum(standin.truth(name, WINDOW.starts_at, WINDOW.ends_at).values())
        for name in (NEW, MOVED)
    }
    assert (found.values, found.requests) == (truth, 1)


def test_a_server_of_2021_is_asked_for_tens(standin):
    """It refuses a hundred once; after that no request is too large."""
    standin.switches(profile="2021", v2_per_minute=0)
    names = [NEW, MOVED, *(f"x{n}.example.com" for n in range(40))]
    api = client(standin)
    assert set(api.summary(names, WINDOW).values) == {NEW, MOVED}
    assert api.summary(names, WINDOW).requests == 5
    assert [e["status"] for e in standin.requests("summary_v2")] == [400] + [200] * 10


def test_a_refused_summary_is_not_tried_for_ever(standin):
    """A window that is too old is no question of how many."""
    standin.switches(profile="2021")
    with pytest.raises(Refused):
        client(standin).summary([NEW], Window(END - 200 * DAY, END - 199 * DAY))
    assert len(standin.requests("summary_v2")) == 1


def test_the_tenant_total_is_of_the_old_service(standin):
    """Its points are the sums over the old service's domains."""
    answer = client(standin).tenant_total(WINDOW)
    assert values(answer.parsed.frame) == standin.truth(None, WINDOW.starts_at, WINDOW.ends_at)
    assert set(answer.parsed.frame["domain"]) == {""}
    (asked,) = standin.requests("traffic")
    assert asked["domain"] is None


def test_bandwidth_agrees_with_the_bytes(standin):
    """Bytes times 8 by 300, period by period."""
    found = client(standin).bandwidth(NEW, WINDOW)
    truth = standin.truth(NEW, WINDOW.starts_at, WINDOW.ends_at)
    assert {from_seconds(at): v for at, v in found.items()} == {
        at: value * 8 // 300 for at, value in truth.items()
    }


def test_points_torn_in_two_are_holes(standin):
    """The vendor's own example: a value without a time is never paired with a time without a value."""
    standin.faults([{"kind": "split_points", "operation": "traffic_v2", "indexes": [5]}])
    parsed = client(standin).statistics("v2").traffic(NEW, WINDOW).parsed
    assert len(parsed.frame) == 287
    assert (parsed.rejected_points, parsed.untimed) == (2, 1)
    assert parsed.doubtful == (WINDOW.start + 5 * 300,)
    assert "value is missing" in " ".join(parsed.rejected)


def test_an_api_that_is_not_in_use_is_named(standin):
    """A mistake of ours, not of a user's."""
    with pytest.raises(ValueError, match="v3"):
        client(standin).statistics("v3")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "not JSON"),
        (b"[]", "traffic_list"),
        (b'{"traffic_list": {}}', "traffic_list"),
        (b'{"traffic_list": [5]}', "domain"),
        (b'{"traffic_list": [{"value": 5}]}', "domain"),
        (b'{"traffic_list": [{"domain": "a"}]}', "byte count"),
        (b'{"traffic_list": [{"domain": "a", "value": -1}]}', "byte count"),
        (b'{"traffic_list": [{"domain": "a", "value": 1.5}]}', "byte count"),
        (b'{"traffic_list": [{"domain": "a", "value": true}]}', "byte count"),
        (b'{"traffic_list": [{"domain": "a", "value": 9223372036854775808}]}', "byte count"),
        (b'{"traffic_list": [{"domain": "a", "value": 1}, {"domain": "A", "value": 2}]}', "two"),
    ],
)
def test_half_a_summary_is_no_summary(body, reason):
    """A sum that is half understood would be a wrong check."""
    with pytest.raises(ContractError, match=reason):
        parse_summary(body, ["a"])


def test_a_summary_speaks_of_those_asked():
    """Large numbers are whole, numbers as text are read, others' domains are left out."""
    rows = [{"domain": "A.b", "value": "9223372036854775807"}, {"domain": "c", "value": 1}]
    body = orjson.dumps({"traffic_list": rows})
    assert parse_summary(body, ["a.b", "x"]) == {"a.b": 2**63 - 1}


@pytest.mark.parametrize("seed", range(20))
def test_any_order_and_mixture_is_read_like_v1(seed):
    """One parser for both: the same points under other names are the same frame."""
    rng = random.Random(seed)
    points = [(WINDOW.start + n * 300, rng.randrange(2**62)) for n in range(60)]
    rng.shuffle(points)
    v1 = [{"timestamp": f"{from_seconds(t):%Y-%m-%dT%H:%M:%SZ}", "traffic": v} for t, v in points]
    v2 = [{"time": row["timestamp"], "value": row["traffic"]} for row in v1]
    rules = {"window": WINDOW, "step": 300, "domain": "a", "source": "v2"}
    first = parse(orjson.dumps({"total": 60, "traffic_info": v1}), **rules)
    second = parse(orjson.dumps({"data_list": v2}), **rules, fields=V2_FIELDS)
    assert first.frame.equals(second.frame)
    assert (second.total, second.declares_total) == (None, False)


@pytest.mark.parametrize(("step", "minutes"), [(300, "5"), (HOUR, "60"), (DAY, "1440")])
def test_a_period_is_asked_for_in_seconds(standin, step, minutes):
    """The interval of v2 is seconds, the step of v1 minutes; the sums are the same."""
    api = client(standin, step=step)
    api.statistics("v1").traffic(OLD, WINDOW)
    found = values(api.statistics("v2").traffic(NEW, WINDOW).parsed.frame)
    assert len(found) == DAY // step
    assert found == standin.truth(NEW, WINDOW.starts_at, WINDOW.ends_at, step // 60)
    asked = {e["operation"]: e["step"] for e in standin.requests()}
    assert asked == {"traffic": minutes, "traffic_v2": str(step)}


def test_an_empty_name_never_leaves(standin):
    """It would silently ask for the whole tenant; no name at all is no request."""
    api = client(standin)
    with pytest.raises(ValueError, match="empty"):
        api.summary([NEW, ""], WINDOW)
    with pytest.raises(ValueError, match="empty"):
        api.bandwidth("", WINDOW)
    with pytest.raises(ValueError, match="empty"):
        api.statistics("v2").traffic("", WINDOW)
    assert api.summary([], WINDOW).requests == 0
    assert standin.requests() == []


def test_a_name_in_capitals_is_the_same_domain(standin):
    """The sums are told by lower-case names, each asked for once."""
    found = client(standin).summary(["NEW001.example.com", NEW], WINDOW)
    assert set(found.values) == {NEW}
    assert standin.requests("summary_v2")[0]["play_domains"] == (NEW,)


def test_one_refused_name_is_no_limit_of_ten(standin):
    """What was refused may be a name, not how many there are: the next summary is whole again."""
    standin.switches(foreign_domain_v2="400")
    api = client(standin)
    with pytest.raises(Refused):
        api.summary([*(f"x{n}.example.com" for n in range(20)), NEW], WINDOW)
    standin.switches(foreign_domain_v2="empty")
    assert api.summary([NEW, *(f"x{n}.example.com" for n in range(20))], WINDOW).requests == 1


def test_each_operation_has_a_budget_of_its_own(standin):
    """The vendor counts them apart; the tenant total is the same operation as v1's traffic."""
    api = client(standin)
    api.statistics("v1").traffic(OLD, WINDOW)
    api.tenant_total(WINDOW)
    api.statistics("v2").traffic(NEW, WINDOW)
    api.summary([NEW], WINDOW)
    api.bandwidth(NEW, WINDOW)
    sent = {"traffic": 2, "traffic_v2": 1, "summary_v2": 1, "bandwidth_v2": 1}
    assert api.requests_by_operation == sent
    assert api.requests_sent == 5


def test_what_is_wrong_names_the_field_of_v2(standin, tmp_path):
    """Nobody looks for traffic_info in an answer of v2; the answer is kept."""
    standin.faults([{"kind": "no_list", "operation": "traffic_v2"}])
    api = client(standin, quarantine=Quarantine(tmp_path, clock=standin.now))
    with pytest.raises(ContractError, match=r"data_list.*kept in") as caught:
        api.statistics("v2").traffic(NEW, WINDOW)
    assert "traffic_info" not in str(caught.value)
