"""Draw the figures of the README: ``python docs/figures.py``, half a minute.

Writes PNGs to ``docs/figures`` and prints the description of each, for the README's alt text.
"""

from __future__ import annotations

from pathlib import Path

import lvkit as lv
from lvkit import plots
from lvkit.drawing import picture
from lvkit.files import make_folder, write_whole
from lvkit.reporting import describe
from lvkit.reporting.keynumbers import interpreted


def main() -> None:
    """Fit the embedded data and draw."""
    folder = make_folder(Path(__file__).parent / "figures")
    selection = lv.select_skills(lv.load_leaderboard(), range(1, 7), n_jobs=2)
    fit = interpreted(selection, 4)
    pictures = {
        "criterion": picture(
            plots.plot_criterion(selection), describe.describe_criterion(selection)
        ),
        "loadings": picture(plots.plot_loadings(fit), describe.describe_loadings(fit)),
    }
    for name, made in pictures.items():
        path = write_whole(folder / f"{name}.png", made.png)
        print(f"{path.name}: {made.alt}\n")


if __name__ == "__main__":
    main()
