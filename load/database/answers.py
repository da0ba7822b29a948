"""What a database answers to a statement that a user typed, as an Arrow table like every sink's."""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pyarrow as pa

from livetraffic.errors import ConfigError
from livetraffic.table import TABLES, Kind
from load.arrow import MICROSECONDS
from load.database.failure import first_line

PIECE = 10_000
"""Rows that are turned into Arrow's values at once."""

REMEDY = "Give one SELECT, WITH or EXPLAIN."
BOOLEANS = frozenset({"complete", "agrees"})
"""Columns of the views that are true or false, for databases that only know 0 and 1."""

_WIDE = pa.decimal128(38, 0)
_UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANTS = frozenset(
    {
        "newest_point",
        "settled_since",
        "settled_until",
        "last_read_at",
        "known_from",
        "known_until",
    }
) | {column.name for table in TABLES for column in table.columns if column.kind is Kind.TIMESTAMP}

_BLANK = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|\Z)|/\*(?![!M]).*?\*/)*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z]*")
_EXPLAIN = re.compile(r"explain\s*(?:\([^()]*\)\s*|(?:analyze|verbose)\s+)*", re.IGNORECASE)

Reading = Callable[[Sequence[Any]], Any]
"""One column's values, as the driver gives them, to an Arrow array."""


def check_speakable(statement: str) -> None:
    """Refuse what no database could be told.

    Raises:
        ConfigError: the statement holds a NUL or half a character.
    """
    if _UNSPEAKABLE.search(statement):
        raise ConfigError("The statement holds characters that no text has.", REMEDY)


def first_word(statement: str) -> str:
    """The word a statement begins with, in lower case, after blanks, comments and parentheses."""
    word = _WORD.match(statement, _begin(statement))
    return word.group().lower() if word is not None else ""


def explained(statement: str) -> str:
    """What an EXPLAIN is asked about, which it may run; another statement as it is."""
    found = _EXPLAIN.match(statement, _begin(statement))
    return statement if found is None else statement[found.end() :]


def _begin(statement: str) -> int:
    blank = _BLANK.match(statement)
    return 0 if blank is None else blank.end()


def not_reading() -> ConfigError:
    """The error for a statement that would do something."""
    return ConfigError(
        "That statement does more than read the warehouse's tables and views.", REMEDY
    )


def not_one() -> ConfigError:
    """The error for several statements, or none."""
    return ConfigError("One statement at a time.", REMEDY)


def refused(error: BaseException) -> ConfigError:
    """The database's complaint about a statement as it is written."""
    return ConfigError(
        f"{first_line(error)}.", "`SELECT * FROM traffic_daily LIMIT 1` shows a view's columns."
    )


def assembled(
    columns: Sequence[tuple[str, Reading]], batches: Iterable[Sequence[Sequence[Any]]]
) -> pa.Table:
    """The rows as a table; sums are int64 where every value fits.

    Args:
        columns: name and reading of each.
        batches: rows, some at a time.
    """
    chunks: list[list[Any]] = [[] for _ in columns]
    for rows in batches:
        for place, values in enumerate(zip(*rows, strict=True)):
            chunks[place].append(columns[place][1](values))
    arrays = [
        _joined(found or [reading(())]) for found, (_, reading) in zip(chunks, columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, names=[name for name, _ in columns])


def _joined(chunks: list[Any]) -> Any:
    kind: Any = _common([chunk.type for chunk in chunks])
    joined = pa.chunked_array([_cast(chunk, kind) for chunk in chunks], kind)
    if kind == _WIDE:
        with suppress(pa.ArrowInvalid):
            return joined.cast(pa.int64())
    return joined


def _common(kinds: list[pa.DataType]) -> pa.DataType:
    """The one type for chunks that were typed one by one."""
    some = [kind for kind in dict.fromkeys(kinds) if not pa.types.is_null(kind)]
    if not some:
        return pa.null()
    if len(some) == 1:
        return some[0]
    numbers = {pa.int64(), pa.float64(), _WIDE, pa.bool_()}
    if not numbers.issuperset(some):
        return pa.string()
    return pa.float64() if pa.float64() in some else _WIDE if _WIDE in some else pa.int64()


def _cast(chunk: Any, kind: pa.DataType) -> Any:
    if chunk.type == MICROSECONDS and kind == pa.string():
        chunk = chunk.cast(pa.timestamp("us"))
    return chunk.cast(kind)


def of_type(kind: pa.DataType) -> Reading:
    """A reading of values that all have one type."""
    return lambda values: pa.array(values, kind)


def integers(values: Sequence[Any]) -> Any:
    """Whole numbers, of up to 38 digits where 64 bits are not enough."""
    try:
        return pa.array(values, pa.int64())
    except (OverflowError, pa.ArrowInvalid):
        return pa.array([None if v is None else Decimal(v) for v in values], _WIDE)


def numbers(values: Sequence[Any]) -> Any:
    """Decimals: whole ones as whole numbers, others as floating ones (averages, shares)."""
    if all(v is None or (v.is_finite() and v.as_tuple().exponent >= 0) for v in values):
        try:
            return pa.array(values, _WIDE)
        except pa.ArrowInvalid:
            pass
    return pa.array([None if v is None else float(v) for v in values], pa.float64())


def instants(values: Sequence[Any]) -> Any:
    """Datetimes with a zone, or without one in UTC."""
    return pa.array(values, MICROSECONDS)


def words(values: Sequence[Any]) -> Any:
    """Text, or bytes where they are no text."""
    plain = all(value is None or isinstance(value, str) for value in values)
    return pa.array(values, pa.string()) if plain else anything(values)


def flags(values: Sequence[Any]) -> Any:
    """0 and 1 as false and true."""
    return pa.array([None if v is None else bool(v) for v in values], pa.bool_())


def anything(values: Sequence[Any]) -> Any:
    """Values of a type that needs no care, else their text."""
    try:
        found = pa.array(values)
    except (pa.ArrowException, OverflowError):
        return _texts(values)
    return found if found.type != pa.decimal128(1, 0) else numbers(values)


def _texts(values: Sequence[Any]) -> Any:
    return pa.array([None if v is None else str(v) for v in values], pa.string())


def by_look(name: str) -> Reading:
    """A reading for SQLite, which types values, not columns: by their look, else by the name."""

    def read(values: Sequence[Any]) -> Any:
        kinds = {type(value) for value in values} - {type(None)}
        if not kinds:
            return pa.array(values, _named(name))
        if kinds == {str}:
            return _moments(values)
        if kinds == {int}:
            return flags(values) if name in BOOLEANS else pa.array(values, pa.int64())
        if kinds <= {int, float}:
            return pa.array(values, pa.float64())
        return pa.array(values, pa.binary()) if kinds == {bytes} else _texts(values)

    return read


def _moments(values: Sequence[Any]) -> Any:
    texts = pa.array(values, pa.string())
    if all(v is None or _STAMP.fullmatch(v) for v in values):
        return _or_texts(texts, pa.timestamp("us"), MICROSECONDS)
    if all(v is None or _DATE.fullmatch(v) for v in values):
        return _or_texts(texts, pa.date32(), pa.date32())
    return texts


def _or_texts(texts: Any, first: pa.DataType, then: pa.DataType) -> Any:
    try:
        return texts.cast(first).cast(then)
    except pa.ArrowInvalid:
        return texts


def _named(name: str) -> pa.DataType:
    if name in BOOLEANS:
        return pa.bool_()
    if name in _INSTANTS:
        return MICROSECONDS
    return pa.date32() if name == "local_date" else pa.null()
