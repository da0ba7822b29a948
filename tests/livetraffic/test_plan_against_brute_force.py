"""The plan against an oracle that thinks in single points: 100,000 random small worlds.

A world is a ledger of random entries, a retention, a span, a settle age and a clock. The oracle asks,
point by point, what is settled; the plan must ask for exactly the rest.
"""

import dataclasses
import random

import pytest

from livetraffic import plan
from livetraffic.ledger import Entry, Mark, State, fold
from livetraffic.limits import V1, Limits
from livetraffic.route import ALWAYS, Service
from livetraffic.window import Window, merge

STEP = 300
WORLDS = 100_000
SHARDS = 4
NAME = "a.example.com"
V1_ALWAYS = Service("a", "v1", ALWAYS)


def leg(window: Window) -> plan.Leg:
    return plan.Leg(NAME, V1_ALWAYS, window)


def entry(rng: random.Random, now: int) -> Entry:
    start = rng.randrange(0, 60) * STEP
    end = start + rng.randrange(1, 25) * STEP
    state = rng.choices([State.READ, State.PARTIAL, State.FAILED, State.LOST], [6, 2, 2, 1])[0]
    detail = Mark.ABSENT.value if state == State.PARTIAL and rng.random() < 0.5 else ""
    fetched = min(now, end + rng.randrange(-3 * STEP, 30 * STEP))
    return Entry(
        "a.example.com", start, end, state, 0, 0, None, "v1", "a", "p", "r",
        max(0, fetched) * 1_000_000 + rng.randrange(1_000_000), "run", detail,
    )  # fmt: skip


def settled_points(entries: list[Entry], settle_after: int) -> set[int]:
    """The oracle: a point is settled when a read of it was sent late enough after its end."""
    return {
        point
        for item in entries
        if item.state == State.READ
        for point in range(item.window_start, item.window_end, STEP)
        if item.fetched_at // 1_000_000 >= point + STEP + settle_after
    }


def points(windows) -> list[int]:
    return [p for window in windows for p in range(window.start, window.end, STEP)]


def fewest_windows(due: list[int], span: int) -> int:
    """The least number of spans that cover the points: greedy is optimal on a line."""
    count, reach = 0, None
    for point in due:
        if reach is None or point >= reach:
            count, reach = count + 1, point + span
    return count


