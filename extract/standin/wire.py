"""A request as it came in, and an answer as it goes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

import orjson

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; header names are in lower case, ``path`` and ``query`` as sent."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""

    @classmethod
    def of(
        cls, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> "Request":
        """The request for a target such as ``/v1/x?a=b``."""
        path, _, query = target.partition("?")
        return cls(method, path, query, headers, body)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query's pairs, decoded, empty values kept."""
        return parse_qsl(self.query, keep_blank_values=True)

    def param(self, name: str) -> str | None:
        """The first value of a query parameter; None where it is absent."""
        return next((value for key, value in self.pairs if key == name), None)

    @property
    def segments(self) -> list[str]:
        """The path's segments, decoded; the first is the empty one before the leading slash."""
        return [unquote(segment) for segment in self.path.split("/")]


@dataclass(slots=True)
class Answer:
    """One HTTP answer, and in what way its delivery is disturbed, if it is."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    error_code: str | None = None
    content_type: str = JSON
    cut: bool = False
    reset: bool = False
    pause: float = 0.0
    date_skew: int = 0


def json_answer(document: object, status: int = 200) -> Answer:
    """An answer that carries a JSON document."""
    return Answer(status, orjson.dumps(document))
