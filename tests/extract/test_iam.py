"""The identity service: tokens got, renewed and refused; the project behind a region's name."""

import json
import threading
from datetime import timedelta

import pytest

from extract.auth import Anonymous, Outgoing
from extract.credentials import PasswordCredentials, Secret
from extract.iam import NamedProject, PasswordTokens
from livetraffic.errors import ConfigError, ContractError, CredentialsError, Refused, Unavailable
from tests.extract.scripted import NOW, error, serving, transport

PASSWORD = "planted-password-0123456789"
USER = PasswordCredentials("user", Secret(PASSWORD), "acme")
NO_ENTRY = {"error": {"code": 401, "message": "The username or password is wrong."}}


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def issued(serial, *, life=timedelta(hours=24), project="p-1"):
    """An answer of the identity service, 201 with the token in a header."""
    expires = (NOW + life).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    token = {"expires_at": expires, "project": {"id": project, "name": "cn-north-4"}}
    return (201, {"X-Subject-Token": f"token-{serial}"}, json.dumps({"token": token}).encode())


def tokens(wire, clock, **changes):
    settings = {"project_id": None, "region": "cn-north-4", "real_clock": clock} | changes
    iam = transport(wire.url, Anonymous(Secret(PASSWORD)))
    return PasswordTokens(USER, iam=iam, **settings)


def token_of(authenticator):
    authenticator.prepare()
    return authenticator.headers(Outgoing("GET", "https://a.example/", {}))["X-Auth-Token"]


