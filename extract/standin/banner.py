"""What the stand-in says on a terminal when it is ready."""

from collections.abc import Mapping

from extract.standin.switches import Panel

_EXPORTS = (
    ("LIVE_TRAFFIC_ENDPOINT", "endpoint"),
    ("LIVE_TRAFFIC_IAM_ENDPOINT", "iam_endpoint"),
    ("LIVE_TRAFFIC_PROJECT_ID", "project_id"),
    ("LIVE_TRAFFIC_TOKEN", "token"),
)


def banner(ready: Mapping[str, str], panel: Panel) -> str:
    """A readable page: what this is not, what is guessed, what to export."""
    switches = panel.describe()
    guesses = [
        f"  {name:<18} {_shown(s['value']):<12} {s['about']}"
        for name, s in switches.items()
        if s["guess"]
    ]
    exports = [f"  export {name}={ready[key]}" for name, key in _EXPORTS]
    return "\n".join(
        (
            f"A local stand-in of Huawei Cloud Live at {ready['endpoint']}. NOT Huawei Cloud.",
            "All traffic is invented. Where the vendor's documents are silent, these are guesses:",
            *guesses,
            "Settings for live-traffic (or use ak/sk or username/password/account from",
            f"{ready['endpoint']}/_standin/ready instead of the token):",
            *exports,
            "Stop with Ctrl-C.",
        )
    )


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
