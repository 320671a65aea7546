from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import lvkit as lv
from lvkit.planning.constraints import Cost, Limits, Span, log_ratio
from lvkit.planning.optimum import Aim, bend, parabola_top, quantiles_of_draws, search_top

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
    monkeypatch.setattr("lvkit.planning.optimum._LOOKED_AT", 11)
    np.testing.assert_allclose(np.median(asked.best_drawn(span) - each, axis=0), 0.0, atol=5e-3)


def test_a_further_draw_lies_between_quantiles_with_the_probability_they_promise() -> None:
    draws = np.arange(1.0, 20.0)  # 19 draws cut the line into 20 parts of equal probability
    assert quantiles_of_draws(draws, [0.05, 0.5, 0.95], axis=0).tolist() == [1.0, 10.0, 19.0]


def test_with_serving_there_is_no_closed_form(curved_fit: lv.Fit) -> None:
    assert aim(curved_fit).closed_form
    assert not aim(curved_fit, cost=lv.Cost(serving_tokens_t=1.0)).closed_form


# -- the best size --------------------------------------------------------------------------------


Array = npt.NDArray[np.float64]

coefficient = st.floats(-3.0, 3.0)
forms = st.lists(coefficient, min_size=6, max_size=6).map(np.array)
limits = st.sampled_from(
    [
        Limits(),
        Limits(max_params_b=30.0),
        Limits(min_tokens_t=0.05, max_tokens_t=2.0),
        Limits(min_tokens_per_param=10.0, max_tokens_per_param=300.0),
        Limits(min_params_b=0.5, max_tokens_per_param=1000.0),
    ]
)


def value_of(form: Array) -> Any:
    """A form of degree two, term by term."""

    def value(s: Array, t: Array) -> Array:
        f = form
        return f[0] + f[1] * s + f[2] * t + f[3] * s**2 + f[4] * s * t + f[5] * t**2

    return value


@settings(max_examples=40)
@given(form=forms, chosen=limits, power=st.floats(20.0, 24.0))
def test_closed_form_and_search_agree(form: Array, chosen: Limits, power: float) -> None:
    assume(abs(bend(form)) > 1e-3)
    span = Span.of(10.0 ** np.array([power, power + 0.5]), chosen, Cost())
    closed, value = parabola_top(form, span), value_of(form)
    found = search_top(value, span)
    if bend(form) < 0.0:
        np.testing.assert_allclose(found, closed, atol=1e-6)
    reached = value(found, span.tokens(found))
    np.testing.assert_allclose(reached, value(closed, span.tokens(closed)), atol=1e-9, rtol=1e-9)


@settings(max_examples=40)
@given(form=forms, chosen=limits, power=st.floats(20.0, 24.0))
def test_no_allowed_point_beats_the_closed_form(form: Array, chosen: Limits, power: float) -> None:
    span = Span.of(np.array([10.0**power]), chosen, Cost(flops_per_param_token=5.0))
    best, value = parabola_top(form, span), value_of(form)
    points = np.linspace(span.low, span.high, 301)
    assert (span.low <= best).all()
    assert (best <= span.high).all()
    others = value(points, span.tokens(points))
    assert value(best, span.tokens(best))[0] >= others.max() - 1e-8


@settings(max_examples=40)
@given(slopes=st.tuples(coefficient, coefficient), interaction=st.floats(0.3, 3.0))
def test_with_the_default_features_the_top_is_where_the_slopes_say(
    slopes: tuple[float, float], interaction: float
) -> None:
    assume(abs((slopes[0] - slopes[1]) / interaction) < 3.0)
    form = np.array([0.7, *slopes, 0.0, interaction, 0.0])
    span = Span.of(np.geomspace(1e18, 1e26, 7), Limits(), Cost())
    s = parabola_top(form, span)
    expected = (slopes[0] - slopes[1]) / interaction
    np.testing.assert_allclose(s - span.tokens(s), expected, atol=1e-9)
    np.testing.assert_allclose(log_ratio(s, span.tokens(s)), 3.0 - expected, atol=1e-9)


