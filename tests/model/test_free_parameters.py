from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lvkit as lv
from lvkit.model.free_parameters import FreeParameters, at_boundary, boundary_variance

ANCHORS = {"maths": "gsm8k", "chat": "ifeval"}
BENCHMARKS = ["arc", "gsm8k", "ifeval"]
CEILING = np.array([0.25, 0.0, 0.0])


@pytest.fixture
def free() -> FreeParameters:
    """Every kind of parameter there is."""
    return FreeParameters.of(ANCHORS, BENCHMARKS, ["size"], free_floors=[0], slope_sd=True)


def parameters(**changes: Any) -> lv.Parameters:
    values: dict[str, Any] = {
        "loadings": np.array([[0.3, 0.4], [0.9, 0.0], [0.0, 0.8]]),
        "intercepts": np.array([0.1, 0.2, -0.3]),
        "precisions": np.array([10.0, 20.0, 30.0]),
        "floors": np.array([0.2, 0.0, 0.0]),
        "slopes": np.array([[1.1], [1.2]]),
        "correlation": np.array([[1.0, 0.5], [0.5, 1.0]]),
        "slope_sd": np.array([0.6, 0.7]),
    }
    return lv.Parameters(**(values | changes))


def test_every_free_parameter_is_named_with_its_value(free: FreeParameters) -> None:
    assert dict(zip(free.names, free.values(parameters()).tolist(), strict=True)) == {
        "loading[arc, maths]": 0.3,
        "loading[arc, chat]": 0.4,
        "loading[gsm8k, maths]": 0.9,
        "loading[ifeval, chat]": 0.8,
        "intercept[arc]": 0.1,
        "intercept[gsm8k]": 0.2,
        "intercept[ifeval]": -0.3,
        "precision[arc]": 10.0,
        "precision[gsm8k]": 20.0,
        "precision[ifeval]": 30.0,
        "floor[arc]": 0.2,
        "slope[maths, size]": 1.1,
        "slope[chat, size]": 1.2,
        "correlation[maths, chat]": 0.5,
        "slope_sd[maths]": 0.6,
        "slope_sd[chat]": 0.7,
    }


def test_an_anchors_own_loading_is_told_from_the_others(free: FreeParameters) -> None:
    kinds = dict(zip(free.names, free.kinds.tolist(), strict=True))
    assert kinds["loading[gsm8k, maths]"] == kinds["loading[ifeval, chat]"] == "anchor"
    assert kinds["loading[arc, maths]"] == "loading"
    assert kinds["slope_sd[chat]"] == "slope_sd"


def test_correlations_of_three_skills_are_named_as_they_are_ordered() -> None:
    anchors = {"a": "x", "b": "y", "c": "z"}
    free = FreeParameters.of(anchors, ["x", "y", "z"], ["size"])
    correlation = np.array([[1.0, 0.1, 0.2], [0.1, 1.0, 0.3], [0.2, 0.3, 1.0]])
    params = parameters(
        loadings=np.eye(3), slopes=np.zeros((3, 1)), correlation=correlation, slope_sd=None
    )
    values = dict(zip(free.names, free.values(params).tolist(), strict=True))
    assert values["correlation[a, b]"] == 0.1
    assert values["correlation[a, c]"] == 0.2
    assert values["correlation[b, c]"] == 0.3


def test_what_is_fixed_is_not_listed() -> None:
    free = FreeParameters.of(ANCHORS, BENCHMARKS, ["size"])
    assert not any(name.startswith(("floor", "slope_sd")) for name in free.names)
    assert "loading[gsm8k, chat]" not in free.names
    assert len(free.values(parameters(slope_sd=None))) == len(free.names)


def test_a_fit_names_as_many_parameters_as_it_has(paper_fit: lv.Fit) -> None:
    assert len(paper_fit.free_parameters.names) == paper_fit.n_params


