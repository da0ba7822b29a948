"""The comparison of stored sums with the source's own, one row of ``reconciliations`` each."""

from typing import NamedTuple

AGREES, DIFFERS, UNTRACKED = "agrees", "differs", "untracked"
DOMAIN, TENANT = "domain", "tenant"
EVERY_DOMAIN = "*"


class Reconciliation(NamedTuple):
    """One comparison; instants are seconds since the epoch, UTC, sums are bytes."""

    checked_at: int
    run_id: str
    kind: str
    domain: str
    window_start: int
    window_end: int
    source: str
    account: str
    stored_bytes: int
    source_bytes: int
    difference_bytes: int
    tolerance_bytes: int
    state: str
    detail: str = ""