@pytest.mark.parametrize(
    ("project_id", "scope"), [(None, {"name": "cn-north-4"}), ("p-9", {"id": "p-9"})]
)
def test_a_token_is_asked_for_the_project(clock, project_id, scope):
    """By its ID where that is configured, else by the region's name; without the catalogue."""
    with serving(issued(1)) as wire:
        assert token_of(tokens(wire, clock, project_id=project_id)) == "token-1"
    method, path, headers, body = wire.requests[0]
    assert (method, path) == ("POST", "/v3/auth/tokens?nocatalog=true")
    assert "X-Auth-Token" not in headers
    assert "Authorization" not in headers
    user = {"name": "user", "password": PASSWORD, "domain": {"name": "acme"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    assert json.loads(body) == {"auth": {"identity": identity, "scope": {"project": scope}}}


def test_the_project_id_is_that_of_the_token(clock):
    """With a project-scoped token no second question is needed."""
    with serving(issued(1)) as wire:
        found = tokens(wire, clock)
        assert found.project_id() == "p-1"
        assert token_of(found) == "token-1"
    assert len(wire.requests) == 1


def test_threads_that_start_together_ask_once(clock):
    """One of them asks, the others wait for its token."""
    with serving(issued(1), issued(2)) as wire:
        found = tokens(wire, clock)
        threads = [threading.Thread(target=found.prepare) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(wire.requests) == 1


def test_a_configured_project_id_asks_nothing(clock):
    """Nor is it replaced."""
    with serving(issued(1)) as wire:
        assert tokens(wire, clock, project_id="p-9").project_id() == "p-9"
    assert wire.requests == []


def test_a_token_without_a_project_is_a_setting_that_lacks(clock):
    """An unscoped one would call /v1//stream."""
    with serving(issued(1, project=None)) as wire, pytest.raises(ConfigError):
        tokens(wire, clock).project_id()


def test_neither_project_nor_region_is_a_setting_that_lacks(clock):
    """There is nothing to scope the token to."""
    with serving(issued(1)) as wire, pytest.raises(ConfigError, match="region"):
        tokens(wire, clock, region=None)


@pytest.mark.parametrize(
    ("life", "age", "serial"),
    [
        (timedelta(hours=24), timedelta(hours=23, minutes=29), 1),
        (timedelta(hours=24), timedelta(hours=23, minutes=30), 2),
        (timedelta(hours=24), timedelta(hours=25), 2),
        (timedelta(seconds=60), timedelta(seconds=44), 1),
        (timedelta(seconds=60), timedelta(seconds=45), 2),
    ],
)
def test_a_token_is_renewed_before_its_end(clock, life, age, serial):
    """Half an hour before; a short-lived one in its last quarter."""
    with serving(issued(1, life=life), issued(2)) as wire:
        found = tokens(wire, clock)
        token_of(found)
        clock.now += age
        assert token_of(found) == f"token-{serial}"


def test_a_renewal_that_fails_is_put_off_while_the_token_lives(clock):
    """An outage of the identity service costs nothing for half an hour."""
    with serving(issued(1), (503, {}, b"")) as wire:
        found = tokens(wire, clock)
        token_of(found)
        clock.now += timedelta(hours=23, minutes=45)
        assert token_of(found) == "token-1"
        sent = len(wire.requests)
        assert token_of(found) == "token-1"
        assert len(wire.requests) == sent
        clock.now += timedelta(minutes=16)
        with pytest.raises(Unavailable):
            token_of(found)


def test_a_token_that_was_refused_is_replaced_by_one_thread(clock):
    """The others find it replaced."""
    with serving(issued(1), issued(2), issued(3)) as wire:
        found = tokens(wire, clock)
        sent = {"X-Auth-Token": token_of(found)}
        threads = [threading.Thread(target=found.renew, args=(sent,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert token_of(found) == "token-2"
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    "refusal",
    [(401, {}, json.dumps(NO_ENTRY).encode()), (403, {}, b"{}"), (400, {}, b"{}"), (404, {}, b"")],
    ids=["401", "403", "400", "404"],
)
def test_a_refused_password_is_never_tried_again(clock, refusal):
    """Wrong passwords lock the user: one request, whoever asks how often."""
    errors = []
    with serving(refusal, issued(1)) as wire:
        found = tokens(wire, clock)

        def work():
            try:
                found.prepare()
            except CredentialsError as exc:
                errors.append(exc)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(wire.requests) == 1
    assert len(errors) == 8
    assert all(PASSWORD not in f"{error!r} {error.__cause__!r}" for error in errors)


def test_an_echo_of_the_password_is_masked(clock):
    """Some servers quote the request that they refuse."""
    echo = json.dumps({"error": {"code": 400, "message": f"bad: {PASSWORD}"}}).encode()
    with serving((400, {}, echo)) as wire, pytest.raises(CredentialsError) as caught:
        tokens(wire, clock).prepare()
    assert "bad: ***" in str(caught.value)


def test_an_echo_of_an_issued_token_is_masked(clock):
    """It is as good as the password for a day."""
    echo = (400, {}, error("LIVE.100011001", "x-auth-token:token-1"))
    with serving(issued(1)) as identity, serving(echo) as wire:
        client = transport(wire.url, tokens(identity, clock))
        with pytest.raises(Refused) as caught:
            client.get("traffic", "/v1/p/stream/traffic", quota=300)
    assert "x-auth-token:***" in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [(201, {}, b"{}"), (201, {"X-Subject-Token": "t"}, b"<html>")],
    ids=["no token", "HTML"],
)
def test_an_answer_without_a_token_is_no_answer(clock, answer):
    """A captive portal says 200 to everything."""
    with serving(answer) as wire, pytest.raises(ContractError):
        tokens(wire, clock).prepare()


def test_an_end_that_cannot_be_read_is_taken_for_an_hour(clock):
    """Rather renewed too often than used too long."""
    strange = (201, {"X-Subject-Token": "token-1"}, b'{"token": {"expires_at": "soon"}}')
    with serving(strange, issued(2)) as wire:
        found = tokens(wire, clock)
        token_of(found)
        clock.now += timedelta(minutes=44)
        assert token_of(found) == "token-1"
        clock.now += timedelta(minutes=2)
        assert token_of(found) == "token-2"


def projects(*ids):
    rows = [{"id": found, "name": "cn-north-4"} for found in ids]
    return (200, {}, json.dumps({"projects": rows}).encode())


def test_the_project_is_looked_up_once_by_the_regions_name():
    """No trailing slash: the gateway takes that for another API."""
    with serving(projects("p-1")) as wire:
        project = NamedProject(lambda: transport(wire.url), "cn-north-4")
        assert (project(), project()) == ("p-1", "p-1")
    assert [path for _, path, _, _ in wire.requests] == ["/v3/projects?name=cn-north-4"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (projects(), ConfigError),
        (projects("p-1", "p-2"), ConfigError),
        ((200, {}, b'{"projects": null}'), ConfigError),
        ((200, {}, b"[]"), ConfigError),
        ((403, {}, b"{}"), CredentialsError),
        ((401, {}, b"{}"), CredentialsError),
        ((200, {}, b"<html>"), ContractError),
    ],
    ids=["none", "two", "null", "list", "403", "401", "HTML"],
)
def test_anything_but_one_project_is_refused(answer, kind):
    """The remedy names the setting."""
    with serving(answer) as wire, pytest.raises(kind) as caught:
        NamedProject(lambda: transport(wire.url), "cn-north-4")()
    if kind is ConfigError:
        assert "LIVE_TRAFFIC_PROJECT_ID" in caught.value.remedy
