"""Markdown tables of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from bench.serving.contender import Load
from bench.serving.questions import LOADS
from bench.serving.summary import Cell, Number, Summary, cpu, p50, p99, rate
from bench.serving.targets import FLOOR, IDLE_CPU, Finding, findings

TITLES: dict[Load, str] = {
    "json-1": "JSON, 1 sample",
    "json-32": "JSON, 32 samples",
    "binary-32": "binary, 32 samples",
    "png": "PNG",
    "decode-32": "decode, JSON, 32",
}
NOTHING = "—"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the others are numbers."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def number(value: float | None, digits: int = 3) -> str:
    """With so many digits that count, thousands apart by a thin gap."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}".replace(",", " ")
    return f"{float(f'{value:.{digits}g}'):g}"


def tables(summary: Summary) -> dict[str, str]:
    """All, by the name of their place in the document."""
    drawn = {"targets": targets(findings(summary)), "needs": needs(summary), "machine": machine(summary)}
    for model in summary.models:
        drawn[f"rates-{model}"] = by_load(summary, model, 16, lambda name, cell: rate_cell(summary, name, cell))
        drawn[f"cpu-{model}"] = by_load(summary, model, 16, lambda name, cell: of(summary, name, cell, cpu))
        drawn[f"latency-{model}"] = by_load(summary, model, 1, lambda name, cell: latency_cell(summary, name, cell))
        drawn[f"latency-64-{model}"] = by_load(summary, model, 64, lambda name, cell: latency_cell(summary, name, cell))
        drawn[f"all-{model}"] = everything(summary, model)
    return drawn


def by_load(summary: Summary, model: str, connections: int, cell: Callable[[str, Cell], str]) -> str:
    """A row a contender, a column a load."""
    rows = [[name, *(cell(name, Cell(model, load, connections)) for load in LOADS)] for name in summary.contenders]
    return markdown(["server", *TITLES.values()], rows)


def of(summary: Summary, name: str, cell: Cell, what: Number) -> str:
    """A median."""
    spread = summary.of(name, cell, what)
    return number(spread.middle) if spread else NOTHING


def rate_cell(summary: Summary, name: str, cell: Cell) -> str:
    """Answers a second, and how many times the floor's."""
    ratio = summary.ratio(name, FLOOR, cell, rate)
    return of(summary, name, cell, rate) + (f" ({number(ratio.middle)})" if ratio else "")


def latency_cell(summary: Summary, name: str, cell: Cell) -> str:
    """p50 and p99, in milliseconds."""
    low, high = summary.of(name, cell, p50), summary.of(name, cell, p99)
    return f"{number(low.middle / 1e3)} / {number(high.middle / 1e3)}" if low and high else NOTHING


def everything(summary: Summary, model: str) -> str:
    """A row a load, number of connections and contender."""
    rows = []
    for load in LOADS:
        for connections in summary.connections:
            for name in summary.contenders:
                cell = Cell(model, load, connections)
                if rates := summary.of(name, cell, rate):
                    shown = [number(rates.middle), f"{number(rates.least)} to {number(rates.most)}"]
                    latencies = latency_cell(summary, name, cell)
                    rows.append([f"`{load}`, {connections}, {name}", *shown, of(summary, name, cell, cpu), latencies])
    head = ["load, connections, server", "answers/s", "least to most", "CPU, µs an answer", "p50 / p99, ms"]
    return markdown(head, rows)


def needs(summary: Summary) -> str:
    """A row a contender and model: start, idle CPU, memory."""
    rows = []
    for one in summary.results.footprints:
        first, _ = summary.first_answer(one.contender, one.model)
        idle = "0" if one.idle_cpu < IDLE_CPU else number(one.idle_cpu, 2)
        memory = [number(one.memory_mb), number(one.peak_mb), str(one.processes)]
        rows.append([f"{one.contender}, {one.model}", number(first.middle if first else None), idle, *memory])
    head = ["server, model", "first right answer, s", "idle CPU, s/s", "memory, MB", "peak, MB", "processes"]
    return markdown(head, rows)


def targets(found: Sequence[Finding]) -> str:
    """A row an aim: what was wanted and what was measured."""
    words = {True: "yes", False: "**no**", None: "not measured"}
    rows = []
    for one in found:
        wanted = f"{'≥' if one.at_least else '≤'} {one.wanted:g} {one.unit}".rstrip()
        got = [f"{number(value)} {one.unit}".strip() if value is not None else NOTHING for value in one.numbers]
        rows.append([one.what, wanted, *got, words[one.met]])
    return markdown(["what", "wanted", "got", "as CPU time", "shown"], rows)


def left_out(summary: Summary) -> str:
    """What was not measured, and why; one line each."""
    return "\n".join(f"- {one.contender}, {one.model} {one.load}: {one.why}" for one in summary.results.left_out)


def machine(summary: Summary) -> str:
    """What the numbers were measured on, in one paragraph."""
    held = dict(summary.results.machine)
    first = f"{held.pop('processor')}, {held.pop('cores')} cores, {held.pop('kernel')}, {held.pop('day')}"
    versions = ", ".join(f"{name} {version}" for name, version in held.items())
    options, taken = summary.results.options, [one.taken for one in summary.results.measurements]
    return (
        f"{first}; {versions}. {options['rounds']} rounds, {options['seconds']:g} s a measurement. Other processes "
        f"took {number(100 * median(taken), 2)} % of the servers' core in the median measurement, and "
        f"{number(100 * max(taken), 2)} % in the most disturbed."
    )