def test_a_straight_line_is_best_at_the_end_that_is_higher() -> None:
    span = Span.of(np.array([1e22]), Limits(), Cost())
    for size_slope, end in ((2.0, span.high), (0.5, span.low)):
        form = np.array([0.0, size_slope, 1.0, 0.0, 0.0, 0.0])
        assert parabola_top(form, span) == end
        assert search_top(value_of(form), span) == end


def test_many_forms_at_once_are_each_form_alone() -> None:
    rng = np.random.default_rng(0)
    many = rng.normal(size=(20, 6))
    span = Span.of(np.array([1e21, 1e23, 1e24]), Limits(max_tokens_t=3.0), Cost())
    together = parabola_top(many, span)
    assert together.shape == (20, 3)
    for row, form in zip(together, many, strict=True):
        np.testing.assert_array_equal(row, parabola_top(form, span))


def test_many_searches_at_once_are_each_search_alone() -> None:
    rng = np.random.default_rng(1)
    many = rng.normal(size=(10, 6))
    cost = Cost(serving_tokens_t=1.0)
    span = Span.of(np.array([1e22, 1e24]), Limits(), cost)

    def value(s: Array, t: Array) -> Array:
        powers = np.stack([np.ones_like(s), s, t, s**2, s * t, t**2], axis=-1)
        return np.asarray(np.einsum("...fnm,fm->...fn", powers, many))

    together = search_top(value, span, (10,))
    alone = np.stack([search_top(value_of(form), span) for form in many])
    np.testing.assert_allclose(together, alone, atol=1e-7)


@pytest.mark.parametrize("served", [0.0, 0.3, 20.0])
def test_a_search_finds_the_higher_of_two_hills(served: float) -> None:
    span = Span.of(np.array([1e23]), Limits(), Cost(serving_tokens_t=served))
    low, high = span.low[0], span.high[0]
    first, second = low + 0.3 * (high - low), low + 0.71 * (high - low)

    def value(s: Array, t: Array) -> Array:
        return np.asarray(np.exp(-8.0 * (s - first) ** 2) + 1.1 * np.exp(-8.0 * (s - second) ** 2))

    fine = np.linspace(second - 0.1, second + 0.1, 200_001)
    expected = fine[np.argmax(value(fine, fine))]
    assert search_top(value, span)[0] == pytest.approx(expected, abs=2e-6)


def test_a_span_of_one_point_is_its_own_best() -> None:
    span = Span.of(np.array([1e22]), Limits(min_params_b=7.0, max_params_b=7.0), Cost())
    form = np.array([0.0, 1.0, 0.2, 0.0, 0.5, 0.0])
    assert parabola_top(form, span) == span.low
    assert search_top(value_of(form), span) == span.low


def test_serving_moves_the_best_point_to_smaller_models_trained_for_longer() -> None:
    value = value_of(np.array([0.0, 1.0, 1.5, 0.0, 0.8, 0.0]))
    sizes, ratios = [], []
    for served in (0.0, 1.0, 10.0):
        span = Span.of(np.array([1e23]), Limits(), Cost(serving_tokens_t=served))
        s = search_top(value, span)
        sizes.append(s[0])
        ratios.append(log_ratio(s, span.tokens(s))[0])
    assert sizes == sorted(sizes, reverse=True)
    assert ratios == sorted(ratios)


def test_the_bend_is_the_second_difference_along_a_budget() -> None:
    form = np.array([1.0, 0.3, -0.4, 0.25, 0.7, -0.1])
    s, c = np.array([-0.1, 0.0, 0.1]), 1.3
    along = value_of(form)(s, c - s)
    assert bend(form) == pytest.approx(np.diff(along, n=2)[0] / 2.0 / 0.01)
    assert isinstance(bend(form), np.ndarray)


def test_a_bend_that_is_hardly_a_number_is_a_straight_line() -> None:
    span = Span.of(np.array([1e23]), Limits(), Cost())
    form = np.array([0.0, 1.0, -2.0, 1.0, 1.0, 1e-308])
    assert parabola_top(form, span)[0] == span.high[0]
