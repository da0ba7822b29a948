"""Everything behind the counter, wired once."""

import time
from collections.abc import Mapping

from extract.standin import fixtures
from extract.standin.access import Access
from extract.standin.clock import Clock
from extract.standin.domains import Domains
from extract.standin.faults import Faults
from extract.standin.iam import Iam
from extract.standin.journal import Journal
from extract.standin.live_api import Live
from extract.standin.quota import Quota
from extract.standin.source import Source
from extract.standin.statistics_v2 import StatisticsV2
from extract.standin.switches import Panel
from extract.standin.tokens import Tokens


class World:
    """One tenant with its domains, its statistics, and the rules in force."""

    def __init__(
        self,
        *,
        domains: int,
        seed: int,
        now: int | None,
        switches: Mapping[str, object],
        plain: bool,
        services: bool = False,
    ) -> None:
        self.clock = Clock()
        self.clock.set(now)
        self.panel = Panel(switches)
        self.account = fixtures.account(seed)
        now_s = self.clock.now()
        both = fixtures.on_the_new_service(now_s) if services else ()
        self.domains = Domains([*fixtures.domains(domains, now_s, plain=plain), *both])
        self.source = Source(seed, self.clock, self.panel, self.domains)
        self.tokens = Tokens(seed, self.account, self.clock)
        self.access = Access(self.account, self.tokens, self.clock, self.panel)
        self.iam = Iam(self.account, self.tokens, self.clock, self.panel)
        self.live = Live(self.clock, self.panel, self.domains, self.source)
        self.live_v2 = StatisticsV2(self.domains, self.source)
        self.quota = Quota(time.monotonic)
        self.faults = Faults(seed)
        self.journal = Journal()

    def ready(self, url: str) -> dict[str, str]:
        """What a client must know to call the stand-in at ``url``."""
        account = self.account
        return {
            "endpoint": url,
            "iam_endpoint": url,
            "project_id": account.project_id,
            "token": self.tokens.lasting.text,
            "ak": account.ak,
            "sk": account.sk,
            "username": account.username,
            "password": account.password,
            "account": account.account,
        }
