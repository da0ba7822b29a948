"""The vendor's own client takes the stand-in for the service."""

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import (
    ClientRequestException,
)
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdklive.v1 import LiveClient, ShowDomainRequest

from extract.standin.server import Standin


def client(standin: Standin, sk: str | None = None) -> LiveClient:
    ready = standin.ready
    keys = BasicCredentials(ready["ak"], sk or ready["sk"], ready["project_id"])
    return LiveClient.new_builder().with_credentials(keys).with_endpoint(standin.url).build()


def test_it_lists_the_domains_with_keys(standin: Standin) -> None:
    answer = client(standin).show_domain(ShowDomainRequest())
    assert answer.status_code == 200
    assert [row.domain for row in answer.domain_info] == standin.domains()


def test_it_filters_by_domain(standin: Standin) -> None:
    answer = client(standin).show_domain(ShowDomainRequest(domain="play002.example.com"))
    assert answer.total == 1


def test_it_is_refused_with_a_wrong_secret(standin: Standin) -> None:
    with pytest.raises(ClientRequestException) as caught:
        client(standin, "wrong").show_domain(ShowDomainRequest())
    assert (caught.value.status_code, caught.value.error_code) == (401, "APIGW.0301")


def test_temporary_keys_are_accepted(standin: Standin) -> None:
    standin.switches(security_token="required")
    ready = standin.ready
    keys = BasicCredentials(ready["ak"], ready["sk"], ready["project_id"])
    keys.with_security_token(standin.world.account.security_token)
    live = LiveClient.new_builder().with_credentials(keys).with_endpoint(standin.url).build()
    assert live.show_domain(ShowDomainRequest()).total == 6


def test_it_finds_its_project_by_region(standin: Standin) -> None:
    keys = BasicCredentials(standin.ready["ak"], standin.ready["sk"])
    keys.with_iam_endpoint(standin.url)
    region = Region("cn-north-4", standin.url)
    live = LiveClient.new_builder().with_credentials(keys).with_region(region).build()
    assert live.show_domain(ShowDomainRequest()).total == 6
    assert [entry["operation"] for entry in standin.requests()] == ["projects", "domains"]
