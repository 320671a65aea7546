from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused
from pictures import made_backtest

import lvkit as lv
from lvkit.fit.backtest import errors_by_family, interval_coverage, own_coverage
from lvkit.prediction.predict import Prediction, predicted


@pytest.fixture(scope="module")
def prediction(small_fit: lv.Fit) -> Prediction:
    models = small_fit.panel.models.iloc[:7]
    return small_fit.predict(models, intervals="plugin", draws=200)


def names_of(prediction: Prediction) -> list[str]:
    return list(dict.fromkeys(prediction.table["model"]))


def test_the_first_six_models_are_shown(prediction: Prediction) -> None:
    rows = predicted(prediction)
    assert list(dict.fromkeys(rows["model"])) == names_of(prediction)[:6]
    assert rows["observed"].isna().all()
    assert not rows["inside"].any()


def test_models_are_in_the_order_they_are_asked_for(prediction: Prediction) -> None:
    wanted = names_of(prediction)[::-2]
    rows = predicted(prediction, wanted)
    assert list(dict.fromkeys(rows["model"])) == wanted
    assert list(rows["benchmark"][:6]) == list(prediction.table["benchmark"][:6])


def test_observed_scores_are_found_by_model_and_benchmark(
    prediction: Prediction, small_panel: lv.Panel
) -> None:
    rows = predicted(prediction, observed=small_panel)
    for row in rows.itertuples():
        assert row.observed == small_panel.scores.loc[row.model, row.benchmark]
        assert row.inside == (row.lower <= row.observed <= row.upper)


@pytest.mark.parametrize("index", [True, False])
def test_a_table_with_gaps_will_do(prediction: Prediction, index: bool) -> None:
    first, second = names_of(prediction)[:2]
    table = pd.DataFrame({"model": [second, first], "mmlu": [0.5, 0.25], "arc": [None, 1]})
    rows = predicted(prediction, observed=table.set_index("model") if index else table)
    found = rows.dropna(subset="observed").set_index(["model", "benchmark"])["observed"]
    assert found.to_dict() == {
        (first, "mmlu"): 0.25, (second, "mmlu"): 0.5, (first, "arc"): 1.0,
    }  # fmt: skip


def test_scores_that_were_given_are_shown(small_fit: lv.Fit) -> None:
    models = small_fit.panel.models.iloc[:1].assign(mmlu=0.4)
    rows = predicted(small_fit.predict(models, intervals="plugin", draws=50))
    assert rows.set_index("benchmark")["observed"].dropna().to_dict() == {"mmlu": 0.4}


def test_scores_that_are_none_are_refused_with_their_place(
    prediction: Prediction, message: Message
) -> None:
    name = names_of(prediction)[0]
    for cell in (54.3, "good"):
        table = pd.DataFrame({"model": [name], "mmlu": [cell]})
        with refused("observed, model 'yi-1.5-34b', benchmark 'mmlu'", name, "0") as error:
            predicted(prediction, observed=table)
        message(error)
    table = pd.DataFrame({"model": [name, name], "mmlu": [0.1, 0.2]})
    with refused("observed", name) as error:
        predicted(prediction, observed=table)
    message(error)


def test_models_that_cannot_be_shown_are_refused(prediction: Prediction, message: Message) -> None:
    names = names_of(prediction)
    for wrong in ([], names, [names[0]] * 2):
        with refused("argument 'models'", "6") as error:
            predicted(prediction, wrong)
        message(error)
    with refused() as error:
        predicted(prediction, ["gpt-9"])
    message(error, "gpt-9")


def test_coverage_counts_normal_scores() -> None:
    test = made_backtest(spread=2.0)
    shares = own_coverage(test, [0.9, 0.1])
    inside = [(test.table["z"].abs() <= limit).mean() for limit in (1.6448536, 0.1256613)]
    assert shares.to_dict() == dict(zip([0.9, 0.1], inside, strict=True))


def test_interval_coverage_is_that_of_the_summary() -> None:
    test = made_backtest()
    shares, measures = interval_coverage(test), test.summary().iloc[0]
    assert shares.to_dict() == {0.5: measures["coverage_0.5"], 0.95: measures["coverage"]}
    assert list(shares.index) == [0.5, 0.95]


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_errors_are_averaged_as_in_the_summary(shift: float) -> None:
    test = made_backtest()
    test = replace(test, table=test.table.assign(mean=test.table["mean"] + shift))
    some = errors_by_family(test)
    np.testing.assert_allclose(some.loc["falcon"], [3.0, 10.0])
    assert list(some.columns) == ["arc", "gsm8k"]
    assert some.mean().mean() == pytest.approx(test.summary().loc["all", "mae"])
