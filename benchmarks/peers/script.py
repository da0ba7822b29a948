"""What a competent colleague writes in an afternoon: requests, threads, pandas, an upsert.

A pooled session, eight threads, retries on 5xx and 429, a frame an answer, one frame in the end, and
the store's own upsert. No ledger, no quota, no resumption, no check of what came.
"""

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import task as given_task
from requests.adapters import HTTPAdapter
from urllib3.util import Retry
from writers import SCRIPTS


def main() -> None:
    """One job."""
    task = given_task.given()
    rows, time, value = task.fields
    with task.session() as session, ThreadPoolExecutor(given_task.IN_FLIGHT) as pool:
        retries = Retry(4, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504))
        session.mount(
            "http://", HTTPAdapter(pool_maxsize=given_task.IN_FLIGHT, max_retries=retries)
        )

        def read(part: given_task.Slice) -> pd.DataFrame:
            frame = pd.DataFrame(task.get(session, part).json()[rows], columns=[time, value])
            return pd.DataFrame(
                {
                    "domain": part.domain,
                    "timestamp": pd.to_datetime(frame[time], format="ISO8601", utc=True),
                    "traffic_bytes": frame[value].astype("int64"),
                }
            )

        frame = pd.concat(pool.map(read, task.slices()), ignore_index=True)
    SCRIPTS[task.kind](task.place, frame)
    task.done(len(frame))


if __name__ == "__main__":
    main()
