"""Redirects and bodies without end: with the guard the promise holds, without it it does not."""

import gzip
import tracemalloc

import pytest

from extract.exchange import Bounds, Exchange
from livetraffic.errors import ContractError, Refused
from tests.extract.scripted import TOKEN, serving, transport

MEBIBYTE = 1 << 20
SIZE = 96 * MEBIBYTE
BOUND = Bounds(body_bytes=4 * MEBIBYTE)
MOST = 24 * MEBIBYTE
"""Bytes of memory that reading up to the bound may take."""


def ask(client):
    return client.get("traffic", "/v1/p/stream/traffic", quota=300, attempts=1)


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_do_not_follow_a_redirect(monkeypatch, figures, status, guarded):
    """The portal that a redirect leads to never sees the token; requests alone would hand it over."""
    with serving((200, {}, b"{}")) as portal:
        to_portal = (status, {"Location": f"{portal.url}/login"}, b"")
        with serving(to_portal) as wire:
            client = transport(wire.url)
            if guarded:
                with pytest.raises(Refused):
                    ask(client)
            else:
                send = client._exchange._session.send
                monkeypatch.setattr(
                    client._exchange._session,
                    "send",
                    lambda request, **how: send(request, **{**how, "allow_redirects": True}),
                )
                ask(client)
            client.close()
    heard = [headers for _, _, headers, _ in portal.requests]
    assert (heard == []) is guarded
    assert any(TOKEN in headers.values() for headers in heard) is not guarded
    figures("twins", "redirects", int(not guarded))


def endless(packed):
    """An answer far beyond the bound; packed it is a hundred kilobytes."""
    body = gzip.compress(bytes(SIZE)) if packed else bytes(SIZE)
    return (200, {"Content-Encoding": "gzip"} if packed else {}, body)


def read_at_once(_exchange, raw, _started):
    """What reading is without the guard."""
    return raw.read(decode_content=True)


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip bomb"])
def test_a_body_takes_no_more_memory_than_its_bound(monkeypatch, figures, packed, guarded):
    """However large it is, and however small it was packed."""
    if not guarded:
        monkeypatch.setattr(Exchange, "_read", read_at_once)
    with serving(endless(packed)) as wire:
        client = transport(wire.url, bounds=BOUND)
        tracemalloc.start()
        try:
            if guarded:
                with pytest.raises(ContractError, match="4 MiB"):
                    ask(client)
            else:
                assert len(ask(client).body) == SIZE
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            client.close()
    assert (most < MOST) is guarded, most
    figures("twins", "bodies without end", int(not guarded))
