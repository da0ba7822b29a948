"""Refusals in the three shapes of the vendor: Live, its gateway, and IAM."""

import enum
from http import HTTPStatus

from extract.standin.switches import Switches
from extract.standin.wire import Answer, json_answer


class Shape(enum.Enum):
    """Who speaks: each has its own error body."""

    LIVE = "live"
    GATEWAY = "gateway"
    IAM = "iam"


class Refusal(Exception):  # noqa: N818 (named for what happened)
    """A request that is turned down; ``code`` is Live's code or the gateway's four digits."""

    def __init__(
        self, shape: Shape, status: int, code: str, message: str, *, message_zh: str | None = None
    ) -> None:
        super().__init__(f"{status} {code} {message}")
        self.shape, self.status, self.code = shape, status, code
        self.message, self.message_zh = message, message_zh or message
        self.headers: dict[str, str] = {}

    def answer(self, switches: Switches, request_id: str) -> Answer:
        """The refusal as it goes over the wire."""
        code = f"{switches.code_prefix}.{self.code}" if self.shape is Shape.GATEWAY else self.code
        text = self.message_zh if switches.language == "zh" else self.message
        answer = json_answer(
            error_body(self.shape, self.status, code, text, request_id), self.status
        )
        answer.error_code, answer.headers = code, dict(self.headers)
        return answer


def error_body(shape: Shape, status: int, code: str, message: str, request_id: str) -> object:
    """The error document of a shape."""
    match shape:
        case Shape.LIVE:
            return {"error_code": code, "error_msg": message}
        case Shape.GATEWAY:
            return {"error_msg": message, "error_code": code, "request_id": request_id}
        case Shape.IAM:
            title = HTTPStatus(status).phrase
            return {"error": {"code": status, "message": message, "title": title}}


def illegal(message: str = "Request Illegal", message_zh: str = "请求非法") -> Refusal:
    """400 LIVE.100011001: a request parameter breaks a rule."""
    return Refusal(Shape.LIVE, 400, "LIVE.100011001", message, message_zh=message_zh)


def not_found() -> Refusal:
    """404 LIVE.103011019: the domain does not exist."""
    return Refusal(Shape.LIVE, 404, "LIVE.103011019", "Request Illegal", message_zh="请求非法")


def wrong_project() -> Refusal:
    """401 LIVE.100011015: the project is not the credentials' project."""
    return Refusal(
        Shape.LIVE, 401, "LIVE.100011015", "Project ID check failed", message_zh="项目ID校验失败"
    )


def no_such_api() -> Refusal:
    """404 APIGW.0101: no API has this path and method."""
    return Refusal(
        Shape.GATEWAY,
        404,
        "0101",
        "The API does not exist or has not been published in the environment",
    )


def unauthenticated(detail: str) -> Refusal:
    """401 APIGW.0301: wrong IAM credentials."""
    return Refusal(
        Shape.GATEWAY, 401, "0301", f"Incorrect IAM authentication information: {detail}"
    )


def stale_token() -> Refusal:
    """401 APIGW.0307: the token has expired."""
    return Refusal(Shape.GATEWAY, 401, "0307", "The token must be updated.")


def throttled(limit: int) -> Refusal:
    """429 APIGW.0308: the user's quota of this API is used up."""
    text = f"policy user over ratelimit,limit:{limit},time:1 minute"
    return Refusal(Shape.GATEWAY, 429, "0308", f"The throttling threshold has been reached: {text}")


def iam_refusal(status: int, message: str) -> Refusal:
    """A refusal of IAM itself."""
    return Refusal(Shape.IAM, status, str(status), message)
