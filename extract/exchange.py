"""One attempt: a request sent, its answer read within bounds. No retry, no meaning."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from extract.connection import OwnAnswers, use_no_more
from extract.patience import Sleeper, TooSlowError, carried_out
from livetraffic.errors import ConfigError, ContractError, SourceError, Unavailable, Unreachable

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came; ``headers`` has lower-case names.

    ``sent_at`` is the instant just before the request was sent, by our clock, UTC.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_at: datetime

    @property
    def request_id(self) -> str | None:
        """The source's own id of the request, for a support ticket."""
        return self.headers.get("x-request-id")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long and how much one attempt may take; times in seconds.

    ``read_s`` bounds a silence, ``answer_s`` the whole answer (a body that drips).
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    answer_s: float = 120.0
    body_bytes: int = 64 << 20


class Exchange:
    """A pooled HTTPS connection to one host, safe to use from several threads.

    Proxies and the CA bundle are taken from the environment as usual; ``.netrc``, cookies and
    redirects are not.

    Args:
        base_url: ``https://host``; plain ``http`` only to this machine itself.
        clock: our clock, UTC; dates ``Reply.sent_at``.
        sleep: asked with 0 whether the run was asked to stop.
        monotonic: seconds that never run backwards.
        connections: size of the pool.

    Raises:
        ConfigError: the address is not one that may be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        clock: Callable[[], datetime],
        sleep: Sleeper,
        monotonic: Callable[[], float],
        bounds: Bounds | None = None,
        connections: int = 8,
    ) -> None:
        self.base_url = checked_url(base_url)
        self.host = urlsplit(self.base_url).netloc
        self._clock = clock
        self._sleep = sleep
        self._monotonic = monotonic
        self._bounds = bounds if bounds is not None else Bounds()
        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.mount(
            f"{self.base_url}/",
            OwnAnswers(pool_connections=2, pool_maxsize=connections, max_retries=0),
        )
        self._settings = self._environment()

    def _environment(self) -> dict[str, Any]:
        settings = dict(
            self._session.merge_environment_settings(
                self.base_url, proxies={}, stream=True, verify=None, cert=None
            )
        )
        if is_loopback(self.base_url):
            settings["proxies"] = {}
        return {"proxies": settings["proxies"], "verify": settings["verify"]}

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one request and read its answer, whatever its status.

        Raises:
            Unreachable: no connection was made.
            Unavailable: it timed out or broke off.
            ContractError: the body is larger than the bound.
            Stopped: the run was asked to stop, and no answer came within the grace.
        """
        try:
            return carried_out(
                lambda: self._sent(method, url, headers, body),
                sleep=self._sleep,
                monotonic=self._monotonic,
                longest_s=self._bounds.answer_s,
            )
        except TooSlowError:
            raise self._too_slow() from None

    def _sent(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        # Prepared without the session, so that neither .netrc nor a cookie can get in.
        request = requests.Request(method, url, headers=dict(headers), data=body or None).prepare()
        sent_at = self._clock()
        started = self._monotonic()
        try:
            response = self._session.send(
                request,
                stream=True,
                timeout=(self._bounds.connect_s, self._bounds.read_s),
                allow_redirects=False,
                **self._settings,
            )
            with response:
                if not 200 <= response.status_code < 300:
                    use_no_more(response.raw)
                content = self._read(response.raw, started)
        except requests.RequestException as exc:
            raise self._network_error(exc) from _stripped(exc)
        except urllib3.exceptions.HTTPError as exc:
            raise self._broken(exc) from exc
        except ValueError as exc:  # requests reads the address of a redirect that is not followed
            raise self._broken(exc) from None
        lower = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, lower, content, sent_at)

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def _read(self, raw: urllib3.response.HTTPResponse, started: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        # read1 returns what has come, so that a dripping body cannot outlive the deadline.
        while chunk := raw.read1(_CHUNK_BYTES, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._bounds.body_bytes:
                raise ContractError(
                    f"{self.host} sent a body of more than {self._bounds.body_bytes >> 20} MiB.",
                    "Check that the endpoint is the Live API.",
                )
            if self._monotonic() - started > self._bounds.answer_s:
                raise self._too_slow()
        return b"".join(chunks)

    def _network_error(self, exc: requests.RequestException) -> SourceError:
        if _caused_by(exc, urllib3.exceptions.InvalidHeader):
            return self._broken(exc)
        if isinstance(exc, requests.exceptions.InvalidHeader | requests.exceptions.InvalidURL):
            return Unreachable(
                f"The request to {self.host} could not be formed.", "Check settings."
            )
        if isinstance(exc, requests.exceptions.ReadTimeout):
            return self._timed_out()
        for cause, sentence, remedy in _CONNECTING:
            if isinstance(exc, cause) or _caused_by(exc, cause):
                return Unreachable(sentence.format(host=self.host), remedy)
        return self._broken(exc)

    def _broken(self, exc: Exception) -> Unavailable:
        if isinstance(exc, urllib3.exceptions.ReadTimeoutError) or _caused_by(
            exc, urllib3.exceptions.ReadTimeoutError
        ):
            return self._timed_out()
        return Unavailable(
            f"The connection to {self.host} broke off before the answer was complete.",
            "It is asked for again in the next run.",
        )

    def _too_slow(self) -> Unavailable:
        return Unavailable(
            f"{self.host} took more than {self._bounds.answer_s:.0f} s to send an answer.",
            "It is asked for again in the next run.",
        )

    def _timed_out(self) -> Unavailable:
        return Unavailable(
            f"{self.host} did not answer within {self._bounds.read_s:.0f} s.",
            "It is asked for again in the next run.",
        )


_NETWORK_REMEDY = "Check the network, the firewall and LIVE_TRAFFIC_ENDPOINT."

# The first row that fits counts; the classes of requests before those of urllib3 inside them.
_CONNECTING: tuple[tuple[type[Exception], str, str], ...] = (
    (
        requests.exceptions.ProxyError,
        "The proxy in front of {host} could not be used.",
        "Check HTTPS_PROXY and NO_PROXY.",
    ),
    (
        requests.exceptions.SSLError,
        "No trusted TLS connection to {host}: its certificate or protocol was not accepted.",
        "Check the endpoint; behind a company proxy point REQUESTS_CA_BUNDLE at its certificate.",
    ),
    (requests.exceptions.ConnectTimeout, "{host} cannot be connected to in time.", _NETWORK_REMEDY),
    (
        urllib3.exceptions.NameResolutionError,
        "The host name {host} cannot be resolved.",
        "Check the spelling of the region or of LIVE_TRAFFIC_ENDPOINT, and the name server.",
    ),
    (
        urllib3.exceptions.NewConnectionError,
        "{host} cannot be connected to.",
        _NETWORK_REMEDY,
    ),
)


def _caused_by(exc: BaseException, kind: type[Exception]) -> bool:
    """Whether an exception of this kind is wrapped in ``exc``, as requests and urllib3 wrap."""
    waiting: list[object] = [exc]
    for _ in range(8):
        if not waiting:
            return False
        current = waiting.pop()
        if isinstance(current, kind):
            return True
        if isinstance(current, BaseException):
            waiting += [getattr(current, "reason", None), *current.args[:2]]
    return False


def _stripped(exc: requests.RequestException) -> requests.RequestException:
    """The cause without its request: that one holds the credentials."""
    exc.request = None
    exc.response = None
    return exc


def checked_url(base_url: str) -> str:
    """The address without a trailing slash.

    Raises:
        ConfigError: not https (plain http is for this machine only), or with a user or a query.
    """
    try:
        parts = urlsplit(base_url.strip())
        host = parts.hostname
        _ = parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            "The endpoint is not an address of the form https://host.",
            "Set LIVE_TRAFFIC_ENDPOINT (or LIVE_TRAFFIC_IAM_ENDPOINT) to such an address, "
            "without user, password or query.",
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(base_url)):
        raise ConfigError(
            f"The endpoint {parts.scheme}://{host} is not https; credentials are not sent to it.",
            "Use https; plain http is accepted for this machine itself (127.0.0.1) only.",
        )
    return base_url.strip().rstrip("/")


def is_loopback(base_url: str) -> bool:
    """Whether the address is on this machine itself."""
    try:
        host = urlsplit(base_url.strip()).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # no URL, or a name
        return False
