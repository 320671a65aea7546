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
from lvkit.fit.backtest import backtest
from lvkit.tools.files import write_whole

LEVELS = (0.95, 0.8, 0.5)

PAPER = lv.LatentSkillModel(anchors=ANCHORS)


def _features(formula: str) -> lv.LatentSkillModel:
    return replace(PAPER, features=formula)


def _skills(count: int) -> lv.LatentSkillModel:
    return lv.LatentSkillModel(n_skills=count)


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
    "three skills, plug-in": (_skills(3), "plugin", False),
    "five skills, plug-in": (_skills(5), "plugin", False),
    "six skills, plug-in": (_skills(6), "plugin", False),
    "no interaction, plug-in": (_features("log_params + log_tokens"), "plugin", False),
    "with size squared, plug-in": (
        _features("log_params * log_tokens + I(log_params**2)"),
        "plugin",
        False,
    ),
    "with size and tokens squared, plug-in": (
        _features("log_params * log_tokens + I(log_params**2) + I(log_tokens**2)"),
        "plugin",
        False,
    ),
    "with instruct, plug-in": (_features("log_params * log_tokens + instruct"), "plugin", False),
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


def table(settings: dict[str, list[dict[str, float]]]) -> str:
    """Return the results as a table, a row for each setting and number of kept models."""
    head = (
        "| setting | kept | error, all | error, published | 95 % | 80 % | 50 % | score "
        "| published: 95 % | 80 % | 50 % | score |"
    )
    lines = [head, "|---|" + "---:|" * 11]
    for name, rows in settings.items():
        for every, published in zip(rows[::2], rows[1::2], strict=True):
            cells = [f"{row['mae']:.2f}" for row in (every, published)]
            for row in (every, published):
                cells += [f"{100 * row[c]:.1f}" for c in ("coverage", "coverage_0.8")]
                cells += [f"{100 * row['coverage_0.5']:.1f}", f"{row['interval_score']:.3f}"]
            lines.append(f"| {name} | {every['keep']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing or named, and publish."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=None, choices=list(SETTINGS))
    chosen = parser.parse_args()
    path = HERE / "results" / "holdout.json"
    stored = json.loads(path.read_text()) if path.exists() else {"settings": {}}
    page = HERE.parent / "docs" / "prediction.md"
    for name in chosen.only if chosen.only is not None else SETTINGS:
        if chosen.only is None and name in stored["settings"]:
            continue
        stored["settings"][name] = run(name, chosen.jobs)
        stored["machine"] = machine()
        write_whole(path, (json.dumps(stored, indent=1) + "\n").encode())
        before, rest = page.read_text().split("<!-- holdout -->")
        after = rest.split("<!-- /holdout -->")[1]
        results = table(stored["settings"])
        page.write_text(f"{before}<!-- holdout -->\n{results}\n<!-- /holdout -->{after}")


if __name__ == "__main__":
    main()
