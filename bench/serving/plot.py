"""The picture of the rates: for each model, bars of every load, beside the floor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.serving.questions import LOADS
from bench.serving.summary import Cell, Summary, rate
from bench.serving.tables import TITLES, number
from bench.serving.targets import FLOOR, OURS

HEIGHT = 0.82
"""Of the bars of one load together, where 1 is the distance between two loads."""
CONNECTIONS = 16
OTHERS = ("#4477aa", "#88ccee", "#228833", "#99bb55", "#aa8833", "#aa3377", "#777777", "#bbbbbb")
"""Colours of the others, which colour-blind people can tell apart."""


def draw(summary: Summary, path: Path) -> None:
    """Write a PNG: answers a second as a multiple of the floor's, at 16 connections."""
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
    """One panel."""
    step = HEIGHT / max(1, len(names))
    for index, name in enumerate(names):
        places, lengths = [], []
        for place, load in enumerate(LOADS):
            ratio = summary.ratio(name, FLOOR, Cell(model, load, CONNECTIONS), rate)
            if ratio:
                places.append(place - HEIGHT / 2 + (index + 0.5) * step)
                lengths.append(ratio.middle)
        colour = "#cc2222" if name == OURS else OTHERS[index % len(OTHERS)]
        bars = axes.barh(places, lengths, step * 0.9, color=colour, label=name)
        axes.bar_label(bars, [number(length, 2) for length in lengths], padding=2, fontsize=6)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_yticks(range(len(LOADS)), [TITLES[load] for load in LOADS])
    axes.set_ylim(len(LOADS) - 0.5, -0.5)
    axes.margins(x=0.15)
    axes.set_title(f"{model} model")
    axes.set_xlabel(f"answers a second, as multiples of the floor's; {CONNECTIONS} connections")
