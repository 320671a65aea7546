from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import lvkit as lv
from lvkit.model.features import FeatureMap
from lvkit.planning.feature_surface import Region, learn_surface


def with_features(fit: lv.Fit, formula: str, models: pd.DataFrame | None = None) -> lv.Fit:
    """The fit as if its features were others; enough for a surface."""
    table = fit.panel.models if models is None else models
    panel: Any = SimpleNamespace(models=table)
    features = FeatureMap.learn(formula, table.loc[list(fit.prepared.models)])
    return replace(fit, panel=panel, prepared=replace(fit.prepared, features=features))


QUADRATIC = [
    "log_params + log_tokens",
    "log_params * log_tokens",
    "log_params * log_tokens + I(log_params**2) + I(log_tokens**2)",
    "log10(params_b * 1000) * log10(tokens_t)",
    "I((log_params - log_tokens)**2) + log_tokens",
]
OTHERS = [
    "log_params * log_tokens + I(log_params**3)",
    "params_b + log_tokens",
    "sqrt(tokens_t) + log_params",
    "I(log_params**2 * log_tokens) + log_tokens",
]


@pytest.mark.parametrize("formula", QUADRATIC + OTHERS)
def test_the_surface_gives_the_features_of_the_formula(small_fit: lv.Fit, formula: str) -> None:
    fit = with_features(small_fit, formula)
    surface = learn_surface(fit, None, None)
    assert surface.quadratic == (formula in QUADRATIC)
    rng = np.random.default_rng(0)
    s, t = rng.uniform(-2.0, 3.0, (2, 4, 5))
    models = pd.DataFrame({"params_b": 10.0 ** s.ravel(), "tokens_t": 10.0 ** t.ravel()})
    expected = fit.prepared.features.values(models).reshape(4, 5, -1)
    found = surface.basis(s, t) @ surface.matrix.T
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_a_formula_that_is_no_parabola_serves_models_of_any_size(small_fit: lv.Fit) -> None:
    surface = learn_surface(with_features(small_fit, OTHERS[0]), None, None)
    beyond = surface.basis(np.array([9.0]), np.array([8.0]))
    assert np.isfinite(beyond).all()


def test_log_sizes_and_log_tokens_broadcast(small_fit: lv.Fit) -> None:
    for formula in (QUADRATIC[1], OTHERS[0]):
        surface = learn_surface(with_features(small_fit, formula), None, None)
        basis = surface.basis(np.zeros((3, 1)), np.ones(4))
        assert basis.shape == (3, 4, surface.matrix.shape[1])


