"""The signature: golden vectors stage by stage, and the vendor's own signer on random requests."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given
from hypothesis import strategies as st

from extract.auth import Outgoing, SignedKeys
from extract.credentials import KeyCredentials, Secret
from extract.signing import canonical_request, host_header, signed_headers, string_to_sign

GOLDEN = Path(__file__).parent.parent / "golden" / "signing"
AT = datetime(2026, 1, 3, 23, 59, 59, tzinfo=UTC)


def golden(name):
    return json.loads((GOLDEN / name).read_text())


def test_the_canonical_request_is_the_golden_one():
    """Path with a final slash, sorted query, lower-case headers, hash of no body."""
    vector = golden("canonical-request.json")
    asked = vector["given"]
    canonical = canonical_request(asked["method"], asked["url"], asked["headers"], b"")
    assert canonical == vector["expect"]


def test_the_string_to_sign_is_the_golden_one():
    """Algorithm, date, hash."""
    vector = golden("string-to-sign.json")
    asked = vector["given"]
    assert string_to_sign(asked["date"], asked["canonical_request"]) == vector["expect"]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("signature-*.json")), ids=lambda p: p.stem)
def test_the_signature_is_the_golden_one(path):
    """Each file names where it comes from."""
    vector = golden(path.name)
    asked = vector["given"]
    signed = signed_headers(
        asked["method"],
        asked["url"],
        asked["headers"],
        asked["body"].encode(),
        ak=asked["ak"],
        sk=Secret(asked["sk"]),
        at=datetime.fromisoformat(asked["at"]),
    )
    assert signed["Authorization"] == vector["expect"]


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
HEADERS = st.dictionaries(
    WORD.map(lambda word: f"X-{word}"), st.text("abc XYZ=+/,;", max_size=12), max_size=3
)


@given(
    method=st.sampled_from(["GET", "POST"]),
    segments=st.lists(TEXT.filter(lambda text: "%" not in text and "/" not in text), max_size=3),
    query=st.lists(st.tuples(TEXT, TEXT), max_size=4),
    headers=HEADERS,
    body=st.binary(max_size=30),
    seconds=st.integers(0, 10**9),
)
def test_the_vendors_signer_agrees(method, segments, query, headers, body, seconds):
    """On any request that can be written down."""
    at = AT + timedelta(seconds=seconds)
    path = "/" + "/".join(segments)
    text = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in query)
    ours = signed_headers(
        method,
        f"https://example.com{quote(path)}{'?' if text else ''}{text}",
        headers,
        body,
        ak="AK",
        sk=Secret("SK"),
        at=at,
    )
    theirs = SdkRequest(
        method=method,
        host="example.com",
        resource_path=path,
        query_params=list(query),
        header_params={**headers, "Host": "example.com", "X-Sdk-Date": ours["X-Sdk-Date"]},
        body=body,
    )
    Signer(SimpleNamespace(ak="AK", sk="SK")).sign(theirs)
    assert ours["Authorization"] == theirs.header_params["Authorization"]


def test_the_date_is_signed_in_utc():
    """Whatever zone the clock speaks."""
    at = AT.astimezone(timezone(timedelta(hours=8)))
    signed = signed_headers("GET", "https://a.example/", {}, b"", ak="a", sk=Secret("b"), at=at)
    assert signed["X-Sdk-Date"] == "20260103T235959Z"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.com/a", "example.com"),
        ("https://example.com:443/a", "example.com"),
        ("https://example.com:8443/a", "example.com:8443"),
        ("http://127.0.0.1:80/", "127.0.0.1"),
        ("http://[::1]:8080/", "[::1]:8080"),
    ],
)
def test_the_host_is_signed_as_it_is_sent(url, host):
    """With its port only where that is not the scheme's own."""
    assert host_header(url) == host


def test_an_attempt_signs_host_date_project_content_type_and_security_token():
    """And each attempt anew: the date is part of the signature."""
    instants = iter([AT, AT + timedelta(seconds=1)])
    keys = SignedKeys(
        KeyCredentials("AK", Secret("SK"), Secret("ST")),
        project_id="p1",
        real_clock=lambda: next(instants),
    )
    given_headers = {"Content-Type": "application/json", "Accept": "application/json"}
    first, second = (
        keys.headers(Outgoing("GET", "https://a.example/", given_headers)) for _ in "12"
    )
    names = first["Authorization"].split("SignedHeaders=")[1].split(",")[0]
    assert names == "content-type;host;x-project-id;x-sdk-date;x-security-token"
    assert first["Accept"] == "application/json"
    assert first["Authorization"] != second["Authorization"]
