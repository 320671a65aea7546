from __future__ import annotations

import numpy as np
import pytest

import lvkit as lv
from lvkit.planning.aim import Aim, quantiles_of_draws

BUDGETS = [1e21, 1e22, 1e23, 1e24]


def aim(fit: lv.Fit, target: str = "general", **asked: object) -> Aim:
    given = {"family": None, "limits": None, "cost": None, "attributes": None, "seed": 0} | asked
    return Aim.read(fit, target, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["curved_fit", "sloped_fit"])
def test_closed_form_and_search_agree_on_a_fit(
    name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    fit: lv.Fit = request.getfixturevalue(name)
    limits = [None, lv.Limits(max_tokens_t=3.0), lv.Limits(min_params_b=1.0, max_params_b=20.0)]
    asked = [
        {"target": target, "family": "qwen2", "limits": limit}
        for target in (*fit.skills, "gsm8k")
        for limit in limits
    ]
    closed = [lv.plan_compute(fit, BUDGETS, level=None, **one).table for one in asked]
    monkeypatch.setattr(Aim, "_parabolic", property(lambda aim: False))
    for one, table in zip(asked, closed, strict=True):
        found = lv.plan_compute(fit, BUDGETS, level=None, **one).table
        difference = np.log10(found["params_b"]) - np.log10(table["params_b"])
        assert difference.abs().max() < 1e-6
        assert found["corner"].tolist() == table["corner"].tolist()


def test_drawn_best_points_scatter_around_the_planned_one(curved_fit: lv.Fit) -> None:
    asked = aim(curved_fit)
    span = asked.span(np.array([1e22]))
    drawn = asked.best_drawn(span)[:, 0]
    low, high = np.quantile(drawn, [0.25, 0.75])
    assert low < asked.best(span)[0] < high


def test_between_searched_budgets_draws_are_interpolated(
    curved_fit: lv.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = aim(curved_fit, cost=lv.Cost(serving_tokens_t=1.0))
    span = asked.span(np.logspace(21.0, 24.0, 21))
    each = asked.best_drawn(span)
    monkeypatch.setattr("lvkit.planning.aim._LOOKED_AT", 11)
    np.testing.assert_allclose(np.median(asked.best_drawn(span) - each, axis=0), 0.0, atol=5e-3)


def test_a_further_draw_lies_between_quantiles_with_the_probability_they_promise() -> None:
    draws = np.arange(1.0, 20.0)  # 19 draws cut the line into 20 parts of equal probability
    assert quantiles_of_draws(draws, [0.05, 0.5, 0.95], axis=0).tolist() == [1.0, 10.0, 19.0]


def test_with_serving_there_is_no_closed_form(curved_fit: lv.Fit) -> None:
    assert aim(curved_fit).closed_form
    assert not aim(curved_fit, cost=lv.Cost(serving_tokens_t=1.0)).closed_form
