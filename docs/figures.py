"""Draw the figures of the README and of docs/prediction.md: ``python docs/figures.py``.

Writes PNGs to ``docs/figures`` and prints the description of each, for the alt text. It takes
a minute or two; ``python docs/figures.py prediction`` draws that of docs/prediction.md alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import lvkit as lv
from lvkit.plots.drawing import Plot
from lvkit.prediction.folds import folds
from lvkit.reports.key_numbers import interpreted
from lvkit.tools.files import make_folder, write_whole


def fitted() -> dict[str, Plot]:
    """Fit the embedded data and draw how many skills there are, and what they are."""
    selection = lv.select_skills(lv.load_leaderboard(), range(1, 7), n_jobs=2)
    fit = interpreted(selection, 4)
    return {"criterion": lv.plots.criterion(selection), "loadings": lv.plots.loadings(fit)}


def predicted() -> dict[str, Plot]:
    """Predict the largest models of the lineage of which most are held out, calibrated."""
    panel, model = lv.load_leaderboard(), lv.LatentSkillModel(anchors=lv.PAPER_ANCHORS)
    usable = model.fit(panel).prepared.models
    fold = max(folds(panel, usable, keep=1), key=lambda fold: len(fold.test))
    fit = model.fit(panel.select(models=list(fold.train))).calibrate(keep=(1, 2), n_jobs=2)
    prediction = fit.predict(fold.question(panel))
    sizes = panel.models["params_b"].loc[list(fold.test)]
    largest = list(sizes.sort_values(ascending=False, kind="stable").index[:6])
    return {"prediction": lv.plots.prediction(prediction, largest, observed=panel)}


GROUPS: dict[str, Callable[[], dict[str, Plot]]] = {"fit": fitted, "prediction": predicted}


def main() -> None:
    """Draw all figures, or those of the groups that are named."""
    parser = argparse.ArgumentParser(description="Draw the figures of the documents.")
    parser.add_argument("groups", nargs="*", default="all", choices=[*GROUPS, "all"])
    folder = make_folder(Path(__file__).parent / "figures")
    chosen = parser.parse_args().groups
    for group in GROUPS if "all" in chosen else chosen:
        for name, made in GROUPS[group]().items():
            path = write_whole(folder / f"{name}.png", made.picture().png)
            print(f"{path.name}: {made.alt}\n")


if __name__ == "__main__":
    main()
