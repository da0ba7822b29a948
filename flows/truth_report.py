"""Revisions and reconciliations for people, and their JSON documents."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from flows.restatements import Revision
from flows.summary import reconciliation_document
from flows.terminal import MOST_ROWS, bytes_text, console_of, local, more, table_of
from livetraffic.reconciliation import AGREES, EVERY_DOMAIN, UNTRACKED, Reconciliation
from livetraffic.window import from_seconds, instant_text

if TYPE_CHECKING:
    from flows.settings import Settings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def revisions_document(found: Iterable[Revision]) -> dict[str, Any]:
    """The JSON document of ``revisions``."""
    return {
        "revisions": [
            {
                "domain": item.domain,
                "timestamp": instant_text(item.timestamp),
                "revised_at": f"{_EPOCH + timedelta(microseconds=item.revised_at):%Y-%m-%dT%H:%M:%S.%fZ}",
                "old_bytes": item.old_bytes,
                "new_bytes": item.new_bytes,
                "run_id": item.run_id,
            }
            for item in found
        ]
    }


def show_revisions(found: Iterable[Revision], since: int, zone: ZoneInfo) -> None:
    """One line a domain and local day: how many values changed, and by how much together."""
    console = console_of()
    points: Counter[tuple[str, str]] = Counter()
    change: Counter[tuple[str, str]] = Counter()
    for item in found:
        day = from_seconds(item.timestamp).astimezone(zone).strftime("%Y-%m-%d")
        points[day, item.domain] += 1
        change[day, item.domain] += item.new_bytes - item.old_bytes
    if not points:
        console.print(f"Nothing that was published has changed since {local(since, zone)}.")
        return
    table = table_of("day", "domain", "values", "bytes", right=("values", "bytes"))
    for day, domain in sorted(points)[:MOST_ROWS]:
        table.add_row(day, domain, f"{points[day, domain]:,}", f"{change[day, domain]:+,}")
    console.print(table)
    if len(points) > MOST_ROWS:
        console.print(more(len(points)))
    console.print(
        f"{sum(points.values()):,} values changed since {local(since, zone)} {zone.key}, "
        f"by {bytes_text(sum(change.values()))} together."
    )


def reconciliations_document(found: Sequence[Reconciliation]) -> dict[str, Any]:
    """The JSON document of ``reconcile``."""
    return {"reconciliations": [reconciliation_document(item) for item in found]}


def show_reconciliations(found: Sequence[Reconciliation], settings: "Settings") -> None:
    """What does not agree, and how much does."""
    console, zone = console_of(), settings.zone
    if not found:
        console.print("Nothing has settled that could be compared. Run live-traffic nightly first.")
        return
    bad = [item for item in found if item.state != AGREES]
    for item in bad[:MOST_ROWS]:
        console.print(sentence(item, zone), style="red", markup=False)
    if len(bad) > MOST_ROWS:
        console.print(more(len(bad)))
    total = sum(item.source_bytes for item in found)
    console.print(
        f"{len(found) - len(bad)} of {len(found)} sums agree with the source's own "
        f"({total:,} bytes, {bytes_text(total)}), to {settings.reconcile_tolerance} byte(s) a point."
    )


def sentence(item: Reconciliation, zone: ZoneInfo) -> str:
    """One comparison in words."""
    who = f"account {item.account}" if item.domain == EVERY_DOMAIN else item.domain
    window = f"{local(item.window_start, zone)} .. {local(item.window_end, zone)}"
    said = f"{item.state}  {who}  {window}  {item.difference_bytes:+,} bytes"
    if item.state == UNTRACKED:
        said += ": the account served more than its kept domains did"
    return f"{said} ({item.detail})" if item.detail else said
