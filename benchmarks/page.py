"""``RESULTS.md`` from the results: every aim beside what was seen, then every table."""

from typing import Any

from benchmarks.aims import aims, median
from benchmarks.contenders import HERE, KINDS, NAMES

PAGE = HERE / "RESULTS.md"
SCALING = HERE / "SCALING.md"
"""Figures of the work spread over machines, where somebody has measured them."""

Results = dict[str, Any]

_HEAD = """# Results

Written by `make bench` (`python -m benchmarks`; `--quick` takes a round of everything but the longest
rows). Every contender did the same job against the same local stand-in, which ran in its own process on
one core while the contender had the other; contenders took turns, figures are medians over
{rounds} rounds. Compare ratios, not seconds, between machines. What a contender left was read back by
another road (DuckDB, Delta, psycopg) and compared with the stand-in's own truth, domain by domain.

Machine: {machine}.
"""

_TUNING = """## How the peers were tuned

- **floor** (`peers/floor.py`): eight requests under way over kept-alive connections, gzip, orjson, Arrow's
  cast, one bulk write a window into the same keyed table (a zstd file for Parquet). No retry, no quota,
  no validation, no upsert, no record of what was read.
- **script** (`peers/script.py`): a pooled session with retries, eight threads, pandas frames, one upsert at
  the end: month files merged and replaced, `INSERT OR REPLACE`, or `COPY` into a temporary table and
  `ON CONFLICT`. Nothing is kept if it dies, and everything is in memory at the end.
- **dlt, Arrow** (`peers/dlt_arrow.py`): the floor's download and decoder, a table a window, merge with the
  upsert strategy; Parquet as the loader's format (CSV for PostgreSQL), no compression in between, no
  telemetry. Its `merge` into plain Parquet files falls back to append, so its Parquet target is a Delta
  table.
- **dlt, rest_api** (`peers/dlt_rest.py`): its own source as its manual shows it, parallelized; one run.
- **live-traffic**: as installed, `--engine direct`; only the quota was lifted. Peers were told the domains;
  it asked for the list. fsync, journal, locks, validation and ledger were on.
- Peers live in an environment of their own (`peers/requirements.txt`), with the versions that
  live-traffic is pinned to where both use a library.
"""


def write(results: Results) -> None:
    """Write the page."""
    PAGE.write_text("\n".join(_sections(results)) + "\n")


def _sections(results: Results) -> list[str]:
    machine = results["machine"]
    rounds = len(results["cold"]["parquet"]["ours"]["cold"]["runs"]) if "cold" in results else 0
    said = f"{machine['cores']} cores, {machine['processor']}, Python {machine['python']}"
    found = [_HEAD.format(rounds=rounds, machine=said), _seen(results), _aims(results)]
    writers = {
        "cold": _cold,
        "years": _years,
        "memory": _memory,
        "prefect": _prefect,
        "ledger": _ledger,
        "quota": _quota,
    }
    found += [writer(results[name]) for name, writer in writers.items() if name in results]
    found.append(_scaling())
    found.append(_TUNING)
    return found


def _seen(results: Results) -> str:
    said = [
        f"{name} {part['seen']['at']} (load {part['seen']['load']}{', quick' * part['seen']['quick']})"
        for name, part in results.items()
        if isinstance(part, dict) and "seen" in part
    ]
    parts = ("cold", "years", "memory", "prefect", "ledger", "quota")
    missing = [name for name in parts if name not in results]
    late = f" Not measured yet: {', '.join(missing)}." if missing else ""
    return f"Measured: {'; '.join(said)}.{late}\n"


def _aims(results: Results) -> str:
    lines = ["## What was aimed at", "", "| what | aim | seen | |", "| --- | --- | --- | --- |"]
    short = []
    for aim in aims(results):
        lines.append(f"| {aim.what} | {aim.aim} | {aim.seen} | {'✓' if aim.met else '✗'} |")
        if not aim.met and aim.why:
            short.append(f"- {aim.what}: {aim.why}")
    if short:
        lines += ["", "Where it falls short:", "", *short]
    return "\n".join(lines) + "\n"