@pytest.mark.parametrize("slope_sd", [True, False])
def test_placing_is_the_inverse_of_listing(slope_sd: bool) -> None:
    free = FreeParameters.of(ANCHORS, BENCHMARKS, ["size"], free_floors=[0], slope_sd=slope_sd)
    params = parameters() if slope_sd else parameters(slope_sd=None)
    values = free.values(params) + 0.01 * np.arange(len(free.names))
    placed = free.placed(params, values)
    np.testing.assert_array_equal(free.values(placed), values)
    np.testing.assert_array_equal(placed.correlation, placed.correlation.T)
    assert placed.loadings[1, 1] == placed.loadings[2, 0] == placed.floors[1] == 0.0
    assert params.correlation[0, 1] == 0.5


def test_the_stretch_is_the_derivative_of_the_unbounded_scale(free: FreeParameters) -> None:
    def unbounded(at: np.ndarray) -> np.ndarray:
        out = at.copy()
        for i, kind in enumerate(free.kinds):
            if kind in ("anchor", "precision", "slope_sd"):
                out[i] = np.log(at[i])
            elif kind == "correlation":
                out[i] = np.arctanh(at[i])
            elif kind == "floor":
                out[i] = np.log(at[i] / (0.25 - at[i]))
        return out

    at, step = free.values(parameters()), 1e-6
    slopes = (unbounded(at + step) - unbounded(at - step)) / (2.0 * step)
    np.testing.assert_allclose(free.stretch(at, CEILING), slopes, rtol=1e-6)


def test_loadings_intercepts_and_slopes_have_no_bounds(free: FreeParameters) -> None:
    unbounded = {name.split("[")[0] for name in np.array(free.names)[~free.bounded]}
    assert unbounded == {"loading", "intercept", "slope"}
    assert free.bounded[free.kinds == "anchor"].all()


def test_short_intervals_are_symmetric(free: FreeParameters) -> None:
    at, half = free.values(parameters()), np.full(16, 1e-5)
    lower, upper = free.intervals(at, half, CEILING)
    np.testing.assert_allclose(at - lower, half, rtol=1e-3)
    np.testing.assert_allclose(upper - at, half, rtol=1e-3)


def test_wide_intervals_stay_within_the_range(free: FreeParameters) -> None:
    at = free.values(parameters())
    lower, upper = free.intervals(at, np.full(16, 0.8), CEILING)
    rows = {name: (lower[i], at[i], upper[i]) for i, name in enumerate(free.names)}
    assert rows["loading[arc, maths]"] == (0.3 - 0.8, 0.3, 0.3 + 0.8)
    assert 0.0 < rows["loading[gsm8k, maths]"][0] < 0.9 < rows["loading[gsm8k, maths]"][2]
    assert 0.0 < rows["slope_sd[maths]"][0] < 0.6
    assert -1.0 < rows["correlation[maths, chat]"][0] < 0.5
    assert 0.5 < rows["correlation[maths, chat]"][2] < 1.0
    assert 0.0 < rows["floor[arc]"][0] < 0.2 < rows["floor[arc]"][2] < 0.25


def test_no_error_makes_no_interval(free: FreeParameters) -> None:
    lower, upper = free.intervals(free.values(parameters()), np.full(16, np.nan), CEILING)
    assert np.isnan(lower).all()
    assert np.isnan(upper).all()


def test_parameters_on_the_very_edge_have_a_finite_stretch(free: FreeParameters) -> None:
    edge = parameters(
        correlation=np.ones((2, 2)), slope_sd=np.zeros(2), floors=np.array([0.25, 0.0, 0.0])
    )
    stretch = free.stretch(free.values(edge), CEILING)
    assert np.isfinite(stretch).all()
    assert (stretch[np.isin(free.kinds, ["correlation", "slope_sd", "floor"])] > 1e9).all()


# -- the boundary ---------------------------------------------------------------------------------


HIGHEST_FLOOR = np.array([0.25, 0.2])
FREE = FreeParameters.of(
    {"maths": "gsm8k", "chat": "ifeval"}, ["gsm8k", "ifeval"], ["size"], free_floors=[0, 1],
    slope_sd=True,
)  # fmt: skip
INSIDE = lv.Parameters(
    loadings=np.diag([0.9, 0.8]), intercepts=np.zeros(2), precisions=np.full(2, 20.0),
    floors=np.array([0.1, 0.1]), slopes=np.ones((2, 1)),
    correlation=np.array([[1.0, 0.3], [0.3, 1.0]]), slope_sd=np.array([0.6, 0.7]),
)  # fmt: skip
NAMES = ["floor[gsm8k]", "floor[ifeval]", "correlation[maths, chat]", "slope_sd[chat]"]