def world(rng: random.Random):
    now = rng.randrange(60, 110) * STEP + rng.randrange(STEP)
    limits = Limits(
        source="v1",
        span=rng.randrange(1, 30) * STEP,
        retention=rng.randrange(20, 90) * STEP + rng.randrange(STEP),
        margin=rng.randrange(0, 3) * STEP,
        delay=rng.randrange(0, 4) * STEP,
        steps=(STEP,),
        requests_per_minute=300,
    )
    entries = [entry(rng, now) for _ in range(rng.randrange(0, 9))]
    return now, limits, entries, rng.randrange(0, 20) * STEP + rng.randrange(STEP)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_plan_asks_for_exactly_what_is_due(shard):
    """No gap, no overlap, nothing outside the retention, none over the span, all on the grid,
    earliest expiry first, in the fewest requests; and once read and settled, nothing again."""
    rng = random.Random(f"plan {shard}")
    for _ in range(WORLDS // SHARDS):
        now, limits, entries, settle_after = world(rng)
        reach = limits.reach(now, STEP)
        if reach is None:
            continue
        coverage = fold(entries, settle_after=settle_after, step=STEP)
        slices = plan.due([leg(reach)], coverage, {"v1": limits})
        windows = [item.window for item in slices]
        expected = sorted(set(points((reach,))) - settled_points(entries, settle_after))
        asked = points(windows)

        assert len(asked) == len(set(asked)), "no overlap"
        assert set(expected) <= set(asked), "no gap"
        assert all(p in expected for window in windows for p in (window.start, window.end - STEP))
        assert all(window.start >= now - limits.retention + limits.margin for window in windows)
        assert all(window.end <= now - limits.delay for window in windows)
        assert all(window.seconds <= limits.span for window in windows)
        assert all(window.start % STEP == 0 == window.end % STEP for window in windows)
        assert windows == sorted(windows), "earliest expiry first"
        assert len(windows) == fewest_windows(expected, limits.span)

        recut = rng.randrange(1, 40) * STEP
        later = (now + settle_after + 200 * STEP) * 1_000_000
        done = [entries_template(window, later) for window in windows]
        again = fold([*entries, *done], settle_after=settle_after, step=STEP)
        other = dataclasses.replace(limits, span=recut)
        assert plan.due([leg(reach)], again, {"v1": other}) == []


def entries_template(window: Window, fetched_at: int) -> Entry:
    return Entry(
        "a.example.com", window.start, window.end, State.READ, window.points(STEP),
        window.points(STEP), 0, "v1", "a", "p", "r", fetched_at, "run",
    )  # fmt: skip


@pytest.mark.parametrize("shard", range(SHARDS))
def test_coverage_and_risk_agree_with_single_points(shard):
    """Every point is in exactly one state, and at risk exactly when unread and expiring in time."""
    rng = random.Random(f"coverage {shard}")
    for _ in range(5_000 // SHARDS):
        now, limits, entries, settle_after = world(rng)
        reach = limits.reach(now, STEP)
        if reach is None:
            continue
        coverage = fold(entries, settle_after=settle_after, step=STEP)
        mine = coverage.get("a.example.com", plan.NOTHING)
        settled = settled_points(entries, settle_after)
        read = {p for e in entries if e.state == State.READ for p in points([e.window])}
        shown = plan.intervals("a.example.com", reach, mine)
        assert merge(i.window for i in shown) == (reach,)
        states = {p: i.state for i in shown for p in points([i.window])}
        assert sum(i.window.points(STEP) for i in shown) == len(states)
        assert {p for p, s in states.items() if s == "complete"} == settled & set(states)
        assert {p for p, s in states.items() if s == "provisional"} == (read - settled) & set(
            states
        )

        before = now + rng.randrange(0, 40) * STEP
        may_omit = rng.random() < 0.5
        gaps = plan.at_risk(
            [leg(reach)], coverage, {"v1": limits}, before, may_omit={"v1": may_omit}
        )
        if may_omit:
            read |= {
                p
                for e in entries
                if e.state == State.PARTIAL and e.marked(Mark.ABSENT)
                for p in points([e.window])
                if e.fetched_at // 1_000_000 >= p + STEP + settle_after
            }
        expiring = {p for p in points((reach,)) if limits.expires_at(p) < before and p not in read}
        assert set(points([g.window for g in gaps])) >= expiring
        assert not set(points([g.window for g in gaps])) & read


@pytest.mark.parametrize("seed", range(200))
def test_batches_keep_order_size_and_span(seed):
    """Each account and API has its slices in order, no batch too large or wider than its span."""
    rng = random.Random(seed)
    limits = {
        name: dataclasses.replace(V1, source=name, span=span * STEP)
        for name, span in (("v1", 30), ("v2", 40))
    }
    slices = sorted(
        (
            plan.Slice(
                f"d{n}", Window(s * STEP, (s + rng.randrange(1, 31)) * STEP),
                rng.choice(["v1", "v2"]), rng.choice(["a", "b"]),
            )
            for n in range(rng.randrange(0, 60))
            for s in [rng.randrange(0, 90)]
        ),
        key=lambda item: item.window,
    )  # fmt: skip
    made = plan.batches(slices, limits, most=7)
    for account in "ab":
        for source in ("v1", "v2"):
            mine = [b for b in made if (b.account, b.source) == (account, source)]
            asked = [s for s in slices if (s.account, s.source) == (account, source)]
            assert [item for batch in mine for item in batch.slices] == asked
            assert all(len(b.slices) <= 7 for b in mine)
            assert all(b.hull.seconds <= limits[source].span for b in mine)
    places = [slices.index(batch.slices[0]) for batch in made]
    assert places == sorted(places), "the batch whose first slice is due first comes first"
    assert sum(len(batch.slices) for batch in made) == len(slices)
