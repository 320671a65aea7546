from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.estimation.estimate import climb_from, make_fit, objective_for, prepared_for
from lvkit.estimation.mml import MarginalNewton
from lvkit.estimation.objective import Ascent, Objective, Step
from lvkit.estimation.psga import ProjectedStochasticAscent
from lvkit.estimation.starts import principal
from lvkit.model.coordinates import Frame, MarkerChart

REFERENCE = Path(__file__).parents[1] / "reference"
QUICK = ProjectedStochasticAscent(window=40)
FEATURES = "log_params + log_tokens"


def hill(
    panel: lv.Panel, n_skills: int, *, floor: str = "none", features: str = FEATURES
) -> tuple[Objective, Frame]:
    """A model's objective and the start a fit would take."""
    model = lv.LatentSkillModel(n_skills=n_skills, features=features, floor=floor)
    objective = objective_for(model, prepared_for(model, panel), n_skills)
    floors = objective.chart.floors
    begin = floors.fixed + 0.5 * floors.ceiling
    return objective, replace(principal(objective.table, n_skills), floors=begin)


def value(objective: Objective, ascent: Ascent) -> float:
    return objective.measure(ascent.frame, 512).loglik


@pytest.fixture(scope="module")
def two_skills(small_panel: lv.Panel) -> tuple[Objective, Frame]:
    return hill(small_panel, 2)


@pytest.fixture(scope="module")
def climbed(two_skills: tuple[Objective, Frame]) -> tuple[Ascent, list[Step]]:
    seen: list[Step] = []
    return QUICK.climb(*two_skills, report=seen.append), seen


def test_it_agrees_with_mml(
    two_skills: tuple[Objective, Frame], climbed: tuple[Ascent, list[Step]]
) -> None:
    objective, _ = two_skills
    top = value(objective, MarginalNewton().climb(*two_skills))
    assert climbed[0].converged
    assert top - 0.5 < value(objective, climbed[0]) < top + 0.02


def test_what_it_expects_to_gain_is_what_mml_still_finds(
    two_skills: tuple[Objective, Frame], climbed: tuple[Ascent, list[Step]]
) -> None:
    objective, _ = two_skills
    ascent = climbed[0]
    further = MarginalNewton().climb(objective, ascent.frame)
    gained = value(objective, further) - value(objective, ascent)
    assert ascent.expected_gain < QUICK.tolerance
    assert gained == pytest.approx(ascent.expected_gain, abs=0.1)


def test_its_trace_is_reported_and_ends_where_it_ended(
    two_skills: tuple[Objective, Frame], climbed: tuple[Ascent, list[Step]]
) -> None:
    ascent, seen = climbed
    assert tuple(seen) == ascent.trace
    assert [step.iteration for step in seen] == [40 * n for n in range(len(seen))]
    assert ascent.trace[-1].expected_gain <= ascent.expected_gain
    assert ascent.trace[-1].loglik == pytest.approx(value(two_skills[0], ascent), abs=0.1)
    assert ascent.trace[-1].loglik > ascent.trace[0].loglik + 10.0


def test_its_message_tells_both_parts_of_the_rule(
    climbed: tuple[Ascent, list[Step]], message: Message
) -> None:
    message(climbed[0].message)


def test_one_skill_agrees_with_mml_too(small_panel: lv.Panel) -> None:
    objective, start = hill(small_panel, 1)
    top = value(objective, MarginalNewton().climb(objective, start))
    ascent = QUICK.climb(objective, start)
    assert ascent.converged
    assert value(objective, ascent) == pytest.approx(top, abs=0.5)


def test_a_search_stopped_early_says_so(
    two_skills: tuple[Objective, Frame], message: Message
) -> None:
    ascent = ProjectedStochasticAscent(max_iterations=25, window=10).climb(*two_skills)
    assert not ascent.converged
    message(ascent.message)
    assert [step.iteration for step in ascent.trace] == [0, 10, 20, 25]
    assert ascent.expected_gain > 0.25


def test_a_search_stopped_early_keeps_the_best_it_saw(
    two_skills: tuple[Objective, Frame], message: Message
) -> None:
    objective, _ = two_skills
    top = MarginalNewton().climb(*two_skills)
    bold = ProjectedStochasticAscent(max_iterations=20, window=10, step=1.0)
    seen: list[Step] = []
    ascent = bold.climb(objective, top.frame, report=seen.append)
    assert not ascent.converged
    message(ascent.message)
    assert seen[1].loglik < seen[0].loglik - 0.01
    assert value(objective, ascent) == pytest.approx(value(objective, top), abs=1e-9)
    assert tuple(seen) == ascent.trace
    assert [step.iteration for step in seen] == [0, 10, 20]
    assert ascent.trace[-1].loglik == seen[0].loglik
    assert 0.0 <= ascent.expected_gain < 0.01


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(
    two_skills: tuple[Objective, Frame],
) -> None:
    short = ProjectedStochasticAscent(max_iterations=20, window=10, batch=5)
    one, two, other = (short.climb(*two_skills, seed=seed) for seed in (3, 3, 4))
    assert one.trace == two.trace
    np.testing.assert_array_equal(one.frame.loadings, two.frame.loadings)
    assert not np.array_equal(one.frame.loadings, other.frame.loadings)