def params(**at: float) -> lv.Parameters:
    """Parameters well inside their range, but for those named."""
    values = dict(zip(FREE.names, FREE.values(INSIDE), strict=True)) | at
    return FREE.placed(INSIDE, np.array(list(values.values())))


def errors(**at: float) -> Any:
    return np.array([at.get(name, 0.01) for name in FREE.names])


def named(estimate: lv.Parameters, error: Any = None) -> list[str]:
    mask = at_boundary(FREE, estimate, HIGHEST_FLOOR, errors() if error is None else error)
    return [name for name, at in zip(FREE.names, mask, strict=True) if at]


def varies(estimate: lv.Parameters, function: Any, error: Any = None) -> list[float]:
    error = errors() if error is None else error
    return [float(v) for v in boundary_variance(FREE, estimate, HIGHEST_FLOOR, error, function)]


def test_parameters_within_their_range_are_not_at_its_edge() -> None:
    assert named(params()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("floor[gsm8k]", 0.0),
        ("floor[gsm8k]", 0.2499),
        ("correlation[maths, chat]", 0.999),
        ("correlation[maths, chat]", -0.999),
        ("slope_sd[chat]", 0.001),
    ],
)
def test_a_parameter_within_half_an_error_of_its_bound_is_at_the_edge(
    name: str, value: float
) -> None:
    assert named(params(**{name: value})) == [name]


def test_what_has_no_bounds_and_what_has_no_error_is_at_no_edge() -> None:
    wide = errors(**{"slope[maths, size]": 100.0, "intercept[gsm8k]": np.nan})
    assert named(params(**{"intercept[gsm8k]": 0.0}), wide) == []


@pytest.mark.parametrize(
    ("name", "value", "far"),
    [
        ("floor[gsm8k]", 0.0, 0.125),
        ("floor[gsm8k]", 0.25, 0.125),
        ("correlation[maths, chat]", 1.0, 1.0),
        ("correlation[maths, chat]", -1.0, 1.0),
        ("slope_sd[chat]", 0.001, 0.05),
    ],
)
def test_a_function_varies_as_far_as_the_parameter_might_be_from_the_edge(
    name: str, value: float, far: float
) -> None:
    at = FREE.names.index(name)
    error = errors(**{"slope_sd[chat]": 0.05})
    estimate = params(**{name: value})
    found = varies(estimate, lambda p: 3.0 * FREE.values(p), error)
    assert found[at] == pytest.approx(9.0 * far**2, rel=1e-4)
    assert sum(found) == pytest.approx(found[at], rel=1e-6)


def test_the_parameter_is_moved_into_its_range() -> None:
    seen: list[Any] = []

    def values(p: lv.Parameters) -> Any:
        seen.append(FREE.values(p))
        return p.floors

    high = {"floor[ifeval]": 0.2, "correlation[maths, chat]": -1.0}
    varies(params(**{"floor[gsm8k]": 0.0, "slope_sd[chat]": 0.0} | high), values)
    moved = np.array(seen[1:]) - seen[0]
    signs = {FREE.names[at]: np.sign(row[at]) for row in moved for at in np.flatnonzero(row)}
    assert signs == dict(zip(NAMES, [1.0, -1.0, 1.0, 1.0], strict=True))


@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_cannot_be_computed_beside_the_estimate_varies_without_bound() -> None:
    def broken(p: lv.Parameters) -> Any:
        if p.floors[0] > 0.0:
            raise np.linalg.LinAlgError("not positive definite")
        return p.floors

    at_zero = params(**{"floor[gsm8k]": 0.0})
    assert varies(at_zero, broken) == [np.inf, np.inf]
    assert varies(at_zero, lambda p: np.sqrt(-p.floors[:1])) == [np.inf]
