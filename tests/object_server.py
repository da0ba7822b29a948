"""moto's S3 over HTTP, one request at a time: ``python -m tests.object_server [KIND]``.

moto looks and then writes, so two writes that race could both find their condition met; a real store
is atomic, and so is this. ``forgetful`` is a store that does not know conditional writes, ``padding``
one that keeps more of a Parquet file than it was given, as if a trailing checksum were content.
"""

import io
import sys
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

CONDITIONS = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH")


class Quiet(WSGIRequestHandler):
    """Keeps connections, says nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        """Nothing."""


def forgetful(environ: dict[str, Any]) -> None:
    for name in CONDITIONS:
        environ.pop(name, None)


def padding(environ: dict[str, Any]) -> None:
    if environ["PATH_INFO"].endswith(".parquet"):
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])) + b"checksum"
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        environ.pop("HTTP_CONTENT_MD5", None)


KINDS: dict[str, Callable[[dict[str, Any]], None]] = {"forgetful": forgetful, "padding": padding}
"""What each does with a write before it keeps it."""


def one_at_a_time(app: Any, kind: str) -> Callable[..., Iterable[bytes]]:
    lock = Lock()
    change = KINDS.get(kind)

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if change is not None and environ["REQUEST_METHOD"] == "PUT":
            change(environ)
        with lock:
            return list(app(environ, start_response))

    return serve


def main() -> None:
    app = DomainDispatcherApplication(create_backend_app)
    served = one_at_a_time(app, "".join(sys.argv[1:]))
    server = make_server("127.0.0.1", 0, served, threaded=True, request_handler=Quiet)
    print(f"http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
