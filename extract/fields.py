"""What each API's traffic answer calls its parts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fields:
    """The names of the list, of a point's bytes and time, and of the list's declared length."""

    rows: str
    value: str
    time: str
    total: str | None = None


V1_FIELDS = Fields("traffic_info", "traffic", "timestamp", "total")
V2_FIELDS = Fields("data_list", "value", "time")
"""v2 declares no length: a cut shows only by what is missing at the end."""
