"""When a server that says nothing more counts as gone: no power, or a firewall that forgot it.

Without this a statement would wait for hours (Linux asks after two), and the run lock with it.
"""

import socket

CONNECT_S = 10
"""So long may a connection take, with all that is said before the first statement."""
IDLE_S = 60
"""After so long without a word the system asks whether the other side is there."""
INTERVAL_S = 15
COUNT = 4
"""So often, so far apart, before the connection counts as lost."""
UNANSWERED_S = 180
"""So long may what was sent stay unacknowledged by the other system, however busy its server is."""

_OPTIONS = {
    "TCP_KEEPIDLE": IDLE_S,
    "TCP_KEEPALIVE": IDLE_S,  # as macOS calls it
    "TCP_KEEPINTVL": INTERVAL_S,
    "TCP_KEEPCNT": COUNT,
    "TCP_USER_TIMEOUT": UNANSWERED_S * 1000,
}
SOCKET_OPTIONS = {
    getattr(socket, name): value for name, value in _OPTIONS.items() if hasattr(socket, name)
}
"""Of TCP, as this system has them; ``SO_KEEPALIVE`` itself is switched on by the drivers."""
