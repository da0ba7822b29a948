"""``warehouse.json``: what the warehouse was made with."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from livetraffic.errors import ConfigError, SinkError, WarehouseMismatch
from livetraffic.table import WAREHOUSE, Table
from load.failure import damaged, reading

NAME = "warehouse.json"
FORMAT_VERSION = 2


@dataclass(frozen=True, slots=True)
class Made:
    """What a warehouse was made with; durations in seconds."""

    step: int
    timezone: str
    settle_after: int
    version: int = FORMAT_VERSION
    """Of its format, as it is found now."""

    @property
    def zone(self) -> ZoneInfo:
        """The business time zone."""
        return ZoneInfo(self.timezone)

    def encoded(self) -> bytes:
        """The content of ``warehouse.json``."""
        values = (FORMAT_VERSION, self.step, self.timezone, self.settle_after)
        named = dict(zip(WAREHOUSE.column_names, values, strict=True))
        return f"{json.dumps(named, indent=2)}\n".encode()


def asked(step: int, timezone: str, settle_after: int) -> Made:
    """The settings of a run, checked.

    Raises:
        ConfigError: the step or the age is not positive, or the zone is unknown.
    """
    if step <= 0 or settle_after < 0:
        raise ConfigError(
            f"A step of {step} s that settles after {settle_after} s is not possible.",
            "Give a positive LIVE_TRAFFIC_STEP_MINUTES and LIVE_TRAFFIC_SETTLE_AFTER.",
        )
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"{timezone!r} is not a time zone.",
            "Give an IANA name such as Asia/Shanghai in LIVE_TRAFFIC_TIMEZONE.",
        ) from error
    return Made(step, timezone, settle_after)


def found(root: Path) -> Made | None:
    """What the warehouse at ``root`` was made with; None where there is none.

    Raises:
        ConfigError: ``root`` is not a directory, or a newer version made the warehouse.
        SinkError: the file cannot be read or is not ours.
    """
    try:
        return read(root / NAME)
    except ConfigError as error:
        if root.is_dir():
            raise
        raise ConfigError(f"{root} is not a directory.", error.remedy) from error


def read(path: Path) -> Made | None:
    """What the file at ``path`` says; None where there is none.

    Raises:
        ConfigError: a newer version made the warehouse.
        SinkError: the file cannot be read or is not ours.
    """
    try:
        with reading(path):
            content = path.read_bytes()
    except FileNotFoundError:
        return None
    return _decoded(path, content)


def existing(place: object, made: Made | None) -> Made:
    """What was found at ``place``, where there must be a warehouse."""
    if made is None:
        raise SinkError(
            f"There is no warehouse in {place}.", "Make one with `live-traffic backfill`."
        )
    return made


def check_same(place: object, made: Made, wanted: Made) -> None:
    """Refuse to work with another step or zone than the warehouse at ``place`` was made with.

    Raises:
        WarehouseMismatch: it was made with another.
    """
    if made.step != wanted.step:
        raise WarehouseMismatch(
            f"The warehouse {place} holds a step of {made.step} s, the settings ask for"
            f" {wanted.step} s.",
            f"Set LIVE_TRAFFIC_STEP_MINUTES to {made.step // 60}, or name another warehouse.",
        )
    if made.timezone != wanted.timezone:
        raise WarehouseMismatch(
            f"The warehouse {place} has the time zone {made.timezone}, the settings ask for"
            f" {wanted.timezone}.",
            f"Set LIVE_TRAFFIC_TIMEZONE to {made.timezone}, or name another warehouse.",
        )


def _decoded(path: Path, content: bytes) -> Made:
    try:
        values = json.loads(content)
    except ValueError as error:
        raise damaged(path, "it is not JSON") from error
    if not isinstance(values, dict):
        raise damaged(path, "it is not an object")
    return checked_facts(path, *(values.get(name) for name in WAREHOUSE.column_names))


def checked_facts(place: Path, version: Any, step: Any, timezone: Any, settle_after: Any) -> Made:
    """What the warehouse at ``place`` says it was made with, in the order of its table.

    Raises:
        ConfigError: a newer version made it.
        SinkError: a value is not possible.
    """
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ConfigError(
            f"{place} has format version {version}; this live-traffic knows {FORMAT_VERSION}.",
            "Use the version of live-traffic that made the warehouse, or a newer one.",
        )
    if not all(map(_whole, (version, step, settle_after))) or version < 1:
        raise damaged(place, "a value is missing or of the wrong type")
    try:
        return replace(asked(step, str(timezone), settle_after), version=version)
    except ConfigError as error:
        raise damaged(place, error.message) from error


def check_moved(place: object, made: Made, table: Table) -> None:
    """Refuse what a table of an older format cannot answer, nor take.

    Raises:
        ConfigError: the table, or a column of it, came with a later version than the warehouse's.
    """
    if max(table.since, *(column.since for column in table.columns)) > made.version:
        raise ConfigError(
            f"The warehouse {place} has format version {made.version}, without today's"
            f" {table.name}; the next run moves it to version {FORMAT_VERSION}.",
            "Run `live-traffic nightly` once.",
        )


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
