"""A warehouse's home in an object store: data that never changes, and one manifest that names it.

A commit uploads its files under new keys and then replaces the manifest, on the condition that it still
is the one that the commit began with. Whoever reads opens the manifest first, so a commit is seen
whole or not at all. What a commit replaces stays readable for an hour. What a killed one left is named
by no manifest; the next run removes it after an hour, and first publishes a manifest of its own: a
commit that began before and still sleeps then fails instead of naming what is gone.
"""

import logging
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple, TypeVar

from livetraffic.errors import ConfigError, LiveTrafficError, SinkError
from load.months import months_among
from load.objects import manifest as manifests
from load.objects.cache import Cache
from load.objects.draft import Draft
from load.objects.guards import Guard, Still
from load.objects.lease import Leases, lost
from load.objects.manifest import KEPT_SECONDS, Entry, Manifest
from load.objects.probe import enforces_conditions
from load.objects.store import ObjectStore
from load.parquet.files import Draft as AnyDraft
from load.parquet.files import Files

T = TypeVar("T")
log = logging.getLogger(__name__)

DATA = "data/"
COMMIT_SECONDS = 120.0
"""How long a commit goes on trying while others come first."""
_LONGEST_PAUSE_SECONDS = 2.0


class _Base(NamedTuple):
    """The manifest as it was read, with what the condition needs."""

    manifest: Manifest
    etag: str | None
    at: int


@dataclass(frozen=True, eq=False)
class Snapshot:
    """``load.parquet.files.Files`` of one manifest; equal where the commit is the same."""

    store: ObjectStore
    cache: Cache
    manifest: Manifest
    distant = True

    @property
    def place(self) -> object:
        """As ``Files.place``."""
        return self.store.address

    @property
    def directory(self) -> Path:
        """As ``Files.directory``: that of the copies."""
        return self.cache.directory

    def path(self, target: str) -> Path:
        """As ``Files.path``: of a copy, fetched if need be."""
        entry = self.manifest.files.get(target)
        if entry is None:
            return self.cache.path(f"absent/{target}")
        fetch = self.store.fetch
        return self.cache.copy(
            entry.key, entry.size, lambda path: fetch(entry.key, path, entry.size)
        )

    def months(self, table: str, since: str = "") -> list[str]:
        """As ``Files.months``."""
        return months_among(self.manifest.files, table, since)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Snapshot) and other.manifest.commit == self.manifest.commit

    def __hash__(self) -> int:
        return hash(self.manifest.commit)


