"""Names from outside, before they reach a URL, a path, SQL or HTML."""

import re
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livetraffic import domain
from livetraffic.domain import domain_name
from livetraffic.errors import ConfigError

HOSTILE = [
    "", " ", ".", "..", "../../etc/passwd", "..%2f..%2fetc", "a/b.example", "a\\b.example", "/etc/passwd",
    "~root", "a.example/../b", "*.example.com", "*", "%",
    "_%.example'", "a.example'; DROP TABLE traffic; --",
    'a" OR "1"="1', "a;b.example", "a`id`.example", "$(id).example", "<script>alert(1)</script>.example",
    'a.example"><img src=x>', "a\x00.example", "a.example\x00", "a\n.example",
    "a.example\nX-Auth-Token: x",
    "a\r\n.example", "a\t.example", "a .example", "münchen.example", "раypal.example", "ａ.example",
    "\u212a.example", "a\u200b.example", "a\u202e.example", "a。example", "\ud800.example", "-a.example",
    "a-.example", "a..example", ".a.example", f"{'a' * 64}.example", f"{'a.' * 126}example", "a" * 255,
    "user@a.example", "a.example:80", "a.example?x=1", "a.example#x", "http://a.example", "[::1]",
    "{a}.example",
    "a,b.example", "a|b.example", "a&domain=b.example", "a+b.example", "a=b.example",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_is_refused(text, figures):
    """One sentence; what was given is shown on one line."""
    with pytest.raises(ConfigError) as caught:
        domain_name(text)
    assert "\n" not in str(caught.value)
    figures("security", "domain names", 1)


@pytest.mark.parametrize(
    "text", ["a.example\n", "xn--mnchen-3ya.example", "A_b.example.", "1.2.3.4"]
)
def test_a_name_that_is_one_is_taken(text):
    """Blanks around it are the terminal's; an international name has its ASCII form."""
    assert domain_name(text) == text.strip().lower().rstrip(".")


SAFE = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


@settings(max_examples=500, deadline=None, database=None)
@given(st.one_of(st.text(), st.from_regex(r"[a-zA-Z0-9_.\-/*'\"<>\\ \n\x00]{1,40}")))
def test_whatever_is_taken_is_harmless(text):
    """Letters, digits, hyphens, underscores, dots; never two dots, a slash, a quote, a control sign."""
    try:
        name = domain_name(text)
    except ConfigError:
        return
    assert SAFE.fullmatch(name)
    assert len(name) <= 253


@pytest.mark.parametrize("text", ["../../etc/passwd", "*.example.com", "a\n.example"])
def test_without_the_rule_they_would_pass(text, figures):
    """The twin of the guard."""
    with mock.patch.object(domain, "_LABEL", re.compile(r"(?s).*")):
        assert domain_name(text)
    figures("twins", "domain names", 1)
