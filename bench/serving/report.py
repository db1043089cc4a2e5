"""The report of a run: Markdown tables, a plot, and the document that holds them between marker comments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.serving.loads import LOADS, Load
from bench.serving.summary import Cell, Metric, Summary, cpu, p50, p99, rate
from bench.serving.targets import FLOOR, MAX_IDLE_CPU, OURS, Target, targets

DOCUMENT, PLOT = "benchmarks.md", "images/serving.png"
BLOCK = re.compile(r"<!-- bench:([a-z0-9-]+) -->\n.*?<!-- /bench -->", re.DOTALL)
LOAD_TITLES: dict[Load, str] = {
    "json-1": "JSON, 1 sample",
    "json-32": "JSON, 32 samples",
    "binary-32": "binary, 32 samples",
    "png": "PNG",
    "decode-32": "decode, JSON, 32",
}
NO_VALUE = "—"
RATE_CONNECTIONS, LOW_CONNECTIONS, HIGH_CONNECTIONS = 16, 1, 64
"""Connections of the tables of rates and CPU time, and of the two tables of latencies."""

GROUP_HEIGHT = 0.82
"""Height of all bars of one load, where 1 is the distance between two loads."""
OUR_COLOUR = "#cc2222"
COLOURS = ("#4477aa", "#88ccee", "#228833", "#99bb55", "#aa8833", "#aa3377", "#777777", "#bbbbbb")
"""Colours of the other contenders, which colour-blind people can tell apart."""


def write_report(summary: Summary, docs: Path) -> None:
    """Write the tables into `benchmarks.md` of a folder with documents, and the plot into `images/serving.png`."""
    document = docs / DOCUMENT
    document.write_text(fill(document.read_text(encoding="utf-8"), tables(summary)), encoding="utf-8")
    plot = docs / PLOT
    plot.parent.mkdir(exist_ok=True)
    draw(summary, plot)


def fill(text: str, tables: Mapping[str, str]) -> str:
    """
    Return the text with the table NAME in every block `<!-- bench:NAME -->` to `<!-- /bench -->`.

    A block whose table is missing, because it was not measured this time, stays as it is.
    """

    def block(match: re.Match[str]) -> str:
        name = match.group(1)
        return f"<!-- bench:{name} -->\n{tables[name]}\n<!-- /bench -->" if name in tables else match.group(0)

    return BLOCK.sub(block, text)


def tables(summary: Summary) -> dict[str, str]:
    """Return all tables by the name of their block in the document."""
    blocks = {
        "targets": target_table(targets(summary)),
        "needs": footprint_table(summary),
        "machine": machine_paragraph(summary),
        **({"wires": wire_table(summary)} if summary.results.wires else {}),
    }

    cpu_cell, latency = partial(median_cell, summary, cpu), partial(latency_cell, summary)
    for model in summary.models:
        blocks |= {
            f"rates-{model}": by_load(summary, model, RATE_CONNECTIONS, partial(rate_cell, summary)),
            f"cpu-{model}": by_load(summary, model, RATE_CONNECTIONS, cpu_cell),
            f"latency-{model}": by_load(summary, model, LOW_CONNECTIONS, latency),
            f"latency-64-{model}": by_load(summary, model, HIGH_CONNECTIONS, latency),
            f"all-{model}": full_table(summary, model),
        }
    return blocks


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table whose first column is text and whose other columns are numbers."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def format_number(value: float | None, digits: int = 3) -> str:
    """Write a number with this many significant digits and a space between thousands."""
    if value is None:
        return NO_VALUE
    if value == 0:
        return "0"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}".replace(",", " ")
    return f"{float(f'{value:.{digits}g}'):g}"


def by_load(summary: Summary, model: str, connections: int, cell: Callable[[str, Cell], str]) -> str:
    """Return a table with one row per contender and one column per load."""
    rows = [[name, *(cell(name, Cell(model, load, connections)) for load in LOADS)] for name in summary.contenders]
    return markdown(["server", *LOAD_TITLES.values()], rows)


def median_cell(summary: Summary, metric: Metric, name: str, cell: Cell) -> str:
    """Return the median of a metric."""
    spread = summary.spread(name, cell, metric)
    return format_number(spread.median) if spread else NO_VALUE


def rate_cell(summary: Summary, name: str, cell: Cell) -> str:
    """Return answers per second and, in brackets, their ratio to the floor's."""
    ratio = summary.ratio(name, FLOOR, cell, rate)
    return median_cell(summary, rate, name, cell) + (f" ({format_number(ratio.median)})" if ratio else "")


def latency_cell(summary: Summary, name: str, cell: Cell) -> str:
    """Return p50 and p99 in milliseconds."""
    low, high = summary.spread(name, cell, p50), summary.spread(name, cell, p99)
    if low is None or high is None:
        return NO_VALUE
    return f"{format_number(low.median / 1e3)} / {format_number(high.median / 1e3)}"


