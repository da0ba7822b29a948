"""The errors a user can meet, grouped by what happens next.

    LiveTrafficError
    ├── ConfigError            stop, exit 2: the sentence names the setting, what was wrong, the remedy
    │   └── WarehouseMismatch  the warehouse was made with another step or zone
    ├── CredentialsError       stop everything, exit 2: every other request would fail too
    ├── ClockError             stop, exit 1: our clock disagrees with the server's
    ├── SourceError            one request failed; the slice stays due, the others go on
    │   ├── Unreachable        no connection at all (DNS, refused, TLS)
    │   ├── Unavailable        transient: time-out, 5xx, a cut body, after the retries were spent
    │   ├── Throttled          transient: still throttled after the time budget
    │   ├── Refused            the source said no and will say no again
    │   │   └── UnknownDomain  the source does not know the domain
    │   └── ContractError      an answer that does not say what the API promises
    ├── SinkError              exit 1: the warehouse could not be read or written; nothing half-written
    │   └── Locked             another run holds it
    └── Stopped                exit 130 or 143: asked to stop; what had been read is committed

Constructors take facts as plain values; ``str()`` is one or two sentences that end with the remedy.
No error holds a response, a URL with a query, or a secret.
"""


class LiveTrafficError(Exception):
    """The root: a sentence for the user, a remedy, a stable code and an exit code."""

    code = "error"
    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class ConfigError(LiveTrafficError):
    """A setting or argument that cannot be used."""

    code = "config"
    exit_code = 2


class WarehouseMismatch(ConfigError):
    """The warehouse holds another step or business time zone than the settings ask for."""

    code = "warehouse_mismatch"


class CredentialsError(LiveTrafficError):
    """The source does not accept who we are: every further request would fail too."""

    code = "credentials"
    exit_code = 2


class ClockError(LiveTrafficError):
    """Our clock and the server's disagree, so ages and retention cannot be trusted."""

    code = "clock"


class SourceError(LiveTrafficError):
    """One request to the source failed.

    Args:
        status: HTTP status, when there was an answer.
        error_code: the source's own code (``LIVE.100011001``), when it gave one.
        request_id: the source's request id, for a support ticket.
    """

    code = "source"

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        status: int | None = None,
        error_code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, remedy)
        self.status = status
        self.error_code = error_code
        self.request_id = request_id


class Unreachable(SourceError):
    """No connection to the source at all."""

    code = "unreachable"


class Unavailable(SourceError):
    """The source timed out, failed or cut its answer, and went on doing so when asked again."""

    code = "unavailable"


class Throttled(SourceError):
    """The source went on throttling until the time budget was spent."""

    code = "throttled"


class Refused(SourceError):
    """The source refused the request and will refuse it again."""

    code = "refused"


class UnknownDomain(Refused):
    """The source does not know this domain, or not on this API."""

    code = "unknown_domain"


class ContractError(SourceError):
    """The answer is not what the API promises; nothing of it was stored."""

    code = "contract"


class SinkError(LiveTrafficError):
    """The warehouse could not be read or written; nothing is half-written."""

    code = "sink"


class Locked(SinkError):
    """Another run holds the warehouse."""

    code = "locked"


class Stopped(LiveTrafficError):
    """The run was asked to stop; what had been read is committed, the next run does the rest."""

    code = "stopped"
    exit_code = 130

    def __init__(self, message: str = "Stopped on request; what had been read is kept.") -> None:
        super().__init__(message, "Run the same command again to do the rest.")
