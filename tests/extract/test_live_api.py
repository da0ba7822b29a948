"""The client: what it asks, what it refuses to ask, and what it makes of refusals."""

import json
from datetime import timedelta

import pytest

from extract.live_api import LiveApi
from extract.quarantine import Quarantine
from livetraffic.errors import ContractError, Refused, Unavailable, UnknownDomain
from livetraffic.limits import V1
from livetraffic.window import DAY, HOUR, Window, floor, instant_text, to_seconds
from tests.extract.scripted import NOW, error, serving, transport

STEP = 300
END = floor(to_seconds(NOW), STEP)
WINDOW = Window(END - DAY, END)
DOMAIN = "play.example.com"


def client(wire, **changes):
    settings = {
        "project_id": "p-1",
        "region": "cn-north-4",
        "account": "acme",
        "apis": {"v1": V1},
        "step": STEP,
        "clock": lambda: NOW,
    }
    return LiveApi(transport(wire.url), **(settings | changes))


def traffic(*points):
    rows = [{"traffic": value, "timestamp": instant_text(at)} for at, value in points]
    return (200, {}, json.dumps({"total": len(rows), "traffic_info": rows}).encode())


def listing(*rows, **fields):
    document = {"total": len(rows), "domain_info": list(rows), **fields}
    return (200, {}, json.dumps(document).encode())


def test_traffic_asks_for_one_domain_with_both_times_and_minutes():
    """Every other form of the question silently means something else."""
    with serving(traffic((WINDOW.start, 5))) as wire:
        answer = client(wire).statistics("v1").traffic(DOMAIN, WINDOW)
    assert wire.requests[0][1] == (
        "/v1/p-1/stream/traffic?domain=play.example.com"
        "&start_time=2026-05-31T12%3A00%3A00Z&end_time=2026-06-01T12%3A00%3A00Z&step=5"
    )
    assert answer.fetched_at == NOW
    assert answer.parsed.frame["traffic_bytes"].tolist() == [5]
    assert answer.parsed.frame["source"].tolist() == ["v1"]


@pytest.mark.parametrize(("step", "minutes"), [(300, "5"), (3600, "60"), (86400, "1440")])
def test_the_step_goes_out_in_minutes(step, minutes):
    """Seconds would be refused, or be five hours."""
    end = floor(END, DAY)
    with serving(traffic()) as wire:
        client(wire, step=step).statistics("v1").traffic(DOMAIN, Window(end - DAY, end))
    assert wire.requests[0][1].endswith(f"&step={minutes}")


@pytest.mark.parametrize(
    ("domain", "window"),
    [
        ("", WINDOW),
        (DOMAIN, Window(WINDOW.start + 1, WINDOW.end)),
        (DOMAIN, Window(WINDOW.start, WINDOW.end - 1)),
        (DOMAIN, Window(END - 30 * DAY - STEP, END)),
        (DOMAIN, Window(END - 90 * DAY, END - 80 * DAY)),
    ],
    ids=["empty domain", "start off the grid", "end off the grid", "too long", "too old"],
)
def test_a_question_that_must_not_be_asked_is_not_sent(domain, window):
    """An empty domain would be the tenant's total."""
    with serving(traffic()) as wire, pytest.raises(ValueError):
        client(wire).statistics("v1").traffic(domain, window)
    assert wire.requests == []


@pytest.mark.parametrize(
    "window",
    [Window(END - 30 * DAY, END), Window(END - 90 * DAY + STEP, END - 60 * DAY)],
    ids=["thirty days", "just young enough"],
)
def test_a_question_at_the_limit_is_sent(window):
    """Thirty days are allowed."""
    with serving(traffic()) as wire:
        client(wire).statistics("v1").traffic(DOMAIN, window)
    assert len(wire.requests) == 1


def test_a_step_that_the_source_has_not_is_a_mistake():
    """Nothing is sent."""
    with serving(traffic()) as wire, pytest.raises(ValueError, match="step"):
        client(wire, step=600)


