"""The manifest: the one object that says which others are the warehouse. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from livetraffic.errors import ConfigError
from load.failure import damaged

NAME = "manifest.json"
VERSION = 1
KEPT_SECONDS = 3600
"""How long what was replaced can still be read by whoever opened the warehouse before."""


class Entry(NamedTuple):
    """Where a file of the warehouse is."""

    key: str
    size: int


class Retired(NamedTuple):
    """An object that a commit replaced, and when, by the store's clock in seconds."""

    key: str
    at: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """One commit: every file of the warehouse by the path it has in a directory."""

    files: Mapping[str, Entry] = field(default_factory=dict)
    retired: tuple[Retired, ...] = ()
    commit: str = ""
    number: int = 0
    fence: int = 0
    """The highest token of a run lock under which something was committed."""

    def following(
        self,
        commit: str,
        new: Mapping[str, Entry],
        *,
        at: int,
        fence: int,
        removed: frozenset[str] = frozenset(),
    ) -> "Manifest":
        """The next commit: these files new, what they replace retired, what is long retired left out."""
        replaced = [self.files[name].key for name in (*new, *removed) if name in self.files]
        retired = (*self.retired, *(Retired(key, at) for key in replaced))
        return replace(
            self,
            files={
                name: entry for name, entry in {**self.files, **new}.items() if name not in removed
            },
            retired=tuple(item for item in retired if item.at > at - KEPT_SECONDS),
            commit=commit,
            number=self.number + 1,
            fence=max(self.fence, fence),
        )

    def dropped(self, following: "Manifest") -> list[str]:
        """The keys that were retired and are no longer named by the next commit."""
        return sorted(self.keys - following.keys)

    @property
    def keys(self) -> frozenset[str]:
        """Every object that is live or may still be read."""
        live = {entry.key for entry in self.files.values()}
        return frozenset(live | {item.key for item in self.retired})

    def encoded(self) -> bytes:
        """As it is stored."""
        content = {
            "version": VERSION,
            "number": self.number,
            "commit": self.commit,
            "fence": self.fence,
            "files": {name: entry._asdict() for name, entry in sorted(self.files.items())},
            "retired": [item._asdict() for item in self.retired],
        }
        return json.dumps(content, indent=1).encode() + b"\n"


def decoded(place: object, body: bytes) -> Manifest:
    """The manifest of the warehouse at ``place``.

    Raises:
        ConfigError: a newer version of live-traffic wrote it.
        SinkError: it is not ours.
    """
    try:
        content: dict[str, Any] = json.loads(body)
        version = int(content["version"])
        if version > VERSION:
            raise ConfigError(
                f"{place} has a manifest of version {version}; this live-traffic knows {VERSION}.",
                "Use the version of live-traffic that made the warehouse, or a newer one.",
            )
        return Manifest(
            {
                str(name): Entry(str(e["key"]), int(e["size"]))
                for name, e in content["files"].items()
            },
            tuple(Retired(str(r["key"]), int(r["at"])) for r in content["retired"]),
            str(content["commit"]),
            int(content["number"]),
            int(content["fence"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(f"{place}/{NAME}", "it is not a manifest") from error
