"""What is asked of a prediction: the kinds of family, the evidence, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message

import lvkit as lv
from lvkit.prediction.request import read_request

NEW = {"model": "new-13b", "family": "yi", "params_b": 13.0, "tokens_t": 3.0}


def table(*changes: dict[str, Any]) -> pd.DataFrame:
    """A row for each change of the new model."""
    return pd.DataFrame([NEW | change for change in changes or ({},)])


def refusal(fit: lv.Fit, models: Any, new_family: str = "error") -> str:
    with pytest.raises(lv.LvkitError) as caught:
        read_request(fit, models, new_family)
    return str(caught.value)


# -- kinds of family -----------------------------------------------------------------------------


def test_a_family_in_the_fit_is_known_with_all_its_models(small_fit: lv.Fit) -> None:
    found = read_request(small_fit, table(), "error")
    assert found.kinds == ("known",)
    assert set(found.evidence_models) == {"yi-34b", "yi-6b", "yi-9b"}
    assert found.n_known.tolist() == [3]


def test_a_family_that_comes_with_scores_is_new(small_fit: lv.Fit) -> None:
    found = read_request(small_fit, table({"family": "mine", "mmlu": 0.6}), "error")
    assert found.kinds == ("new",)
    assert found.evidence_models == ("new-13b",)
    assert found.n_known.tolist() == [1]


def test_scores_of_one_model_make_its_relatives_families_new_too(small_fit: lv.Fit) -> None:
    rows = ({"family": "mine", "mmlu": 0.6}, {"family": "mine", "model": "new-70b"})
    found = read_request(small_fit, table(*rows), "error")
    assert found.kinds == ("new", "new")
    assert found.group.tolist() == [0, 0]
    assert found.evidence_models == ("new-13b",)


@pytest.mark.parametrize("blank", ["", None, np.nan, "NA"])
def test_a_blank_family_is_an_unknown_recipe(blank: Any, small_fit: lv.Fit) -> None:
    found = read_request(small_fit, table({"family": blank}), "error")
    assert (found.kinds, found.families) == (("unknown",), ("",))
    assert found.evidence is None
    assert found.group.tolist() == [-1]


def test_recipes_without_a_family_are_each_known_by_their_own_scores(small_fit: lv.Fit) -> None:
    rows = [{"model": name, "family": None, "mmlu": y} for name, y in (("a", 0.7), ("b", 0.4))]
    found = read_request(small_fit, table(*rows), "error")
    assert found.kinds == ("new", "new")
    assert found.group[0] != found.group[1]
    assert found.n_known.tolist() == [1, 1]


def test_an_unknown_family_is_drawn_from_the_population_on_request(small_fit: lv.Fit) -> None:
    found = read_request(small_fit, table({"family": "mine"}), "population")
    assert found.kinds == ("unknown",)
    assert found.families == ("mine",)


def test_all_kinds_can_be_asked_for_at_once(small_fit: lv.Fit) -> None:
    rows = (
        {"model": "a", "family": None},
        {"model": "b", "family": "zz", "mmlu": 0.5},
        {"model": "c", "family": "aa", "mmlu": 0.5},
        {"model": "d"},
    )
    found = read_request(small_fit, table(*rows), "error")
    assert found.kinds == ("unknown", "new", "new", "known")
    assert found.n_known.tolist() == [0, 1, 1, 3]
    assert len(set(found.group)) == 4


# -- evidence ------------------------------------------------------------------------------------


def test_known_scores_join_those_of_a_fitted_family(small_fit: lv.Fit) -> None:
    found = read_request(small_fit, table({"mmlu": 0.6, "bbh": 0.5}), "error")
    assert found.kinds == ("known",)
    assert found.n_known.tolist() == [4]
    assert found.evidence is not None
    assert found.evidence.n_scores == 3 * 6 + 2


def test_a_model_that_is_in_the_fit_is_counted_once(
    small_fit: lv.Fit, small_panel: lv.Panel
) -> None:
    found = read_request(small_fit, small_panel, "error")
    assert sorted(found.evidence_models) == sorted(small_fit.prepared.models)
    assert found.evidence is not None
    assert found.evidence.n_scores == small_fit.n_scores
    sizes = small_panel.models.groupby("family")["family"].transform("size")
    assert found.n_known.tolist() == sizes.tolist()


def test_the_fitted_scores_of_a_model_stand(small_fit: lv.Fit, small_panel: lv.Panel) -> None:
    plain = read_request(small_fit, small_panel.select(families=["yi"]), "error")
    other = small_panel.select(families=["yi"]).to_frame().assign(mmlu=0.01)
    found = read_request(small_fit, other, "error")
    assert plain.evidence is not None
    assert found.evidence is not None
    np.testing.assert_array_equal(found.evidence.seen.log_odds, plain.evidence.seen.log_odds)


def test_scores_given_with_a_fitted_model_fill_its_gaps(small_panel: lv.Panel) -> None:
    scores = small_panel.to_frame().set_index("model")
    scores.loc["yi-6b", "mmlu"] = np.nan
    panel = lv.Panel.from_frame(scores.reset_index(), benchmarks=small_panel.benchmarks)
    fit = lv.LatentSkillModel(n_skills=1, features="log_params").fit(panel)
    found = read_request(fit, table({"model": "yi-6b", "mmlu": 0.6}), "error")
    assert found.evidence is not None
    assert found.evidence.n_scores == 3 * 6
    assert found.n_known.tolist() == [3]


def test_scores_of_a_fitted_models_namesake_without_a_family_are_its_own(
    small_fit: lv.Fit,
) -> None:
    rows = (
        {"model": "yi-34b", "family": None, "mmlu": 0.3},
        {"model": "known"},
        {"model": "new", "family": "zz", "mmlu": 0.5},
    )
    found = read_request(small_fit, table(*rows), "error")
    assert found.kinds == ("new", "known", "new")
    assert found.n_known.tolist() == [1, 3, 1]


def test_a_model_may_be_named_by_a_number(small_fit: lv.Fit) -> None:
    found = read_request(small_fit, table({"model": 7, "family": "zz", "mmlu": 0.5}), "error")
    assert found.models == found.evidence_models == ("7",)


def test_benchmarks_are_in_the_order_of_the_fit(small_fit: lv.Fit) -> None:
    found = read_request(small_fit, table({"mmlu": 0.6, "arc": "0.5"}), "error")
    expected = [{"mmlu": 0.6, "arc": 0.5}.get(name, np.nan) for name in small_fit.benchmarks]
    np.testing.assert_array_equal(found.scores, [expected])


def test_features_are_centred_as_in_the_fit(small_fit: lv.Fit) -> None:
    found = read_request(small_fit, table(), "error")
    raw = np.log10([NEW["params_b"], NEW["tokens_t"]])
    np.testing.assert_allclose(found.features, [raw - small_fit.feature_means])


def test_family_slopes_have_their_feature_in_the_design(small_panel: lv.Panel) -> None:
    model = lv.LatentSkillModel(n_skills=1, features="log_params", family_slopes="log_params")
    found = read_request(model.fit(small_panel), table(), "error")
    assert found.design.shape == (1, 2)
    assert found.design[0].tolist() == [1.0, found.features[0, 0]]


# -- distance ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "expected"), [(340.0, 1.0), (34.0, 0.0), (10.0, 0.0), (0.6, 1.0)])
def test_distance_counts_powers_of_ten_outside_the_known_sizes(
    size: float, expected: float, small_fit: lv.Fit
) -> None:
    found = read_request(small_fit, table({"params_b": size}), "error")
    assert found.distance[0] == pytest.approx(expected)


def test_distance_of_a_new_family_counts_from_its_largest_scored_model(small_fit: lv.Fit) -> None:
    rows = (
        {"family": "mine", "model": "a", "params_b": 1.0, "mmlu": 0.4},
        {"family": "mine", "model": "b", "params_b": 2.0, "mmlu": 0.5},
        {"family": "mine", "model": "c", "params_b": 200.0},
    )
    assert read_request(small_fit, table(*rows), "error").distance[2] == pytest.approx(2.0)


def test_an_unknown_recipe_has_no_distance(small_fit: lv.Fit) -> None:
    rows = ({"family": None}, {"model": "other"})
    found = read_request(small_fit, table(*rows), "error")
    np.testing.assert_array_equal(np.isnan(found.distance), [True, False])


def test_features_without_sizes_can_do_without_them(small_panel: lv.Panel) -> None:
    fit = lv.LatentSkillModel(n_skills=1, features="log_tokens").fit(small_panel)
    for rows in (table({"params_b": ""}), table().drop(columns="params_b")):
        found = read_request(fit, rows, "error")
        assert np.isfinite(found.features).all()
        assert np.isnan(found.distance).all()


# -- how models may be given ---------------------------------------------------------------------


def test_names_may_be_a_column_or_the_index(small_fit: lv.Fit) -> None:
    column = read_request(small_fit, table(), "error")
    index = read_request(small_fit, table().set_index("model"), "error")
    assert column.models == index.models == ("new-13b",)
    np.testing.assert_array_equal(column.features, index.features)


def test_the_users_table_is_left_as_it_was(small_fit: lv.Fit) -> None:
    given = table({"mmlu": 0.5})
    before = given.copy()
    read_request(small_fit, given, "error")
    pd.testing.assert_frame_equal(given, before)


def test_text_columns_of_the_users_own_are_no_matter(small_fit: lv.Fit) -> None:
    found = read_request(small_fit, table({"note": "from the paper", "empty": None}), "error")
    assert found.size == 1


def test_columns_of_the_fitted_panel_are_no_matter(small_fit: lv.Fit) -> None:
    assert read_request(small_fit, table({"instruct": True}), "error").size == 1


# -- refusals ------------------------------------------------------------------------------------


def test_a_misspelt_family_is_refused_with_the_nearest_one(
    small_fit: lv.Fit, message: Message
) -> None:
    text = refusal(small_fit, table({"family": "qwen22"}))
    message(text, "new-13b", "family", "qwen22", "qwen2")
    assert 'new_family="population"' in text


@pytest.mark.parametrize("cell", [0.5, "0.5"])
def test_a_misspelt_benchmark_is_refused_with_the_nearest_one(
    cell: Any, small_fit: lv.Fit, message: Message
) -> None:
    text = refusal(small_fit, table({"helaswag": cell}))
    message(text, "helaswag", "hellaswag")


def test_a_panel_with_benchmarks_that_were_not_fitted_is_refused(
    small_fit: lv.Fit, complete: lv.Panel, message: Message
) -> None:
    text = refusal(small_fit, complete.select(families=["yi"]))
    message(text)


@pytest.mark.parametrize("given", [{"tokens_t": None}, {"tokens_t": "NA"}])
def test_a_model_without_tokens_is_refused(
    given: dict[str, Any], small_fit: lv.Fit, message: Message
) -> None:
    text = refusal(small_fit, table({"model": "fine"}, given))
    message(text, "new-13b", "tokens_t")


def test_a_table_without_tokens_is_refused(small_fit: lv.Fit, message: Message) -> None:
    message(refusal(small_fit, table().drop(columns="tokens_t")), "tokens_t")


def test_a_table_of_names_alone_is_told_what_it_lacks(small_fit: lv.Fit, message: Message) -> None:
    text = refusal(small_fit, table()[["model"]])
    message(text, "new-13b", "params_b", "tokens_t")


@pytest.mark.parametrize("size", [7e9, -7.0, 0.0, "7B", np.inf])
def test_a_size_that_is_none_is_refused_with_its_place(
    size: Any, small_fit: lv.Fit, message: Message
) -> None:
    text = refusal(small_fit, table({"params_b": size}))
    message(text, "new-13b", "params_b", size)


@pytest.mark.parametrize("score", [1.2, -0.1, 55, "high", True, np.inf])
def test_a_score_that_is_none_is_refused_with_its_place(
    score: Any, small_fit: lv.Fit, message: Message
) -> None:
    text = refusal(small_fit, table({"model": "fine", "bbh": None}, {"bbh": score}))
    message(text, "new-13b", "bbh", "0", "1", "100")


def test_the_same_model_twice_is_refused(small_fit: lv.Fit, message: Message) -> None:
    text = refusal(small_fit, table({}, {}))
    message(text, "new-13b")


@pytest.mark.parametrize("name", ["", "  ", None])
def test_a_model_without_a_name_is_refused_with_its_row(
    name: Any, small_fit: lv.Fit, message: Message
) -> None:
    message(refusal(small_fit, table({}, {"model": name})), "2")


def test_a_table_without_names_is_refused(small_fit: lv.Fit, message: Message) -> None:
    text = refusal(small_fit, table().drop(columns="model"))
    message(text, "model")


def test_a_table_without_families_is_refused(small_fit: lv.Fit, message: Message) -> None:
    text = refusal(small_fit, table().drop(columns="family"))
    message(text, "family")


def test_a_table_without_rows_is_refused(small_fit: lv.Fit, message: Message) -> None:
    message(refusal(small_fit, table().iloc[:0]))


@pytest.mark.parametrize("models", [None, [NEW], NEW, "models.csv"])
def test_what_is_no_table_is_refused(models: Any, small_fit: lv.Fit, message: Message) -> None:
    text = refusal(small_fit, models)
    message(text, type(models).__name__)


@pytest.mark.parametrize("new_family", ["guess", None, True])
def test_other_wishes_for_new_families_are_refused(
    new_family: Any, small_fit: lv.Fit, message: Message
) -> None:
    text = refusal(small_fit, table(), new_family)
    message(text, "new_family", new_family, "error", "population")


def test_a_category_that_was_not_fitted_is_refused(small_panel: lv.Panel, message: Message) -> None:
    kind = np.where(small_panel.models["params_b"] > 5.0, "dense", "sparse")
    panel = lv.Panel.from_frame(
        small_panel.to_frame().assign(kind=kind), benchmarks=small_panel.benchmarks
    )
    fit = lv.LatentSkillModel(n_skills=1, features="log_tokens + kind").fit(panel)
    text = refusal(fit, table({"kind": "spars"}))
    message(text, "new-13b", "kind", "spars", "sparse")


def test_rounding_errors_in_known_scores_are_undone(small_fit: lv.Fit) -> None:
    first, second = small_fit.benchmarks[:2]
    row = {"model": "new", "family": None, "params_b": 7.0, "tokens_t": 2.0}
    known = pd.DataFrame([{**row, first: 1.0000000000000002, second: -1e-17}])
    np.testing.assert_array_equal(read_request(small_fit, known, "error").scores[0, :2], [1.0, 0.0])


@pytest.mark.parametrize("column", ["model", "family", "params_b", "tokens_t", "mmlu", "remark"])
@pytest.mark.parametrize(("copies", "times"), [(1, "twice"), (2, "3 times")])
def test_a_repeated_column_is_refused_by_name(
    column: str, copies: int, times: str, small_fit: lv.Fit, message: Message
) -> None:
    one = table({"mmlu": 0.5966, "remark": "early"}, {"model": "b", "mmlu": 0.6, "remark": ""})
    models = pd.concat([one, *[one[[column]]] * copies], axis=1)
    message(refusal(small_fit, models), column, ": column ", times)


@pytest.mark.parametrize("copy", [" mmlu", "mmlu\u200b"])
def test_two_spellings_of_one_column_are_refused(
    copy: str, small_fit: lv.Fit, message: Message
) -> None:
    models = table({"mmlu": 0.5}).assign(**{copy: 0.6})
    message(refusal(small_fit, models), "mmlu")
