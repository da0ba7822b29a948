"""dlt's own ``rest_api`` source, as its manual shows it: a parent list of slices, a child a request.

``parallelized`` is on; rows go through dlt as Python objects, which is what this source does.
"""

from collections.abc import Iterator

import dlt
import task as given_task
from dlt.sources.rest_api import rest_api_source
from places import load


def main() -> None:
    """One job."""
    task = given_task.given()
    rows, time, _ = task.fields

    @dlt.resource(name="slices", selected=False)
    def slices() -> Iterator[list[dict[str, str]]]:
        for part in task.slices():  # a page each, so that they are read side by side
            yield [{**task.query(part), "name": part.domain}]

    names = list(task.query(task.slices()[0]))
    traffic = {
        "name": "traffic",
        "primary_key": ["_slices_name", time],
        "write_disposition": {"disposition": "merge", "strategy": "upsert"},
        "include_from_parent": ["name"],
        "parallelized": True,
        "endpoint": {
            "path": task.path.lstrip("/"),
            "params": {name: f"{{resources.slices.{name}}}" for name in names},
            "data_selector": rows,
            "paginator": "single_page",
        },
    }
    source = rest_api_source(
        {
            "client": {
                "base_url": f"{task.endpoint}/",
                "headers": {"X-Auth-Token": task.token},
            },
            "resources": [slices(), traffic],
        }
    )
    load(task, source)
    task.done(0)


if __name__ == "__main__":
    main()
