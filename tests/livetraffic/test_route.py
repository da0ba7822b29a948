"""Who serves which part of a domain's time, and which entries speak for it: sentence by sentence."""

import random

import pytest

from livetraffic.domain import Domain
from livetraffic.ledger import Coverage, Entry, State
from livetraffic.limits import APIS, V1, V2
from livetraffic.plan import at_risk, due, legs, lost
from livetraffic.route import ALWAYS, Service, counted, services
from livetraffic.window import DAY, Window, merge

STEP = 300
NOW = 500 * DAY
MOVED = NOW - 40 * DAY


def domain(**facts) -> Domain:
    known = {
        "domain": "a.example.com", "domain_type": "pull", "status": "on", "service_area": "",
        "related_domain": "", "create_time": None, "account": "me", "project_id": "p",
        "region": "", "first_seen": NOW, "last_seen": NOW,
    }  # fmt: skip
    return Domain(**{**known, **facts})


def entry(start: int, end: int, source: str) -> Entry:
    return Entry(
        "a.example.com", start, end, State.READ, 1, 1, 0, source, "me", "p", "r", NOW * 10**6, "run"
    )  # fmt: skip


MOVER = domain(api="v2", moved_at=MOVED + 7, previous_api="v1", create_time=MOVED + 7)


def test_a_domain_has_the_service_that_is_known_or_presumed():
    """Nothing is known of a new domain: v1 until something else turns out."""
    assert services(domain(), STEP) == (Service("me", "v1", ALWAYS),)
    assert services(domain(api="v2"), STEP) == (Service("me", "v2", ALWAYS),)
    assert services(domain(), STEP, presumed="v2")[0].source == "v2"


def test_a_moved_domain_is_split_on_the_grid():
    """The period in which it moved belongs to the service that it left."""
    before, after = services(MOVER, STEP)
    assert (before.source, before.past, after.source, after.past) == ("v1", True, "v2", False)
    assert before.window.end == after.window.start == MOVED + STEP


def test_each_service_is_asked_for_its_own_time():
    """v2 has a year, of which the domain has forty days; v1 still has the fifty before."""
    wanted = legs(MOVER, services(MOVER, STEP), Coverage(), APIS, now=NOW, step=STEP)
    assert [(leg.service.source, leg.window) for leg in wanted] == [
        ("v1", Window(V1.edge(NOW, STEP), MOVED + STEP)),
        ("v2", Window(MOVED + STEP, V2.horizon(NOW, STEP))),
    ]
    asked = due(reversed(wanted), {}, APIS)
    assert [item.source for item in asked] == ["v1", "v1", "v2", "v2"], "earliest expiry first"


def test_a_service_that_was_left_may_know_the_domain_no_more():
    """Then nothing of it is due or lost."""
    gone = Coverage(gone=(Window(0, MOVED + STEP),))
    wanted = legs(MOVER, services(MOVER, STEP), gone, APIS, now=NOW, step=STEP)
    assert {item.source for item in due(wanted, {"a.example.com": gone}, APIS)} == {"v2"}
    old = MOVER._replace(first_seen=NOW - 80 * DAY)
    before = services(old, STEP)[0]
    rules = {"now": NOW, "since": None, "limits": V1, "step": STEP, "may_omit": False}
    assert lost(old, before, gone, **rules) == ()
    assert lost(old, before, Coverage(), **rules) == (
        Window(V1.edge(NOW - 80 * DAY, STEP), V1.edge(NOW, STEP)),
    )


def test_a_domain_that_was_denied_and_is_listed_again_is_due_whole():
    """Of the service that has it now a denial says nothing of the nights to come."""
    back = domain(api="v1", first_seen=NOW - 80 * DAY)
    denied = {back.domain: Coverage(gone=(ALWAYS,), gone_at=NOW - DAY)}
    wanted = legs(back, services(back, STEP), denied[back.domain], APIS, now=NOW, step=STEP)
    asked = due(wanted, denied, APIS)
    assert merge(item.window for item in asked) == (V1.reach(NOW, STEP),)
    risk = at_risk(wanted, denied, APIS, NOW + 2 * DAY, may_omit={"v1": False})
    assert [item.window.start for item in risk] == [V1.edge(NOW, STEP)]


def test_another_account_counts_for_its_time_through_the_same_api():
    """A domain that went to another account of ours keeps what was read of it."""
    moved = domain(api="v1", moved_at=MOVED, previous_api="v1", previous_account="other")
    assert [s.account for s in services(moved, STEP)] == ["other", "me"]
    whole = entry(NOW - 80 * DAY, NOW, "v1")
    assert list(counted([whole], {moved.domain: moved}, STEP)) == [whole]


@pytest.mark.parametrize("seed", range(300))
def test_entries_count_for_the_time_that_their_api_serves(seed):
    """Point by point: undecided counts all; else the API of the time, and no other."""
    rng = random.Random(seed)
    known = domain(
        api=rng.choice(["", "v1", "v2"]),
        moved_at=rng.choice([None, rng.randrange(0, 60 * STEP)]),
        previous_api=rng.choice(["v1", "v2", ""]),
    )
    entries = [
        entry(start, start + rng.randrange(1, 30) * STEP, rng.choice(["v1", "v2"]))
        for start in (rng.randrange(0, 50) * STEP for _ in range(6))
    ]
    found = {
        (part.source, point)
        for part in counted(entries, {known.domain: known}, STEP)
        for point in range(part.window_start, part.window_end, STEP)
    }
    expected = set()
    for item in entries:
        for point in range(item.window_start, item.window_end, STEP):
            late = known.moved_at is None or point >= max(known.moved_at, 1)
            api = known.api if late else known.previous_api or known.api
            if not known.api or item.source == api:
                expected.add((item.source, point))
    assert found == expected
