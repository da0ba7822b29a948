"""What the source offers at an instant: what a warehouse must hold after a run that went well."""

from datetime import datetime

from extract.standin.server import Standin
from livetraffic.limits import V1, Limits

STEP = 300


def offered(standin: Standin, instant: str, limits: Limits = V1) -> dict[tuple[str, int], int]:
    """By domain and second: within the retention less its margin, up to the last finished step."""
    reach = limits.reach(int(datetime.fromisoformat(instant).timestamp()), STEP)
    return {
        (domain, int(moment.timestamp())): value
        for domain in standin.domains("pull")
        for moment, value in standin.truth(domain, reach.starts_at, reach.ends_at).items()
    }