def full_table(summary: Summary, model: str) -> str:
    """Return a table with one row per load, number of connections and contender."""
    rows = []
    for load in LOADS:
        for connections in summary.connections:
            for name in summary.contenders:
                cell = Cell(model, load, connections)
                if rates := summary.spread(name, cell, rate):
                    bounds = f"{format_number(rates.lowest)} to {format_number(rates.highest)}"
                    numbers = [format_number(rates.median), bounds, median_cell(summary, cpu, name, cell)]
                    rows.append([f"`{load}`, {connections}, {name}", *numbers, latency_cell(summary, name, cell)])
    head = ["load, connections, server", "answers/s", "lowest to highest", "CPU, µs per answer", "p50 / p99, ms"]
    return markdown(head, rows)


def footprint_table(summary: Summary) -> str:
    """Return a table with the start, idle CPU and memory of each contender with each model."""
    rows = []
    for one in summary.results.footprints:
        first, _ = summary.first_answer(one.contender, one.model)
        idle = "0" if one.idle_cpu < MAX_IDLE_CPU else format_number(one.idle_cpu, 2)
        memory = [format_number(one.memory_mb), format_number(one.peak_mb), str(one.processes)]
        rows.append([f"{one.contender}, {one.model}", format_number(first.median if first else None), idle, *memory])
    head = ["server, model", "first correct answer, s", "idle CPU, s/s", "memory, MB", "peak, MB", "processes"]
    return markdown(head, rows)


def wire_table(summary: Summary) -> str:
    """Return a table with the CPU time of a request of /v2 by its wire."""
    rows = [[cost.wire, str(cost.rows or NO_VALUE), f"{cost.cpu_ms:.2f}"] for cost in summary.results.wires]
    return markdown(["wire", "samples", "CPU, ms a request"], rows)


def target_table(rows: Sequence[Target]) -> str:
    """Return a table with the goal and the measured values of each target."""
    words = {True: "yes", False: "**no**", None: "not measured"}
    lines = []
    for target in rows:
        goal = f"{'≥' if target.at_least else '≤'} {target.goal:g} {target.unit}".rstrip()
        values = [
            f"{format_number(value)} {target.unit}".strip() if value is not None else NO_VALUE
            for value in (target.value, target.cpu_value)
        ]
        lines.append([target.name, goal, *values, words[target.is_met]])
    return markdown(["target", "goal", "measured", "as CPU time", "met"], lines)


def machine_paragraph(summary: Summary) -> str:
    """Return one paragraph about the machine, the versions and the options of the run."""
    machine = dict(summary.results.machine)
    first = f"{machine.pop('processor')}, {machine.pop('cores')} cores, {machine.pop('kernel')}, {machine.pop('day')}"
    versions = ", ".join(f"{name} {version}" for name, version in machine.items())
    options = summary.results.options
    disturbances = [measurement.disturbance for measurement in summary.results.measurements]
    return (
        f"{first}; {versions}. {options['rounds']} rounds, {options['seconds']:g} s per measurement. Other processes "
        f"took {format_number(100 * median(disturbances), 2)} % of the servers' core in the median measurement, and "
        f"{format_number(100 * max(disturbances), 2)} % in the most disturbed."
    )


def draw(summary: Summary, path: Path) -> None:
    """Write a PNG with bars: the rate of each contender as a multiple of the floor's, at 16 connections."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    names = [name for name in summary.contenders if name != FLOOR]
    rows = len(LOADS) * len(names)
    with mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(4.6 * len(summary.models), 1.2 + 0.16 * rows), layout="constrained")
        panels = figure.subplots(1, len(summary.models), sharey=True, sharex=True, squeeze=False)[0]
        for axes, model in zip(panels, summary.models, strict=True):
            draw_model(axes, summary, model, names)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        figure.savefig(path, dpi=110, metadata={"Software": None})


def draw_model(axes: Any, summary: Summary, model: str, names: list[str]) -> None:
    """Draw the bars of one model."""
    step = GROUP_HEIGHT / max(1, len(names))
    for index, name in enumerate(names):
        places, lengths = [], []
        for place, load in enumerate(LOADS):
            ratio = summary.ratio(name, FLOOR, Cell(model, load, RATE_CONNECTIONS), rate)
            if ratio:
                places.append(place - GROUP_HEIGHT / 2 + (index + 0.5) * step)
                lengths.append(ratio.median)
        colour = OUR_COLOUR if name == OURS else COLOURS[index % len(COLOURS)]
        bars = axes.barh(places, lengths, step * 0.9, color=colour, label=name)
        axes.bar_label(bars, [format_number(length, 2) for length in lengths], padding=2, fontsize=6)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks(range(len(LOADS)), [LOAD_TITLES[load] for load in LOADS])
    axes.set_ylim(len(LOADS) - 0.5, -0.5)
    axes.margins(x=0.15)
    axes.set_title(f"{model} model")
    axes.set_xlabel(f"answers per second, as multiples of the floor's; {RATE_CONNECTIONS} connections")
