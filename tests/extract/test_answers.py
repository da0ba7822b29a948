"""The table of answers, row by row, and what is read from error bodies."""

import pytest

from extract.answers import ROWS, Action, decide, read_error

R, S, T, N, X, U, W, G = (
    Action.RETRY,
    Action.RETRY_SLOWLY,
    Action.THROTTLED,
    Action.RENEW_TOKEN,
    Action.STOP,
    Action.UNKNOWN_DOMAIN,
    Action.WINDOW,
    Action.GIVE_UP,
)

# Written out from the vendor's error pages, not derived from the table that is tested.
EXPECTED = {
    (500, "LIVE.100011000"): R,
    (400, "LIVE.100011001"): W,
    (401, "LIVE.100011002"): N,
    (401, "LIVE.100011003"): Action.FORBIDDEN,
    (400, "LIVE.100011004"): G,
    (500, "LIVE.100011005"): R,
    (400, "LIVE.100011006"): S,
    (500, "LIVE.100011007"): T,
    (400, "LIVE.100011008"): S,
    (400, "LIVE.100011009"): X,
    (400, "LIVE.100011011"): G,
    (400, "LIVE.100011012"): G,
    (400, "LIVE.100011013"): X,
    (401, "LIVE.100011014"): X,
    (401, "LIVE.100011015"): X,
    (400, "LIVE.100011022"): G,
    (403, "LIVE.103011016"): G,
    (500, "LIVE.103011017"): R,
    (400, "LIVE.103011018"): G,
    (404, "LIVE.103011019"): U,
    (400, "LIVE.103011020"): G,
    (400, "LIVE.103011021"): R,
    (400, "LIVE.103011022"): G,
    (500, "LIVE.103011023"): R,
    (400, "LIVE.103011024"): G,
    (400, "LIVE.103011025"): G,
    (400, "LIVE.103011026"): G,
    (400, "LIVE.103011027"): G,
    (500, "LIVE.103011028"): R,
    (404, "APIGW.0101"): G,
    (404, "APIGW.0103"): G,
    (400, "APIGW.0104"): G,
    (400, "APIGW.0105"): G,
    (400, "APIGW.0106"): G,
    (400, "APIGW.0201"): G,
    (413, "APIGW.0201"): G,
    (414, "APIGW.0201"): G,
    (494, "APIGW.0201"): G,
    (502, "APIGW.0201"): R,
    (504, "APIGW.0201"): R,
    (401, "APIGW.0301"): N,
    (403, "APIGW.0302"): Action.FORBIDDEN,
    (401, "APIGW.0303"): X,
    (401, "APIGW.0305"): X,
    (403, "APIGW.0306"): Action.FORBIDDEN,
    (401, "APIGW.0307"): N,
    (429, "APIGW.0308"): T,
    (403, "APIGW.0310"): X,
    (401, "APIGW.0311"): X,
    (403, "APIGW.0401"): X,
    (403, "APIGW.0402"): X,
    (403, "APIGW.0404"): X,
    (405, "APIGW.0501"): X,
    (405, "APIGW.0502"): X,
    (500, "APIGW.0601"): R,
    (400, "APIGW.0602"): G,
    (500, "APIGW.0605"): R,
    (500, "APIGW.0606"): R,
    (400, "APIGW.0607"): G,
    (500, "APIGW.0608"): R,
    (500, "APIGW.0609"): R,
    (502, "APIGW.0610"): R,
    (500, "APIGW.0611"): R,
    (500, "APIGW.0612"): R,
    (503, "APIGW.0613"): R,
    (500, "APIGW.0705"): R,
    (403, "APIGW.0801"): X,
    (403, "APIGW.0802"): X,
}


@pytest.mark.parametrize(("answer", "action"), EXPECTED.items(), ids=str)
def test_a_documented_answer_has_its_action(answer, action):
    """As the vendor's pages advise."""
    assert decide(*answer).action is action


@pytest.mark.parametrize(
    ("answer", "action"),
    [(key, value) for key, value in EXPECTED.items() if key[1].startswith("APIGW")],
    ids=str,
)
def test_the_newer_prefix_means_the_same(answer, action):
    """Newer gateways say APIG."""
    status, code = answer
    assert decide(status, code.replace("APIGW", "APIG")).action is action


def test_every_row_is_listed_here():
    """A new row brings its line above."""
    assert {(status, row.code) for row in ROWS for status in row.statuses} == set(EXPECTED)


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (400, G),
        (401, N),
        (403, G),
        (404, G),
        (405, G),
        (407, G),
        (408, R),
        (409, G),
        (418, G),
        (429, T),
        (500, R),
        (501, G),
        (502, R),
        (503, R),
        (504, R),
        (505, G),
        (520, R),
        (999, G),
        (302, G),
    ],
)
@pytest.mark.parametrize("code", [None, "LIVE.999999999", "APIGW.9999", "0308", "XAPIGW.0308", ""])
def test_an_unknown_code_falls_back_to_the_class_of_the_status(status, code, action):
    """And what fits nowhere is refused, never retried."""
    assert decide(status, code).action is action


def test_a_known_code_counts_under_another_status():
    """Throttling is throttling, whatever number the proxy in between made of it."""
    assert decide(503, "APIGW.0308").action is Action.THROTTLED
    assert decide(400, "LIVE.103011019").action is Action.UNKNOWN_DOMAIN


def test_a_code_of_two_meanings_under_another_status_falls_back():
    """APIGW.0201 is a bad request or a dead backend: only the status can tell."""
    assert decide(500, "APIGW.0201").action is Action.RETRY
    assert decide(403, "APIGW.0201").action is Action.GIVE_UP


@pytest.mark.parametrize(
    ("body", "code", "message", "request_id"),
    [
        (b'{"error_code":"LIVE.1","error_msg":"m"}', "LIVE.1", "m", None),
        (b'{"error_msg":"m","error_code":"APIGW.0308","request_id":"r"}', "APIGW.0308", "m", "r"),
        (b'{"error":{"code":401,"message":"m","title":"t"}}', "401", "m", None),
        (b'{"error":{"error_code":"X","error_msg":"m"},"request_id":"r"}', "X", "m", "r"),
        (b'{"code":"C","message":"m"}', "C", "m", None),
        (b'{"errorCode":"C","errorMsg":"m"}', "C", "m", None),
        (b'{"error_code":"C","error_detail":"d"}', "C", "d", None),
        (b'{"error_code":"C","error_msg":"a\\n b"}', "C", "a b", None),
        (b"<html>502 Bad Gateway</html>", None, None, None),
        (b"", None, None, None),
        (b"[]", None, None, None),
        (b"null", None, None, None),
        (b'{"error_code":null,"error_msg":true}', None, None, None),
        (b'{"a":{"b":{"c":{"d":{"e":{"code":"deep"}}}}}}', None, None, None),
        (b"\xff\xfe", None, None, None),
    ],
)
def test_error_bodies_of_every_shape_are_read(body, code, message, request_id):
    """Live, gateway, IAM, and what is none of them."""
    found = read_error(body)
    assert (found.code, found.message, found.request_id) == (code, message, request_id)


def test_a_long_message_is_cut():
    """An error is a line, not a page."""
    message = read_error(b'{"error_msg":"' + b"x" * 5000 + b'"}').message
    assert message is not None
    assert len(message) == 200