@pytest.mark.parametrize(
    "answer",
    [(404, {}, error("LIVE.103011019")), (400, {}, error("LIVE.100011001"))],
    ids=["404", "400"],
)
def test_an_unknown_domain_is_said_with_both_possibilities(answer):
    """Our windows keep every rule that is known, so it is the domain or a rule that is not."""
    with serving(answer) as wire, pytest.raises(UnknownDomain) as caught:
        client(wire).statistics("v1").traffic(DOMAIN, WINDOW)
    assert DOMAIN in caught.value.message
    assert "rule" in caught.value.message
    assert caught.value.request_id == "r-1"


def test_a_window_that_expired_while_it_waited_is_no_unknown_domain():
    """Or a deleted domain would be noted where there is none."""
    edge = Window(END - 90 * DAY + STEP, END - 60 * DAY)
    with serving((400, {}, error("LIVE.100011001"))) as wire, pytest.raises(Refused) as caught:
        client(wire).statistics("v1").traffic(DOMAIN, edge)
    assert type(caught.value) is Refused
    assert "retention" in caught.value.message


def test_another_refusal_stays_what_it_is():
    """Only two codes can mean the domain."""
    with serving((404, {}, error("APIGW.0101"))) as wire, pytest.raises(Refused) as caught:
        client(wire).statistics("v1").traffic(DOMAIN, WINDOW)
    assert type(caught.value) is Refused


@pytest.mark.parametrize(("single", "attempts"), [(True, 1), (False, 4)])
def test_a_split_request_is_tried_once(single, attempts):
    """Its parent has used up the retries."""
    with serving((503, {}, b"")) as wire, pytest.raises(Unavailable):
        client(wire).statistics("v1").traffic(DOMAIN, WINDOW, single_attempt=single)
    assert len(wire.requests) == attempts


def test_an_answer_that_is_none_is_kept_and_named(tmp_path):
    """For whoever has to find out why; without our token."""
    wire_body = b'{"traffic_info": "planted-token-0123456789 \xff"}'
    keep = Quarantine(tmp_path / "quarantine", clock=lambda: NOW)
    answer = (200, {"X-Request-Id": "r-7"}, wire_body)
    with serving(answer) as wire, pytest.raises(ContractError, match="kept in") as caught:
        client(wire, quarantine=keep).statistics("v1").traffic(DOMAIN, WINDOW)
    (body,) = (tmp_path / "quarantine").glob("*.body")
    facts = json.loads(body.with_suffix(".json").read_text())
    assert str(body) in str(caught.value)
    assert body.read_bytes() == b'{"traffic_info": "*** \xff"}'
    assert (facts["domain"], facts["window"]) == (DOMAIN, str(WINDOW))
    assert facts["request_id"] == caught.value.request_id == "r-7"
    assert "not JSON" in facts["reason"]


def test_unknown_fields_are_named_once(caplog):
    """Not once a request."""
    body = json.dumps({"total": 0, "traffic_info": [], "unit": "byte"}).encode()
    with serving((200, {}, body)) as wire:
        api = client(wire)
        for _ in range(3):
            api.statistics("v1").traffic(DOMAIN, WINDOW)
    named = [record for record in caplog.records if record.name == "extract.statistics"]
    assert [record.fields for record in named] == [["unit"]]


def test_the_project_is_looked_up_on_first_use():
    """Wiring sends nothing."""
    asked = []
    with serving(traffic()) as wire:
        api = client(wire, project_id=lambda: asked.append(1) or "p-2")
        assert asked == []
        api.statistics("v1").traffic(DOMAIN, WINDOW)
        assert api.project_id == "p-2"
    assert asked == [1]
    assert wire.requests[0][1].startswith("/v1/p-2/")


def test_requests_are_counted_by_what_they_are_for():
    """The domain list is no statistics request; retries are."""
    with serving(listing(), (503, {}, b""), traffic()) as wire:
        api = client(wire)
        api.list_domains()
        api.statistics("v1").traffic(DOMAIN, WINDOW)
    assert api.requests_sent == 2


