"""Predictions outside the range of the fitted models."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message

import lvkit as lv
from lvkit.planning.plan_text import attributes_outside
from lvkit.prediction.extrapolation import Beyond, beyond, warn_if_far


@pytest.fixture(scope="module")
def ranges(small_fit: lv.Fit) -> pd.DataFrame:
    """Smallest and largest size and tokens of the fit."""
    models = small_fit.panel.models.loc[list(small_fit.prepared.models)]
    return models[["params_b", "tokens_t"]].agg(["min", "max"])


def asked(fit: lv.Fit, **columns: Any) -> pd.DataFrame:
    row = {"model": "new", "family": fit.families[0], "params_b": 7.0, "tokens_t": 2.0}
    return pd.DataFrame([row | columns])


def predicted(fit: lv.Fit, **columns: Any) -> tuple[pd.Series[Any], list[str]]:
    """The first row of a prediction, and lvkit's warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = fit.predict(asked(fit, **columns), intervals="plugin", draws=100).table
    return table.iloc[0], [str(w.message) for w in caught]


def test_inside_nothing_is_warned_of(small_fit: lv.Fit) -> None:
    row, said = predicted(small_fit)
    assert (row["outside"], row["outside_factor"], said) == ("", 1.0, [])


@pytest.mark.parametrize("column", ["params_b", "tokens_t"])
@pytest.mark.parametrize(("end", "times"), [("max", 2.0), ("max", 4.9), ("min", 1 / 3)])
def test_a_modest_extrapolation_has_a_factor_and_no_warning(
    small_fit: lv.Fit, ranges: pd.DataFrame, column: str, end: str, times: float
) -> None:
    row, said = predicted(small_fit, **{column: ranges.loc[end, column] * times})
    assert (row["outside"], said) == (column, [])
    assert row["outside_factor"] == pytest.approx(max(times, 1.0 / times))


@pytest.mark.parametrize("column", ["params_b", "tokens_t"])
@pytest.mark.parametrize(("end", "times"), [("max", 6.0), ("max", 60.0), ("min", 1 / 8)])
def test_far_outside_the_column_is_named_with_the_range(
    small_fit: lv.Fit, ranges: pd.DataFrame, column: str, end: str, times: float, message: Message
) -> None:
    row, (said,) = predicted(small_fit, **{column: ranges.loc[end, column] * times})
    assert row["outside_factor"] == pytest.approx(max(times, 1.0 / times))
    message(
        said, column, "new", f"{ranges.loc['min', column]:.3g}", f"{ranges.loc['max', column]:.3g}"
    )


@pytest.mark.parametrize(("column", "value"), [("tokens_t", 2_000.0), ("params_b", 7_000.0)])
def test_a_value_in_the_next_smaller_unit_gets_the_unit_and_the_value_meant(
    small_fit: lv.Fit, column: str, value: float, message: Message
) -> None:
    _, (said,) = predicted(small_fit, **{column: value})
    unit = {"tokens_t": "trillions", "params_b": "billions"}[column]
    message(said, column, unit, f"{value / 1000:g}")


@pytest.mark.parametrize(("model", "asks"), [("llama-405b", False), ("llama", True)])
def test_a_size_that_agrees_with_the_name_is_in_no_other_unit(
    model: str, asks: bool, message: Message
) -> None:
    value = Beyond(model, "params_b", 405.0, 0.07, 12.0, 405.0 / 12.0)
    assert value.far
    assert ("0.405" in value.sentence) is asks
    message(value.sentence)


def test_a_name_does_not_vouch_for_tokens(message: Message) -> None:
    value = Beyond("llama-300b", "tokens_t", 300.0, 0.1, 2.0, 150.0)
    message(value.sentence, "0.3")


def test_the_existing_distance_keeps_its_meaning(small_fit: lv.Fit) -> None:
    row, _ = predicted(small_fit, tokens_t=2_000.0)
    plain, _ = predicted(small_fit)
    assert row["distance"] == plain["distance"]


def test_skills_are_warned_of_too_and_the_warning_names_the_users_line(
    small_fit: lv.Fit, message: Message
) -> None:
    table = asked(small_fit, tokens_t=2_000.0)
    with pytest.warns(lv.LvkitWarning) as caught:
        small_fit.predict_skills(table, draws=50)
    message(caught, "2")
    assert caught[0].filename == __file__
    with pytest.warns(lv.LvkitWarning) as caught:
        small_fit.predict(table, intervals="plugin", draws=50)
    message(caught, "2")
    assert caught[0].filename == __file__


def test_many_models_far_outside_make_one_warning_for_each_column(message: Message) -> None:
    values = [Beyond(f"m{n}", "tokens_t", 100.0 * n, 0.3, 8.0, 12.5 * n) for n in (1, 3, 2)]
    values.append(Beyond("m1", "params_b", 900.0, 1.0, 70.0, 900 / 70))
    values.append(Beyond("m2", "params_b", 90.0, 1.0, 70.0, 90 / 70))
    with pytest.warns(lv.LvkitWarning) as caught:
        warn_if_far(values)
    first, second = (str(w.message) for w in caught)
    message(first, "tokens_t", "m3", "2")
    assert "more" not in second


def stand_in(columns: dict[str, Any]) -> Any:
    """A fit of which only the models and the features' columns are known."""
    models = pd.DataFrame(columns, index=[f"m{n}" for n in range(3)])
    features = SimpleNamespace(columns=tuple(columns))
    return SimpleNamespace(
        panel=SimpleNamespace(models=models),
        prepared=SimpleNamespace(models=tuple(models.index), features=features),
    )


def test_other_numbers_are_held_against_the_width_of_their_range_and_categories_are_not(
    message: Message,
) -> None:
    fit = stand_in({"year": [2019, 2021, 2024], "instruct": [True, False, True], "lab": ["a"] * 3})
    row = {"instruct": [False], "lab": ["b"]}
    assert beyond(fit, pd.DataFrame({"year": [2020.0], **row}, index=["new"])) == ()
    (near,) = beyond(fit, pd.DataFrame({"year": [2029.0], **row}, index=["new"]))
    assert (near.column, near.factor, near.far) == ("year", 2.0, False)
    (far,) = beyond(fit, pd.DataFrame({"year": [20.0], **row}, index=["new"]))
    assert far.far
    message(far.sentence)


def test_a_column_without_variation_has_no_width() -> None:
    fit = stand_in({"year": [2024] * 3})
    (value,) = beyond(fit, pd.DataFrame({"year": [2025.0]}, index=["new"]))
    assert np.isposinf(value.factor)


def test_a_plan_says_which_other_column_is_far_outside(message: Message) -> None:
    fit = stand_in({"params_b": [1.0, 7.0, 70.0], "tokens_t": [1.0, 2.0, 8.0], "year": [1, 2, 3]})
    plan: Any = SimpleNamespace(fit=fit, surface=SimpleNamespace(attributes={"year": 90}))
    (sentence,) = attributes_outside(plan)
    message(sentence, "the planned models", "90")
    plan.surface.attributes["year"] = 2
    assert list(attributes_outside(plan)) == []
