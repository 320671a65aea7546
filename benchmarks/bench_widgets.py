"""How quickly do widgets follow a hand?

python benchmarks/bench_widgets.py        (about a minute)

Each control that is dragged or picked is moved twenty times: from the moment its value is set to
the one the new picture is in the widget. Where a first picture comes before the last, with its
intervals or errors, both are told. Medians on one thread. The yardstick is what matplotlib takes to
draw empty axes: it is measured after each move, because a machine that others use has fast and slow
minutes, and each move's time is told as a multiple of it too.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from common import ANCHORS, machine, markdown, publish
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import lvkit as lv
from lvkit import widgets
from lvkit.widgets.picture import PictureBox

MOVES = 20
TARGET = "< 100 ms"


@dataclass(frozen=True)
class Move:
    """Something a hand does to a widget, twenty times.

    Attributes
    ----------
    name : str
        What is moved.
    tool : widget
        The widget.
    control : widget
        The control.
    values : sequence
        What it is set to, in turn.
    before : callable
        Opens the tab, or sets what else is needed.
    """

    name: str
    tool: Any
    control: Any
    values: Sequence[Any]
    before: Callable[[], object] = lambda: None


def even(low: float, high: float) -> list[float]:
    """Return the places of a slider."""
    return [float(value) for value in np.linspace(low, high, MOVES)]


def powers(low: float, high: float) -> list[float]:
    """Return the places of a slider over powers of ten."""
    return [float(value) for value in np.geomspace(low, high, MOVES)]


def chosen(control: Any, *but: Any) -> list[Any]:
    """Return what a menu holds."""
    options = [each[1] if isinstance(each, tuple) else each for each in control.options]
    return [value for value in options if value not in but]


def response() -> Iterator[Move]:
    """Moves of the response curve."""
    tool = widgets.response_curve(floor=0.25)
    for name, low, high in (
        ("Loading", -3, 3), ("Intercept", -4, 4), ("Floor", 0, 0.9), ("Skill", -4, 4),
    ):  # fmt: skip
        yield Move(name, tool, tool.control(name), even(low, high))
    yield Move("Precision", tool, tool.control("Precision"), powers(3, 900))


def panel() -> Iterator[Move]:
    """Moves of the explorer."""
    tool = widgets.explore_panel()
    benchmark, view = tool.control("Benchmark"), tool.control("Show")
    yield Move("Benchmark", tool, benchmark, chosen(benchmark))
    yield Move("Show", tool, view, chosen(view))
    families = tool.control("Families")
    some = [families.options[at : at + 30] for at in range(MOVES)]
    yield Move("Families", tool, families, some, lambda: setattr(view, "value", "params_b"))


def choice() -> Iterator[Move]:
    """Moves of the search for K, once it is over."""
    data = lv.load_leaderboard().complete()
    tool = widgets.choose_skills(data, largest=3)
    tool.run()
    yield Move("Number of skills K", tool, tool.pick, chosen(tool.pick))


def reading(fit: lv.Fit) -> Iterator[Move]:
    """Moves of the reader of skills."""
    tool = widgets.interpret_skills(fit)
    anchor, others = tool.anchors[0], [menu.value for menu in tool.anchors[1:]]

    def tab(place: int) -> Callable[[], object]:
        def go() -> None:
            tool.press(tool.restore_button)
            tool.errors.value = False
            tool.tab.selected_index = place

        return go

    anchors = chosen(anchor, *others)
    pairs = list(zip(tool.marked.options, tool.marked.options[5:], strict=False))
    for place, name in enumerate(("loadings", "correlations", "families")):
        yield Move(f"Anchor 1, {name}", tool, anchor, anchors, tab(place))
    tab(2)()
    across = chosen(tool.across, tool.up.value)
    yield Move("Across, families", tool, tool.across, across, tab(2))
    yield Move("How many, families", tool, tool.top, list(range(8, 8 + MOVES)), tab(2))
    yield Move("Mark, families", tool, tool.marked, pairs, tab(2))
    yield Move("Compare, two families", tool, tool.one, chosen(tool.one, tool.other.value), tab(3))

    def errors() -> None:
        tab(0)()
        tool.errors.value = True

    yield Move("Of, error bars", tool, tool.skill, chosen(tool.skill), errors)
    yield Move("Anchor 1, error bars", tool, anchor, anchors[:5], errors)


def prediction(fit: lv.Fit) -> Iterator[Move]:
    """Moves of the predictor."""
    tool = widgets.predict_scores(fit)
    size, tokens = tool.features["params_b"], tool.features["tokens_t"]
    yield Move("Family", tool, tool.family, fit.families)
    yield Move("Parameters", tool, size, powers(0.5, 300))
    yield Move("Tokens", tool, tokens, powers(0.2, 30))
    yield Move("Level", tool, tool.level, even(0.5, 0.95))
    yield Move("Intervals", tool, tool.intervals, chosen(tool.intervals))
    yield Move("a known score", tool, tool.scores["mmlu"], [f"{x:.3f}" for x in even(0.3, 0.8)])
    yield Move(
        "Parameters, unknown recipe", tool, size, powers(0.5, 300),
        lambda: setattr(tool.family, "value", ""),
    )  # fmt: skip


def planning(fit: lv.Fit) -> Iterator[Move]:
    """Moves of the planner, with intervals."""
    tool = widgets.plan_budget(fit, family="qwen2")
    yield Move("Budget", tool, tool.budget, powers(3e21, 3e25))
    yield Move("Level", tool, tool.level, even(0.5, 0.95))
    limit = tool.limits["max_params_b"]
    yield Move("Largest size", tool, limit, [f"{size:.3g}" for size in powers(2, 80)])
    yield Move("Picture", tool, tool.view, chosen(tool.view))
    skills, targets = fit.skills, chosen(tool.target)
    yield Move("Target, first time", tool, tool.target, targets[1:-2])
    yield Move("Target, again", tool, tool.target, targets[: len(skills)])
    yield Move("Family, first time", tool, tool.family, fit.families)
    yield Move("Family, again", tool, tool.family, fit.families[MOVES - 6 : MOVES])


def timed(move: Move) -> pd.DataFrame:
    """Time each move.

    Returns
    -------
    DataFrame
        A row for each move: seconds ``wall`` and ``cpu``, ``first_cpu`` to its first picture, and
        ``bare_cpu``, those of empty axes right after it.
    """
    move.before()
    first: list[float] = []
    for picture in (part for part in _all(move.tool) if isinstance(part, PictureBox)):
        picture.observe(lambda change: change.new and first.append(time.process_time()), "value")
    rows = []
    values = list(move.values)
    for at in range(min(MOVES, max(len(values), 6))):
        first.clear()
        if values[at % len(values)] == move.control.value:
            values = [*values[1:], values[0]]
        begun = time.perf_counter(), time.process_time()
        move.control.value = values[at % len(values)]
        wall, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
        early = first[0] - begun[1] if len(first) > 1 else cpu
        rows.append({"wall": wall, "cpu": cpu, "first_cpu": early, "bare_cpu": bare()})
    return pd.DataFrame(rows)


def bare() -> float:
    """Draw axes with nothing on them, the yardstick of the machine's haste; return CPU seconds."""
    begun = time.process_time()
    figure = Figure(figsize=(7.0, 4.0), dpi=96)
    figure.add_subplot()
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return time.process_time() - begun


