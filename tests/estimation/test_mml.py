from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lvkit as lv
from lvkit.estimation import MarginalNewton, Objective
from lvkit.estimation.objective import Step
from lvkit.estimation.starts import principal, shaken
from lvkit.fitting import objective_for, prepared_for
from lvkit.nodes import make_nodes
from lvkit.structure import Frame


@pytest.fixture(scope="module")
def objective(small_panel: lv.Panel) -> Objective:
    model = lv.LatentSkillModel(n_skills=2, features="log_params + log_tokens")
    return objective_for(model, prepared_for(model, small_panel), 2)


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
    objective: Objective, start: Frame
) -> None:
    ascent = MarginalNewton(max_iterations=2).climb(objective, start)
    assert not ascent.converged
    assert "step limit" in ascent.message
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
