"""Which part of a domain's time is wanted, owed and lost, sentence by sentence."""

import pytest

from livetraffic.domain import Domain, Listed, domain_name, merge_configured, merge_listed
from livetraffic.errors import ConfigError
from livetraffic.ledger import NOTHING, Coverage
from livetraffic.limits import V1
from livetraffic.plan import expected_window, lost, wanted_window
from livetraffic.route import ALWAYS, Service
from livetraffic.window import DAY, HOUR, Window

STEP = 300
SERVED = Service("me", "v1", ALWAYS)
NOW = 400 * DAY
REACH = V1.reach(NOW, STEP)


def domain(**facts) -> Domain:
    known = {
        "domain": "a.example.com", "domain_type": "pull", "status": "on", "service_area": "",
        "related_domain": "", "create_time": None, "account": "me", "project_id": "p",
        "region": "", "first_seen": NOW - 10 * DAY, "last_seen": NOW,
    }  # fmt: skip
    return Domain(**{**known, **facts})


def listed(name: str, **facts) -> Listed:
    known = {
        "domain_type": "pull", "status": "on", "service_area": "", "region": "",
        "related_domain": "", "create_time": None,
    }  # fmt: skip
    return Listed(name, **{**known, **facts})


def test_a_listed_domain_is_wanted_whole():
    """The retention edge is asked even before the domain's creation."""
    young = domain(create_time=NOW - DAY)
    assert wanted_window(young, NOTHING, REACH, STEP) == REACH


def test_an_unlisted_domain_is_wanted_up_to_the_list_that_missed_it():
    """Deleted at noon, it still has its morning."""
    missed = NOW - 2 * DAY + 7
    window = wanted_window(domain(unlisted_since=missed), NOTHING, REACH, STEP)
    assert window == Window(REACH.start, NOW - 2 * DAY + STEP)


def test_an_unlisted_domain_that_the_source_denied_is_not_wanted():
    """Only a denial after it left the list counts."""
    gone = domain(unlisted_since=NOW - 2 * DAY)
    assert wanted_window(gone, Coverage(gone_at=NOW - DAY), REACH, STEP) is None
    assert wanted_window(gone, Coverage(gone_at=NOW - 3 * DAY), REACH, STEP) is not None
    assert wanted_window(domain(), Coverage(gone_at=NOW - DAY), REACH, STEP) == REACH


def test_a_domain_owes_points_from_its_creation_to_its_last_listing():
    """What lies outside may be absent without being a hole."""
    lived = domain(create_time=NOW - 5 * DAY + 1, last_seen=NOW - DAY, unlisted_since=NOW)
    assert expected_window(lived, REACH, STEP) == Window(NOW - 5 * DAY + STEP, NOW - DAY)
    assert expected_window(domain(), REACH, STEP) == REACH
    assert expected_window(domain(create_time=NOW), Window(0, DAY), STEP) is None


def losses(
    known: Domain,
    coverage: Coverage,
    *,
    since: int | None = None,
    may_omit: bool = False,
    service: Service = SERVED,
):
    return lost(
        known, service, coverage, now=NOW, since=since, limits=V1, step=STEP, may_omit=may_omit
    )


def test_what_was_wanted_unread_and_has_expired_is_lost():
    """From the edge of the first night up to the edge of now, less what was read or noted."""
    first_edge = V1.edge(NOW - 10 * DAY, STEP)
    edge = V1.edge(NOW, STEP)
    assert losses(domain(), NOTHING) == (Window(first_edge, edge),)
    read = Coverage(read=(Window(first_edge, first_edge + DAY),))
    assert losses(domain(), read) == (Window(first_edge + DAY, edge),)
    noted = Coverage(lost=(Window(first_edge, edge),))
    assert losses(domain(), noted) == ()
    assert losses(domain(), NOTHING, since=edge - HOUR) == (Window(edge - HOUR, edge),)


def test_what_a_whole_answer_left_out_is_lost_only_where_the_source_fills():
    """A source that may omit idle points had nothing there: nothing can be lost of it."""
    edge = V1.edge(NOW, STEP)
    silent = Coverage(absent=(Window(V1.edge(NOW - 10 * DAY, STEP), edge),))
    assert losses(domain(), silent, may_omit=True) == ()
    assert losses(domain(), silent, may_omit=False) != ()


def test_time_before_the_creation_or_after_the_end_is_not_lost():
    """Nothing was there to lose."""
    edge = V1.edge(NOW, STEP)
    assert losses(domain(create_time=NOW - 20 * DAY), NOTHING) == ()
    ended = domain(first_seen=NOW - 99 * DAY, last_seen=edge - DAY, unlisted_since=edge - DAY)
    assert losses(ended, NOTHING)[-1].end == edge - DAY


def test_a_second_creation_does_not_excuse_what_was_lost_of_the_first():
    """Deleted and added again: its earlier life was wanted from the day it was first seen."""
    again = domain(create_time=NOW - DAY)
    assert losses(again, NOTHING) == losses(domain(), NOTHING) != ()


def test_the_list_brings_new_domains_and_keeps_the_deleted():
    """Push domains are left out; a domain that comes back is listed again."""
    known = [domain(domain="old.example.com"), domain(domain="b.example.com", unlisted_since=5)]
    merged = merge_listed(
        known,
        [listed("b.example.com"), listed("new.example.com"), listed("p.example.com", domain_type="push")],
        now=NOW, account="me", project_id="p",
    )  # fmt: skip
    facts = {d.domain: (d.first_seen, d.last_seen, d.unlisted_since) for d in merged}
    assert facts == {
        "old.example.com": (NOW - 10 * DAY, NOW, NOW),
        "b.example.com": (NOW - 10 * DAY, NOW, None),
        "new.example.com": (NOW, NOW, None),
    }


def test_a_deleted_domain_keeps_the_first_time_that_it_was_missed():
    """The nights after do not move it: a denial since then ends the asking."""
    missed = domain(unlisted_since=NOW - DAY)
    (still,) = merge_listed([missed], [], now=NOW, account="me", project_id="p")
    assert still == missed


def test_configured_domains_keep_what_is_known_of_them():
    """The list is not asked: what it once said stays."""
    merged = merge_configured(
        [domain(create_time=7), domain(domain="other.example.com")],
        ["a.example.com", "n.example.com"], now=NOW + 1, account="me", project_id="p",
    )  # fmt: skip
    assert [(d.domain, d.create_time, d.last_seen) for d in merged] == [
        ("a.example.com", 7, NOW + 1),
        ("n.example.com", None, NOW + 1),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "a..b", "-a.com", "a-.com", "a b.com", "../x", "a/b.com", "a\\b.com", "a;b.com",
        "a'b.com", '"', "<script>", "*.example.com", "é.com", "пример.рф", "a" * 64 + ".com",
        "a." * 127 + "com", "a\x00.com", "a\n.com", "%2e%2e", "a%2eb.com",
    ],
)  # fmt: skip
def test_names_from_outside_are_never_trusted(text):
    """Traversal, injection, homographs, wildcards and long names stop at the door."""
    with pytest.raises(ConfigError, match="domain name"):
        domain_name(text)


def test_names_are_lower_cased():
    """One domain, one row."""
    assert domain_name(" Play.Example.COM. ") == "play.example.com"