def _all(widget: Any) -> Iterator[Any]:
    """Yield a widget and all in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _all(child)


def main() -> None:
    """Time everything and publish."""
    warnings.simplefilter("ignore", lv.LvkitWarning)
    where = machine()
    fit = lv.LatentSkillModel(anchors=ANCHORS).fit(lv.load_leaderboard())
    tools = {
        "explore_panel": panel(),
        "response_curve": response(),
        "choose_skills": choice(),
        "interpret_skills": reading(fit),
        "predict_scores": prediction(fit),
        "plan_budget": planning(fit),
    }
    rows, data, everything = [], {}, []
    for tool, moves in tools.items():
        of_tool = []
        for move in moves:
            times = timed(move)
            of_tool.append(times)
            rows.append(row(f"`{tool}`: {move.name}", times))
            data[f"{tool}: {move.name}"] = medians(times)
            print(*rows[-1], sep=" | ", flush=True)
        everything.append(pd.concat(of_tool))
        rows.append([f"**{cell}**" if cell else "" for cell in row(f"{tool}, all", everything[-1])])
        data[tool] = medians(everything[-1])
        print(*rows[-1], sep=" | ", flush=True)
    rows.append([f"**{cell}**" if cell else "" for cell in row("all", pd.concat(everything))])
    data["all"] = medians(pd.concat(everything))
    columns = ["what is moved", "a first picture", "wall", "CPU", "in empty axes", "target"]
    publish("widgets", where, data, markdown(columns, rows))


def medians(times: pd.DataFrame) -> dict[str, float]:
    """Return the medians of some moves, and that of their share of empty axes."""
    return times.median().to_dict() | {"ratio": float((times["cpu"] / times["bare_cpu"]).median())}


def row(name: str, times: pd.DataFrame) -> list[str]:
    """Return the table's row of some moves."""
    middle = medians(times)
    early = middle["first_cpu"] < 0.9 * middle["cpu"]
    first, wall, cpu = (f"{middle[each] * 1e3:.0f} ms" for each in ("first_cpu", "wall", "cpu"))
    return [name, first if early else "", wall, cpu, f"{middle['ratio']:.1f}", TARGET]


if __name__ == "__main__":
    main()
