"""Run the simulation study of docs/study.md: ``make study``, about forty minutes on one core.

Writes ``docs/study.csv`` (every parameter at every number of families), ``docs/study.json`` (the
summary and whether it is as theory says), the figures, and the tables in ``docs/study.md``. What is
done is kept in ``build/study.json`` until the end: an interrupted study goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

import lvkit as lv
from lvkit.model.formula import DEFAULT_FEATURES
from lvkit.tools.files import make_folder, write_whole

HERE = Path(__file__).parent
REPLICATIONS = {50: 100, 100: 100, 200: 200, 400: 100}

# Two skills on twelve benchmarks: knowledge and common sense on the embedded leaderboard, rounded.
# The drawn models differ more in size and tokens than the leaderboard's; so that hard benchmarks
# have no scores within 1e-6 of zero, three numbers are smaller: the slope of knowledge by the
# product (1.8), and the intercepts of GSM8K (-1.5) and MATH level 5 (-3.7).
TRUTH = lv.Parameters(
    loadings=np.array(
        [
            [0.09, 0.24],  # ARC Challenge
            [0.21, 0.02],  # BIG-Bench Hard
            [0.09, -0.03],  # GPQA
            [0.71, -0.09],  # GSM8K
            [0.00, 0.44],  # HellaSwag, the anchor of common sense
            [0.09, 0.21],  # IFEval
            [0.65, -0.33],  # MATH level 5
            [0.38, 0.00],  # MMLU, the anchor of knowledge
            [0.32, -0.02],  # MMLU-Pro
            [0.06, -0.02],  # MuSR
            [0.18, -0.09],  # TruthfulQA
            [0.06, 0.20],  # WinoGrande
        ]
    ),
    intercepts=np.array(
        [0.0, -0.4, -1.0, -0.5, 1.0, -0.9, -2.0, -0.1, -1.3, -0.5, -0.3, 0.9],
    ),
    precisions=np.array(
        [400.0, 190.0, 450.0, 10.0, 280.0, 15.0, 45.0, 130.0, 170.0, 220.0, 110.0, 400.0]
    ),
    floors=np.zeros(12),
    slopes=np.array([[1.3, 0.6, 0.6], [1.8, 0.7, 0.1]]),
    correlation=np.array([[1.0, 0.6], [0.6, 1.0]]),
)


def main() -> None:
    """Run the study and write what it found."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--jobs", type=int, default=1, help="workers (default: 1)")
    jobs = parser.parse_args().jobs
    kept = make_folder(HERE.parent / "build") / "study.json"
    study = lv.simulation_study(
        TRUTH, replications=REPLICATIONS, n_jobs=jobs, progress=True, resume=kept
    )
    write_whole(HERE / "study.csv", study.table.to_csv(float_format="%.6g"))
    write_whole(HERE / "study.json", json.dumps(told(study), indent=2) + "\n")
    folder = make_folder(HERE / "figures")
    for name, plot in (
        ("errors", lv.plots.study_errors(study)),
        ("normality", lv.plots.study_normality(study)),
    ):
        write_whole(folder / f"study_{name}.png", plot.picture().png)
    write_page(study)
    kept.unlink()
    print(study.summary().round(3).to_string(), f"slope {study.rate():.3f}", sep="\n")


def told(study: lv.Study) -> dict[str, object]:
    """Return the study in a few numbers."""
    summary = study.summary()
    return {
        "lvkit": lv.__version__,
        "features": DEFAULT_FEATURES,
        "models_per_family": 3,
        "seed": 0,
        "slope": round(study.rate(), 4),
        "failures": len(study.failures),
        "summary": summary.round(4).reset_index().to_dict("records"),
    }


def write_page(study: lv.Study) -> None:
    """Put the tables into docs/study.md, between their marks."""
    page = (HERE / "study.md").read_text("utf-8")
    for name, table in (("summary", summary_table(study)), ("kinds", kinds_table(study))):
        mark = f"<!-- {name} -->"
        before, _, after = page.split(mark)
        page = f"{before}{mark}\n{table}\n{mark}{after}"
    write_whole(HERE / "study.md", page)


def summary_table(study: lv.Study) -> str:
    """Return a row for each number of families."""
    rows = study.summary().reset_index()
    return markdown(
        {
            "families": rows["families"].map("{:d}".format),
            "panels": rows["replications"].map("{:d}".format),
            "converged": rows["converged"].map("{:.1%}".format),
            "median absolute error": rows["median_error"].map("{:.4f}".format),
            "standard error / spread": rows["ratio"].map("{:.3f}".format),
            "coverage of 95 % intervals": rows["coverage"].map("{:.1%}".format),
            "of the worst parameter": rows["lowest_coverage"].map("{:.1%}".format),
        }
    )


def kinds_table(study: lv.Study) -> str:
    """Return a row for each kind of parameter at 200 families, averaged over the parameters."""
    table = study.table.loc[200]
    table["kind"] = table.index.str.split("[").str[0]
    table["relative"] = table["bias"] / table["spread"]
    kinds = table.groupby("kind", sort=False)
    means = kinds[["relative", "ratio", "coverage"]].mean()
    return markdown(
        {
            "parameters": means.index.to_series(),
            "number": kinds.size().map("{:d}".format),
            "bias / spread": means["relative"].map("{:+.3f}".format),
            "standard error / spread": means["ratio"].map("{:.3f}".format),
            "coverage": means["coverage"].map("{:.1%}".format),
        }
    )


def markdown(columns: dict[str, pd.Series]) -> str:
    """Return a table in Markdown."""
    rows = zip(*columns.values(), strict=True)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
