"""What tests of pictures and of their sentences share."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from scipy.special import ndtri

import lvkit as lv
from lvkit.fit.backtest import Backtest

ODD = ["<script>alert('x')</script>", "cost_$5_or_$6", "_hidden", "long-name-" * 9, "*b*|`x`"]


def odd_panel() -> lv.Panel:
    """Names that are hard to show, a benchmark measured on four models, and few scores."""
    rng = np.random.default_rng(0)
    rows = []
    for family, skill in zip(ODD, rng.normal(0, 0.6, (len(ODD), 2)), strict=True):
        for size in (1.0, 7.0, 30.0):
            logits = skill[[0, 0, 1]] + np.log10(size) - 1 + rng.normal(0, 0.1, 3)
            scores = dict(zip(["mmlu", "<b>own</b>", "own_$2$"], 1 / (1 + np.exp(-logits)),
                              strict=True))  # fmt: skip
            rows.append({"model": f"{family}-{size:g}b", "family": family, "params_b": size}
                        | scores)  # fmt: skip
    table = pd.DataFrame(rows)
    table.loc[[0, 5, 9, 13], "rare"] = [0.3, 0.4, 0.6, 0.5]
    return lv.Panel.from_frame(table, benchmarks={"<b>own</b>": 0.0, "own_$2$": 0.1, "rare": 0.0})


def made_backtest(spread: float = 1.0, intervals: str = "model") -> Backtest:
    """A hold-out test of two families whose errors are known, one score missing.

    Normal scores are the quantiles of a normal distribution with the standard deviation `spread`.
    """
    rows = []
    for family, errors in {"opt": (1.0, 4.0), "falcon": (3.0, 10.0)}.items():
        for benchmark, error in zip(("arc", "gsm8k"), errors, strict=True):
            for number in range(100):
                sign = 1.0 if number % 2 else -1.0
                rows.append((family, f"{family}-{number}", benchmark, 0.5 + sign * error / 100.0))
    table = pd.DataFrame(rows, columns=["family", "model", "benchmark", "mean"])
    rng, total = np.random.default_rng(0), len(table)
    z = spread * ndtri((rng.permutation(total) + 0.5) / total)
    table = table.assign(y=0.5, z=z, median=table["mean"])
    for suffix, half in (("", 0.09), ("_0.5", 0.035)):
        ends = {f"lower{suffix}": table["mean"] - half, f"upper{suffix}": table["mean"] + half}
        table = table.assign(**ends)
    return Backtest(table, (0.95, 0.5), 1, intervals, ())


def texts(ax: Any) -> list[str]:
    """All that is written in a figure, as a reader sees it."""
    return [text.get_text().replace(r"\$", "$") for text in ax.get_figure().findobj(mpl.text.Text)]
