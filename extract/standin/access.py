"""Who is calling: an IAM token or a signature, judged before anything else is looked at."""

from dataclasses import dataclass

from extract.standin import refusals, signature
from extract.standin.clock import Clock
from extract.standin.fixtures import Account
from extract.standin.quota import FailureLock
from extract.standin.refusals import Refusal
from extract.standin.switches import Panel
from extract.standin.tokens import Tokens
from extract.standin.wire import Request

SKEW_S = 15 * 60


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user, and the project that the credentials are for."""

    user_id: str
    project_id: str | None


class Access:
    """Authenticates requests of one tenant's user."""

    def __init__(self, account: Account, tokens: Tokens, clock: Clock, panel: Panel) -> None:
        self._account, self._tokens = account, tokens
        self._clock, self._panel = clock, panel
        self._keys = FailureLock(clock.real)

    def caller(self, request: Request) -> Caller:
        """The request's caller.

        Raises:
            Refusal: 401 APIGW.0301 (no or wrong credentials) or 401 APIGW.0307 (stale token).
        """
        text = request.headers.get("x-auth-token")
        if text is not None:
            return self._by_token(text)
        authorization = request.headers.get("authorization")
        if authorization is not None:
            return self._by_signature(request, authorization)
        raise refusals.unauthenticated("auth header is empty")

    def _by_token(self, text: str) -> Caller:
        token = self._tokens.find(text)
        if token is None:
            raise refusals.unauthenticated("decrypt token fail")
        if self._tokens.stale(token):
            raise refusals.stale_token()
        return Caller(self._account.user_id, token.project_id)

    def _by_signature(self, request: Request, header: str) -> Caller:
        given = signature.parse_authorization(header)
        if given is None:
            raise refusals.unauthenticated("parse authorization header fail")
        if self._keys.locked(given.access_key):
            raise refusals.unauthenticated("AK access failed to reach the limit,forbidden.")
        refusal = self._fault_of(request, given)
        if refusal is not None:
            self._keys.failed(given.access_key)
            raise refusal
        self._keys.succeeded(given.access_key)
        return Caller(self._account.user_id, self._account.project_id)

    def _fault_of(self, request: Request, given: signature.Authorization) -> Refusal | None:
        if given.access_key != self._account.ak:
            return refusals.unauthenticated("Get secretKey failed,ak:******,err:ak not exist")
        signed_at = signature.signed_at(request.headers.get("x-sdk-date", ""))
        if signed_at is None or abs(signed_at - self._clock.real()) > SKEW_S:
            return refusals.unauthenticated(
                "Signature expired: x-sdk-date is off by over 15 minutes"
            )
        if not signature.verifies(request, given, self._account.sk):
            return refusals.unauthenticated("verify aksk signature fail, signature mismatch")
        return self._security_fault(request, given)

    def _security_fault(self, request: Request, given: signature.Authorization) -> Refusal | None:
        token = request.headers.get("x-security-token")
        if token is None:
            if self._panel.current.security_token == "optional":  # noqa: S105 (a switch's position)
                return None
            return refusals.unauthenticated("security token is missing")
        signed = "x-security-token" in given.signed_headers
        if token != self._account.security_token or not signed:
            return refusals.unauthenticated("security token is wrong or not signed")
        return None
