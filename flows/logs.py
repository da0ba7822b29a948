"""The one place that configures logging: readable lines on a terminal, JSON where asked for."""

import logging
import sys
from datetime import UTC, datetime

import orjson

_OURS = ("flows", "extract", "load", "livetraffic")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure(level: str, style: str) -> None:
    """Send our loggers to standard error at this level; other libraries stay at warnings.

    Args:
        level: debug, info, warning or error.
        style: ``text`` or ``json``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Text())
    for name in _OURS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level.upper())
        logger.propagate = False


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD}


class _Text(logging.Formatter):
    """``2026-03-01T02:00:00Z warning  domain list not available  error=...``."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        facts = " ".join(f"{key}={value}" for key, value in _facts(record).items())
        line = f"{at} {record.levelname.lower():7} {record.getMessage()}"
        return f"{line}  {facts}" if facts else line


class _Json(logging.Formatter):
    """One JSON object a line: at, level, logger, event and the facts."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_facts(record),
        }
        return orjson.dumps(document, default=str).decode()
