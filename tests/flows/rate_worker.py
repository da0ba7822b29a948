"""A process that asks the stand-in as fast as its shared budget lets it: arguments as in ``main``."""

import sys
import threading
import time

import requests

from flows.rate_state import shared_budget

THREADS = 3


def main(state: str, endpoint: str, project: str, token: str, name: str, rules: str) -> None:
    """Ask for ``seconds`` with ``quota`` requests a window, ``name`` as the domain."""
    quota, window_s, seconds = (float(part) for part in rules.split(","))
    stop = threading.Event()
    budget = shared_budget(state, sleep=stop.wait, window_s=window_s)
    url = f"{endpoint}/v1/{project}/stream/traffic"
    asked = {"domain": name, "step": "5"}
    print("ready", flush=True)
    sys.stdin.readline()
    until = time.monotonic() + seconds

    def work() -> None:
        with requests.Session() as session:
            while time.monotonic() < until:
                with budget.acquire("account", "traffic", int(quota)):
                    session.get(url, params=asked, headers={"X-Auth-Token": token}, timeout=20)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