class ObjectHome:
    """``load.parquet.files.Home`` in an object store.

    Args:
        store: of the warehouse.
        cache: copies of its objects on this machine.
        guard: where locks can be had should the store not enforce conditional writes.
        machine: the name of this one.
        quiet: seconds that a run waits after one of another machine, where the two share no rate budget.
        lease: seconds after which the run lock of a killed run is free.
        sleeper: how to wait.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        store: ObjectStore,
        cache: Cache,
        *,
        guard: Guard | None,
        machine: str,
        quiet: int,
        lease: int,
        sleeper: Callable[[float], None] = sleep,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._store, self._cache, self._guard = store, cache, guard
        self._sleep, self._clock = sleeper, clock
        self._leases = Leases(
            store, machine=machine, quiet=quiet, seconds=lease, sleep=sleeper, clock=clock
        )
        self._committing = threading.Lock()
        self._enforces: bool | None = None

    def files(self) -> Files:
        """As ``Home.files``."""
        return self._snapshot(self._read())

    def make(self) -> None:
        """As ``Home.make``: a bucket is not ours to make."""

    def unfinished(self) -> bool:
        """As ``Home.unfinished``: nothing that a killed commit left can be seen."""
        return False

    def commit(self, work: Callable[[Files, AnyDraft], T], *, repeats: bool = True) -> T:
        """As ``Home.commit``.

        Raises:
            ConfigError: the store cannot keep two writers apart, and nothing else does.
            SinkError: it failed, others came first for two minutes, or the run lock was lost.
        """
        with self._committing, self._kept_apart("commit", wait=COMMIT_SECONDS) as still:
            draft, result = Draft(self._cache.directory), None
            try:
                for base in self._bases():
                    if result is None or repeats:
                        draft.discard()
                        draft = Draft(self._cache.directory)
                        result = (work(self._snapshot(base), draft),)
                        draft.seal()
                    if not draft.files or self._published(base, draft, still):
                        return result[0]
            finally:
                draft.discard()
        raise self._busy()

    def _busy(self) -> SinkError:
        return SinkError(
            f"{self._store.address} was kept busy by other writers.",
            "Run it again when they are through; what was stored before is intact.",
        )

    def remove(self, target: str) -> None:
        """As ``Home.remove``."""
        with self._committing, self._kept_apart("commit", wait=COMMIT_SECONDS) as still:
            for base in self._bases():
                following = base.manifest.following(
                    uuid.uuid4().hex,
                    {},
                    at=base.at,
                    fence=self._leases.token,
                    removed=frozenset({target}),
                )
                still()
                if target not in base.manifest.files or self._replaced(base, following):
                    return
        raise self._busy()

    @contextmanager
    def run_lock(self, *, wait: float, holder: str) -> Iterator[None]:
        """As ``Home.run_lock``; what killed commits left is removed first."""
        if self._conditional():
            with self._leases.hold(wait=wait, holder=holder):
                self._remove_orphans()
                yield
        else:
            with self._kept_apart("run", wait=wait, holder=holder):
                self._remove_orphans()
                yield

    def _bases(self) -> Iterator[_Base]:
        """The manifest of now, again and again, with pauses that keep writers apart."""
        deadline, pause = self._clock() + COMMIT_SECONDS, 0.05
        while self._clock() < deadline:
            base = self._read()
            if base.manifest.fence > self._leases.token > 0:
                raise lost(self._store.address)
            yield base
            self._sleep(random.uniform(0, pause))  # noqa: S311 - spreads writers, hides nothing
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _read(self) -> _Base:
        found = self._store.get(manifests.NAME)
        if found is None:
            return _Base(Manifest(), None, 0)
        manifest = manifests.decoded(self._store.address, found.body)
        return _Base(manifest, found.etag, found.at)

    def _snapshot(self, base: _Base) -> Snapshot:
        return Snapshot(self._store, self._cache, base.manifest)

    def _published(self, base: _Base, draft: Draft, still: Still) -> bool:
        """Upload the files and publish them; False where another commit came first."""
        commit = uuid.uuid4().hex
        new = self._uploaded(draft, commit)
        following = base.manifest.following(commit, new, at=base.at, fence=self._leases.token)
        still()
        if not self._replaced(base, following):
            self._delete(entry.key for entry in new.values())
            return False
        for target, entry in new.items():
            self._cache.keep(entry.key, draft.files[target])
        self._delete(base.manifest.dropped(following))
        return True

    def _uploaded(self, draft: Draft, commit: str) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for target, path in draft.files.items():
            key = f"{DATA}{target.rpartition('.')[0]}-{commit}.{target.rpartition('.')[2]}"
            self._store.put_file(key, path)
            found[target] = Entry(key, path.stat().st_size)
        return found

    def _replaced(self, base: _Base, following: Manifest) -> bool:
        """Whether the manifest is the following one now."""
        body = following.encoded()
        if not self._conditional():
            if self._read().etag != base.etag:
                return False
            self._store.put(manifests.NAME, body)
            return True
        if self._store.put_if(manifests.NAME, body, base.etag) is not None:
            return True
        # An answer that was lost on the way is asked for again by the client: was it ours?
        return self._read().manifest.commit == following.commit

    def _delete(self, names: "Iterator[str] | list[str]") -> None:
        for name in names:
            with suppress(LiveTrafficError):  # it is an orphan then
                self._store.delete(name)

    def _remove_orphans(self) -> None:
        """Remove what no manifest names and nobody can still be about to publish."""
        now, listed = self._store.listed(DATA)
        base = self._read()
        old = [item.name for item in listed if item.modified_at < now - KEPT_SECONDS]
        orphans = [name for name in old if name not in base.manifest.keys]
        if not orphans or base.etag is None:
            return
        fence = max(base.manifest.fence, self._leases.token)
        fenced = replace(
            base.manifest, commit=uuid.uuid4().hex, number=base.manifest.number + 1, fence=fence
        )
        if self._replaced(base, fenced):
            log.info("orphans removed", extra={"objects": len(orphans)})
            self._delete(orphans)

    def _conditional(self) -> bool:
        """Whether the store keeps writers apart by itself; found out once.

        Raises:
            ConfigError: it does not, and there is nothing else that would.
        """
        if self._enforces is None:
            self._enforces = enforces_conditions(self._store)
        if not self._enforces and self._guard is None:
            raise ConfigError(
                f"{self._store.endpoint} does not enforce conditional writes, so two writers of"
                f" {self._store.address} could undo each other's work.",
                "Set LIVE_TRAFFIC_STATE to a database that all of them can reach (postgresql://… or"
                " mysql://…); a file will do where only this machine writes.",
            )
        return self._enforces

    @contextmanager
    def _kept_apart(self, what: str, *, wait: float, holder: str = "") -> Iterator[Still]:
        """Hold the lock that stands in for conditional writes, where one is needed."""
        if self._conditional() or self._guard is None:
            yield lambda: None
            return
        name = f"{what} {self._store.endpoint} {self._store.address}"
        place = self._store.address
        with self._guard.hold(name, wait=wait, holder=holder, place=place) as still:
            yield still
