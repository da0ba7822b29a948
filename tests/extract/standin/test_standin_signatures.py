"""Signed requests: the vendor's rules, a golden vector, and what happens to those who fail."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import requests

from extract.standin import signature
from extract.standin.quota import FailureLock
from extract.standin.server import Standin
from extract.standin.wire import Request

# The vector of the reference sheet, section 5.3: the official SDK and an independent
# implementation agree on it. The keys are made up.
SECRET = "exampleSK-not-a-real-secret-0000000000001"
PROJECT = "0123456789abcdef0123456789abcdef"
VECTOR = Request.of(
    "GET",
    f"/v1/{PROJECT}/stream/traffic?step=5&start_time=2021-09-01T00:00:00Z"
    "&end_time=2021-09-02T00%3A00%3A00Z&domain=play.example.com",
    {
        "content-type": "application/json",
        "host": "live.cn-north-4.myhuaweicloud.com",
        "x-project-id": PROJECT,
        "x-sdk-date": "20210903T010203Z",
    },
)
SIGNED = ("content-type", "host", "x-project-id", "x-sdk-date")
CANONICAL = f"""GET
/v1/{PROJECT}/stream/traffic/
domain=play.example.com&end_time=2021-09-02T00%3A00%3A00Z&start_time=2021-09-01T00%3A00%3A00Z&step=5
content-type:application/json
host:live.cn-north-4.myhuaweicloud.com
x-project-id:{PROJECT}
x-sdk-date:20210903T010203Z

content-type;host;x-project-id;x-sdk-date
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"""
DIGEST = "20f01912b63d1802e90e1ed3281f9e112e393bdcb3a24d554640985dcfa7381f"
SIGNATURE = "1644e8ec30de53575f67e296cbe96d5fa6e455f7bf593f95583b719a778cbe79"


def test_the_golden_vector_holds_at_every_stage() -> None:
    canonical = signature.canonical_request(VECTOR, SIGNED)
    assert canonical == CANONICAL
    text = signature.string_to_sign("20210903T010203Z", canonical)
    assert text == f"SDK-HMAC-SHA256\n20210903T010203Z\n{DIGEST}"
    assert signature.sign(SECRET, text) == SIGNATURE


def test_the_golden_vector_verifies_and_one_changed_letter_does_not() -> None:
    header = (
        "SDK-HMAC-SHA256 Access=EXAMPLEAK0000000001, "
        f"SignedHeaders={';'.join(SIGNED)}, Signature={SIGNATURE}"
    )
    given = signature.parse_authorization(header)
    assert given is not None
    assert signature.verifies(VECTOR, given, SECRET)
    assert not signature.verifies(VECTOR, given, SECRET.upper())


@pytest.mark.parametrize(
    "header",
    ["", "Basic abc", "SDK-HMAC-SHA256 Access=a", "V11-HMAC-SHA256 Credential=a/b"],
)
def test_other_authorizations_are_not_read(header: str) -> None:
    assert signature.parse_authorization(header) is None


def test_path_and_query_are_encoded_by_rfc_3986() -> None:
    assert signature.canonical_uri("/v1/a b/%7E") == "/v1/a%20b/~/"
    pairs = [("b", "x,y"), ("a", "~ü"), ("b", "1 2")]
    assert signature.canonical_query(pairs) == "a=~%C3%BC&b=1%202&b=x%2Cy"


Signed = Callable[..., requests.Response]


@pytest.fixture
def signed(standin: Standin, session: requests.Session) -> Signed:
    """The domain list, signed here in the test without the stand-in's own code."""

    def get(
        *,
        ak: str | None = None,
        sk: str | None = None,
        age: timedelta = timedelta(0),
        names: str = "host;x-project-id;x-sdk-date",
        project: str | None = None,
        **headers: str,
    ) -> requests.Response:
        ready = standin.ready
        path = f"/v1/{ready['project_id']}/domain"
        sent = {
            "host": standin.url.removeprefix("http://"),
            "x-project-id": project or ready["project_id"],
            "x-sdk-date": (datetime.now(UTC) - age).strftime("%Y%m%dT%H%M%SZ"),
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}:{sent[name]}\n" for name in sorted(names.split(";")))
        canonical = "\n".join(("GET", path + "/", "", lines, names, hashlib.sha256().hexdigest()))
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"SDK-HMAC-SHA256\n{sent['x-sdk-date']}\n{digest}"
        key = (sk or ready["sk"]).encode()
        sent["authorization"] = (
            f"SDK-HMAC-SHA256 Access={ak or ready['ak']}, SignedHeaders={names}, "
            f"Signature={hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}"
        )
        return session.get(standin.url + path, headers=sent, timeout=30)

    return get


def test_a_signed_request_is_served(signed: Signed) -> None:
    assert signed().status_code == 200


@pytest.mark.parametrize("minutes", [16, -16])
def test_a_date_off_by_more_than_15_minutes_is_refused(signed: Signed, minutes: int) -> None:
    answer = signed(age=timedelta(minutes=minutes))
    assert (answer.status_code, answer.json()["error_code"]) == (401, "APIGW.0301")
    assert signed(age=timedelta(minutes=14)).status_code == 200


def test_the_movable_clock_does_not_judge_signatures(signed: Signed, standin: Standin) -> None:
    standin.set_clock(datetime(2031, 1, 1, tzinfo=UTC))
    assert signed().status_code == 200


def test_an_unknown_key_and_a_wrong_secret_are_told_apart(signed: Signed) -> None:
    assert "ak not exist" in signed(ak="NOBODY").json()["error_msg"]
    assert "verify aksk signature fail" in signed(sk="wrong").json()["error_msg"]


def test_host_and_date_must_be_signed(signed: Signed) -> None:
    assert signed(names="x-project-id;x-sdk-date").status_code == 401
    assert signed(names="host;x-project-id").status_code == 401


def test_more_than_five_failures_in_a_row_lock_the_key(signed: Signed) -> None:
    for _ in range(5):
        assert "verify aksk" in signed(sk="wrong").json()["error_msg"]
    assert signed().status_code == 200, "five are forgiven"
    for _ in range(6):
        signed(sk="wrong")
    locked = signed()
    assert locked.status_code == 401
    assert "AK access failed to reach the limit" in locked.json()["error_msg"]


def test_the_lock_opens_after_five_minutes() -> None:
    now = [0.0]
    lock = FailureLock(lambda: now[0])
    for _ in range(6):
        lock.failed("ak")
    now[0] = 299.9
    assert lock.locked("ak")
    now[0] = 300.0
    assert not lock.locked("ak")
    lock.failed("ak")
    assert not lock.locked("ak"), "the count starts again"


def test_a_project_header_that_differs_is_refused(signed: Signed) -> None:
    answer = signed(project="f" * 32)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "LIVE.100011015")


def test_temporary_keys_need_their_security_token_signed(signed: Signed, standin: Standin) -> None:
    names = "host;x-project-id;x-sdk-date;x-security-token"
    token = standin.world.account.security_token
    standin.switches(security_token="required")
    assert signed().status_code == 401
    assert signed(names=names, x_security_token="wrong").status_code == 401
    assert signed(x_security_token=token).status_code == 401, "not signed"
    assert signed(names=names, x_security_token=token).status_code == 200
