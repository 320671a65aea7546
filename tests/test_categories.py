from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

import lvkit as lv
from lvkit.categories import as_categories, check_categories, check_learned, is_text
from lvkit.errors import LvkitError
from lvkit.features import FeatureMap


def refusal(values: list[object], *, chosen: bool = False) -> str:
    with pytest.raises(LvkitError) as caught:
        check_categories("its column", values, chosen=chosen)
    return str(caught.value)


def test_text_is_what_is_neither_number_nor_flag() -> None:
    columns = {"a": [1.0], "b": [True], "c": ["x"], "d": [pd.Timestamp("2024-05-01")], "e": [None]}
    assert [is_text(column) for _, column in pd.DataFrame(columns).items()] == [
        False, False, True, True, True,
    ]  # fmt: skip


def test_cells_become_text_and_blanks_stay_blank() -> None:
    column = pd.Series(["moe", 3, None, "NA", pd.Timestamp("2024-05-01")], dtype=object)
    texts = as_categories(column)
    assert [texts[i] for i in (0, 1, 4)] == ["moe", "3", "2024-05-01"]
    assert np.isnan(texts[2])
    assert np.isnan(texts[3])


def test_labels_that_models_share_are_categories() -> None:
    assert check_categories("kind", ["b", "a", "b", "c", "a"], chosen=False) == ("a", "b", "c")
    sizes = ["4bit", "8bit", "v1.0", "gpt-4 turbo", "llama 2"]
    assert check_categories("kind", sizes * 2, chosen=False) == tuple(sorted(sizes))


@pytest.mark.parametrize(
    "dates",
    [
        ["2023-01-01", "2023-05-01", "2024-02-01"],
        ["2023/1/1", "2023/5/1"],
        ["2023-05", "2024-11"],
        ["2023-05-01T12:00:00", "2023-05-02 13:00"],
        ["01.05.2023", "13.12.2023"],
        ["5/1/23", "12/31/23"],
        ["05/2023", "11/2024"],
        ["May 2023", "Sept. 2024"],
        ["1 May 2023", "12 December 2024"],
        ["May 1, 2023", "Dec 12, 2024"],
        ["1-May-23", "2-Jun-23"],
        ["2023-May", "2024-Jun"],
        ["2023-Q1", "2024Q3"],
        ["2023年5月", "2024年11月3日"],
        ["2023-05-01", "unknown"],
    ],
)
def test_dates_are_refused_with_the_way_out(dates: list[str]) -> None:
    text = refusal([*dates, *dates])
    assert f"column 'its column' holds dates (such as '{min(dates)}')" in text
    assert "numbers, such as the year" in text
    assert "C(`its column`)" in text
    assert check_categories("x", dates * 2, chosen=True) == tuple(sorted(dates))


@pytest.mark.parametrize(
    "numbers",
    [["45.2%", "50 %"], ["0,5", "0,7"], ["1,024", "32,768"], ["~7", "8"], ["1e9", "2e9"],
     ["4096", "8192", "n.a."], ["1 000", "2 000"]],
)  # fmt: skip
def test_numbers_written_as_text_are_refused(numbers: list[str]) -> None:
    text = refusal(numbers * 2)
    assert f"holds numbers written as text (such as '{min(numbers)}')" in text
    assert "without signs, units and separators" in text


def test_a_value_for_each_model_is_refused_even_where_it_is_asked_for() -> None:
    for chosen in (True, False):
        text = refusal([*"abcdef"], chosen=chosen)
        assert "has 6 different values for 6 models" in text
        assert refusal([*"abcdeff"], chosen=chosen)
    assert check_categories("x", [*"aabbc"], chosen=False) == ("a", "b", "c")


def test_one_value_for_all_models_is_refused() -> None:
    assert "holds 'dense' for all models. Leave it out." in refusal(["dense"] * 3)


def test_long_texts_are_refused() -> None:
    texts = [f"{'trained on much text, ' * 5}{i}" for i in range(3)]
    assert "holds long texts (such as 'trained on much text, trained …')" in refusal(texts * 2)


def test_a_value_of_no_fitted_model_is_refused_with_its_place() -> None:
    cells = pd.Series(["moe", "mow"], index=["a", "b"])
    with pytest.raises(LvkitError) as caught:
        check_learned("kind", cells, ("dense", "moe"))
    (problem,) = caught.value.problems
    assert (problem.seen, problem.where) == (
        "got 'mow', which no fitted model has", "model 'b', column 'kind'"
    )  # fmt: skip
    assert problem.expected == "one of dense, moe"
    assert problem.remedy == "Did you mean 'moe'?"


def test_dates_in_a_table_are_no_features(small_panel: lv.Panel) -> None:
    models = small_panel.models
    days = [datetime.date(2023, 1 + i % 3, 1) for i in range(len(models))]
    as_text = [str(day) for day in days]
    for column in (as_text, pd.to_datetime(as_text), pd.Series(days, models.index, dtype=object)):
        with pytest.raises(LvkitError, match="'released' holds dates .such as '2023-01-01'"):
            FeatureMap.learn("log_params + released", models.assign(released=column))
    kept = FeatureMap.learn("log_params + C(released)", models.assign(released=as_text))
    assert kept.names[1:] == ("C(released)[T.2023-02-01]", "C(released)[T.2023-03-01]")
    numbers = models.assign(released=[day.month for day in days])
    assert FeatureMap.learn("log_params + released", numbers).names[1] == "released"


def test_columns_that_are_only_compared_need_not_be_labels(small_panel: lv.Panel) -> None:
    models = small_panel.models
    models = models.assign(note=["pilot"] * 5 + [f"run {i}" for i in range(len(models) - 5)])
    features = FeatureMap.learn("log_params + I(note == 'pilot')", models)
    assert features.values(models)[:, 1].sum() == pytest.approx(0)
    with pytest.raises(LvkitError, match="different values"):
        FeatureMap.learn("log_params + note", models)
