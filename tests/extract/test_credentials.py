"""Secrets do not show, and credentials that cannot work are refused at the door."""

import json
import pickle
from urllib.parse import quote, urlencode

import pytest

from extract.credentials import (
    KeyCredentials,
    PasswordCredentials,
    Secret,
    TokenCredentials,
    masked,
)
from livetraffic.errors import ConfigError

PLANTED = "planted-secret-0123456789"


@pytest.mark.parametrize(
    "show",
    [repr, str, "{}".format, "{:>40}".format, lambda s: f"{s!r:>40}", lambda s: f"{s}"],
    ids=["repr", "str", "format", "padded", "f-string", "percent"],
)
def test_a_secret_does_not_show(show):
    """Whichever way it is printed."""
    assert PLANTED not in show(Secret(PLANTED))


@pytest.mark.parametrize(
    "holder",
    [
        TokenCredentials(Secret(PLANTED)),
        KeyCredentials("AK", Secret(PLANTED), Secret(PLANTED)),
        PasswordCredentials("user", Secret(PLANTED), "account"),
    ],
    ids=["token", "keys", "password"],
)
def test_credentials_do_not_show_their_secret(holder):
    """Their repr is what a log or a traceback would print."""
    assert PLANTED not in repr(holder)


@pytest.mark.parametrize("leak", ["".join, json.dumps], ids=["join", "json"])
def test_a_secret_is_no_text(leak):
    """A subclass of str would be joined and dumped unmasked."""
    with pytest.raises(TypeError):
        leak([Secret(PLANTED)])


def test_a_secret_can_travel_to_a_worker():
    """Batches may run in another process."""
    copy = pickle.loads(pickle.dumps(Secret(PLANTED)))  # noqa: S301 (our own)
    assert copy.reveal() == PLANTED


def test_secrets_are_masked_in_foreign_text():
    """The gateway echoes signed headers in its messages."""
    said = masked(f"canonicalRequest: x-security-token:{PLANTED}", [Secret(""), Secret(PLANTED)])
    assert said == "canonicalRequest: x-security-token:***"


@pytest.mark.parametrize(
    "written",
    [
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: urlencode({"password": text}),
        lambda text: urlencode({"password": text}, quote_via=quote),
        repr,
    ],
    ids=["JSON", "JSON in UTF-8", "form", "URL", "plain"],
)
def test_secrets_are_masked_however_they_are_written(written):
    """A password may hold what JSON and URLs write in another way."""
    password = "pläin +/&" if written is repr else 'pläin "+/&'
    said = masked(f"refused: {written(password)}", [Secret(password)])
    assert "***" in said
    assert "in" not in said


@pytest.mark.parametrize("text", ["", "  ", "to\nken", "to ken", "tökén", "a\x00b"], ids=ascii)
def test_a_token_that_no_header_can_carry_is_refused(text):
    """Before it reaches the HTTP library, which would put it in its message."""
    with pytest.raises(ConfigError) as caught:
        TokenCredentials(Secret(text))
    assert not text.strip() or text not in str(caught.value)


def test_a_line_break_at_the_end_of_a_token_is_cut_off():
    """As files made with an editor have it."""
    assert TokenCredentials(Secret("abc\n")).token.reveal() == "abc"


@pytest.mark.parametrize(
    ("username", "password", "account"), [("", "p", "a"), ("u", "", "a"), ("u", "p", "")]
)
def test_half_a_password_login_is_refused(username, password, account):
    """Each of the three is needed."""
    with pytest.raises(ConfigError):
        PasswordCredentials(username, Secret(password), account)
