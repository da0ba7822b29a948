"""What ``doctor`` finds, one thing at a time."""

from dataclasses import dataclass
from typing import Any

from livetraffic.errors import LiveTrafficError


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; ``exit_code`` is what the run would have ended with."""

    name: str
    ok: bool
    message: str
    exit_code: int = 0

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"name": self.name, "ok": self.ok, "message": self.message}


def failed(name: str, error: LiveTrafficError) -> Check:
    """A check that an error has decided."""
    return Check(name, ok=False, message=str(error), exit_code=error.exit_code)
