from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from golden import Message

import lvkit as lv
from lvkit.estimation.estimate import objective_for, prepared_for
from lvkit.estimation.mml import MarginalNewton, _LocalModel, _Way
from lvkit.estimation.objective import Objective, Step
from lvkit.estimation.starts import principal, shaken
from lvkit.model.coordinates import Frame
from lvkit.model.quadrature import make_nodes


@pytest.fixture(scope="module")
def objective(small_panel: lv.Panel) -> Objective:
    model = lv.LatentSkillModel(n_skills=2, features="log_params + log_tokens")
    return objective_for(model, prepared_for(model, small_panel), 2)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Objective:
    """The hill of a panel that counts as large, with one part."""
    for module in ("mml", "objective"):
        monkeypatch.setattr(f"lvkit.estimation.{module}.LARGE", 2_000)
    for name, size in {"_FIRST": 900, "_FAMILIES": 60, "_LEAST": 20}.items():
        monkeypatch.setattr(f"lvkit.estimation.objective.{name}", size)
    params = lv.Parameters(
        loadings=np.array([[1.0, 0.0], [0.0, 1.0], [0.7, 0.4], [0.3, 0.8], [0.6, 0.6]]),
        intercepts=np.zeros(5),
        precisions=np.full(5, 40.0),
        floors=np.zeros(5),
        slopes=np.array([[1.2], [0.8]]),
        correlation=np.array([[1.0, 0.3], [0.3, 1.0]]),
    )
    models = lv.simulate_models(n_families=200, models_per_family=4, seed=3)
    panel = lv.simulate(params, models, features="log_params", seed=3)
    model = lv.LatentSkillModel(n_skills=2, features="log_params")
    return objective_for(model, prepared_for(model, panel), 2)


@pytest.fixture(scope="module")
def start(objective: Objective) -> Frame:
    return principal(objective.table, 2)


def test_the_climb_ends_where_the_gradient_is_flat(objective: Objective, start: Frame) -> None:
    ascent = MarginalNewton().climb(objective, start)
    assert ascent.converged
    assert ascent.expected_gain < 1e-5
    there = objective.recentred(ascent.frame)
    found = there.evaluate(there.chart.vector(ascent.frame), make_nodes(2, 1_024))
    # What a Newton step by other, finer nodes would gain: no more than the nodes' own error.
    step = np.linalg.solve(found.information, found.gradient)
    assert 0.5 * found.gradient @ step < 1e-2


def test_the_top_is_a_maximum(objective: Objective, start: Frame) -> None:
    ascent = MarginalNewton().climb(objective, start)
    there = objective.recentred(ascent.frame)
    found = there.evaluate(there.chart.vector(ascent.frame), make_nodes(2, 1_024))
    assert np.linalg.eigvalsh(found.information)[0] > 0.0


def test_the_climb_never_falls_by_more_than_the_nodes_error(
    objective: Objective, start: Frame
) -> None:
    trace = MarginalNewton(polish=False).climb(objective, start).trace
    values = np.array([step.loglik for step in trace])
    assert (np.diff(values) > -0.05).all()
    assert [step.iteration for step in trace] == list(range(len(trace)))


def test_every_step_is_reported(objective: Objective, start: Frame) -> None:
    seen: list[Step] = []
    ascent = MarginalNewton().climb(objective, start, report=seen.append)
    assert tuple(seen) == ascent.trace


def test_a_climb_stopped_early_says_so_and_what_is_still_to_be_had(
    objective: Objective, start: Frame, message: Message
) -> None:
    ascent = MarginalNewton(max_iterations=2).climb(objective, start)
    assert not ascent.converged
    message(ascent.message)
    assert ascent.expected_gain > 1.0


def test_a_climb_from_the_top_stays_there(objective: Objective, start: Frame) -> None:
    top = MarginalNewton().climb(objective, start)
    again = MarginalNewton().climb(objective, top.frame)
    assert again.converged
    assert again.trace[-1].loglik == pytest.approx(top.trace[-1].loglik, abs=0.01)
    assert len(again.trace) < len(top.trace)


def test_a_first_look_is_rougher_and_shorter(objective: Objective, start: Frame) -> None:
    look = MarginalNewton(polish=False, tolerance=3e-2).climb(objective, start)
    full = MarginalNewton().climb(objective, start)
    assert len(look.trace) < len(full.trace)
    assert look.trace[-1].loglik == pytest.approx(full.trace[-1].loglik, abs=0.2)


def test_shaken_starts_reach_the_same_top(objective: Objective, start: Frame) -> None:
    top = objective.measure(MarginalNewton().climb(objective, start).frame, 512).loglik
    for seed in range(3):
        other = shaken(start, np.random.default_rng(seed))
        ascent = MarginalNewton().climb(objective, other)
        assert ascent.converged
        assert objective.measure(ascent.frame, 512).loglik == pytest.approx(top, abs=0.02)


