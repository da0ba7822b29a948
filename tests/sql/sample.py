"""The sample warehouse of docs/ten-questions.md: three domains, two months and a few days, one hole.

Every value is whole-number arithmetic on the point's place in the calendar, so that any engine and any
machine holds the same.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from tests.sql.local_grid import Row, months
from tests.sql.warehouses import Tables

STEP = 300
ZONE = "Asia/Shanghai"
SETTLES_AFTER = 86400
FIRST = datetime(2025, 12, 31, 16, tzinfo=UTC)
"""Local midnight of 1 January 2026."""
LAST = datetime(2026, 3, 3, 16, tzinfo=UTC)
"""Local midnight after 3 March: what the newest run had read."""
HOLE = (datetime(2026, 2, 11, 2, tzinfo=UTC), datetime(2026, 2, 11, 5, tzinfo=UTC))
"""10:00 to 13:00 local time, never read of ``vod``."""
IDLE_SINCE = "2026-02-09"
EVENING = (0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 4, 5, 6, 5, 5, 5, 6, 7, 9, 12, 14, 13, 8, 3)
"""Traffic of a local day, by hour."""


@cache
def tables() -> Tables:
    """All tables, as ``tests.sql.engines`` takes them."""
    grid = months(ZONE, "2026-01", "2026-03", STEP, SETTLES_AFTER)
    traffic = [
        _point(domain, row) for domain in ("live", "old", "vod") for row in _stored(grid, domain)
    ]
    return {
        "warehouse": [{
            "format_version": 2, "step_seconds": STEP, "timezone": ZONE,
            "settle_after_seconds": SETTLES_AFTER,
        }],
        "calendar": grid,
        "traffic": traffic,
        "domains": [_domain(name) for name in ("live", "old", "vod")],
        "load_ledger": [entry for name in ("live", "old", "vod") for entry in _ledger(name)],
        "traffic_revisions": list(_revisions()),
    }  # fmt: skip


def _name(domain: str) -> str:
    return f"{domain}.example.com"


def _stored(grid: tuple[Row, ...], domain: str) -> list[Row]:
    return [
        row
        for row in grid
        if FIRST <= row["timestamp"] < LAST  # type: ignore[operator]
        and not (domain == "vod" and HOLE[0] <= row["timestamp"] < HOLE[1])  # type: ignore[operator]
    ]


def _point(domain: str, row: Row) -> Row:
    return {
        "domain": _name(domain),
        "timestamp": row["timestamp"],
        "traffic_bytes": _bytes(domain, row),
        "source": "v1",
        "loaded_at": LAST,
    }


def _bytes(domain: str, row: Row) -> int:
    hour, day, ordinal = (
        int(str(row["local_hour"])),
        str(row["local_date"]),
        int(str(row["ordinal"])),
    )
    ripple = ordinal * 7919 % 1000
    weekend = row["local_date"].weekday() >= 5  # type: ignore[attr-defined]
    if domain == "live":
        grown = 125 if day >= "2026-02" else 100
        return (EVENING[hour] * 40_000_000 + ripple * 30_000) * grown // 100 * (3 if weekend else 2)
    if domain == "vod":
        # On one evening everybody watches the same film.
        film = 12 if day == "2026-02-17" and 19 <= hour < 22 else 1
        return (120_000_000 + EVENING[23 - hour] * 9_000_000 + ripple * 20_000) * film
    return 0 if day >= IDLE_SINCE else 15_000_000 + ripple * 1_000


def _domain(domain: str) -> Row:
    return {
        "domain": _name(domain), "domain_type": "pull", "status": "on", "api": "v1",
        "first_seen": FIRST, "last_seen": LAST, "account": "default",
    }  # fmt: skip


def _ledger(domain: str) -> list[Row]:
    """A read of the evening after the last day; what is younger than a day is provisional."""
    whole = [(FIRST, HOLE[0]), (HOLE[1], LAST)] if domain == "vod" else [(FIRST, LAST)]
    holes = [HOLE] if domain == "vod" else []
    return [_entry(domain, *span, "read") for span in whole] + [
        _entry(domain, *span, "failed") for span in holes
    ]


def _entry(domain: str, start: datetime, end: datetime, state: str) -> Row:
    points = int((end - start) / timedelta(seconds=STEP))
    return {
        "domain": _name(domain), "window_start": start, "window_end": end, "state": state,
        "points": points if state == "read" else 0, "expected_points": points, "source": "v1",
        "account": "default", "fetched_at": LAST + timedelta(minutes=20),
    }  # fmt: skip


def _revisions() -> list[dict[str, Any]]:
    """Two days that the source corrected a week later."""
    corrected = [("live", datetime(2026, 2, 3, 12, tzinfo=UTC), 3, 5_000_000),
                 ("vod", datetime(2026, 2, 3, 13, tzinfo=UTC), 2, -1_250_000),
                 ("live", datetime(2026, 2, 20, 1, tzinfo=UTC), 1, 700_001)]  # fmt: skip
    return [
        {
            "domain": _name(domain), "timestamp": start + timedelta(seconds=STEP * number),
            "revised_at": start + timedelta(days=7), "old_bytes": 1_000_000_000,
            "new_bytes": 1_000_000_000 + change, "old_loaded_at": start + timedelta(days=1),
        }
        for domain, start, count, change in corrected for number in range(count)
    ]  # fmt: skip
