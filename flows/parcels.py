"""What travels to a worker of a cluster and back: plain values, small, and never a secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from flows.outlook import Outlook
from flows.summary import BatchReceipt
from livetraffic.errors import LiveTrafficError
from livetraffic.plan import Batch


@dataclass(frozen=True, slots=True)
class Orders:
    """What is the same for all loaders of a run."""

    run_id: str
    may_be_elsewhere: frozenset[str] = frozenset()
    """Domains that the other API may know where this one does not."""
    reason: str = ""
    """Why settled time is read again, for the ledger."""


@dataclass(frozen=True, slots=True)
class Words:
    """How a worker wires its own parts: what was typed, and what its settings must agree with."""

    flags: Mapping[str, Any]
    as_of: str | None
    domains: tuple[str, ...]
    agreed: Mapping[str, str]
    """Settings by name, as people may see them; a worker whose own differ refuses to work."""
    version: str
    """Of the run's live-traffic; another one may mean something else by the same words."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One batch with all that a loader must know of it."""

    batch: Batch
    outlook: Outlook
    orders: Orders


@dataclass(frozen=True, slots=True)
class Returned:
    """What became of a parcel."""

    batch: Batch
    receipt: BatchReceipt
    requests: Mapping[str, int] = field(default_factory=dict)
    """Statistics requests sent, by operation."""
    fatal: LiveTrafficError | None = None
    """What must end the account's work."""
    silent: LiveTrafficError | None = None
    """Why the source was given up in this batch, where it never answered."""
    clock_checked: bool = False


class Loading(Protocol):
    """A run's way to load batches: here, or by parcels elsewhere."""

    def __call__(self, batch: Batch, /) -> BatchReceipt:
        """Load a batch in this process."""

    def parcel(self, batch: Batch, /) -> Parcel:
        """The batch for another process."""

    def take(self, returned: Returned, /) -> BatchReceipt:
        """Take in what another process has done."""


def parcel(batch: Batch, outlook: Outlook, orders: Orders) -> Parcel:
    """A parcel that holds what concerns the batch's domains and nothing else."""
    names = {item.domain for item in batch.slices}
    narrowed = replace(
        outlook,
        domains={name: outlook.domains[name] for name in sorted(names)},
        coverage={name: outlook.of(name) for name in sorted(names)},
        legs=[],
        slices=[],
        lost=[],
        out_of_reach=[],
    )
    mine = replace(orders, may_be_elsewhere=orders.may_be_elsewhere & names)
    return Parcel(batch, narrowed, mine)
