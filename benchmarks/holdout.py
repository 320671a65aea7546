"""How well are scores predicted that were held out, and do intervals hold what they promise?

python benchmarks/holdout.py [--jobs 2] [--only NAME ...]     (about an hour in all)

The field's protocol (docs/prediction.md) on the embedded data: for each setting, with one and with
two models of a family kept, the mean absolute error and the coverage, width and score of intervals.
A setting's results are stored as soon as it is done; settings that are stored are kept, unless they
are named again with --only.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

from common import ANCHORS, HERE, machine

import lvkit as lv
from lvkit.files import write_whole
from lvkit.holdout import backtest

LEVELS = (0.95, 0.8, 0.5)

PAPER = lv.LatentSkillModel(anchors=ANCHORS)
RICHER = replace(PAPER, features="log_params * log_tokens + I(log_params**2) + instruct")

SETTINGS: dict[str, tuple[lv.LatentSkillModel, str, bool]] = {
    "paper, plug-in": (PAPER, "plugin", False),
    "paper, parameter errors": (PAPER, "model", False),
    "paper, calibrated": (PAPER, "calibrated", False),
    "richer, plug-in": (RICHER, "plugin", False),
    "richer, parameter errors": (RICHER, "model", False),
    "richer, calibrated": (RICHER, "calibrated", False),
    "paper, calibrated, complete models": (PAPER, "calibrated", True),
    "richer, calibrated, complete models": (RICHER, "calibrated", True),
    "family slopes, plug-in": (replace(PAPER, family_slopes="log_params"), "plugin", False),
    "family slopes, parameter errors": (
        replace(PAPER, family_slopes="log_params"),
        "model",
        False,
    ),
    "floors at chance, plug-in": (replace(PAPER, floor="chance"), "plugin", False),
    "floors estimated, plug-in": (replace(PAPER, floor="estimate"), "plugin", False),
}
"""Model, kind of intervals, and whether only complete models take part."""


def run(name: str, jobs: int) -> list[dict[str, object]]:
    """Return the rows of one setting."""
    model, intervals, complete_only = SETTINGS[name]
    panel = lv.load_leaderboard()
    panel = panel.complete() if complete_only else panel
    rows: list[dict[str, object]] = []
    for keep in (1, 2):
        began = time.perf_counter()
        test = backtest(
            panel, model, keep=keep, level=LEVELS, intervals=intervals, n_jobs=jobs, progress=True
        )
        minutes = (time.perf_counter() - began) / 60.0
        for what, as_published in (("every tested model", False), ("as published", True)):
            measures = test.summary(complete=as_published).iloc[0].to_dict()
            rows.append({"keep": keep, "tested on": what, **measures, "minutes": minutes})
            rows[-1]["not converged"] = len(test.unconverged)
        print(name, keep, json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Run what is missing or named, and publish."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=None, choices=list(SETTINGS))
    chosen = parser.parse_args()
    path = HERE / "results" / "holdout.json"
    stored = json.loads(path.read_text()) if path.exists() else {"settings": {}}
    for name in chosen.only if chosen.only is not None else SETTINGS:
        if chosen.only is None and name in stored["settings"]:
            continue
        stored["settings"][name] = run(name, chosen.jobs)
        stored["machine"] = machine()
        write_whole(path, (json.dumps(stored, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
