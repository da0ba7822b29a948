"""The Prefect server that ``serve`` starts where none is configured."""

import pytest
import requests

pytestmark = pytest.mark.prefect


def test_its_pages_ask_its_own_api(prefect_api: str) -> None:
    """Prefect's own default would send a browser to port 4200, where another server may be."""
    said = requests.get(f"{prefect_api.removesuffix('/api')}/ui-settings", timeout=30).json()
    assert said["api_url"] == prefect_api
