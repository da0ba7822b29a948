"""Where the APIs are, and what is said where that is not known."""

import pytest

from extract.endpoints import iam_endpoint, live_endpoint
from livetraffic.errors import ConfigError


@pytest.mark.parametrize("region", ["cn-north-4", " CN-North-4 "])
def test_a_known_region_has_its_endpoints(region):
    """Both of the same region: a token of another one is refused."""
    assert live_endpoint(region) == "https://live.cn-north-4.myhuaweicloud.com"
    assert iam_endpoint(region) == "https://iam.cn-north-4.myhuaweicloud.com"


@pytest.mark.parametrize("region", ["", "cn-north-9", "cn-north-4.evil.example"])
def test_an_unknown_region_lists_the_known_and_the_way_out(region):
    """The Live API is in few regions."""
    with pytest.raises(ConfigError, match="cn-north-4") as caught:
        live_endpoint(region)
    assert "LIVE_TRAFFIC_ENDPOINT" in caught.value.remedy


def test_a_region_without_its_own_identity_service_uses_the_global_one():
    """It serves all."""
    assert iam_endpoint("eu-nowhere-1") == "https://iam.myhuaweicloud.com"
