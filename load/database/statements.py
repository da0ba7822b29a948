"""The statements of ``sql/database`` in a dialect, ready to be executed."""

import re
from functools import cache

from sqlalchemy import TextClause, text

import sql

_COMMENT = re.compile(r"--[^\n]*\n")


@cache
def statement(name: str, dialect: str) -> TextClause:
    """One statement of ``sql/database``; the dialect's own where there is one."""
    return text(_COMMENT.sub("", sql.statement(f"database/{name}", dialect)))
