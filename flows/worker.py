"""A worker of a cluster: loads one parcel with parts of its own, wired from its own environment."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version

from flows import bootstrap, settings
from flows.bootstrap import Deps
from flows.given import PREFIX
from flows.invocation import Invocation
from flows.loader import Loader
from flows.parcels import Parcel, Returned, Words
from flows.progress import Silent
from flows.settings import Settings
from flows.summary import BatchReceipt
from flows.warehouse import is_directory, local_path, shown
from livetraffic.errors import ConfigError, LiveTrafficError

_AGREED = (
    "endpoint",
    "region",
    "project_id",
    "timezone",
    "step_minutes",
    "settle_after",
    "api",
    "idle",
)
VERSION = version("live-traffic")
Watch = Callable[[threading.Event], None]
"""Sets the event once the run was asked to stop."""


@dataclass(slots=True)
class _Wired:
    """The parts of the run that this process works for."""

    run_id: str
    deps: Deps
    told: Counter[str] = field(default_factory=Counter)
    """Requests that the run has been told of, by operation."""

    def untold(self) -> Counter[str]:
        """Requests sent since this was last asked: each is told once, whichever batch it was for."""
        with _lock:
            sent = Counter(self.deps.requests_by_operation)
            new, self.told = sent - self.told, sent
            return new


_wired: _Wired | None = None
_lock = threading.Lock()


def agreed(loaded: Settings) -> dict[str, str]:
    """The settings that a run and its workers must have in common, without their secrets."""
    found = {name: str(getattr(loaded, name)) for name in _AGREED}
    path = is_directory(loaded.warehouse)
    found["warehouse"] = (
        str(local_path(loaded.warehouse).resolve()) if path else shown(loaded.warehouse)
    )
    found["accounts"] = ", ".join(account.name for account in loaded.accounts)
    return found


def load_parcel(words: Words, parcel: Parcel, watch: Watch) -> Returned:
    """Load the batch into the shared warehouse; what stops the run is returned, never raised."""
    try:
        wired = _wired_for(words, parcel.orders.run_id, watch)
    except LiveTrafficError as refusal:
        return Returned(parcel.batch, BatchReceipt(), fatal=refusal)
    deps = wired.deps
    by_name = {tenant.name: tenant for tenant in deps.tenants}
    tenant = by_name.get(parcel.batch.account)
    if tenant is None:
        error = deps.broken.get(parcel.batch.account) or ConfigError(
            f"A worker has no account {parcel.batch.account!r}.", "Give it the run's settings."
        )
        return Returned(parcel.batch, BatchReceipt(), fatal=error)
    loader = Loader(deps, tenant, parcel.outlook, parcel.orders, Silent())
    receipt = loader.load(parcel.batch)
    return replace(loader.returned(parcel.batch, receipt), requests=wired.untold())


def _wired_for(words: Words, run_id: str, watch: Watch) -> _Wired:
    """The parts of this run, wired once in a process."""
    global _wired  # noqa: PLW0603 - a worker's process works for one run at a time
    with _lock:
        if _wired is None or _wired.run_id != run_id:
            if _wired is not None:
                _wired.deps.stop.set()  # that run is over
            _wired = _Wired(run_id, _connected(words))
            threading.Thread(target=watch, args=(_wired.deps.stop,), daemon=True).start()
        return _wired


def _connected(words: Words) -> Deps:
    if words.version != VERSION:
        raise ConfigError(
            f"A worker has live-traffic {VERSION}, the run has {words.version}.",
            "Install this version of live-traffic with its extras on every worker.",
        )
    call = Invocation(dict(words.flags), as_json=False, as_of=words.as_of)
    loaded = settings.load({**words.flags, "domains": words.domains})
    mine = agreed(loaded)
    for name, value in words.agreed.items():
        if mine.get(name) != value:
            raise ConfigError(
                f"A worker has another {PREFIX}{name.upper()} ({mine.get(name)}) than the"
                f" run ({value}).",
                "Start the workers with the run's settings in their environment.",
            )
    return bootstrap.connect(loaded, clock=call.clock(loaded, writes=True), writes=True)
