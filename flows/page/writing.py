"""The page itself: one file that holds all it needs, and may run nothing but what was put there."""

import base64
import hashlib
import os
import tempfile
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import orjson

from flows.page import amounts, cards, tables
from flows.page.days import STATES
from flows.page.drawing import drawing
from flows.page.plotting import vega
from flows.page.subject import EXPIRING_DAYS, Subject
from flows.page.words import TAGS, Words
from flows.terminal import local
from livetraffic.errors import ConfigError
from livetraffic.instants import duration_text

_BREAKS_OUT = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def render(subject: Subject, words: Words, warehouse: str) -> str:
    """The whole page as text.

    Args:
        warehouse: its place as people may see it.
    """
    scripts = (vega(), _own_script("chart.js", "page.js"))
    data = orjson.dumps(drawing(subject, words)).decode()
    for sign, escaped in _BREAKS_OUT.items():
        data = data.replace(sign, escaped)
    return _template(subject.period.zone.key).render(
        s=subject,
        w=words,
        tag=TAGS[words.language],
        cards=cards.cards(subject, words),
        alerts=cards.alerts(subject, words),
        no_bandwidth=cards.why_no_bandwidth(subject, words),
        scope=cards.scope(subject, words),
        tables=tables,
        ranking=tables.ranking(subject),
        days=tables.day_rows(subject),
        week=tables.week(subject),
        states=STATES,
        expiring_days=EXPIRING_DAYS,
        settle=duration_text(subject.settle_after),
        made=local(subject.now, subject.period.zone),
        version=version("live-traffic"),
        warehouse=warehouse,
        style=_asset("page.css"),
        scripts=scripts,
        policy=_policy(scripts),
        data=data,
    )


def write(text: str, path: Path) -> int:
    """Write the page, whole or not at all; its size in bytes.

    Raises:
        ConfigError: the path cannot be written.
    """
    content = text.encode()
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise ConfigError(
            f"--output {path} cannot be written: {error.strerror or error}.",
            "Give a file in a directory that exists and is writable.",
        ) from error
    return len(content)


@cache
def _asset(name: str) -> str:
    return files("flows.page").joinpath("assets", name).read_text("utf-8")


def _own_script(*names: str) -> str:
    """Our files one after the other, in a scope of their own."""
    return '"use strict";\n(() => {\n' + "".join(map(_asset, names)) + "})();\n"


def _policy(scripts: tuple[str, ...]) -> str:
    """Only our own scripts may run, and nothing may be fetched."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _template(zone: str) -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "bytes": amounts.bytes_text,
        "bandwidth": amounts.bandwidth_text,
        "local": _local_in(zone),
    }
    return environment.from_string(_asset("page.html.jinja"))


def _local_in(zone: str) -> Any:
    from zoneinfo import ZoneInfo

    known = ZoneInfo(zone)
    return lambda seconds: local(seconds, known)
