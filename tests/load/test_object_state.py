"""Which runs on an object store wait for the window of another machine's last request."""

import pytest

from flows.object_store import QUIET_S, object_sink
from flows.settings import Settings


@pytest.mark.parametrize(
    ("state", "quiet"),
    [(None, QUIET_S), ("/tmp/x.sqlite", QUIET_S), ("postgresql://h/d", 0), ("mysql://h/d", 0)],
)
def test_only_a_state_that_machines_share_spares_the_wait(state, quiet):
    """A file is known to its own machine only."""
    sink = object_sink("s3://bucket/p", Settings(warehouse="s3://bucket/p", state=state))
    assert sink._home._leases._quiet == quiet
