"""dlt's pipelines into each target, tuned the same way for both of its peers."""

import os
from pathlib import Path
from typing import Any

import task as given_task

_TUNING = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "100000",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    "LOAD__TRUNCATE_STAGING_DATASET": "true",
}


def load(task: given_task.Task, data: Any) -> None:
    """Run a pipeline with this data into the task's target."""
    os.environ.update(_TUNING)
    import dlt

    folder = Path(task.place).parent if task.kind != "postgresql" else Path.cwd()
    destination, file_format = _destination(task)
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(folder / "dlt"),
        destination=destination,
        dataset_name=_dataset(task),
    )
    pipeline.run(data, loader_file_format=file_format).raise_on_failed_jobs()


def _destination(task: given_task.Task) -> tuple[Any, str]:
    import dlt

    if task.kind == "parquet":
        return dlt.destinations.filesystem(Path(task.place).as_uri()), "parquet"
    if task.kind == "duckdb":
        return dlt.destinations.duckdb(task.place), "parquet"
    return dlt.destinations.postgres(_with_password(task.place.partition("?")[0])), "csv"


def _with_password(url: str) -> str:
    """Dlt insists on a password, also where the server asks for none."""
    scheme, _, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}://{user}{'' if ':' in user else ':unused'}{at}{host}"


def _dataset(task: given_task.Task) -> str:
    """The schema; in PostgreSQL the one that the place's search path names."""
    return task.place.rpartition("%3D")[2] if task.kind == "postgresql" else "bench"