def test_a_bad_start_is_no_obstacle(objective: Objective, start: Frame) -> None:
    top = MarginalNewton().climb(objective, start)
    bad = replace(
        start,
        loadings=np.sign(start.loadings) * 3.0,
        slopes=np.zeros_like(start.slopes),
        intercepts=start.intercepts + 2.0,
        log_precisions=np.full(6, np.log(3.0)),
    )
    ascent = MarginalNewton().climb(objective, bad)
    assert ascent.converged
    assert ascent.trace[-1].loglik == pytest.approx(top.trace[-1].loglik, abs=0.05)


def test_the_same_seed_gives_the_same_climb(objective: Objective, start: Frame) -> None:
    first, second = (MarginalNewton().climb(objective, start, seed=3) for _ in range(2))
    assert first.trace == second.trace
    np.testing.assert_array_equal(first.frame.loadings, second.frame.loadings)


# -- large tables ---------------------------------------------------------------------------------


def test_a_climb_by_parts_ends_at_the_top_of_the_full_climb(large: Objective) -> None:
    first = principal(large.table, 2)
    full = MarginalNewton(by_parts=False).climb(large, first)
    staged = MarginalNewton().climb(large, first)
    assert full.converged
    assert staged.converged
    assert staged.trace[-1].loglik == pytest.approx(full.trace[-1].loglik, abs=1e-4)
    hill = large.recentred(full.frame)
    here = hill.evaluate(hill.chart.vector(full.frame), large.lean[1])
    error = np.sqrt(np.diag(np.linalg.inv(here.information)))
    apart = hill.chart.vector(staged.frame) - here.vector
    assert np.abs(apart / error).max() < 0.01


def test_steps_on_a_part_have_no_loglik_and_the_message_tells_of_them(
    large: Objective, message: Message
) -> None:
    first = principal(large.table, 2)
    staged = MarginalNewton().climb(large, first)
    full = MarginalNewton(by_parts=False).climb(large, first)
    on_part = np.isnan([step.loglik for step in staged.trace])
    assert on_part[0]
    assert not on_part[-1]
    assert (np.diff(on_part.astype(int)) <= 0).all()  # first the part, then the whole
    assert [step.iteration for step in staged.trace] == list(range(len(staged.trace)))
    assert (~on_part).sum() < len(full.trace)
    message(staged.message, "4,000")
    assert "begun" not in full.message


def test_the_limit_of_steps_counts_on_the_whole_alone(large: Objective, message: Message) -> None:
    ascent = MarginalNewton(max_iterations=2).climb(large, principal(large.table, 2))
    message(ascent.message)
    assert sum(np.isfinite(step.loglik) for step in ascent.trace) == 2


def test_a_part_without_a_maximum_is_left_and_the_climb_goes_on(
    large: Objective, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = principal(large.table, 2)
    monkeypatch.setattr("lvkit.estimation.mml._RUNAWAY", -np.inf)
    found, radius = MarginalNewton()._on_parts(large, first, large.lean[0], 0, way=_Way(None))
    assert found is first
    assert radius == pytest.approx(3.0)


def test_the_nodes_for_large_tables_find_the_same_top(
    large: Objective, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = principal(large.table, 2)
    lean = MarginalNewton().climb(large, first)
    value = large.measure(lean.frame, 1_024).loglik
    monkeypatch.setattr("lvkit.estimation.objective.LARGE", 10**6)
    assert large.lean == ()
    usual = MarginalNewton(by_parts=False).climb(large, first)
    assert large.measure(lean.frame, 1_024).loglik == pytest.approx(value, abs=0.01)
    assert large.measure(usual.frame, 1_024).loglik == pytest.approx(value, abs=0.01)


@pytest.mark.slow
def test_a_climb_on_families_of_few_scores_ends_by_the_finest_nodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lvkit.estimation.objective.LARGE", 1_000)
    params = lv.Parameters(
        loadings=np.array([[1.5, 0], [0, 1.5], [1.2, 0.6], [0.7, 1.2], [1.0, 0.0], [0.2, 1.0]]),
        intercepts=np.array([-0.8, 0.2, -0.5, 0.0, 0.3, -0.4]),
        precisions=np.full(6, 8.0),
        floors=np.zeros(6),
        slopes=np.array([[0.6], [0.8]]),
        correlation=np.eye(2),
    )
    panel = lv.simulate(params, lv.simulate_models(300, 1, seed=3), features="log_params", seed=3)
    model = lv.LatentSkillModel(n_skills=2, features="log_params")
    hill = objective_for(model, prepared_for(model, panel), 2)
    climber, first = MarginalNewton(by_parts=False), principal(hill.table, 2)
    search = climber._stage(hill, first, hill.lean[0], 1e-2, _Way(None))
    at_modes = climber._stage(hill, search.frame, hill.lean[1], 1e-5, _Way(None))
    left = []
    for frame in (at_modes.frame, climber.climb(hill, first).frame):
        finest = replace(hill, at_means=True).recentred(frame)
        there = finest.evaluate(finest.chart.vector(frame), hill.lean[-1])
        left.append(_LocalModel.at(there).expected_gain)
    assert at_modes.converged
    assert left[0] > 1e-3
    assert left[1] < 1e-3
