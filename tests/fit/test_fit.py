from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv

OTHERS = {"maths": "gsm8k", "chat": "truthfulqa", "sense": "winogrande", "knowledge": "mmlu_pro"}


def assert_same_parameters(found: lv.Fit, expected: lv.Fit, atol: float) -> None:
    for name in ("loadings", "intercepts", "precisions", "slopes", "correlation"):
        np.testing.assert_allclose(
            getattr(found.params, name), getattr(expected.params, name), atol=atol, err_msg=name
        )


# -- tables --------------------------------------------------------------------------------------


def test_parameters_and_tables_agree(paper_fit: lv.Fit) -> None:
    params = paper_fit.params
    np.testing.assert_array_equal(paper_fit.loadings.to_numpy(), params.loadings)
    np.testing.assert_array_equal(paper_fit.slopes.to_numpy(), params.slopes)
    np.testing.assert_array_equal(paper_fit.correlation.to_numpy(), params.correlation)


def test_tables_are_labelled(paper_fit: lv.Fit, paper_anchors: dict[str, str]) -> None:
    assert paper_fit.skills == tuple(paper_anchors)
    assert paper_fit.anchors == paper_anchors
    assert paper_fit.benchmarks == tuple(sorted(paper_fit.panel.scores.columns))
    assert paper_fit.loadings.columns.tolist() == list(paper_fit.skills)
    assert paper_fit.loadings.index.tolist() == list(paper_fit.benchmarks)
    assert paper_fit.slopes.columns.tolist() == list(paper_fit.feature_names)
    assert paper_fit.correlation.columns.tolist() == paper_fit.correlation.index.tolist()
    assert paper_fit.feature_names == ("log_params", "log_tokens", "log_params:log_tokens")


def test_feature_means_are_those_of_the_fitted_models(paper_fit: lv.Fit) -> None:
    fitted = paper_fit.panel.models.drop(index=paper_fit.dropped.index)
    size, tokens = np.log10(fitted["params_b"]), np.log10(fitted["tokens_t"])
    expected = [size.mean(), tokens.mean(), (size * tokens).mean()]
    np.testing.assert_allclose(paper_fit.feature_means, expected)


def test_information_criteria_follow_their_definitions(paper_fit: lv.Fit) -> None:
    assert paper_fit.aic == pytest.approx(-2.0 * paper_fit.loglik + 2.0 * 78)
    assert paper_fit.bic == pytest.approx(-2.0 * paper_fit.loglik + 78 * np.log(1_566))


def test_the_summary_lists_every_free_parameter_once(paper_fit: lv.Fit) -> None:
    summary = paper_fit.summary()
    assert summary.index.name == "parameter"
    columns = ["estimate", "std_error", "ci_lower", "ci_upper", "determined"]
    assert summary.columns.tolist() == columns
    assert len(summary) == paper_fit.n_params == summary.index.nunique()
    assert summary.notna().all(axis=None)
    kinds = summary.index.str.extract(r"^(\w+)\[")[0].value_counts().to_dict()
    assert kinds == {"loading": 36, "intercept": 12, "precision": 12, "slope": 12, "correlation": 6}


def test_the_summary_names_what_it_tells(paper_fit: lv.Fit, message: Message) -> None:
    estimates = paper_fit.summary()["estimate"]
    assert estimates["loading[mmlu, reasoning]"] == paper_fit.loadings.loc["mmlu", "reasoning"]
    assert estimates["slope[reasoning, log_params]"] == paper_fit.slopes.iloc[3, 0]
    assert (
        estimates["correlation[mathematics, reasoning]"]
        == paper_fit.correlation.loc["mathematics", "reasoning"]
    )
    assert "loading[bbh, mathematics]" not in estimates
    assert "loading[bbh, reasoning]" in estimates


def test_the_summary_of_estimated_floors_lists_them(small_panel: lv.Panel) -> None:
    model = lv.LatentSkillModel(n_skills=1, floor="estimate", features="log_params")
    fit = model.fit(small_panel)
    estimates = fit.summary(level=None)
    floors = [name for name in estimates.index if name.startswith("floor[")]
    assert floors == ["floor[arc]", "floor[bbh]", "floor[hellaswag]", "floor[mmlu]"]
    assert len(estimates) == fit.n_params


def test_the_summary_without_a_level_lists_the_estimates_alone(paper_fit: lv.Fit) -> None:
    alone = paper_fit.summary(level=None)
    assert alone.columns.tolist() == ["estimate"]
    assert alone.equals(paper_fit.summary()[["estimate"]])