PLAY = {
    "domain": "Play.Example.com",
    "domain_type": "pull",
    "status": "on",
    "service_area": "mainland_china",
    "region": "cn-north-4",
    "related_domain": "publish.example.com",
    "create_time": "2020-01-19T02:57:00Z",
    "domain_source": {"sources": []},
    "vendor": "uCDN",
}


def test_domains_are_listed_with_lower_case_names():
    """No domain parameter, no paging; further fields are ignored."""
    push = {"domain": "a.example.com", "domain_type": "push", "related_domain": ""}
    with serving(listing(PLAY, push, total=2.0)) as wire:
        found = client(wire).list_domains()
    assert wire.requests[0][1] == "/v1/p-1/domain"
    assert [item.domain for item in found] == ["a.example.com", "play.example.com"]
    play = found[1]
    assert (play.domain_type, play.status, play.region) == ("pull", "on", "cn-north-4")
    assert (play.service_area, play.related_domain) == ("mainland_china", "publish.example.com")
    assert play.create_time == 1_579_402_620
    assert found[0].create_time is None


@pytest.mark.parametrize(
    "name", ["", "../etc", "a b.example.com", "x" * 300, None, 5, "play.example.com/x?y"], ids=repr
)
def test_a_name_that_is_none_is_left_out_with_a_warning(name, caplog):
    """It would go into URLs, paths, SQL and HTML."""
    with serving(listing({"domain": name}, PLAY)) as wire:
        found = client(wire).list_domains()
    assert [item.domain for item in found] == ["play.example.com"]
    assert [r.message for r in caplog.records if r.name.startswith("extract")] == [
        "listed domain skipped"
    ]


@pytest.mark.parametrize("row", [None, [], "x", 5], ids=repr)
def test_a_row_that_is_none_is_left_out(row):
    """It costs no other domain."""
    with serving(listing(row, PLAY)) as wire:
        assert len(client(wire).list_domains()) == 1


@pytest.mark.parametrize("time", ["", "soon", None, 5, "2020-01-19T02:57:00"], ids=repr)
def test_a_creation_time_that_cannot_be_read_concludes_nothing(time):
    """One without a zone is UTC, as the page says."""
    with serving(listing(PLAY | {"create_time": time})) as wire:
        (found,) = client(wire).list_domains()
    assert found.create_time == (1_579_402_620 if time == "2020-01-19T02:57:00" else None)


@pytest.mark.parametrize(
    "answer", [(404, {}, error("LIVE.103011019")), listing()], ids=["404", "empty"]
)
def test_a_tenant_without_domains_has_an_empty_list(answer):
    """Both forms are plausible."""
    with serving(answer) as wire:
        assert client(wire).list_domains() == []


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"domain_info": null}', b'{"total": 3, "domain_info": []}'],
    ids=ascii,
)
def test_a_list_that_is_none_is_kept_and_named(tmp_path, body):
    """A list that is shorter than it says would make domains look deleted."""
    keep = Quarantine(tmp_path, clock=lambda: NOW)
    with serving((200, {}, body)) as wire, pytest.raises(ContractError, match="kept in"):
        client(wire, quarantine=keep).list_domains()


def test_the_clock_may_be_simulated():
    """Ages are those of the simulated now; so is the instant of sending."""
    then = NOW - timedelta(days=400)
    end = floor(to_seconds(then), STEP)
    with serving(traffic()) as wire:
        wire.date = then
        api = LiveApi(
            transport(wire.url, clock=lambda: then),
            project_id="p",
            region="",
            account="a",
            apis={"v1": V1},
            step=STEP,
            clock=lambda: then,
        )
        answer = api.statistics("v1").traffic(DOMAIN, Window(end - HOUR, end))
    assert answer.fetched_at == then == api.now()
    assert api.clock_skew_s == 0
