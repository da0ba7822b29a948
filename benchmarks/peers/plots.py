"""The plots of the page, from ``results.json``: small SVGs that any browser shows."""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9}
import matplotlib.pyplot as plt  # noqa: E402 - the backend is chosen before

TICKS = (1, 2, 5, 10, 20, 50, 100)
KINDS = ("parquet", "duckdb", "postgresql")
CONTENDERS = {
    "floor": ("floor", "#b8c0cc"),
    "ours": ("live-traffic", "#c8102e"),
    "dlt_arrow": ("dlt, Arrow", "#4c78a8"),
    "script": ("script", "#72b7b2"),
    "dlt_rest": ("dlt, rest_api", "#1f3a5f"),
}


def backfill(cold: dict[str, Any], folder: Path) -> None:
    """Bars of the whole command, by target."""
    figure, axis = plt.subplots(figsize=(7, 3.2))
    place, ticks = 0.0, []
    for kind in KINDS:
        there = [who for who in CONTENDERS if who in cold.get(kind, {})]
        ticks.append((place + (len(there) - 1) / 2, kind))
        for who in there:
            name, colour = CONTENDERS[who]
            seconds = median(run["wall_s"] for run in cold[kind][who]["cold"]["runs"])
            axis.bar(place, seconds, 0.9, color=colour, label=name)
            axis.text(place, seconds, f"{seconds:.1f}", ha="center", va="bottom")
            place += 1
        place += 1
    axis.set_yscale("log")
    axis.set_ylabel("seconds, whole command (log)")
    axis.set_xticks([at for at, _ in ticks], [kind for _, kind in ticks])
    handles, names = axis.get_legend_handles_labels()
    shown = dict(zip(names, handles, strict=True))
    axis.legend(shown.values(), shown.keys(), frameon=False, ncols=5, loc="upper left")
    axis.set_ylim(1, axis.get_ylim()[1] * 2)
    axis.set_yticks(TICKS, map(str, TICKS))
    axis.minorticks_off()
    _saved(figure, axis, folder / "backfill.svg")


def memory(runs: dict[str, Any], folder: Path) -> None:
    """Resident memory over time."""
    figure, axis = plt.subplots(figsize=(7, 3.2))
    for name, run in runs.items():
        times, mib = zip(*run["series"], strict=True)
        own = name.startswith("live")
        colour = {"1x": "#f2a1ad", "4x": "#e0566e", "16x": "#c8102e"}[name.split()[-1]]
        axis.plot(times, mib, color=colour if own else "#72b7b2", lw=1.2, label=name)
        axis.annotate(name, (times[-1], max(mib)), textcoords="offset points", xytext=(3, 0))
    axis.set_ylim(bottom=0)
    axis.set_xlim(right=axis.get_xlim()[1] * 1.15)
    axis.set_xlabel("seconds")
    axis.set_ylabel("MiB, whole process tree")
    _saved(figure, axis, folder / "memory.svg")


def _saved(figure: Any, axis: Any, path: Path) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main(results: Path) -> None:
    """Every plot that there are figures for."""
    found = json.loads(results.read_text())
    if "cold" in found:
        backfill(found["cold"], results.parent)
    if "memory" in found:
        memory(found["memory"]["runs"], results.parent)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
