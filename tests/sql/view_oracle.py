"""What every view should answer, worked out point by point with plain dicts and whole numbers."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

Row = dict[str, Any]
Rows = list[Row]


@dataclass
class Oracle:
    """The answers for one warehouse; tables are lists of dicts with datetimes in UTC."""

    calendar: Rows
    traffic: Rows
    load_ledger: Rows
    domains: Rows
    step: int
    revisions: Rows = field(default_factory=list)
    checks: Rows = field(default_factory=list)
    _states: dict[tuple[str, datetime], str] = field(default_factory=dict)
    _asked: set[tuple[str, datetime]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.points = {row["timestamp"]: row for row in self.calendar}
        self.listed = {row["domain"]: row for row in self.domains}
        self.counting = [part for entry in self.load_ledger for part in self._counted(entry)]
        self.speaking = sorted({entry["domain"] for entry in self.counting})
        for domain in self.speaking:
            self._judge(domain)

    def _counted(self, entry: Row) -> Rows:
        """The entry as far as its API serves the domain, point by point; nothing where never."""
        facts = self.listed.get(entry["domain"])
        if facts is None or not facts["api"]:
            return [entry]
        step = timedelta(seconds=self.step)
        points = range(int((entry["window_end"] - entry["window_start"]) / step))
        served = [
            point
            for point in (entry["window_start"] + number * step for number in points)
            if entry["source"] == self._api(facts, point)
        ]
        if not served:
            return []
        return [{**entry, "window_start": served[0], "window_end": served[-1] + step}]

    @staticmethod
    def _api(facts: Row, point: datetime) -> str:
        moved = facts["moved_at"]
        if moved is not None and point < moved and facts["previous_api"]:
            return str(facts["previous_api"])
        return str(facts["api"])

    def _judge(self, domain: str) -> None:
        entries = [entry for entry in self.counting if entry["domain"] == domain]
        reach = max(entry["window_end"] for entry in self.load_ledger)
        first = min(entry["window_start"] for entry in entries)
        last = max(entry["window_end"] for entry in entries)
        if domain in self.listed:
            last = max(last, min(reach, self.listed[domain]["last_seen"]))
        for point, row in self.points.items():
            over = [e for e in entries if e["window_start"] <= point < e["window_end"]]
            self._states[domain, point] = self._state(domain, point, row, over, reach)
            if first <= point < last:
                self._asked.add((domain, point))

    def _state(self, domain: str, point: datetime, row: Row, over: Rows, reach: datetime) -> str:
        states = {entry["state"] for entry in over}
        if any(e["state"] == "read" and e["fetched_at"] >= row["settles_at"] for e in over):
            return "settled"
        if "read" in states:
            return "provisional"
        if not self._owed(domain, point):
            return "not owed"
        for state in ("lost", "gone"):
            if state in states:
                return state
        return "ahead" if point >= reach else "open"

    def _owed(self, domain: str, point: datetime) -> bool:
        facts = self.listed.get(domain)
        if facts is None:
            return True
        if facts["create_time"] is not None and point < facts["create_time"]:
            return False
        if facts["unlisted_since"] is None:
            return True
        seconds = int(facts["last_seen"].timestamp())
        return point < datetime.fromtimestamp(seconds - seconds % self.step, UTC)

    def _count(self, domain: str, points: Iterable[datetime]) -> defaultdict[str, int]:
        counts: defaultdict[str, int] = defaultdict(int)
        for point in points:
            counts[self._states.get((domain, point), "open")] += 1
        return counts

    def _by(self, *names: str) -> dict[tuple[Any, ...], list[datetime]]:
        found: defaultdict[tuple[Any, ...], list[datetime]] = defaultdict(list)
        for point, row in self.points.items():
            found[tuple(row[name] for name in names)].append(point)
        return found

    def _stored(self) -> dict[tuple[str, datetime], int]:
        return {(row["domain"], row["timestamp"]): row["traffic_bytes"] for row in self.traffic}

    def _traffic(self, *names: str) -> Rows:
        answer = []
        stored = self._stored()
        for domain in sorted({name for name, _ in stored}):
            for key, points in self._by(*names).items():
                values = [stored[domain, p] for p in points if (domain, p) in stored]
                if not values:
                    continue
                counts = self._count(domain, points)
                owed = len(points) - counts["not owed"]
                if names == ("local_month",) and not any(
                    (domain, p) in self._asked for p in points
                ):
                    owed = len(points)  # no entry that counts speaks of the month
                expected = max(owed, len(values))
                answer.append(
                    {
                        "domain": domain,
                        **dict(zip(names, key, strict=True)),
                        "traffic_bytes": sum(values),
                        "points": len(values),
                        "expected_points": expected,
                        "complete": counts["settled"] == expected,
                    }
                )
        return answer

    def traffic_hourly(self) -> Rows:
        """As the view."""
        return self._traffic("local_date", "local_hour", "hour_start")

    def traffic_daily(self) -> Rows:
        """As the view."""
        return self._traffic("local_date")

    def traffic_monthly(self) -> Rows:
        """As the view."""
        return self._traffic("local_month")

    def domain_ranking(self) -> Rows:
        """As the view."""
        months = self.traffic_monthly()
        answer = []
        for row in months:
            same = [m["traffic_bytes"] for m in months if m["local_month"] == row["local_month"]]
            answer.append(
                {
                    "domain": row["domain"],
                    "local_month": row["local_month"],
                    "traffic_bytes": row["traffic_bytes"],
                    "rank": 1 + sum(value > row["traffic_bytes"] for value in same),
                    "share": row["traffic_bytes"] / sum(same) if sum(same) else 0.0,
                    "complete": row["complete"],
                }
            )
        return answer

    def coverage_daily(self) -> Rows:
        """As the view."""
        answer = []
        for domain in self.speaking:
            for (day,), points in self._by("local_date").items():
                counts = self._count(domain, points)
                expected = len(points) - counts["not owed"]
                if expected and any((domain, point) in self._asked for point in points):
                    answer.append(self._covered(domain, day, expected, counts))
        return answer

    @staticmethod
    def _covered(domain: str, day: date, expected: int, counts: dict[str, int]) -> Row:
        missing = {name: counts[name] for name in ("lost", "gone", "ahead", "open")}
        if counts["settled"] == expected:
            state = "complete"
        elif not any(missing.values()):
            state = "provisional"
        elif missing["lost"] == sum(missing.values()):
            state = "lost"
        elif not missing["ahead"] and not missing["open"]:
            state = "gone"
        elif missing["ahead"] == sum(missing.values()):
            state = "open"
        else:
            state = "partial" if counts["settled"] or counts["provisional"] else "missing"
        return {
            "domain": domain,
            "local_date": day,
            "expected_points": expected,
            "settled": counts["settled"],
            "provisional": counts["provisional"],
            "missing": sum(missing.values()),
            "state": state,
        }

    def freshness(self) -> Rows:
        """As the view."""
        answer = []
        step = timedelta(seconds=self.step)
        named = {entry["domain"] for entry in self.load_ledger}
        for domain in sorted({*named, *self.listed}):
            settled = {p for (d, p), s in self._states.items() if d == domain and s == "settled"}
            since = newest = max(settled, default=None)
            while since is not None and since - step in settled:
                since -= step
            reads = [
                e["fetched_at"]
                for e in self.counting
                if e["domain"] == domain and e["state"] == "read"
            ]
            rows = [row["timestamp"] for row in self.traffic if row["domain"] == domain]
            answer.append(
                {
                    "domain": domain,
                    "newest_point": max(rows, default=None),
                    "settled_since": since,
                    "settled_until": None if newest is None else newest + step,
                    "last_read_at": max(reads, default=None),
                }
            )
        return answer

    def traffic_as_known_on(self) -> Rows:
        """As the view: each point's versions in turn, from when to when."""
        answer = []
        for row in self.traffic:
            key = (row["domain"], row["timestamp"])
            chain = [r for r in self.revisions if (r["domain"], r["timestamp"]) == key]
            known, versions = row["loaded_at"], []
            for number, change in enumerate(sorted(chain, key=lambda r: r["revised_at"])):
                if number == 0:
                    known = change["old_loaded_at"] or self._first_read(*key)
                versions.append((change["old_bytes"], known, change["revised_at"]))
                known = change["revised_at"]
            versions.append((row["traffic_bytes"], known, None))
            names = ("domain", "timestamp", "traffic_bytes", "known_from", "known_until")
            answer += [dict(zip(names, (*key, *version), strict=True)) for version in versions]
        return answer

    def _first_read(self, domain: str, point: datetime) -> datetime | None:
        return min(
            (
                entry["fetched_at"]
                for entry in self.load_ledger
                if entry["domain"] == domain
                and entry["state"] == "read"
                and entry["window_start"] <= point < entry["window_end"]
            ),
            default=None,
        )

    def reconciliation_latest(self) -> Rows:
        """As the view."""
        newest: dict[tuple[Any, ...], Row] = {}
        names = ("kind", "account", "source", "domain", "window_start", "window_end")
        for row in sorted(self.checks, key=lambda row: row["checked_at"]):
            newest[tuple(row[name] for name in names)] = row
        return [{**row, "agrees": row["state"] == "agrees"} for row in newest.values()]

    def bandwidth(self) -> Rows:
        """As the view."""
        if self.step != 300:
            return []
        return [
            {
                "domain": row["domain"],
                "timestamp": row["timestamp"],
                "bits_per_second": bits(row["traffic_bytes"]),
            }
            for row in self.traffic
        ]

    def bandwidth_total(self) -> Rows:
        """As the view."""
        if self.step != 300:
            return []
        sums: defaultdict[datetime, int] = defaultdict(int)
        for row in self.traffic:
            sums[row["timestamp"]] += row["traffic_bytes"]
        return [{"timestamp": p, "bits_per_second": bits(value)} for p, value in sums.items()]

    def _peaks(self, rows: Rows) -> Rows:
        best: dict[date, Row] = {}
        for row in sorted(rows, key=lambda row: (-row["bits_per_second"], row["timestamp"])):
            best.setdefault(self.points[row["timestamp"]]["local_date"], row)
        return [
            {
                "local_date": day,
                "bits_per_second": row["bits_per_second"],
                "timestamp": row["timestamp"],
            }
            for day, row in best.items()
        ]

    def _each(self, rows: Rows, answer: Callable[[Rows], Rows]) -> Rows:
        return [
            {"domain": domain, **row}
            for domain in sorted({row["domain"] for row in rows})
            for row in answer([row for row in rows if row["domain"] == domain])
        ]

    def bandwidth_daily_peak(self) -> Rows:
        """As the view."""
        return self._each(self.bandwidth(), self._peaks)

    def bandwidth_daily_peak_total(self) -> Rows:
        """As the view."""
        return self._peaks(self.bandwidth_total())

    def _p95(self, stored: dict[datetime, int], covered: Iterable[str]) -> Rows:
        answer = []
        domains = list(covered)
        for (month,), points in self._by("local_month").items():
            if not any(point in stored for point in points):
                continue
            days: defaultdict[date, list[int]] = defaultdict(list)
            for point in points:
                days[self.points[point]["local_date"]].append(stored.get(point, 0))
            valid = [values for values in days.values() if any(values)]
            samples = sorted((v for values in valid for v in values), reverse=True)
            dropped = len(samples) * 5 // 100
            answer.append(
                {
                    "local_month": month,
                    "bits_per_second": bits(samples[dropped]) if samples else 0,
                    "valid_days": len(valid),
                    "samples": len(samples),
                    "dropped": dropped,
                    "complete": self._complete(domains, points),
                }
            )
        return answer

    def _complete(self, domains: list[str], points: list[datetime]) -> bool:
        speaking = [d for d in domains if any((d, p) in self._asked for p in points)]
        counts = [self._count(domain, points) for domain in speaking]
        return bool(counts) and all(c["settled"] == len(points) - c["not owed"] for c in counts)

    def bandwidth_monthly_p95(self) -> Rows:
        """As the view."""
        answer = []
        stored = self._stored() if self.step == 300 else {}
        for domain in sorted({name for name, _ in stored}):
            own = {point: value for (name, point), value in stored.items() if name == domain}
            answer += [{"domain": domain, **row} for row in self._p95(own, [domain])]
        return answer

    def bandwidth_monthly_p95_total(self) -> Rows:
        """As the view."""
        sums: defaultdict[datetime, int] = defaultdict(int)
        for (_, point), value in (self._stored() if self.step == 300 else {}).items():
            sums[point] += value
        return self._p95(sums, self.speaking)


def bits(traffic_bytes: int) -> int:
    """Bits per second of a 5-minute point, half up."""
    return (Fraction(traffic_bytes * 8, 300) + Fraction(1, 2)).__floor__()


PUBLIC = tuple(
    name for name in vars(Oracle) if not name.startswith("_") and callable(vars(Oracle)[name])
)
"""The views that have an oracle: all that are not helpers."""