def test_it_climbs_by_batches_of_families(two_skills: tuple[Objective, Frame]) -> None:
    short = ProjectedStochasticAscent(max_iterations=120, window=10, batch=6)
    trace = short.climb(*two_skills).trace
    assert trace[-1].loglik > trace[0].loglik + 100.0
    assert trace[-1].expected_gain < trace[0].expected_gain


def test_steps_that_are_too_long_are_found_out_and_shortened(
    two_skills: tuple[Objective, Frame],
) -> None:
    wild = ProjectedStochasticAscent(max_iterations=300, window=10, batch=1, step=3.0)
    ascent = wild.climb(*two_skills)
    best = max(step.loglik for step in ascent.trace)
    falls = np.diff([step.loglik for step in ascent.trace])
    assert falls.min() < 0.0
    assert ascent.trace[-1].loglik > best - 6.0
    assert np.isfinite(ascent.expected_gain)


def test_scores_fitted_exactly_are_told_as_the_reason(message: Message) -> None:
    truth = lv.Parameters(
        loadings=np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.3, 0.7]]),
        intercepts=np.zeros(4),
        precisions=np.full(4, 60.0),
        floors=np.zeros(4),
        slopes=np.array([[1.0], [0.6]]),
        correlation=np.eye(2),
    )
    models = lv.simulate_models(20, 3, seed=1)
    panel = lv.simulate(truth, models, features="log_params", seed=1)
    table = panel.to_frame()
    table["bench_1"] = table.groupby("family")["bench_1"].transform("first")
    panel = lv.Panel.from_frame(table, benchmarks=panel.benchmarks)
    ascent = QUICK.climb(*hill(panel, 2, features="log_params"))
    assert not ascent.converged
    message(ascent.message)


def test_an_estimated_floor_ends_within_its_bounds(small_panel: lv.Panel) -> None:
    objective, start = hill(small_panel, 1, floor="estimate")
    ascent = QUICK.climb(objective, start)
    top = MarginalNewton().climb(objective, start)
    floors, ceiling = ascent.frame.floors, objective.chart.floors.ceiling
    assert ((floors >= 0.0) & (floors <= ceiling)).all()
    assert value(objective, ascent) == pytest.approx(value(objective, top), abs=0.5)
    np.testing.assert_allclose(floors, top.frame.floors, atol=0.02)


def test_slopes_that_differ_between_families_agree_with_mml(small_panel: lv.Panel) -> None:
    anchors = {"general": "mmlu", "instruction": "ifeval"}
    model = lv.LatentSkillModel(anchors=anchors, features=FEATURES, family_slopes="log_params")
    fit = model.fit(small_panel)
    prepared = prepared_for(model, small_panel)
    objective = objective_for(model, prepared, 2)
    frame = prepared.to_search(fit.frame)
    chart = MarkerChart(
        np.array([prepared.benchmarks.index(name) for name in anchors.values()]),
        objective.chart.n_benchmarks,
        objective.chart.n_features,
        frame.factor != 0.0,
        objective.chart.floors,
    )
    objective = replace(objective, chart=chart)
    start = replace(frame, loadings=1.3 * frame.loadings, intercepts=frame.intercepts + 0.2)
    ascent = QUICK.climb(objective, start)
    assert ascent.converged
    assert value(objective, ascent) == pytest.approx(fit.loglik, abs=0.5)
    assert (ascent.frame.factor[~chart.pattern] == 0.0).all()


@pytest.mark.slow
@pytest.mark.parametrize("which", ["complete", "all"])
def test_four_skills_on_the_embedded_data_agree_with_mml_and_with_tmb(
    which: str, leaderboard: lv.Panel, paper_anchors: dict[str, str]
) -> None:
    panel = leaderboard.complete() if which == "complete" else leaderboard
    model = lv.LatentSkillModel(anchors=paper_anchors)
    prepared = prepared_for(model, panel)
    objective = objective_for(model, prepared, 4)
    frames = [("principal", principal(objective.table, 4))]
    estimator = ProjectedStochasticAscent()
    climbs = list(climb_from(objective, frames, estimator, seed=0, n_jobs=1))
    found = lv.Fit.of(
        make_fit(model, panel, prepared, objective, climbs, best=climbs[0], method="psga", seed=0)
    )
    assert found.converged
    assert found.loglik == pytest.approx(model.fit(panel).loglik, abs=1.0)
    table = pd.read_csv(REFERENCE / f"tmb_{which}.csv", index_col="parameter")
    apart = (found.summary()["estimate"] - table["estimate"]).abs() / table["std_error"]
    loadings = apart[apart.index.str.startswith("loading")]
    assert len(loadings) == 36
    assert loadings.max() < 2.0, loadings.sort_values().tail().to_string()


@pytest.mark.parametrize("name", ["max_iterations", "batch", "chains", "window"])
def test_settings_that_make_no_sense_are_refused(name: str) -> None:
    with pytest.raises(lv.LvkitError, match=name):
        ProjectedStochasticAscent(**{name: 0})


def test_one_chain_is_too_few_to_see_what_is_missing(message: Message) -> None:
    with refused("chains", "2") as error:
        ProjectedStochasticAscent(chains=1)
    message(error)
