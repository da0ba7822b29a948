"""The file of metrics: Prometheus' text format, written whole and read back.

Every series carries the label ``warehouse``, the file's name without its ending, so that the files of
several warehouses can lie in one directory.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from flows.rights import let_others_read

log = logging.getLogger(__name__)

PREFIX = "live_traffic_"
Series = dict[tuple[tuple[str, str], ...], float]
"""The values of one metric by their labels, without the one of the warehouse."""

GAUGES = {
    "domains": "Domains of which the source still offers something.",
    "coverage_ratio": "Points read, of those that the source still offers; 1 when none is missing.",
    "settled_ratio": "Points read long enough after their end, of those that the source still offers.",
    "missing_points": "Points that the source still offers and that were not read.",
    "complete_until_timestamp_seconds": "Everything before this instant is settled.",
    "oldest_gap_expires_timestamp_seconds": "When the source forgets the first point not yet read.",
    "oldest_gap_expires_seconds": "The same as seconds after the end of the last run.",
    "domain_coverage_ratio": "As coverage_ratio, of one domain.",
    "domain_complete_until_timestamp_seconds": "As complete_until, of one domain.",
    "last_run_timestamp_seconds": "When the last run ended, however it ended.",
    "last_success_timestamp_seconds": "When a run last ended with exit code 0.",
    "last_run_exit_code": "Exit code of the last run.",
    "last_run_duration_seconds": "How long the last run took.",
    "last_run_failed_slices": "Windows of single domains that the last run could not read.",
    "last_run_differing_sums": "Sums of the last run that differ from the source's own.",
    "build_info": "The version that wrote this file.",
}
COUNTERS = {
    "runs": "Runs that ended, by exit code.",
    "requests": "Requests sent, by operation and HTTP status (or what came in its place).",
    "rows": "Points read, by what became of them.",
    "revisions": "Stored values that the source changed.",
    "failed_slices": "Windows of single domains that could not be read.",
    "lost_points": "Points that expired at the source before they were read.",
}


def write(path: Path, gauges: Mapping[str, Series], counts: Mapping[str, Series]) -> None:
    """Replace the file; where it cannot be written that is logged, and nothing else happens."""
    registry = CollectorRegistry()
    registry.register(_Families(path.stem, gauges, counts))
    try:
        write_to_textfile(str(path), registry)
        let_others_read(path)
    except OSError as error:
        reason = error.strerror or str(error)
        log.warning("the metrics were not written", extra={"file": str(path), "error": reason})


def read(path: Path) -> dict[str, Series]:
    """What the file says, by name without prefix; nothing where there is none or it is damaged."""
    found: dict[str, Series] = {}
    try:
        for family in text_string_to_metric_families(path.read_text("utf-8")):
            for sample in family.samples:
                labels = {k: v for k, v in sample.labels.items() if k != "warehouse"}
                name = sample.name.removeprefix(PREFIX).removesuffix("_total")
                found.setdefault(name, {})[tuple(sorted(labels.items()))] = sample.value
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("the counters begin anew", extra={"file": str(path), "error": str(error)})
        return {}
    return found


class _Families(Collector):
    """Gauges and counters as Prometheus' client wants them."""

    def __init__(
        self, warehouse: str, gauges: Mapping[str, Series], counts: Mapping[str, Series]
    ) -> None:
        self._warehouse, self._gauges, self._counts = warehouse, gauges, counts

    def collect(self) -> Iterable[Metric]:
        """Every family that has a series, in the order of its definition."""
        for name, meaning in GAUGES.items():
            gauge = GaugeMetricFamily(PREFIX + name, meaning)
            yield from self._filled(gauge, self._gauges.get(name, {}))
        for name, meaning in COUNTERS.items():
            counter = CounterMetricFamily(PREFIX + name, meaning)
            yield from self._filled(counter, self._counts.get(name, {}))

    def _filled(self, family: Metric, series: Series) -> Iterator[Metric]:
        suffix = "_total" if family.type == "counter" else ""
        for labels, value in series.items():
            named = {**dict(labels), "warehouse": self._warehouse}
            family.add_sample(f"{family.name}{suffix}", named, value)
        if series:
            yield family
