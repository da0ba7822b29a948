"""Connections that bring nothing but answers to their own requests.

Behind an answer there may come another that nobody asked for: a gateway and what is behind it disagree
where a request ends, or somebody wants it so. On a connection that is used again it would pass for the
answer to the next request. urllib3 gives up a connection on which something has come in the meantime, but
it does not see what the TLS layer has read already.
"""

from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse


class _Secure(HTTPSConnection):
    """One that is given up as well where the TLS layer holds bytes of nobody's."""

    @property
    def is_connected(self) -> bool:
        """Whether it may be used for another request."""
        pending = getattr(self.sock, "pending", None)
        return super().is_connected and not (pending is not None and pending())


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


_POOLS = {"http": HTTPConnectionPool, "https": _SecurePool}


class OwnAnswers(HTTPAdapter):
    """An adapter whose pools are made of such connections, with a proxy and without."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As the adapter's."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """As the adapter's."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def use_no_more(response: BaseHTTPResponse) -> None:
    """Take the socket from the connection, which makes a new one for its next request.

    For an answer that is no success: what comes behind it may come late. The answer itself can still
    be read; the socket closes when its reader does.
    """
    connection = response.connection
    if isinstance(connection, HTTPConnection) and connection.sock is not None:
        sock, connection.sock = connection.sock, None
        sock.close()