@pytest.mark.parametrize(
    ("formula", "quoted"),
    [
        ("log_params", ["tokens_t"]),
        ("log_tokens", ["params_b"]),
    ],
)
def test_features_without_size_or_tokens_are_refused(
    small_fit: lv.Fit, formula: str, quoted: list[str], message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as error:
        learn_surface(with_features(small_fit, formula), None, None)
    (problem,) = error.value.problems
    message(problem, *quoted)
    assert f"'{formula}'" in problem.seen
    message(problem, "log_params", "log_tokens")


# -- splines -------------------------------------------------------------------------------------

SPLINE = "bs(log_params, df=3) + log_tokens"


@pytest.mark.parametrize("formula", [SPLINE, SPLINE + " + instruct"])
def test_a_spline_is_looked_at_inside_the_fitted_models_only(
    small_fit: lv.Fit, formula: str
) -> None:
    fit = with_features(small_fit, formula)
    surface = learn_surface(fit, "qwen2", None)
    assert surface.basis(np.array([0.0, 1.0]), np.array([1.0, 1.0])).shape[0] == 2
    with pytest.raises(lv.LvkitError) as error:
        surface.basis(np.array([0.0, 3.0]), np.array([0.0, 0.5]))
    (problem,) = error.value.problems
    assert "sizes from 1 to 1e+03 billion and tokens from 1 to 3.16 trillion" in problem.where
    assert "lv.Limits" in problem.remedy


# -- what size and tokens do not give -------------------------------------------------------------


@pytest.fixture(scope="module")
def tongued(small_fit: lv.Fit) -> lv.Fit:
    """A fit that needs whether a model is instructed, and its language."""
    models = small_fit.panel.models.copy()
    languages = ["english" if name.startswith("y") else "chinese" for name in models.index]
    models["language"] = pd.Series(languages, models.index, dtype=object)
    return with_features(small_fit, "log_params * log_tokens + instruct + language", models)


def test_attributes_are_the_familys_own(tongued: lv.Fit) -> None:
    surface = learn_surface(tongued, "qwen1.5-chat", None)
    assert surface.attributes == {"instruct": True, "language": "chinese"}


def test_attributes_that_are_given_come_first(tongued: lv.Fit) -> None:
    given = {"instruct": False, "language": None}
    assert learn_surface(tongued, "qwen1.5-chat", given).attributes == {
        "instruct": False,
        "language": "chinese",
    }
    assert given == {"instruct": False, "language": None}


def test_attributes_shift_the_features(tongued: lv.Fit) -> None:
    surfaces = [
        learn_surface(tongued, None, {"instruct": value, "language": "english"}) for value in (0, 1)
    ]
    less, more = (each.basis(0.3, 0.7) @ each.matrix.T for each in surfaces)
    names = list(tongued.feature_names)
    expected = [1.0 if name == "instruct" else 0.0 for name in names]
    np.testing.assert_allclose(more - less, expected, atol=1e-9)


def test_attributes_that_nothing_tells_are_asked_for(tongued: lv.Fit, message: Message) -> None:
    with pytest.raises(lv.LvkitError) as error:
        learn_surface(tongued, None, {"instruct": True})
    (problem,) = error.value.problems
    assert problem.where == "attributes"
    message(problem, "language")
    assert "attributes={'language': ...}" in problem.remedy


def test_attributes_in_which_a_family_is_mixed_are_asked_for(
    small_fit: lv.Fit, message: Message
) -> None:
    models = small_fit.panel.models.copy()
    models.loc["qwen2-7b", "instruct"] = True
    fit = with_features(small_fit, "log_params * log_tokens + instruct", models)
    with refused("attributes", "qwen2") as error:
        learn_surface(fit, "qwen2", None)
    message(error)


@pytest.mark.parametrize(
    ("attributes", "quoted"),
    [
        ({"instuct": True}, ["'instuct'", "instruct"]),
        ({"instruct": float("nan"), "language": "english"}, ["'instruct'"]),
        ({"instruct": "perhaps", "language": "english"}, ["'perhaps'", "'instruct'"]),
        ({"instruct": [0, 1]}, ["[0, 1]", "instruct"]),
        ({"instruct": True, "language": "englsh"}, ["'englsh'", "english"]),
        ("instruct", ["'instruct'"]),
    ],
)
def test_attributes_that_are_none_are_refused(
    tongued: lv.Fit, attributes: Any, quoted: list[str], message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as error:
        learn_surface(tongued, None, attributes)
    message(error, *quoted)


def test_without_further_columns_no_attribute_is_taken(small_fit: lv.Fit, message: Message) -> None:
    with refused("attributes") as error:
        learn_surface(small_fit, None, {"instruct": True})
    message(error)


def test_features_at_log_sizes_are_those_of_the_table(tongued: lv.Fit) -> None:
    features = tongued.prepared.features
    s, t = np.array([0.1, 1.2]), np.array([0.5, -0.5])
    models = pd.DataFrame({"params_b": 10.0**s, "tokens_t": 10.0**t})
    models = models.assign(instruct=True, language="english")
    found = features.at(s, t, {"instruct": True, "language": "english"})
    np.testing.assert_allclose(found, features.values(models), rtol=1e-12, atol=1e-12)


# -- the region of the data -----------------------------------------------------------------------


def nearest_mixture(points: np.ndarray, point: np.ndarray) -> float:
    """Distance to a hull as the hull is defined: the nearest of all mixtures of its points."""
    n = len(points)
    found = minimize(
        lambda w: float(np.square(w @ points - point).sum()),
        np.full(n, 1.0 / n),
        jac=lambda w: 2.0 * points @ (w @ points - point),
        bounds=[(0.0, 1.0)] * n,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: np.ones(n)},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    return float(np.sqrt(found.fun))


@pytest.mark.parametrize("seed", range(4))
def test_the_distance_is_to_the_nearest_mixture_of_the_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(12, 2))
    asked = rng.normal(scale=2.0, size=(15, 2))
    expected = [nearest_mixture(points, point) for point in asked]
    found = Region.around(points).distance(asked[:, 0], asked[:, 1])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(-2.0, 2.0), st.floats(-2.0, 2.0)), min_size=1, max_size=12).map(
        np.array
    ),
    st.integers(0, 99),
)
def test_every_mixture_of_the_points_is_inside(points: np.ndarray, seed: int) -> None:
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(points)), 5)
    mixed = np.vstack([points, weights @ points])
    assert Region.around(points).distance(mixed[:, 0], mixed[:, 1]).max() <= 1e-7


def test_models_on_a_line_have_a_region_without_inside() -> None:
    region = Region.around(np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5], [0.2, 0.2]]))
    s, t = np.array([0.3, 2.0, 0.0]), np.array([0.3, 2.0, 1.0])
    np.testing.assert_allclose(region.distance(s, t), [0.0, np.sqrt(2.0), np.sqrt(0.5)])


@pytest.mark.parametrize("count", [1, 4])
def test_models_that_are_all_alike_have_a_region_of_one_point(count: int) -> None:
    region = Region.around(np.tile([[0.5, 0.25]], (count, 1)))
    assert region.corners.tolist() == [[0.5, 0.25]]
    np.testing.assert_allclose(
        region.distance(np.array([0.5, 3.5]), np.array([0.25, 4.25])), [0.0, 5.0]
    )


def test_every_fitted_model_lies_in_the_region_of_its_fit(curved_fit: lv.Fit) -> None:
    models = curved_fit.panel.models.loc[list(curved_fit.prepared.models)]
    s, t = np.log10(models["params_b"].to_numpy()), np.log10(models["tokens_t"].to_numpy())
    region = Region.of(curved_fit)
    assert (region.distance(s, t) == 0.0).all()
    assert region.distance(np.array([s.max() + 1.0]), np.array([t.max()]))[0] >= 1.0


def test_points_broadcast_and_each_keeps_its_place() -> None:
    square = Region.around(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    assert square.distance(np.array([[0.5], [3.0]]), np.array([0.5, -1.0, 1.5])).tolist() == [
        [0.0, 1.0, 0.5],
        [2.0, pytest.approx(np.sqrt(5.0)), pytest.approx(np.sqrt(4.25))],
    ]