def _cold(of: Results) -> str:
    lines = [
        "## Cold backfill, and the night after it",
        "",
        f"50 domains x 90 days x 5 minutes, {of['rows']:,} rows; then the last two days upserted.",
        "Seconds of the whole command; *inside*: without interpreter and imports.",
        "",
        "![Cold backfill](backfill.svg)",
        "",
        "| target | who | s | inside | CPU s | x floor inside | peak MiB | requests | night s | night CPU s |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in KINDS:
        lines += [_row(kind, who, of[kind]) for who in NAMES if who in of.get(kind, {})]
    return "\n".join(lines) + "\n"


def _row(kind: str, who: str, of: Results) -> str:
    cold, night = of[who]["cold"], of[who].get("night")
    floor = median(of["floor"]["cold"]["runs"], "inside_s")
    runs = cold["runs"]
    return (
        f"| {kind} | {NAMES[who]} | {median(runs, 'wall_s'):.2f} | {median(runs, 'inside_s'):.2f} | "
        f"{median(runs, 'cpu_s'):.2f} | {median(runs, 'inside_s') / floor:.2f} | "
        f"{median(runs, 'peak_mib'):,.0f} | {sum(cold['requests'].values())} | "
        + (
            f"{median(night['runs'], 'wall_s'):.2f} | {median(night['runs'], 'cpu_s'):.2f} |"
            if night
            else "– | – |"
        )
    )


def _years(of: Results) -> str:
    upsert, script = of["upsert"], of["script"]
    return f"""## A year

100 domains x 365 days, 10.5 M rows, a night's entries for every night; 1,000,000 rows (the last 35 days
of every domain) come again with other values. live-traffic also writes a revision for each.

| who | s | CPU s of the process | peak MiB |
| --- | ---: | ---: | ---: |
| live-traffic | {upsert["seconds"]:.2f} | {upsert["cpu_s"]:.1f} | {upsert["peak_mib"]:,.0f} |
| script (pandas, month files) | {script["seconds"]:.2f} | {script["cpu_s"]:.1f} | {script["peak_mib"]:,.0f} |

| `nightly` on | s | CPU s | peak MiB |
| --- | ---: | ---: | ---: |
| a new warehouse (50 domains, 90 days) | {_three(of["night_new"])} |
| one with a year and 365 nights in it | {_three(of["night_old"])} |
"""


def _three(figures: Results) -> str:
    return f"{figures['wall_s']:.2f} | {figures['cpu_s']:.2f} | {figures['peak_mib']:,.0f}"


def _memory(of: Results) -> str:
    lines = [
        "## Memory as the history grows",
        "",
        "64 domains on v2, Parquet; 1 x is 23 days. The seconds are the stand-in's, which renders these",
        "answers one by one.",
        "",
        "![Memory over time](memory.svg)",
        "",
        "| run | rows | peak MiB | s | CPU s |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {run['rows']:,} | {run['peak_mib']:,.0f} | {run['wall_s']:.1f} | {run['cpu_s']:.1f} |"
        for name, run in of["runs"].items()
    ]
    return "\n".join(lines) + "\n"


def _prefect(of: Results) -> str:
    task = of["task"]
    lines = [
        "## What Prefect adds",
        "",
        "The 50-domain backfill into Parquet; *with* is a flow against a running server on this machine.",
        "",
        "| engine | s | inside | CPU s | peak MiB |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, runs in (
        ("direct", of["direct"]),
        ("prefect, with a server", of["prefect"]),
        ("prefect, without", [of["no_server"]] if "no_server" in of else []),
    ):
        if not runs:
            continue
        lines.append(
            f"| {name} | {median(runs, 'wall_s'):.2f} | {median(runs, 'inside_s'):.2f} | "
            f"{median(runs, 'cpu_s'):.2f} | {median(runs, 'peak_mib'):,.0f} |"
        )
    each = task["prefect_s"] / task["tasks"] * 1000
    plain = task["direct_s"] / task["tasks"] * 1000
    lines += [
        "",
        f"A batch that does nothing: {each:.1f} ms as a task, {plain:.2f} ms in the loop.",
    ]
    return "\n".join(lines) + "\n"


def _ledger(of: Results) -> str:
    lines = [
        "## Before a run asks for anything: a long ledger",
        "",
        "An entry a domain and night, all of them within the reach of the API (v2's year); read, folded and",
        "planned from, once. *Beyond*: memory beside what the process had before.",
        "",
        "| store | entries | of domains, nights | s | of that reading | CPU s | beyond, MiB | KiB an entry |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for run in of["runs"]:
        each = run["beyond_mib"] * 1024 / run["entries"]
        lines.append(
            f"| {run['store']} | {run['entries']:,} | {run['domains']:,}, {run['nights']} | "
            f"{run['seconds']:.2f} | {run['read_s']:.2f} | {run['cpu_inside_s']:.2f} | "
            f"{run['beyond_mib']:,.0f} | {each:.2f} |"
        )
    return "\n".join(lines) + "\n"


def _quota(of: Results) -> str:
    return f"""## Under a quota

{of["requests"]} requests at {of["per_minute"]} a minute, judged by the stand-in's journal: {of["used"] * 100:.1f} % of
the quota used while there was work for whole minutes, at most {of["most_in_a_minute"]} in any 60 s,
{of["throttled"]} throttled, {of["refused"]} otherwise refused; {of["wall_s"]:.0f} s, {of["cpu_s"]:.1f} s CPU.
(The budget's window is 61 s, so 98.4 % is the most it can use.)
"""


def _scaling() -> str:
    """That page as a section of this one."""
    if not SCALING.exists():
        return "## More workers, where answers are slow\n\nNot measured here yet.\n"
    lines = SCALING.read_text().splitlines()
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in lines) + "\n"
