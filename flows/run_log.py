"""A run told in a log, line by line, as an orchestrator's UI shows it."""

import logging
from collections.abc import Sequence

from flows.outlook import Outlook
from flows.progress import Progress
from flows.summary import EXIT_OK, BatchReceipt, RunSummary
from livetraffic.plan import Batch
from livetraffic.reconciliation import AGREES

MOST = 20
"""Lines about one kind of trouble."""

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]


class Logged:
    """Tells what a run does to a log, and passes everything on to whoever else watches."""

    def __init__(self, log: Log, watcher: Progress) -> None:
        self._log = log
        self._watcher = watcher

    def planned(self, outlook: Outlook, batches: Sequence[Batch]) -> None:
        """As ``Progress.planned``."""
        self._log.info(
            "%s requests due for %s domains, in %s batches",
            len(outlook.slices),
            len({item.domain for item in outlook.slices}),
            len(batches),
        )
        self._watcher.planned(outlook, batches)

    def slice_done(self, rows: int, *, failed: bool) -> None:
        """As ``Progress.slice_done``."""
        self._watcher.slice_done(rows, failed=failed)

    def batch_done(self, batch: Batch, receipt: BatchReceipt) -> None:
        """As ``Progress.batch_done``."""
        self._log.log(
            logging.WARNING if receipt.slices_failed else logging.INFO,
            "%s: %s points, %s new, %s changed, %s slices failed",
            batch,
            f"{receipt.rows_fetched:,}",
            f"{receipt.written.inserted:,}",
            f"{receipt.written.updated:,}",
            receipt.slices_failed,
        )
        self._watcher.batch_done(batch, receipt)


def tell(log: Log, summary: RunSummary) -> None:
    """How the run ended: one line, and one for each thing that someone should look at."""
    log.log(logging.INFO if summary.exit_code == EXIT_OK else logging.WARNING, summary.headline())
    for item in summary.lost[:MOST]:
        log.error("Lost: %s %s expired before it was read", item.domain, item.window)
    for item in summary.at_risk[:MOST]:
        log.error("Will be lost within 48 h: %s %s", item.domain, item.window)
    for failed in summary.batches.failed[:MOST]:
        log.warning("Failed: %s %s: %s", failed.slice.domain, failed.slice.window, failed.error)
    for account, error in summary.failed_accounts.items():
        log.warning("Account %s could not be read: %s", account, error)
    for sums in summary.reconciled:
        if sums.state != AGREES:
            log.warning(
                "Sum %s: %s, %s bytes", sums.state, sums.domain, f"{sums.difference_bytes:+,}"
            )