def test_the_trace_leads_to_the_top(paper_fit: lv.Fit) -> None:
    trace = paper_fit.trace
    assert trace.index.name == "iteration"
    assert trace.columns.tolist() == ["loglik", "expected_gain"]
    assert trace.index.tolist() == list(range(len(trace)))
    assert len(trace) == paper_fit.starts.loc["principal", "steps"]
    assert trace["loglik"].iloc[-1] == pytest.approx(paper_fit.loglik, abs=0.5)
    assert trace["loglik"].iloc[-1] > trace["loglik"].iloc[0] + 100.0
    assert trace["expected_gain"].iloc[-1] < 1e-5


# -- what the loadings tell: arXiv 2512.06553, figure 1 ------------------------------------------


def test_gsm8k_loads_mainly_on_mathematics(paper_fit: lv.Fit) -> None:
    row = paper_fit.loadings.loc["gsm8k"].abs()
    assert row.idxmax() == "mathematics"
    assert row["mathematics"] > 2.0 * row.drop("mathematics").max()


@pytest.mark.parametrize("benchmark", ["arc", "winogrande"])
def test_arc_and_winogrande_go_with_hellaswag(benchmark: str, paper_fit: lv.Fit) -> None:
    assert paper_fit.loadings.loc[benchmark].abs().idxmax() == "commonsense"


@pytest.mark.parametrize("benchmark", ["mmlu", "mmlu_pro", "gpqa", "musr"])
def test_knowledge_and_reasoning_benchmarks_go_with_bbh(benchmark: str, paper_fit: lv.Fit) -> None:
    assert paper_fit.loadings.loc[benchmark].abs().idxmax() == "reasoning"


def test_truthfulqa_goes_partly_with_ifeval(paper_fit: lv.Fit) -> None:
    row = paper_fit.loadings.loc["truthfulqa"]
    assert row["instruction"] > 0.05
    assert row["instruction"] > row.abs().max() / 3.0


def test_anchors_load_on_their_own_skill_alone(paper_fit: lv.Fit) -> None:
    for skill, benchmark in paper_fit.anchors.items():
        row = paper_fit.loadings.loc[benchmark]
        assert row[skill] > 0.0
        assert (row.drop(skill) == 0.0).all()


def test_skills_have_unit_variance_and_valid_correlations(paper_fit: lv.Fit) -> None:
    correlation = paper_fit.correlation.to_numpy()
    np.testing.assert_allclose(np.diag(correlation), 1.0)
    np.testing.assert_allclose(correlation, correlation.T, atol=1e-12)
    assert np.linalg.eigvalsh(correlation)[0] > 0.0


def test_larger_models_have_more_of_every_skill(paper_fit: lv.Fit) -> None:
    assert (paper_fit.slopes["log_params"] > 0.0).all()


# -- re-anchoring --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def other_fit(leaderboard: lv.Panel) -> lv.Fit:
    return lv.LatentSkillModel(anchors=OTHERS).fit(leaderboard)


def test_two_sets_of_anchors_give_the_same_likelihood(paper_fit: lv.Fit, other_fit: lv.Fit) -> None:
    assert other_fit.loglik == pytest.approx(paper_fit.loglik, abs=0.1)
    assert other_fit.n_params == paper_fit.n_params


def test_a_re_anchored_fit_has_the_loadings_of_the_fit_with_those_anchors(
    paper_fit: lv.Fit, other_fit: lv.Fit
) -> None:
    again = paper_fit.reanchor(OTHERS)
    np.testing.assert_allclose(again.loadings, other_fit.loadings, atol=0.02)
    np.testing.assert_allclose(again.correlation, other_fit.correlation, atol=0.02)


def test_re_anchoring_changes_how_the_fit_is_read_and_nothing_else(paper_fit: lv.Fit) -> None:
    again = paper_fit.reanchor(OTHERS)
    assert again.loglik == paper_fit.loglik
    assert again.anchors == OTHERS
    assert again.skills == tuple(OTHERS)
    assert again.model.anchors == OTHERS
    assert again.panel is paper_fit.panel
    np.testing.assert_allclose(again.fitted_scores, paper_fit.fitted_scores, atol=1e-9)
    np.testing.assert_array_equal(again.params.precisions, paper_fit.params.precisions)


