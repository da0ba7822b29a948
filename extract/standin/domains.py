"""The tenant's domains and their lives: created, switched off, switched on, deleted."""

import dataclasses
import enum
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

FOREVER = 2**40
OLD_REGION = "cn-north-1"


class Kind(enum.Enum):
    """What a domain's traffic looks like."""

    PLAIN = "plain"
    HEAVY = "heavy"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain; instants are seconds since the epoch, UTC; ``off`` holds half-open spans.

    ``service`` is ``old`` or ``new``, which no answer of the source tells; one that ``moved_at`` was
    deleted on the old service and added again on the new one. ``region`` None: the account's own;
    in ``OLD_REGION`` there is the old service only.
    """

    name: str
    create_time: int
    domain_type: str = "pull"
    kind: Kind = Kind.PLAIN
    deleted_at: int | None = None
    off: tuple[tuple[int, int | None], ...] = ()
    service: str = "old"
    moved_at: int | None = None
    region: str | None = None

    def listed_create_time(self, now: int) -> int:
        """What the domain list says at ``now`` of its creation."""
        if self.moved_at is None or now < self.moved_at:
            return self.create_time
        return self.moved_at

    def served(self, api: str) -> tuple[int, int] | None:
        """The time that an API (``v1``, ``v2``) has of it, half-open; None: none."""
        if self.moved_at is not None:
            return (0, self.moved_at) if api == "v1" else (self.moved_at, FOREVER)
        mine = "v1" if self.service == "old" else "v2"
        return (0, FOREVER) if api == mine else None

    def listed(self, now: int) -> bool:
        """Whether the domain list names it at ``now``."""
        return self.create_time <= now and not self.deleted(now)

    def deleted(self, now: int) -> bool:
        """Whether it is gone at ``now``."""
        return self.deleted_at is not None and self.deleted_at <= now

    def is_off(self, now: int) -> bool:
        """Whether it is switched off at ``now``."""
        return any(start <= now and (end is None or now < end) for start, end in self.off)

    def off_within(self, start: int, end: int) -> bool:
        """Whether it is switched off at some time in ``[start, end)``."""
        return any(a < end and (b is None or start < b) for a, b in self.off)


class DomainError(ValueError):
    """A change of a domain's life that makes no sense."""


class Domains:
    """The tenant's domains by name; deleted ones stay, for their past."""

    def __init__(self, domains: Iterable[Domain]) -> None:
        self._lock = threading.Lock()
        self._by_name = {domain.name: domain for domain in domains}

    def all(self) -> list[Domain]:
        """Every domain that ever was, in the order of creation here."""
        with self._lock:
            return list(self._by_name.values())

    def get(self, name: str) -> Domain | None:
        """The domain of that name, deleted or not."""
        with self._lock:
            return self._by_name.get(name.lower())

    def create(self, domain: Domain) -> None:
        """Add a domain; one of the same name must have been deleted before.

        Raises:
            DomainError: the name is empty or in use, or its region has not that service.
        """
        if domain.region == OLD_REGION and domain.service == "new":
            raise DomainError(f"the new service does not serve {OLD_REGION}")
        with self._lock:
            before = self._by_name.get(domain.name)
            if not domain.name or (before is not None and not before.deleted(domain.create_time)):
                raise DomainError(f"domain {domain.name!r} exists already or has no name")
            self._by_name[domain.name] = domain

    def delete(self, name: str, at: int) -> None:
        """Delete the domain at an instant."""
        self._change(name, lambda domain: dataclasses.replace(domain, deleted_at=at))

    def move(self, name: str, at: int) -> None:
        """Move the domain from the old service to the new one at an instant.

        Raises:
            DomainError: it is not on the old service then, or there is no new one in its region.
        """

        def moved(domain: Domain) -> Domain:
            gone = domain.deleted(at) or at <= domain.create_time
            if domain.service != "old" or domain.moved_at is not None or gone:
                raise DomainError(f"{domain.name} is not on the old service")
            if domain.region == OLD_REGION or domain.domain_type != "pull":
                raise DomainError(f"the new service does not serve {domain.name}")
            return dataclasses.replace(domain, moved_at=at)

        self._change(name, moved)

    def switch_off(self, name: str, at: int) -> None:
        """Switch the domain off from an instant on."""
        self._change(name, lambda d: dataclasses.replace(d, off=(*d.off, (at, None))))

    def switch_on(self, name: str, at: int) -> None:
        """Switch the domain on again from an instant on."""
        self._change(
            name,
            lambda d: dataclasses.replace(
                d, off=tuple((start, at if end is None else end) for start, end in d.off)
            ),
        )

    def _change(self, name: str, change: Callable[[Domain], Domain]) -> None:
        with self._lock:
            domain = self._by_name.get(name.lower())
            if domain is None:
                raise DomainError(f"there is no domain {name!r}")
            self._by_name[domain.name] = change(domain)
