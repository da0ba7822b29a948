"""Ten thousand truncated answers of both APIs: none ends as complete, none costs many requests."""

import gzip
import random
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from extract.fields import V1_FIELDS, V2_FIELDS
from extract.frames import parse
from extract.slices import Stamp, read_slice
from extract.statistics import Answer
from livetraffic.errors import ContractError, Unavailable
from livetraffic.ledger import fold
from livetraffic.window import DAY, Window, instant_text

STEP = 300
END = 1_780_000_200
CASES, SHARDS = 10_000, 4
FIELDS = {"v1": V1_FIELDS, "v2": V2_FIELDS}


class Cutter:
    """A source whose answers are cut short, each in its own way, and now and then whole.

    ``persistent``: it cuts every answer in the same way, as a broken proxy would.
    """

    def __init__(self, rng: random.Random, source: str, window: Window) -> None:
        self.rng, self.source, self.fields = rng, source, FIELDS[source]
        self.truth = {
            at: rng.choice([0, rng.randrange(1, 2**40)])
            for at in range(window.start, window.end, STEP)
        }
        self.ways = rng.choice([WAYS, (rng.choice(WAYS),)])
        self.whole_after = rng.choice([0, 1, 3, 99])
        self.at = datetime.fromtimestamp(END, UTC) + timedelta(days=3)
        self.given: set[int] = set()
        self.asked = 0

    def now(self) -> datetime:
        return self.at

    def traffic(self, domain: str, window: Window, *, single_attempt: bool = False) -> Answer:
        self.asked += 1
        self.at += timedelta(seconds=1)
        points = [
            (at, value) for at, value in self.truth.items() if window.start <= at < window.end
        ]
        body = self._body(points, len(points))
        if self.asked <= self.whole_after or self.whole_after == 99:
            body = self.rng.choice(self.ways)(self, points, body)
        parsed = parse(
            body, window=window, step=STEP, domain=domain, source=self.source, fields=self.fields
        )
        self.given |= set(parsed.points.seconds.tolist())
        return Answer(parsed, self.at, None)

    def _body(self, points: list[tuple[int, int]], total: int) -> bytes:
        names = self.fields
        rows = [{names.value: value, names.time: instant_text(at)} for at, value in points]
        document: dict[str, object] = {names.rows: rows}
        if names.total is not None:
            document[names.total] = total
        return orjson.dumps(document)

    def bytes_cut(self, _points: list[tuple[int, int]], body: bytes) -> bytes:
        """The body ends somewhere."""
        return body[: self.rng.randrange(len(body))]

    def list_cut(self, points: list[tuple[int, int]], _body: bytes) -> bytes:
        """The list ends early, and its length is told as it should be."""
        return self._body(points[: self.rng.randrange(len(points))], len(points))

    def list_cut_quietly(self, points: list[tuple[int, int]], _body: bytes) -> bytes:
        """The list ends early, and its told length agrees."""
        kept = points[: self.rng.randrange(len(points))]
        return self._body(kept, len(kept))

    def head_cut(self, points: list[tuple[int, int]], _body: bytes) -> bytes:
        """The list begins late."""
        kept = points[self.rng.randrange(1, len(points) + 1) :]
        return self._body(kept, self.rng.choice([len(kept), len(points)]))

    def middle_cut(self, points: list[tuple[int, int]], _body: bytes) -> bytes:
        """A part is left out."""
        start = self.rng.randrange(len(points))
        kept = points[:start] + points[start + self.rng.randrange(1, 9) :]
        return self._body(kept, self.rng.choice([len(kept), len(points)]))

    def broken_off(self, _points: list[tuple[int, int]], _body: bytes) -> bytes:
        """The connection ends before the answer does."""
        raise Unavailable("It broke off.", "Again later.")

    def gzip_cut(self, _points: list[tuple[int, int]], body: bytes) -> bytes:
        """Compressed, cut, and not to be undone: what arrives is no JSON."""
        packed = gzip.compress(body)
        return packed[: self.rng.randrange(len(packed))]


WAYS = (
    *(Cutter.bytes_cut, Cutter.list_cut, Cutter.list_cut_quietly, Cutter.head_cut),
    *(Cutter.middle_cut, Cutter.broken_off, Cutter.gzip_cut),
)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_truncated_answer_ends_as_complete(shard):
    """A point counts as read only if an answer held it; what was given is kept with its value."""
    rng = random.Random(f"cuts {shard}")
    cut = 0
    for _ in range(CASES // SHARDS):
        source_name = rng.choice(["v1", "v2"])
        window = Window(END - rng.randrange(2, 40) * STEP, END)
        source = Cutter(rng, source_name, window)
        result = read_slice(
            source,
            "a.example.com",
            window,
            expected=window,
            absent=(),
            zero_filling=rng.random() < 0.5,
            idle=rng.choice(["auto", "zero"]),
            settle_after=DAY,
            step=STEP,
            stamp=Stamp(source_name, "acme", "p-1", "", "run-1"),
        )
        assert source.asked <= 9, "the first and eight more"
        coverage = fold(result.entries, settle_after=DAY, step=STEP)["a.example.com"]
        read = {at for w in coverage.read for at in range(w.start, w.end, STEP)}
        assert read == source.given
        stamps = result.points.seconds.tolist()
        kept = dict(zip(stamps, result.points.traffic.tolist(), strict=True))
        assert kept == {at: source.truth[at] for at in source.given}
        cut += read != set(source.truth)
    assert cut > CASES // SHARDS // 4, "many were cut for good"


def test_what_breaks_the_parser_is_one_error():
    """Cut bytes are a sentence, never a traceback of the reader's."""
    body = orjson.dumps({"total": 2, "traffic_info": [{"traffic": 1, "timestamp": "x"}] * 2})
    window = Window(END - 2 * STEP, END)
    for length in range(len(body)):
        with pytest.raises(ContractError, match="not JSON"):
            parse(body[:length], window=window, step=STEP, domain="a", source="v1")
