from __future__ import annotations

import numpy as np
import pytest
from golden import Message, refused
from scipy import stats

from lvkit.model.response_curve import ResponseCurve

SKILLS = np.linspace(-4, 4, 9)
CURVES = [
    ResponseCurve(),
    ResponseCurve(loading=2.5, intercept=-1.0, floor=0.25, precision=8.0),
    ResponseCurve(loading=-0.7, intercept=0.4, floor=0.1, precision=300.0),
]


def beta(curve: ResponseCurve, skill: float) -> stats.rv_continuous:
    """The distribution of scores at a skill, by the names of scipy."""
    mean = curve.floor + (1 - curve.floor) / (
        1 + np.exp(-(curve.loading * skill + curve.intercept))
    )
    return stats.beta(mean * curve.precision, (1 - mean) * curve.precision)


@pytest.mark.parametrize("curve", CURVES)
def test_mean_sd_and_density_are_those_of_the_beta_distribution(curve: ResponseCurve) -> None:
    inner = np.linspace(0.01, 0.99, 25)
    for skill in SKILLS:
        scores = beta(curve, skill)
        assert float(curve.mean(skill)) == pytest.approx(scores.mean())
        assert float(curve.sd(skill)) == pytest.approx(scores.std())
        np.testing.assert_allclose(curve.density(inner, skill), scores.pdf(inner), rtol=1e-9)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_an_interval_leaves_equal_tails(curve: ResponseCurve, level: float) -> None:
    lower, upper = curve.interval(SKILLS, level)
    tails = (1 - level) / 2
    for skill, low, high in zip(SKILLS, lower, upper, strict=True):
        scores = beta(curve, skill)
        # Nearer to 1 a number has too few digits to tell.
        assert low > 1 - 1e-6 or scores.cdf(low) == pytest.approx(tails)
        assert high > 1 - 1e-6 or scores.sf(high) == pytest.approx(tails)


def test_the_curve_is_half_way_up_where_it_is_steepest() -> None:
    curve = CURVES[1]
    assert curve.middle == pytest.approx(0.4)
    assert float(curve.mean(curve.middle)) == pytest.approx(0.625)
    grid = np.linspace(-2, 2, 401)
    assert grid[np.gradient(curve.mean(grid)).argmax()] == pytest.approx(curve.middle)


def test_a_level_curve_has_no_middle() -> None:
    assert ResponseCurve(loading=0.0).middle is None


def test_scores_end_at_the_floor_and_at_one() -> None:
    curve = CURVES[1]
    assert curve.mean([-100.0, 100.0]).tolist() == [0.25, 1.0]


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"loading": float("nan")}, "loading"),
        ({"intercept": float("inf")}, "intercept"),
        ({"floor": 1.0}, "floor"),
        ({"floor": -0.1}, "floor"),
        ({"precision": 0.0}, "precision"),
        ({"precision": -1.0, "floor": 2.0}, "floor"),
    ],
)
def test_numbers_out_of_their_range_are_refused(
    wrong: dict[str, float], where: str, message: Message
) -> None:
    with refused(where) as error:
        ResponseCurve(**wrong)
    message(error)


def test_a_level_in_percent_is_refused(message: Message) -> None:
    with refused("level", "90") as error:
        ResponseCurve().interval(0.0, 90)
    message(error)
