"""Where the vendor's APIs are, by region."""

from livetraffic.errors import ConfigError

LIVE_REGIONS = ("ap-southeast-2", "ap-southeast-3", "cn-east-3", "cn-north-1", "cn-north-4")
"""Regions whose Live endpoint is known from the vendor's list of endpoints or its SDK."""

IAM_REGIONS = (
    *("ae-ad-1", "af-south-1"),
    *("ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4"),
    *("cn-east-2", "cn-east-3", "cn-east-4", "cn-east-5"),
    *("cn-north-1", "cn-north-2", "cn-north-4", "cn-north-9", "cn-north-12"),
    *("cn-south-1", "cn-south-2", "cn-southwest-2", "eu-west-0"),
    *("la-north-2", "la-south-2", "me-east-1", "my-kualalumpur-1", "na-mexico-1"),
    *("ru-moscow-1", "sa-brazil-1", "tr-west-1"),
)
"""Regions that have an identity service of their own."""


def live_endpoint(region: str) -> str:
    """The Live API's address in a region.

    Raises:
        ConfigError: no endpoint is known for the region.
    """
    name = region.strip().lower()
    if name not in LIVE_REGIONS:
        raise ConfigError(
            f"No Live endpoint is known for the region {region!r}; known are "
            f"{', '.join(LIVE_REGIONS)}.",
            "Correct LIVE_TRAFFIC_REGION, or set LIVE_TRAFFIC_ENDPOINT to https://HOST.",
        )
    return f"https://live.{name}.myhuaweicloud.com"


def iam_endpoint(region: str) -> str:
    """The identity service's address for a region; the global one where it has none of its own."""
    name = region.strip().lower()
    if name not in IAM_REGIONS:
        return "https://iam.myhuaweicloud.com"
    return f"https://iam.{name}.myhuaweicloud.com"
