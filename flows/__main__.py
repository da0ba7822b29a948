"""``python -m flows`` is ``live-traffic``."""

from flows.cli import entry

entry()