def test_re_anchoring_back_returns_the_same_fit(
    paper_fit: lv.Fit, paper_anchors: dict[str, str]
) -> None:
    back = paper_fit.reanchor(OTHERS).reanchor(paper_anchors)
    assert_same_parameters(back, paper_fit, atol=1e-9)
    np.testing.assert_allclose(back.family_effects, paper_fit.family_effects, atol=1e-9)


def test_reordering_the_anchors_reorders_the_skills(
    paper_fit: lv.Fit, paper_anchors: dict[str, str]
) -> None:
    turned = dict(reversed(paper_anchors.items()))
    again = paper_fit.reanchor(turned)
    np.testing.assert_allclose(
        again.loadings[list(paper_fit.skills)], paper_fit.loadings, atol=1e-9
    )


def test_too_few_anchors_are_refused(paper_fit: lv.Fit, message: Message) -> None:
    with refused("reanchor", "1", "4") as error:
        paper_fit.reanchor({"maths": "gsm8k"})
    message(error)


def test_unknown_and_repeated_anchors_are_refused(small_fit: lv.Fit, message: Message) -> None:
    with refused("anchor of skill 'a'", "mmlu") as error:
        small_fit.reanchor({"a": "mmul", "b": "bbh"})
    message(error)
    with refused("anchors", "bbh", "2") as error:
        small_fit.reanchor({"a": "bbh", "b": "bbh"})
    message(error)


@pytest.mark.parametrize("anchors", [None, ["mmlu", "bbh"], "mmlu"])
def test_anchors_that_are_no_mapping_are_refused(anchors: Any, small_fit: lv.Fit) -> None:
    with pytest.raises(lv.LvkitError, match="a mapping"):
        small_fit.reanchor(anchors)


def test_anchors_that_do_not_tell_skills_apart_are_refused(
    small_fit: lv.Fit, message: Message
) -> None:
    loadings = small_fit.frame.loadings.copy()
    loadings[0] = 0.7 * loadings[1]
    twins = replace(small_fit, frame=replace(small_fit.frame, loadings=loadings))
    names = small_fit.benchmarks
    with refused() as error:
        twins.reanchor({"a": names[0], "b": names[1]})
    message(error, "suggest_anchors")


# -- display and immutability --------------------------------------------------------------------


def test_a_fit_says_what_it_is(paper_fit: lv.Fit, message: Message) -> None:
    text = repr(paper_fit)
    message(text, "4", "184", "67", "1,566")
    assert text.endswith("converged)")
    assert "NOT" not in text


def test_a_fit_that_has_not_converged_says_so(small_fit: lv.Fit) -> None:
    assert "NOT converged" in repr(replace(small_fit, converged=False))


def test_the_table_for_notebooks_escapes_names(small_panel: lv.Panel) -> None:
    table = small_panel.to_frame().rename(columns={"mmlu": "<b>&mmlu"})
    chance = small_panel.benchmarks["chance"].rename({"mmlu": "<b>&mmlu"}).to_dict()
    panel = lv.Panel.from_frame(table, benchmarks=chance)
    anchors = {"<script>": "<b>&mmlu"}
    fit = lv.LatentSkillModel(anchors=anchors, features="log_params").fit(panel)
    html = fit._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html
    assert "log-likelihood" in html


def test_a_fit_cannot_be_changed(small_fit: lv.Fit) -> None:
    with pytest.raises(FrozenInstanceError):
        small_fit.loglik = 0.0  # type: ignore[misc]


def test_tables_are_copies(small_fit: lv.Fit) -> None:
    before = small_fit.loadings.iloc[0, 0]
    table = small_fit.loadings
    table.iloc[0, 0] = 99.0
    assert small_fit.loadings.iloc[0, 0] == before
    dropped = small_fit.dropped
    dropped["reason"] = "none"
    assert isinstance(small_fit.dropped, pd.DataFrame)


def test_two_fits_of_the_same_data_can_be_asked_whether_they_are_equal(small_fit: lv.Fit) -> None:
    assert (small_fit == replace(small_fit)) in (True, False)
    assert small_fit in [small_fit]


def test_reanchoring_on_near_copies_warns(paper_fit: lv.Fit, message: Message) -> None:
    anchors = {"knowledge": "mmlu", "more": "mmlu_pro", "sense": "hellaswag", "chat": "ifeval"}
    with pytest.warns(lv.LvkitWarning) as caught:
        paper_fit.reanchor(anchors)
    message(caught, "knowledge", "more")
